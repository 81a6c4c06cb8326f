"""Pipe operations on their way from the registers to the pipe manager."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.config import NicConfig
from enso_nic.index_set import IndexSet
from enso_nic.layouts import PipeOperation, PipeOperationKind, RetryTap


class OperationQueue(wiring.Component):
    """A queue of ``pipe_operations`` operations, in order; when it is full, head checks go to a set of pipes instead.

    So a flood of head writes delays nothing, and each pipe is checked at least once after its last head write; only
    checks of one pipe that find the queue full are merged. Pipes on ``retry`` enter the same set.

    Latency: 2 cycles through the queue, 4 through the set, when nothing waits; they take turns on ``o``. Back-pressure:
    tail writes and register reads wait while the queue is full. After reset it clears the set; before ``ready`` it
    takes nothing.
    """

    i: In(stream.Signature(PipeOperation))
    retry: In(stream.Signature(13))
    o: Out(stream.Signature(PipeOperation))
    tap: Out(stream.Signature(RetryTap, always_ready=True))  # what enters the set
    ready: Out(1)
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._config = config
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = len(self.i.payload.as_value())
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=width, depth=self._config.pipe_operations)
        m.submodules.merged = merged = IndexSet(self._config.pipes)

        # pipes that do not exist stay in the queue: the set has no place for them
        exists = self.i.payload.index < self._config.pipes
        is_check = exists & (self.i.payload.kind == PipeOperationKind.HEAD_CHECK)
        # what the set is offered stays until it is accepted, though the queue may have room by then
        offers_retry, offering, offered_retry = Signal(), Signal(), Signal()
        overflow = Signal()
        m.d.comb += [
            self.ready.eq(merged.ready),
            offers_retry.eq(Mux(offering, offered_retry, self.retry.valid)),
            overflow.eq(self.i.valid & is_check & (~queue.w_rdy | (offering & ~offered_retry))),
            merged.i.valid.eq(Mux(offers_retry, self.retry.valid, overflow)),
            merged.i.payload.eq(Mux(offers_retry, self.retry.payload, self.i.payload.index)),
            self.retry.ready.eq(offers_retry & merged.i.ready),
            queue.w_data.eq(self.i.payload),
            queue.w_en.eq(self.i.valid & queue.w_rdy & ~overflow),
            self.i.ready.eq(Mux(overflow, ~offers_retry & merged.i.ready, queue.w_rdy)),
        ]
        m.d.comb += [
            self.tap.valid.eq(merged.i.valid & merged.i.ready),
            self.tap.payload.pipe.eq(merged.i.payload),
            self.tap.payload.is_check.eq(~offers_retry),
            self.tap.payload.tag.eq(self.i.payload.tag),
            self.tap.payload.is_new.eq(merged.is_new),
        ]
        m.d.sync += [offering.eq(merged.i.valid & ~merged.i.ready), offered_retry.eq(offers_retry)]

        # the two sources take turns; what is offered stays until it is accepted
        from_set, offered_from_set, offered, set_next = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            from_set.eq(Mux(offered, offered_from_set, merged.o.valid & (set_next | ~queue.r_rdy))),
            self.o.valid.eq(Mux(from_set, merged.o.valid, queue.r_rdy)),
            merged.o.ready.eq(from_set & self.o.ready),
            queue.r_en.eq(~from_set & self.o.ready),
        ]
        with m.If(from_set):
            m.d.comb += [self.o.payload.index.eq(merged.o.payload), self.o.payload.kind.eq(PipeOperationKind.RETRY)]
        with m.Else():
            m.d.comb += self.o.payload.as_value().eq(queue.r_data)
        m.d.sync += [offered.eq(self.o.valid & ~self.o.ready), offered_from_set.eq(from_set)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += set_next.eq(~from_set)

        m.d.comb += self.idle.eq(~self.i.valid & ~self.retry.valid & (queue.level == 0) & merged.idle)
        return m
