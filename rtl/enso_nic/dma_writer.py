"""Turns decided packets, notifications and register reads into the ordered stream to the host."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.layouts import (
    HostWrite,
    HostWriteKind,
    NotificationLine,
    PacketRead,
    RxCommandKind,
    RxWrite,
    WriteJob,
)
from enso_nic.write_planner import WritePlanner

QUEUE_DEPTH = 16


class DmaWriter(wiring.Component):
    """Moves each packet's flits to its ring, and writes the notification behind them.

    Guarantees: host writes and answers leave in the order of the decisions, data before the notification that covers
    it; no write crosses a ``max_payload``-aligned boundary or the end of a ring. Consecutive packets of one pipe share
    writes, if they are there before the write begins (see WritePlanner).
    Latency: 3 cycles. A beat per cycle while packets wait. Back-pressure on ``o`` holds the beat, then the job, then
    the queue. While ``bus_master`` is 0 no write starts.
    """

    i: In(stream.Signature(RxWrite))
    read: Out(stream.Signature(PacketRead))
    flit: In(stream.Signature(512))
    o: Out(stream.Signature(HostWrite))
    max_payload: In(4)
    bus_master: In(1)
    idle: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # fork: the packet buffer is told of packets and drops, the planner of all but drops
        m.submodules.queue = queue = fifo.SyncFIFO(width=len(self.i.payload.as_value()), depth=QUEUE_DEPTH)
        m.submodules.reads = reads = fifo.SyncFIFO(width=len(self.read.payload.as_value()), depth=QUEUE_DEPTH)
        m.submodules.planner = planner = WritePlanner()
        is_drop = self.i.payload.kind == RxCommandKind.DROP
        is_frame = is_drop | (self.i.payload.kind == RxCommandKind.PACKET)
        m.d.comb += [
            self.i.ready.eq(queue.w_rdy & reads.w_rdy),
            queue.w_data.eq(self.i.payload),
            queue.w_en.eq(self.i.valid & self.i.ready & ~is_drop),
            reads.w_data.eq(self.i.payload.read),
            reads.w_en.eq(self.i.valid & self.i.ready & is_frame),
            self.read.payload.as_value().eq(reads.r_data),
            self.read.valid.eq(reads.r_rdy),
            reads.r_en.eq(self.read.ready),
            planner.i.payload.as_value().eq(queue.r_data),
            planner.i.valid.eq(queue.r_rdy),
            queue.r_en.eq(planner.i.ready),
            planner.max_payload.eq(self.max_payload),
        ]

        # what follows the first beat of a job: the rest of its write, then its notification
        job, rest, begun = planner.job, Signal(WriteJob), Signal()
        lines = Signal(4)  # of data still to be written, this beat's included
        advance, emit = Signal(), Signal()
        beat = Signal(HostWrite)
        told = data.View(NotificationLine, beat.data)
        shown = Signal(WriteJob)
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            shown.eq(Mux(begun, rest.as_value(), job.as_value())),
            lines.eq(shown.flits),
        ]
        has_job = begun | planner.has_job
        m.d.comb += [
            beat.tag.eq(job.tag),
            beat.flits.eq(1),
            beat.first.eq(1),
            beat.last.eq(1),
        ]
        with m.If(lines != 0):
            m.d.comb += [
                beat.data.eq(self.flit.payload),
                beat.address.eq(job.address),
                beat.flits.eq(job.flits),
                beat.first.eq(~begun),
                beat.last.eq(lines == 1),
                emit.eq(has_job & advance & self.flit.valid & (self.bus_master | begun)),
                self.flit.ready.eq(emit),
            ]
        with m.Elif(shown.is_answer):
            m.d.comb += [
                beat.kind.eq(HostWriteKind.MMIO_RESPONSE),
                beat.data.eq(job.data),
                emit.eq(has_job & advance),
            ]
        with m.Else():
            m.d.comb += [
                told.signal.eq(1),
                told.pipe.eq(shown.pipe),
                told.tail.eq(shown.tail),
                beat.address.eq(shown.slot),
                emit.eq(has_job & advance & self.bus_master),
            ]
        has_more = (lines > 1) | ((lines == 1) & shown.notify)
        m.d.comb += planner.take.eq(emit & ~begun)
        with m.If(advance):
            m.d.sync += self.o.valid.eq(emit)
        with m.If(emit):
            m.d.sync += [self.o.payload.eq(beat), begun.eq(has_more), rest.eq(shown), rest.flits.eq(lines - 1)]
        m.d.comb += self.idle.eq(Cat(self.i.valid, queue.r_rdy, reads.r_rdy, self.o.valid, begun, ~planner.idle) == 0)
        return m
