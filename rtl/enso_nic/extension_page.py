"""The extension page: what this NIC is, what software has set, and what the NIC has counted."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from enso_nic.config import NicConfig
from enso_nic.layouts import AdmissionTap, DropCause, ExtensionWrite, NicSettings
from enso_nic.registers import (
    COUNTERS,
    EXTENSION_MAGIC,
    EXTENSION_VERSION,
    EXTENSION_WORDS,
    LARGEST_NOTIFICATION_RING,
    LARGEST_PIPE_RING,
    RESET_KEY,
    SMALLEST_RING,
    Capability,
    Mode,
)

COUNTER_WIDTH = 64
PULSES = (
    "rx_packets",
    "tx_frames",
    "notifications",
    "owed_notifications",
    "lost_notifications",
    "merged_head_checks",
    "flow_inserts_failed",
    "lost_completions",
    "tx_error",
    "refused_rings",
    "refused_requests",
)


class ExtensionPage(wiring.Component):
    """Holds the settings, counts events, and shows both.

    Guarantees: ``data`` is the word that ``word`` names, in the same cycle; words that are none read as 0. A write
    changes only the word that it names, if that is writable and the value one that it accepts.
    Latency: 1 cycle from an event to its count, and from a write to ``settings``. Counters start from 0 at reset and
    wrap around; ``wants_reset`` stays until reset.
    """

    verdict: In(stream.Signature(AdmissionTap, always_ready=True))
    dropped: In(DropCause)  # behind the door; NONE: nothing
    read_timeouts: In(2)  # how many in this cycle
    rx_packets: In(1)
    tx_error: In(1)
    tx_frames: In(1)
    notifications: In(1)
    owed_notifications: In(1)
    lost_notifications: In(1)
    merged_head_checks: In(1)
    flow_inserts_failed: In(1)
    lost_completions: In(1)
    refused_rings: In(1)
    refused_requests: In(1)
    refused_page: In(14)  # of whom one of the two pulses tells
    refused_address: In(64)
    write: In(stream.Signature(ExtensionWrite, always_ready=True))
    word: In(9)
    data: Out(64)
    settings: Out(NicSettings)
    wants_reset: Out(1)
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._config = config
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, settings = self._config, Signal(NicSettings, init=self._settings_after_reset())
        m.d.comb += self.settings.eq(settings)
        written = self.write.payload

        def writes(name: str) -> Value:
            return self.write.valid & (written.word == EXTENSION_WORDS[name].number)

        for name, size, largest in (
            ("pipe_ring_flits", settings.pipe_ring, LARGEST_PIPE_RING),
            ("notification_ring_slots", settings.notification_ring, LARGEST_NOTIFICATION_RING),
        ):
            with m.If(writes(name)), m.Switch(written.data):
                for exponent in range(exact_log2(SMALLEST_RING), exact_log2(largest) + 1):
                    with m.Case(1 << exponent):
                        m.d.sync += size.eq(exponent)
        with m.If(writes("modes")):
            m.d.sync += [
                settings.notify_per_packet.eq((written.data & Mode.NOTIFICATION_PER_PACKET).any()),
                settings.accept_ipv6.eq((written.data & Mode.ACCEPT_IPV6).any()),
                settings.full_tuple.eq((written.data & Mode.FULL_TUPLE).any()),
            ]
        with m.If(writes("guard")):
            m.d.sync += settings.guard.eq(written.data[0])
        with m.If(writes("reset") & (written.data == RESET_KEY)):
            m.d.sync += self.wants_reset.eq(1)

        refused_page, refused_address = Signal(14), Signal(64)
        with m.If(self.refused_rings | self.refused_requests):
            m.d.sync += [refused_page.eq(self.refused_page), refused_address.eq(self.refused_address)]

        words: dict[str, Value] = {
            "magic": Const(EXTENSION_MAGIC, 64),
            "version": Const(EXTENSION_VERSION),
            "capabilities": Const(sum(Capability)),
            "pipes": Const(config.pipes),
            "notification_buffers": Const(config.notification_buffers),
            "maximum_frame": Const(config.maximum_frame),
            "packet_buffer_flits": Const(config.packet_buffer_flits),
            "pipe_ring_flits": (1 << settings.pipe_ring)[: exact_log2(LARGEST_PIPE_RING) + 1],
            "notification_ring_slots": (1 << settings.notification_ring)[: exact_log2(LARGEST_NOTIFICATION_RING) + 1],
            "modes": Mux(settings.notify_per_packet, Mode.NOTIFICATION_PER_PACKET, 0)
            | Mux(settings.accept_ipv6, Mode.ACCEPT_IPV6, 0)
            | Mux(settings.full_tuple, Mode.FULL_TUPLE, 0),
            "reset": Const(0),
            "guard": settings.guard,
            "refused_page": refused_page,
            "refused_address": refused_address,
        }
        events = self._events()
        for name in COUNTERS:
            words[name] = count = Signal(COUNTER_WIDTH, name=name)
            with m.If(events[name].any()):
                m.d.sync += count.eq(count + events[name])
        page = [Const(0)] * (max(each.number for each in EXTENSION_WORDS.values()) + 1)
        for name, word in EXTENSION_WORDS.items():
            page[word.number] = words[name]
        with m.If(self.word < len(page)):
            m.d.comb += self.data.eq(Array(page)[self.word])
        m.d.comb += self.idle.eq(~(Cat(events.values()).any() | self.write.valid | self.wants_reset))
        return m

    def _settings_after_reset(self) -> dict[str, int]:
        return {
            "pipe_ring": exact_log2(self._config.pipe_flits),
            "notification_ring": exact_log2(self._config.notification_slots),
            "notify_per_packet": 0,
            "accept_ipv6": 0,
            "full_tuple": 0,
            "guard": 0,
        }

    def _events(self) -> dict[str, Value]:
        """What each counter counts."""
        admitted = self.verdict.valid & (self.verdict.payload.cause == DropCause.NONE)
        events: dict[str, Value] = {
            "rx_frames": self.verdict.valid,
            "rx_admitted": admitted,
            "read_timeouts": self.read_timeouts,
        }
        for cause in tuple(DropCause):
            if cause is not DropCause.NONE:
                at_door = self.verdict.valid & (self.verdict.payload.cause == cause)
                events[cause.name.lower()] = at_door | (self.dropped == cause)
        return events | {name: getattr(self, name) for name in PULSES}
