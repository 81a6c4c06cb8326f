"""The NIC with everything around it that a board need not have."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from enso_nic.config import TINY, NicConfig
from enso_nic.nic import Nic
from onchip.frame_checker import FrameChecker
from onchip.frame_source import LONGEST_FLITS, FrameSource
from onchip.host import EchoHost

PATIENCE_BITS = 16


class SelfTest(wiring.Component):
    """Frames go through the NIC into the memory of an EchoHost, and through the NIC back to a checker.

    So much is under way that a pipe is never full. ``failed`` stays once it is set: a frame came back wrong or out of
    order; none came back for 2^16 cycles; or the NIC wrote where it must not, or completed a request with an error.

    Parameters
    ----------
    config
        The NIC's; see EchoHost.
    """

    corrupt: In(1)  # flips a bit of what the NIC receives, so that one can see the checker fail
    frames: Out(32)  # that came back right
    failed: Out(1)

    def __init__(self, config: NicConfig = TINY) -> None:
        self._config = config
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.nic = nic = Nic(self._config)
        m.submodules.host = host = EchoHost(self._config)
        m.submodules.source = source = FrameSource()
        m.submodules.checker = checker = FrameChecker()
        wiring.connect(m, nic.host, host.nic)
        wiring.connect(m, nic.ethernet_tx, checker.i)

        most = self._config.pipe_flits // LONGEST_FLITS - 1
        fifth = Signal(range(5))
        waited = Signal(PATIENCE_BITS)
        m.d.comb += [
            source.enable.eq(host.is_open & (source.number - checker.frames < most)),
            source.o.ready.eq(1),
            nic.ethernet_rx.valid.eq(source.o.valid),
            nic.ethernet_rx.payload.data.eq(source.o.payload.data ^ self.corrupt),
            nic.ethernet_rx.payload.keep.eq(source.o.payload.keep),
            nic.ethernet_rx.payload.last.eq(source.o.payload.last),
            self.frames.eq(checker.frames),
        ]
        # time as the NIC wants it: cycles, and four fifths of them
        m.d.sync += [nic.cycle.eq(nic.cycle + 1), fifth.eq(fifth + 1)]
        with m.If(fifth == 4):
            m.d.sync += fifth.eq(0)
        with m.Else():
            m.d.sync += nic.tick.eq(nic.tick + 1)
        m.d.sync += waited.eq(waited + 1)
        with m.If(checker.i.valid):
            m.d.sync += waited.eq(0)
        with m.If(checker.failed | host.failed | waited.all()):
            m.d.sync += self.failed.eq(1)
        return m
