"""Two streams of host writes into one."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.layouts import HostWrite


class HostWriteArbiter(wiring.Component):
    """TX completions slip in between RX writes, and go first.

    Guarantees: the beats of one write stay together; an offered beat stays until it is taken.
    Latency: 0 cycles. Back-pressure on ``o`` reaches the chosen input in the same cycle.
    """

    rx: In(stream.Signature(HostWrite))
    tx: In(stream.Signature(HostWrite))
    o: Out(stream.Signature(HostWrite))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        locked, kept_choice = Signal(), Signal()
        takes_tx = Signal()
        m.d.comb += takes_tx.eq(Mux(locked, kept_choice, self.tx.valid))
        with m.If(takes_tx):
            wiring.connect(m, wiring.flipped(self.tx), wiring.flipped(self.o))
        with m.Else():
            wiring.connect(m, wiring.flipped(self.rx), wiring.flipped(self.o))
        with m.If(self.o.valid):
            m.d.sync += [locked.eq(~(self.o.ready & self.o.payload.last)), kept_choice.eq(takes_tx)]
        return m
