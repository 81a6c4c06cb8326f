"""The TX registers of the notification buffers, and which slots of their rings are to be fetched."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import enum, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.config import NicConfig
from enso_nic.layouts import NicSettings, ReadJob, ReadKind, TxRegisterAccess, TxRegisters

INDEX_BITS = 15
"""Of heads and tails, these take part in a ring's arithmetic; a ring may have as many slots."""


class Step(enum.Enum, shape=2):
    """What the registers' memory is doing."""

    SWEEP = 0  # clearing itself after reset
    CHOOSE = 1  # reading the registers that the next access, or the next pending buffer, needs
    ACCESS = 2
    SERVE = 3


class TxRequestFetch(wiring.Component):
    """Holds tx_tail, tx_head and tx_mem of each notification buffer, and asks for the slots that software published.

    A write of tx_tail, also of the same value, makes its buffer pending, once. Pending buffers are served in turn:
    unless tail and head are equal or the buffer is disabled, the slots from head to tail (both modulo the ring size)
    are asked for on ``slots``, in two jobs where they wrap, and head becomes tail at once.

    A write of the low word of tx_mem disables the buffer, one of the high word enables it if the address is then not
    0, with the ring size that is set then. If it was enabled, a job without lines on ``slots`` marks, behind the slots
    asked for before, where it was closed, and its next ``generation`` begins. Buffers that do not exist ignore writes
    and read 0.

    Guarantees: accesses take effect in order; each read gives one ``answer``, which sees every earlier write. Neither
    waits for host memory: while ``slots`` is stalled, pending buffers just stay pending.
    Latency: 2 cycles from a read to its answer, 5 from a tail write to its job. Throughput: an access each 2 cycles,
    or one each 4 while buffers are pending. After reset it clears its memory (a cycle per buffer), then is ``ready``.
    ``idle``: only a transfer on one of its streams can change its state.
    """

    access: In(stream.Signature(TxRegisterAccess))
    answer: Out(stream.Signature(64))
    slots: Out(stream.Signature(ReadJob))
    settings: In(NicSettings)
    asked_buffer: In(10)
    generation: Out(8)  # of asked_buffer, in the same cycle
    ready: Out(1)
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._buffers = config.notification_buffers
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.registers = registers = memory.Memory(shape=TxRegisters, depth=self._buffers, init=[])
        write, read = registers.write_port(), registers.read_port()
        m.submodules.generations = generations = memory.Memory(shape=8, depth=self._buffers, init=[])
        generation_write, generation_read = generations.write_port(), generations.read_port(domain="comb")
        # each buffer is in it at most once, so it cannot overflow
        m.submodules.pending = pending = fifo.SyncFIFOBuffered(width=10, depth=self._buffers + 1)

        step = Signal(Step)
        row = Signal(10)  # the buffer whose registers were read; swept by
        access, served_last = Signal(TxRegisterAccess), Signal()
        stored, updated = read.data, Signal(TxRegisters)
        exists = row < self._buffers
        m.d.comb += [
            self.ready.eq(step != Step.SWEEP),
            updated.eq(stored),
            write.addr.eq(row),
            write.data.eq(updated),
            pending.w_data.eq(row),
            # a copy, because completions are written while registers are read
            generation_write.addr.eq(row),
            generation_write.data.eq(updated.generation),
            generation_write.en.eq(write.en),
            generation_read.addr.eq(self.asked_buffer),
            self.generation.eq(generation_read.data),
        ]

        # the job of the last buffer served: up to the ring's end, then from its beginning
        base, start, count, wrapped = Signal(58), Signal(INDEX_BITS), Signal(INDEX_BITS), Signal(INDEX_BITS)
        buffer, generation, closed = Signal(10), Signal(8), Signal()
        m.d.comb += [
            self.slots.valid.eq(closed | (count != 0)),
            self.slots.payload.kind.eq(Mux(closed, ReadKind.CLOSE, ReadKind.REQUEST)),
            self.slots.payload.address.eq(base + start),
            self.slots.payload.flits.eq(Mux(closed, 0, count)),
            self.slots.payload.buffer.eq(buffer),
            self.slots.payload.generation.eq(generation),
        ]
        with m.If(self.slots.valid & self.slots.ready):
            m.d.sync += closed.eq(0)
            with m.If(~closed):
                m.d.sync += [start.eq(0), count.eq(wrapped), wrapped.eq(0)]
        with m.If(self.answer.ready):
            m.d.sync += self.answer.valid.eq(0)

        can_access, can_serve, serve = Signal(), Signal(), Signal()
        m.d.comb += [
            can_access.eq(self.access.valid & (~self.answer.valid | self.answer.ready)),
            can_serve.eq(pending.r_rdy & ~self.slots.valid),
            serve.eq(can_serve & ~(can_access & served_last)),
        ]
        with m.Switch(step):
            with m.Case(Step.SWEEP):
                m.d.comb += [updated.eq(0), write.en.eq(1)]
                m.d.sync += row.eq(row + 1)
                with m.If(row == self._buffers - 1):
                    m.d.sync += step.eq(Step.CHOOSE)

            with m.Case(Step.CHOOSE):
                next_row = Mux(serve, pending.r_data, self.access.payload.buffer)
                m.d.comb += [
                    read.addr.eq(next_row),
                    pending.r_en.eq(serve),
                    self.access.ready.eq(can_access & ~serve),
                ]
                with m.If(can_access | can_serve):
                    m.d.sync += [
                        row.eq(next_row),
                        access.eq(self.access.payload),
                        served_last.eq(serve),
                        step.eq(Mux(serve, Step.SERVE, Step.ACCESS)),
                    ]

            with m.Case(Step.ACCESS):
                m.d.sync += step.eq(Step.CHOOSE)
                low, high = access.data[:32], access.data[32:]
                address = Cat(
                    Mux(access.enables[0], low, stored.address[:32]), Mux(access.enables[1], high, stored.address[32:])
                )
                with m.If(access.write):
                    m.d.comb += write.en.eq(exists)
                    with m.If(access.word == 0):
                        with m.If(access.enables[0]):
                            m.d.comb += [
                                updated.tail.eq(low),
                                updated.pending.eq(1),
                                pending.w_en.eq(exists & ~stored.pending),
                            ]
                        with m.If(access.enables[1]):
                            m.d.comb += updated.head.eq(high)
                    with m.Else():
                        has_address, closes = access.enables[1] & (address != 0), Signal()
                        m.d.comb += closes.eq(stored.enabled & (access.enables[0] | (access.enables[1] & ~has_address)))
                        with m.If(access.enables.any()):
                            m.d.comb += updated.enabled.eq(has_address)
                        with m.If(access.enables[1]):
                            m.d.comb += updated.ring.eq(self.settings.notification_ring)
                        with m.If(closes):
                            m.d.comb += [
                                updated.closed.eq(1),
                                updated.generation.eq(stored.generation + 1),
                                updated.pending.eq(1),
                                pending.w_en.eq(exists & ~stored.pending),
                            ]
                        m.d.comb += updated.address.eq(address)
                with m.Else():
                    word = Mux(access.word == 0, Cat(stored.tail, stored.head), stored.address)
                    m.d.sync += [self.answer.valid.eq(1), self.answer.payload.eq(Mux(exists, word, 0))]

            with m.Case(Step.SERVE):
                m.d.sync += step.eq(Step.CHOOSE)
                m.d.comb += [write.en.eq(1), updated.pending.eq(0), updated.closed.eq(0)]
                m.d.sync += [closed.eq(stored.closed), buffer.eq(row), generation.eq(stored.generation)]
                slots = Signal(INDEX_BITS + 1)
                head, tail = Signal(INDEX_BITS), Signal(INDEX_BITS)
                m.d.comb += [
                    slots.eq(1 << stored.ring),
                    head.eq(stored.head & (slots - 1)),
                    tail.eq(stored.tail & (slots - 1)),
                ]
                with m.If(stored.enabled & (head != tail)):
                    m.d.comb += updated.head.eq(stored.tail)
                    m.d.sync += [
                        base.eq(stored.address[6:]),
                        start.eq(head),
                        count.eq(Mux(head < tail, tail, slots) - head),
                        wrapped.eq(Mux(head < tail, 0, tail)),
                    ]

        moves = ~pending.r_rdy & (pending.r_level != 0)  # an entry is on its way through the queue
        m.d.comb += self.idle.eq((step == Step.CHOOSE) & ~can_serve & ~moves)
        return m
