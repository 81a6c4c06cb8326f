"""The RX half of the notification buffers: where in its ring each notification goes."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.config import NicConfig
from enso_nic.layouts import (
    NicSettings,
    OwedNotification,
    PipeWord,
    RegisterWrite,
    RingAddress,
    RingSetting,
    RxCommand,
    RxCommandKind,
    RxWrite,
)
from enso_nic.registers import FIRST_NOTIFICATION_BUFFER_PAGE

HISTORY = 3  # decisions that a read of the memories may miss: read address, read data, write back
QUEUE_DEPTH = 16
INDEX_BITS = 15
"""Of heads and tails, these take part in a ring's arithmetic; a ring may have as many slots."""


class Notifier(wiring.Component):
    """Gives each notification the next slot of its ring, and answers register reads of notification buffers.

    A notification whose ring is full is owed: ``owe`` tells which pipe and buffer. One whose buffer is disabled is
    lost, and ``lost`` pulses. The packet stays in either case. ``write``, the enabling of a buffer and its ring size
    work as in PipeManager.

    Guarantees: commands leave in the order in which they came; slots are given in that order too.
    Latency: 4 cycles when nothing waits; a command per cycle. Back-pressure on ``o`` stops ``i``.
    After reset it clears its tables; before ``ready`` it takes nothing.
    """

    i: In(stream.Signature(RxCommand))
    write: In(stream.Signature(RegisterWrite, always_ready=True))
    settings: In(NicSettings)
    o: Out(stream.Signature(RxWrite))
    owe: Out(stream.Signature(OwedNotification, always_ready=True))
    can_owe: In(1)  # room for a notification per stage
    notified: Out(1)
    lost: Out(1)
    ready: Out(1)
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._config = config
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        buffers = self._config.notification_buffers
        m.submodules.queue = queue = fifo.SyncFIFO(width=len(self.o.payload.as_value()), depth=QUEUE_DEPTH)
        m.d.comb += [
            self.o.payload.as_value().eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
        ]

        m.submodules.tails = tails = memory.Memory(shape=32, depth=buffers, init=[])
        m.submodules.heads = heads = memory.Memory(shape=32, depth=buffers, init=[])
        m.submodules.low = lows = memory.Memory(shape=32, depth=buffers, init=[])
        m.submodules.high = highs = memory.Memory(shape=32, depth=buffers, init=[])
        m.submodules.ring = rings = memory.Memory(shape=RingSetting, depth=buffers, init=[])
        tail_write = tails.write_port()
        reads = [each.read_port() for each in (tails, heads, lows, highs, rings)]
        tail_read, head_read, low_read, high_read, ring_read = reads

        sweep = Signal(range(buffers + 1))
        m.d.comb += self.ready.eq(sweep == buffers)
        with m.If(~self.ready):
            m.d.sync += sweep.eq(sweep + 1)

        written = self.write.payload
        written_buffer = Signal(14)
        m.d.comb += written_buffer.eq(written.index - FIRST_NOTIFICATION_BUFFER_PAGE)
        mine = self.write.valid & (written.index >= FIRST_NOTIFICATION_BUFFER_PAGE) & (written_buffer < buffers)
        for port, enable, value in (
            (heads.write_port(), written.head, written.data[32:]),
            (lows.write_port(), written.low, written.data[:32]),
            (highs.write_port(), written.high, written.data[32:]),
            (rings.write_port(), written.low | written.high, Cat(written.high, self.settings.notification_ring)),
        ):
            m.d.comb += [
                port.addr.eq(Mux(self.ready, written_buffer, sweep)),
                port.data.eq(Mux(self.ready, value, 0)),
                port.en.eq(~self.ready | (mine & enable)),
            ]

        # accept; a place in the queue is kept for all that was accepted
        outstanding = Signal(range(QUEUE_DEPTH + 1))
        accept = self.i.valid & self.i.ready
        is_packet_side = (self.i.payload.kind != RxCommandKind.READ) & (self.i.payload.kind != RxCommandKind.TAIL_WRITE)
        buffer = Signal(14)
        m.d.comb += [
            self.i.ready.eq((outstanding != QUEUE_DEPTH) & self.can_owe & self.ready),
            buffer.eq(
                Mux(is_packet_side, self.i.payload.buffer, self.i.payload.index - FIRST_NOTIFICATION_BUFFER_PAGE)
            ),
        ]
        m.d.comb += [port.addr.eq(buffer) for port in reads]

        # read
        read_valid, decide_valid = Signal(), Signal()
        reading, deciding = Signal(RxCommand), Signal(RxCommand)
        reading_buffer, deciding_buffer = Signal(14), Signal(14)
        stored_tail, head, address = Signal(32), Signal(32), Signal(RingAddress)
        enable, exists, ring_mask = Signal(), Signal(), Signal(INDEX_BITS)
        m.d.sync += [
            read_valid.eq(accept),
            reading.eq(self.i.payload),
            reading_buffer.eq(buffer),
            decide_valid.eq(read_valid),
            deciding.eq(reading),
            deciding_buffer.eq(reading_buffer),
            stored_tail.eq(tail_read.data),
            head.eq(head_read.data),
            address.low.eq(low_read.data),
            address.high.eq(high_read.data),
            enable.eq(ring_read.data.enabled),
            ring_mask.eq((1 << ring_read.data.size) - 1),
            exists.eq(reading_buffer < buffers),
        ]

        # decide, from the newest tail: that of an earlier decision if its write was too late for the read
        results = [Signal(32, name=f"result{age}") for age in range(HISTORY + 1)]
        result_buffer = [Signal(14, name=f"result_buffer{age}") for age in range(HISTORY + 1)]
        result_valid = [Signal(name=f"result_valid{age}") for age in range(HISTORY + 1)]
        is_recent, tail = Signal(HISTORY), Signal(32)
        m.d.sync += is_recent.eq(
            Cat(result_valid[age] & (result_buffer[age] == reading_buffer) for age in range(HISTORY))
        )
        m.d.comb += tail.eq(stored_tail)
        for age in reversed(range(HISTORY)):
            with m.If(is_recent[age]):
                m.d.comb += tail.eq(results[age + 1])

        notify, fits, has_ring = Signal(), Signal(), Signal()
        base = Signal(58)
        m.d.comb += [
            base.eq(address.as_value()[6:]),
            fits.eq(((head - tail - 1) & ring_mask) != 0),
            has_ring.eq(enable & exists & (address.as_value() != 0)),
            notify.eq(deciding.notify & has_ring & fits),
            result_buffer[0].eq(deciding_buffer),
            results[0].eq(tail),
        ]
        with m.If(deciding.kind == RxCommandKind.TAIL_WRITE):
            m.d.comb += [results[0].eq(deciding.data[:32]), result_valid[0].eq(decide_valid & exists)]
        with m.Elif(notify):
            m.d.comb += [results[0].eq((tail + 1) & ring_mask), result_valid[0].eq(decide_valid)]

        outgoing = Signal(RxWrite)
        m.d.comb += [
            outgoing[name].eq(deciding[name])
            for name in ("kind", "flits", "base", "offset", "size", "read", "pipe", "tail", "tag", "data")
        ]
        m.d.comb += [outgoing.notify.eq(notify), outgoing.slot.eq(base + (tail & ring_mask))]
        with m.If(exists & (deciding.kind == RxCommandKind.READ)):
            with m.If(deciding.word == PipeWord.INDICES):
                m.d.comb += outgoing.data.eq(Cat(tail, head))
            with m.Elif(deciding.word == PipeWord.MEMORY):
                m.d.comb += outgoing.data.eq(address)
        comes_to_nothing = (deciding.kind == RxCommandKind.TAIL_WRITE) | (
            (deciding.kind == RxCommandKind.CHECK) & ~notify
        )

        # write back
        for age in range(HISTORY):
            m.d.sync += [
                results[age + 1].eq(results[age]),
                result_buffer[age + 1].eq(result_buffer[age]),
                result_valid[age + 1].eq(result_valid[age]),
            ]
        pushed, queued = Signal(), Signal(RxWrite)
        m.d.sync += [
            pushed.eq(decide_valid & ~comes_to_nothing),
            queued.eq(outgoing),
            self.notified.eq(decide_valid & notify),
            self.lost.eq(decide_valid & deciding.notify & ~has_ring),
            self.owe.valid.eq(decide_valid & deciding.notify & has_ring & ~fits),
            self.owe.payload.pipe.eq(deciding.pipe),
            self.owe.payload.buffer.eq(deciding.buffer),
        ]
        m.d.comb += [
            tail_write.addr.eq(Mux(self.ready, result_buffer[1], sweep)),
            tail_write.data.eq(Mux(self.ready, results[1], 0)),
            tail_write.en.eq(~self.ready | result_valid[1]),
            queue.w_data.eq(queued),
            queue.w_en.eq(pushed),
        ]
        left = queue.r_rdy & queue.r_en
        m.d.sync += outstanding.eq(outstanding + accept - left - (decide_valid & comes_to_nothing))
        m.d.comb += self.idle.eq(self.ready & (outstanding == 0) & ~self.i.valid)
        return m
