"""What the NIC did, as software reads it on the extension page."""

from amaranth.hdl import Array, Cat, Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.layouts import AdmissionTap, DropCause
from enso_nic.registers import EXTENSION_MAGIC, EXTENSION_VERSION, EXTENSION_WORDS

COUNTER_WIDTH = 64
PULSES = ("tx_frames", "notifications", "owed_notifications", "lost_notifications", "flow_inserts_failed", "tx_error")


class Counters(wiring.Component):
    """Counts events, and shows the extension page.

    Guarantees: ``data`` is the word that ``word`` names, in the same cycle; words beyond the last read as 0.
    Latency: 1 cycle from an event to its count. Counters start from 0 at reset and wrap around.
    """

    verdict: In(stream.Signature(AdmissionTap, always_ready=True))
    dropped: In(DropCause)  # behind the door; NONE: nothing
    tx_error: In(1)
    tx_frames: In(1)
    notifications: In(1)
    owed_notifications: In(1)
    lost_notifications: In(1)
    flow_inserts_failed: In(1)
    word: In(9)
    data: Out(64)
    idle: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        admitted = self.verdict.valid & (self.verdict.payload.cause == DropCause.NONE)
        events: dict[str, Value] = {
            "rx_frames": self.verdict.valid,
            "rx_admitted": admitted,
        }
        for cause in tuple(DropCause):
            if cause is not DropCause.NONE:
                at_door = self.verdict.valid & (self.verdict.payload.cause == cause)
                events[cause.name.lower()] = at_door | (self.dropped == cause)
        events |= {name: getattr(self, name) for name in PULSES}

        page: list[Value] = []
        for name in EXTENSION_WORDS:
            if name in events:
                count = Signal(COUNTER_WIDTH, name=name)
                with m.If(events[name]):
                    m.d.sync += count.eq(count + 1)
                page.append(count)
            else:
                page.append(Const({"magic": EXTENSION_MAGIC, "version": EXTENSION_VERSION}[name], 64))
        with m.If(self.word < len(page)):
            m.d.comb += self.data.eq(Array(page)[self.word])
        m.d.comb += self.idle.eq(~Cat(events.values()).any())
        return m
