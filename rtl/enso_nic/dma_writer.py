"""Turns decided packets, notifications and register reads into the ordered stream to the host."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.config import NicConfig
from enso_nic.layouts import HostWrite, HostWriteKind, NotificationLine, PacketRead, RxCommandKind, RxWrite

QUEUE_DEPTH = 16


class DmaWriter(wiring.Component):
    """Moves each packet's flits to its ring, and writes the notification behind them.

    Guarantees: host writes and answers leave in the order of the decisions, data before the notification that covers
    it; no write crosses a ``max_payload``-aligned boundary or the end of a ring.
    Latency: 3 cycles. A beat per cycle while packets wait. Back-pressure on ``o`` holds the beat, then the queue.
    While ``bus_master`` is 0 no write starts.
    """

    i: In(stream.Signature(RxWrite))
    read: Out(stream.Signature(PacketRead))
    flit: In(stream.Signature(512))
    o: Out(stream.Signature(HostWrite))
    max_payload: In(4)
    bus_master: In(1)
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._ring_flits = config.pipe_flits
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # fork: the packet buffer is told of packets and drops, the writer of all but drops
        m.submodules.queue = queue = fifo.SyncFIFO(width=len(self.i.payload.as_value()), depth=QUEUE_DEPTH)
        m.submodules.reads = reads = fifo.SyncFIFO(width=len(self.read.payload.as_value()), depth=QUEUE_DEPTH)
        is_drop = self.i.payload.kind == RxCommandKind.DROP
        is_frame = is_drop | (self.i.payload.kind == RxCommandKind.PACKET)
        read = Signal(PacketRead)
        m.d.comb += [
            read.flits.eq(self.i.payload.flits),
            read.drop.eq(is_drop),
            self.i.ready.eq(queue.w_rdy & reads.w_rdy),
            queue.w_data.eq(self.i.payload),
            queue.w_en.eq(self.i.valid & self.i.ready & ~is_drop),
            reads.w_data.eq(read),
            reads.w_en.eq(self.i.valid & self.i.ready & is_frame),
            self.read.payload.as_value().eq(reads.r_data),
            self.read.valid.eq(reads.r_rdy),
            reads.r_en.eq(self.read.ready),
        ]

        item = data.View(RxWrite, queue.r_data)
        advance = ~self.o.valid | self.o.ready
        done = Signal(8)  # flits of this packet that left
        burst_left = Signal(4)  # flits that the write under way still has
        data_done = Signal()  # only the notification is missing

        # one write: up to the packet's end, the boundary and the ring's end
        position = Signal(21)
        line = Signal(58)
        remaining, to_boundary, to_ring_end = Signal(8), Signal(4), Signal(21)
        burst = Signal(4)
        wrapped = position >= self._ring_flits
        m.d.comb += [
            position.eq(item.offset + done),
            line.eq(item.address + done - Mux(wrapped, self._ring_flits, 0)),
            remaining.eq(item.flits - done),
            to_boundary.eq(self.max_payload - (line[:3] & (self.max_payload - 1)[:3])),
            to_ring_end.eq(self._ring_flits - position),
        ]
        shorter = Signal(8)
        m.d.comb += [
            shorter.eq(Mux(remaining < to_boundary, remaining, to_boundary)),
            burst.eq(Mux(~wrapped & (to_ring_end < shorter), to_ring_end, shorter)),
        ]

        beat, emit = Signal(HostWrite), Signal()
        notification = data.View(NotificationLine, beat.data)
        is_first = burst_left == 0
        is_packet = item.kind == RxCommandKind.PACKET
        m.d.comb += [beat.tag.eq(item.tag), beat.first.eq(1), beat.last.eq(1), beat.flits.eq(1)]
        with m.If(~queue.r_rdy):
            pass
        with m.Elif(is_packet & ~data_done):
            lines = Mux(is_first, burst, burst_left)
            is_end = remaining == 1
            m.d.comb += [
                beat.data.eq(self.flit.payload),
                beat.address.eq(line),
                beat.flits.eq(burst),
                beat.first.eq(is_first),
                beat.last.eq(lines == 1),
                emit.eq(advance & self.flit.valid & (self.bus_master | ~is_first)),
                self.flit.ready.eq(emit),
                queue.r_en.eq(emit & is_end & ~item.notify),
            ]
            with m.If(emit):
                m.d.sync += [
                    burst_left.eq(lines - 1),
                    done.eq(Mux(is_end, 0, done + 1)),
                    data_done.eq(is_end & item.notify),
                ]
        with m.Elif(item.kind == RxCommandKind.READ):
            m.d.comb += [
                beat.kind.eq(HostWriteKind.MMIO_RESPONSE),
                beat.data.eq(item.data),
                emit.eq(advance),
                queue.r_en.eq(emit),
            ]
        with m.Else():
            m.d.comb += [
                notification.signal.eq(1),
                notification.pipe.eq(item.pipe),
                notification.tail.eq(item.tail),
                beat.address.eq(item.slot),
                emit.eq(advance & self.bus_master),
                queue.r_en.eq(emit),
            ]
            with m.If(emit):
                m.d.sync += data_done.eq(0)

        with m.If(advance):
            m.d.sync += self.o.valid.eq(emit)
        with m.If(emit):
            m.d.sync += self.o.payload.eq(beat)
        m.d.comb += self.idle.eq(Cat(self.i.valid, queue.r_rdy, reads.r_rdy, self.o.valid) == 0)
        return m
