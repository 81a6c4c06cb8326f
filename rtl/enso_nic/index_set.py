"""A queue of indices in which each stands at most once."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out


class IndexSet(wiring.Component):
    """Remembers which indices are to be served, in the order in which they came; never overflows.

    Guarantees: an index that comes leaves once after that; one that comes again before it left counts once. Latency: 4
    cycles. Throughput: an index per 2 cycles in, and one per cycle out while none comes. Back-pressure: ``o`` stops
    nothing. After reset it clears its memory, a cycle per index; before ``ready`` it takes nothing.

    Parameters
    ----------
    size
        Indices are 0 to size - 1; a power of two.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        index = range(size)
        super().__init__(
            {
                "i": In(stream.Signature(index)),
                "is_new": Out(1),  # with the transfer of an index: it was not there before
                "o": Out(stream.Signature(index)),
                "ready": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.members = members = memory.Memory(shape=1, depth=self._size, init=[])
        m.submodules.order = order = fifo.SyncFIFOBuffered(width=len(self.o.payload), depth=self._size)
        write, read = members.write_port(), members.read_port()

        sweep = Signal(range(self._size + 1))
        looked = Signal()  # whether the index that waits at the input is a member is known
        take = Signal()
        m.d.comb += [
            self.ready.eq(sweep == self._size),
            read.addr.eq(self.i.payload),
            self.i.ready.eq(looked),
            self.is_new.eq(looked & ~read.data),
            take.eq(~self.i.valid & ~self.o.valid & order.r_rdy),
            order.w_data.eq(self.i.payload),
            order.w_en.eq(self.is_new),
            order.r_en.eq(take),
        ]
        m.d.sync += looked.eq(self.i.valid & ~looked & self.ready)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(take):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(order.r_data)]

        with m.If(~self.ready):
            m.d.sync += sweep.eq(sweep + 1)
            m.d.comb += [write.addr.eq(sweep), write.en.eq(1)]
        with m.Else():
            m.d.comb += [
                write.addr.eq(Mux(looked, self.i.payload, order.r_data)),
                write.data.eq(looked),
                write.en.eq(looked | take),
            ]
        m.d.comb += self.idle.eq(self.ready & ~self.i.valid & ~self.o.valid & (order.level == 0))
        return m
