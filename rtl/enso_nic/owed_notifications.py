"""Notifications that found their ring full: they are owed until software makes room."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, enum, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.config import NicConfig
from enso_nic.index_set import IndexSet
from enso_nic.layouts import OwedNotification

QUEUE_DEPTH = 16
SETTLE_CYCLES = 8
"""From a write of rx_head until each decision that did not see it has been told: more than the notifier's stages."""


class Owed(data.Struct):
    """The pipes to which one notification buffer owes: a list, linked by ``next``."""

    first: 13
    last: 13
    any: 1


class Membership(data.Struct):
    """Whether a pipe is in a list, and whose."""

    buffer: 10
    any: 1


class Step(enum.Enum, shape=3):
    """What the memories are doing."""

    SWEEP = 0
    CHOOSE = 1
    OWE = 2
    FREED = 3
    RETRY = 4
    FOLLOW = 5
    LEFT = 6


class OwedNotifications(wiring.Component):
    """Keeps, for each notification buffer, the pipes whose notification found no room; each pipe once, oldest first.

    When software writes the rx_head of a buffer (``freed``), all its pipes leave on ``retry``, to be checked again:
    such a check notifies with the pipe's present tail, or is owed once more. So do all pipes of a buffer that one of
    them has left, when its new buffer owes to that one too: a pipe is in one list at a time.

    Guarantees: a pipe that is owed leaves after the next ``freed`` of its buffer that may have come after the decision;
    no polling. Latency: 13 cycles from ``freed`` to the first retry, 2 per retry. ``has_room`` 0 asks the notifier to
    decide nothing more. After reset it clears its memories, a cycle per pipe; before ``ready`` it takes nothing.
    """

    owe: In(stream.Signature(OwedNotification, always_ready=True))
    has_room: Out(1)
    freed: In(stream.Signature(10))
    retry: Out(stream.Signature(13))
    ready: Out(1)
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._pipes, self._buffers = config.pipes, config.notification_buffers
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = fifo.SyncFIFO(width=len(self.owe.payload.as_value()), depth=QUEUE_DEPTH)
        m.submodules.freed_set = freed_set = IndexSet(self._buffers)
        m.submodules.lists = lists = memory.Memory(shape=Owed, depth=self._buffers, init=[])
        m.submodules.members = members = memory.Memory(shape=Membership, depth=self._pipes, init=[])
        m.submodules.next = nexts = memory.Memory(shape=13, depth=self._pipes, init=[])
        list_read, list_write = lists.read_port(), lists.write_port()
        member_read, member_write = members.read_port(), members.write_port()
        next_read, next_write = nexts.read_port(), nexts.write_port()

        m.d.comb += [
            freed_set.i.payload.eq(self.freed.payload),
            # a buffer that does not exist is owed to by nobody
            freed_set.i.valid.eq(self.freed.valid & (self.freed.payload < self._buffers)),
            self.freed.ready.eq(freed_set.i.ready | (self.freed.payload >= self._buffers)),
        ]
        owed = data.View(OwedNotification, queue.r_data)
        step = Signal(Step)
        sweep = Signal(range(self._pipes))
        settle = Signal(range(SETTLE_CYCLES + 1))
        buffer, current, end = Signal(10), Signal(13), Signal(13)
        stored, membership = list_read.data, member_read.data
        left, has_left = Signal(10), Signal()  # the buffer that a pipe has left, which another one owes to
        m.d.comb += [
            queue.w_data.eq(self.owe.payload),
            queue.w_en.eq(self.owe.valid),
            self.has_room.eq(queue.level <= QUEUE_DEPTH - SETTLE_CYCLES),
            list_read.addr.eq(Mux(has_left, left, Mux(queue.r_rdy, owed.buffer, buffer))),
            member_read.addr.eq(owed.pipe),
            next_read.addr.eq(current),
            list_write.addr.eq(buffer),
            member_write.addr.eq(owed.pipe),
            next_write.addr.eq(stored.last),
            next_write.data.eq(owed.pipe),
            self.ready.eq((step != Step.SWEEP) & freed_set.ready),
        ]
        wants_retry = settle != 0  # a buffer was freed, and is being waited for
        with m.If(settle > 1):
            m.d.sync += settle.eq(settle - 1)

        with m.Switch(step):
            with m.Case(Step.SWEEP):
                m.d.sync += sweep.eq(sweep + 1)
                m.d.comb += [
                    member_write.addr.eq(sweep),
                    member_write.en.eq(1),
                    list_write.addr.eq(sweep),
                    list_write.en.eq(1),
                ]
                with m.If(sweep == max(self._pipes, self._buffers) - 1):
                    m.d.sync += step.eq(Step.CHOOSE)
            with m.Case(Step.CHOOSE):
                with m.If(has_left):
                    m.d.sync += step.eq(Step.LEFT)
                with m.Elif(queue.r_rdy):
                    m.d.sync += step.eq(Step.OWE)
                with m.Elif(settle == 1):
                    m.d.sync += step.eq(Step.FREED)
                with m.Elif(~wants_retry):
                    m.d.comb += freed_set.o.ready.eq(1)
                    with m.If(freed_set.o.valid):
                        m.d.sync += [buffer.eq(freed_set.o.payload), settle.eq(SETTLE_CYCLES)]
            with m.Case(Step.OWE):
                m.d.comb += [
                    queue.r_en.eq(1),
                    member_write.data.any.eq(1),
                    member_write.data.buffer.eq(owed.buffer),
                    member_write.en.eq(~membership.any),
                    next_write.en.eq(~membership.any & stored.any),
                    list_write.addr.eq(owed.buffer),
                    list_write.data.first.eq(Mux(stored.any, stored.first, owed.pipe)),
                    list_write.data.last.eq(owed.pipe),
                    list_write.data.any.eq(1),
                    list_write.en.eq(~membership.any),
                ]
                m.d.sync += [
                    step.eq(Step.CHOOSE),
                    has_left.eq(membership.any & (membership.buffer != owed.buffer)),
                    left.eq(membership.buffer),
                ]
            with m.Case(Step.FREED, Step.LEFT):
                with m.If(has_left):
                    m.d.comb += list_write.addr.eq(left)
                    m.d.sync += has_left.eq(0)
                with m.Else():
                    m.d.sync += settle.eq(0)
                m.d.comb += list_write.en.eq(1)
                m.d.sync += [
                    current.eq(stored.first),
                    end.eq(stored.last),
                    step.eq(Mux(stored.any, Step.RETRY, Step.CHOOSE)),
                ]
            with m.Case(Step.RETRY):
                m.d.comb += [
                    self.retry.valid.eq(1),
                    self.retry.payload.eq(current),
                    member_write.addr.eq(current),
                    member_write.en.eq(self.retry.ready),
                ]
                with m.If(self.retry.ready):
                    m.d.sync += step.eq(Mux(current == end, Step.CHOOSE, Step.FOLLOW))
            with m.Case(Step.FOLLOW):
                m.d.sync += [current.eq(next_read.data), step.eq(Step.RETRY)]

        m.d.comb += self.idle.eq((step == Step.CHOOSE) & ~queue.r_rdy & ~has_left & ~wants_retry & freed_set.idle)
        return m
