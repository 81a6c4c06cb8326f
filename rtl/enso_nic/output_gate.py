"""Ends a stream where nobody is left with half an item."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


class OutputGate(wiring.Component):
    """Passes a stream on; while ``close``, only up to the end of the item that is shown or under way.

    Guarantees: ``closed`` means that no item was begun that did not end, and none is shown.
    Latency: 0 cycles. Back-pressure on ``o`` reaches ``i`` in the same cycle.

    Parameters
    ----------
    shape
        Of the payload, a struct. An item ends with a transfer whose ``last`` is 1; each one is an item if there is no
        such field.
    """

    def __init__(self, shape: type[data.Struct]) -> None:
        self._has_last = "last" in dict(data.Layout.cast(shape))
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)),
                "close": In(1),
                "closed": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        payload, inside, stays_inside = self.i.payload, Signal(), Signal()
        last: Value = payload.last if self._has_last else Value.cast(1)
        m.d.comb += [
            self.o.payload.eq(payload),
            self.o.valid.eq(self.i.valid & ~self.closed),
            self.i.ready.eq(self.o.ready & ~self.closed),
            stays_inside.eq(Mux(self.o.valid, ~(self.o.ready & last), inside)),
        ]
        m.d.sync += [inside.eq(stays_inside), self.closed.eq(self.close & ~stays_inside)]
        return m
