"""The NIC: the RX path, the TX path, and the registers between them."""

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out

from enso_nic.config import NicConfig
from enso_nic.configurator import Configurator
from enso_nic.dma_guard import DmaGuard
from enso_nic.extension_page import ExtensionPage
from enso_nic.host_write_arbiter import HostWriteArbiter
from enso_nic.layouts import AdmissionTap, CommitTap, EthernetTx, HostWrite, NotificationTap, ReadRequest, RetryTap
from enso_nic.mmio import MmioDecoder
from enso_nic.output_gate import OutputGate
from enso_nic.ports import NicSignature
from enso_nic.receive import ReceivePath
from enso_nic.transmit import TransmitPath


def _signature(config: NicConfig) -> wiring.Signature:
    ports = dict(NicSignature().members)
    if config.commit_taps:
        ports["admission_tap"] = Out(stream.Signature(AdmissionTap, always_ready=True))
        ports["commit_tap"] = Out(stream.Signature(CommitTap, always_ready=True))
        ports["retry_tap"] = Out(stream.Signature(RetryTap, always_ready=True))
        ports["notification_tap"] = Out(stream.Signature(NotificationTap, always_ready=True))
    return wiring.Signature(ports)


class NicCore(wiring.Component):
    """The NIC but for its resets: this one knows only that of its clock domain.

    Attributes
    ----------
    restarts
        Software asked for a reset, and no output is in the middle of an item: now.
    """

    def __init__(self, config: NicConfig) -> None:
        self._config = config
        self.restarts = Signal()
        super().__init__(_signature(config))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, host = self._config, self.host
        m.submodules.receive = receive = ReceivePath(config)
        m.submodules.transmit = transmit = TransmitPath(config)
        m.submodules.configurator = configurator = Configurator()
        m.submodules.guard = guard = DmaGuard(config)
        m.submodules.mmio = mmio = MmioDecoder()
        m.submodules.page = page = ExtensionPage(config)
        m.submodules.arbiter = arbiter = HostWriteArbiter()

        wiring.connect(m, wiring.flipped(self.ethernet_rx), receive.ethernet_rx)
        wiring.connect(m, receive.to_host, arbiter.rx)
        wiring.connect(m, transmit.completion, arbiter.tx)
        gates = {
            "to_host": (OutputGate(HostWrite), arbiter.o, host.to_host),
            "read_request": (OutputGate(ReadRequest), transmit.read_request, host.read_request),
            "ethernet_tx": (OutputGate(EthernetTx), transmit.ethernet_tx, self.ethernet_tx),
        }
        for name, (gate, inner, outer) in gates.items():
            m.submodules[f"{name}_gate"] = gate
            wiring.connect(m, inner, gate.i)
            wiring.connect(m, gate.o, wiring.flipped(outer))
            m.d.comb += gate.close.eq(page.wants_reset)
        wiring.connect(m, wiring.flipped(host.read_completion), transmit.read_completion)
        wiring.connect(m, wiring.flipped(host.mmio_request), guard.i)
        wiring.connect(m, guard.o, mmio.i)
        wiring.connect(m, transmit.slot, guard.slot_i)
        wiring.connect(m, guard.slot_o, transmit.guarded_slot)
        wiring.connect(m, mmio.operation, receive.operation)
        wiring.connect(m, mmio.write, receive.write)
        wiring.connect(m, mmio.freed, receive.freed)
        wiring.connect(m, mmio.tx_access, transmit.access)
        wiring.connect(m, transmit.answer, mmio.tx_answer)
        wiring.connect(m, transmit.config, configurator.config)
        wiring.connect(m, configurator.flow, receive.flow)
        wiring.connect(m, receive.verdict, page.verdict)
        wiring.connect(m, mmio.extension_write, page.write)
        m.d.comb += [
            self.ready.eq(receive.ready & transmit.ready & guard.ready),
            receive.is_open.eq(self.ready),
            # accesses behind one that asks for a reset wait until it is over
            mmio.is_open.eq(self.ready & ~page.wants_reset),
            self.restarts.eq(page.wants_reset & Cat(gate.closed for gate, _, _ in gates.values()).all()),
            receive.settings.eq(page.settings),
            transmit.settings.eq(page.settings),
            guard.settings.eq(page.settings),
            transmit.forbidden.eq(guard.forbidden),
            transmit.config_code.eq(configurator.config_code),
            configurator.flow_code.eq(receive.flow_code),
            receive.fallback.eq(configurator.fallback),
            receive.max_payload.eq(host.max_payload),
            receive.bus_master.eq(host.bus_master),
            receive.timestamp.eq(configurator.timestamp),
            receive.tick.eq(self.tick),
            transmit.max_read.eq(host.max_read),
            transmit.bus_master.eq(host.bus_master),
            transmit.cycle.eq(self.cycle),
            transmit.tick.eq(self.tick),
            transmit.timestamp.eq(configurator.timestamp),
            transmit.rate_limit.eq(configurator.rate_limit),
            page.word.eq(mmio.extension_word),
            mmio.extension_data.eq(page.data),
            page.dropped.eq(receive.dropped),
            page.rx_packets.eq(receive.stored),
            page.notifications.eq(receive.notified),
            page.owed_notifications.eq(receive.owed),
            page.lost_notifications.eq(receive.lost),
            page.merged_head_checks.eq(receive.merged),
            page.flow_inserts_failed.eq(receive.insert_failed),
            page.read_timeouts.eq(transmit.read_timeouts),
            page.lost_completions.eq(transmit.lost_completions),
            page.tx_error.eq(transmit.tx_error),
            page.refused_rings.eq(guard.refused_ring),
            page.refused_requests.eq(guard.refused_request),
            page.refused_page.eq(guard.refused_page),
            page.refused_address.eq(guard.refused_address),
            page.tx_frames.eq(transmit.tx_frames),
            self.quiescent.eq(
                self.ready & receive.idle & transmit.idle & guard.idle & mmio.idle & page.idle & ~host.to_host.valid
            ),
            self.wake_at.eq(transmit.deadline),
        ]
        if config.commit_taps:
            wiring.connect(m, receive.commit_tap, wiring.flipped(self.commit_tap))
            wiring.connect(m, receive.retry_tap, wiring.flipped(self.retry_tap))
            wiring.connect(m, receive.notification_tap, wiring.flipped(self.notification_tap))
            m.d.comb += [
                self.admission_tap.payload.eq(receive.verdict.payload),
                self.admission_tap.valid.eq(receive.verdict.valid),
            ]
        return m


class Nic(wiring.Component):
    """An Enso NIC. Ports: ports.NicSignature, and with ``commit_taps`` the four taps.

    Guarantees: software written for upstream Enso sees its registers, rings and notifications; docs/design.md says
    what is ours. ``quiescent`` with no valid input means that nothing changes however long the clock stands still.
    After ``rst`` or ``host.reset``, and when software asks for it, the tables are swept in as many cycles as there are
    pipes; ``ready`` is low meanwhile. A reset that software asks for waits until no output is in the middle of an item.
    """

    def __init__(self, config: NicConfig) -> None:
        self._config = config
        super().__init__(_signature(config))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core = NicCore(self._config)
        m.submodules.core = ResetInserter(self.host.reset | core.restarts)(core)
        wiring.connect(m, wiring.flipped(self), core)
        return m
