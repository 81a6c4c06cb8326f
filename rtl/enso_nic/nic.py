"""The NIC: the RX path, the TX path, and the registers between them."""

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out

from enso_nic.config import NicConfig
from enso_nic.configurator import Configurator
from enso_nic.counters import Counters
from enso_nic.host_write_arbiter import HostWriteArbiter
from enso_nic.layouts import AdmissionTap, CommitTap
from enso_nic.mmio import MmioDecoder
from enso_nic.ports import NicSignature
from enso_nic.receive import ReceivePath
from enso_nic.transmit import TransmitPath


def _signature(config: NicConfig) -> wiring.Signature:
    ports = dict(NicSignature().members)
    if config.commit_taps:
        ports["admission_tap"] = Out(stream.Signature(AdmissionTap, always_ready=True))
        ports["commit_tap"] = Out(stream.Signature(CommitTap, always_ready=True))
    return wiring.Signature(ports)


class NicCore(wiring.Component):
    """The NIC but for ``host.reset``: this one knows only the reset of its clock domain."""

    def __init__(self, config: NicConfig) -> None:
        self._config = config
        super().__init__(_signature(config))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, host = self._config, self.host
        m.submodules.receive = receive = ReceivePath(config)
        m.submodules.transmit = transmit = TransmitPath(config)
        m.submodules.configurator = configurator = Configurator()
        m.submodules.mmio = mmio = MmioDecoder()
        m.submodules.counters = counters = Counters()
        m.submodules.arbiter = arbiter = HostWriteArbiter()

        wiring.connect(m, wiring.flipped(self.ethernet_rx), receive.ethernet_rx)
        wiring.connect(m, transmit.ethernet_tx, wiring.flipped(self.ethernet_tx))
        wiring.connect(m, receive.to_host, arbiter.rx)
        wiring.connect(m, transmit.completion, arbiter.tx)
        wiring.connect(m, arbiter.o, wiring.flipped(host.to_host))
        wiring.connect(m, transmit.read_request, wiring.flipped(host.read_request))
        wiring.connect(m, wiring.flipped(host.read_completion), transmit.read_completion)
        wiring.connect(m, wiring.flipped(host.mmio_request), mmio.i)
        wiring.connect(m, mmio.operation, receive.operation)
        wiring.connect(m, mmio.write, receive.write)
        wiring.connect(m, mmio.freed, receive.freed)
        wiring.connect(m, mmio.tx_access, transmit.access)
        wiring.connect(m, transmit.answer, mmio.tx_answer)
        wiring.connect(m, transmit.config, configurator.config)
        wiring.connect(m, configurator.flow, receive.flow)
        wiring.connect(m, receive.verdict, counters.verdict)
        m.d.comb += [
            self.ready.eq(receive.ready & transmit.ready),
            receive.is_open.eq(self.ready),
            mmio.is_open.eq(self.ready),
            transmit.config_code.eq(configurator.config_code),
            configurator.flow_code.eq(receive.flow_code),
            receive.fallback.eq(configurator.fallback),
            receive.max_payload.eq(host.max_payload),
            receive.bus_master.eq(host.bus_master),
            transmit.max_read.eq(host.max_read),
            transmit.bus_master.eq(host.bus_master),
            transmit.cycle.eq(self.cycle),
            transmit.tick.eq(self.tick),
            transmit.timestamp.eq(configurator.timestamp),
            transmit.rate_limit.eq(configurator.rate_limit),
            counters.word.eq(mmio.extension_word),
            mmio.extension_data.eq(counters.data),
            counters.dropped.eq(receive.dropped),
            counters.notifications.eq(receive.notified),
            counters.owed_notifications.eq(receive.owed),
            counters.lost_notifications.eq(receive.lost),
            counters.flow_inserts_failed.eq(receive.insert_failed),
            counters.tx_error.eq(transmit.tx_error),
            counters.tx_frames.eq(transmit.tx_frames),
            self.quiescent.eq(
                self.ready & receive.idle & transmit.idle & mmio.idle & counters.idle & ~host.to_host.valid
            ),
            self.wake_at.eq(transmit.deadline),
        ]
        if config.commit_taps:
            wiring.connect(m, receive.commit_tap, wiring.flipped(self.commit_tap))
            m.d.comb += [
                self.admission_tap.payload.eq(receive.verdict.payload),
                self.admission_tap.valid.eq(receive.verdict.valid),
            ]
        return m


class Nic(wiring.Component):
    """An Enso NIC. Ports: ports.NicSignature, and with ``commit_taps`` the two taps.

    Guarantees: software written for upstream Enso sees its registers, rings and notifications; docs/design.md says
    what is ours. ``quiescent`` with no valid input means that nothing changes however long the clock stands still.
    After ``rst`` or ``host.reset`` the tables are swept in as many cycles as there are pipes; ``ready`` is low
    meanwhile.
    """

    def __init__(self, config: NicConfig) -> None:
        self._config = config
        super().__init__(_signature(config))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core = NicCore(self._config)
        m.submodules.core = ResetInserter(self.host.reset)(core)
        wiring.connect(m, wiring.flipped(self), core)
        return m
