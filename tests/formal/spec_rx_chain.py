"""Notifier, owed notifications and DMA writer behind each other: searched for what no block's own proof can show.

Their real RTL is wired as in the RX path. Only what comes from outside is assumed: commands as the pipe manager gives
them, registers as the MMIO decoder writes them. What one of the blocks assumes of another is a promise here.
"""

from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic import dma_writer, notifier
from enso_nic.config import TINY
from enso_nic.dma_writer import DmaWriter
from enso_nic.layouts import HostWrite, HostWriteKind, NotificationLine, RxCommandKind
from enso_nic.notifier import Notifier
from enso_nic.owed_notifications import OwedNotifications
from enso_nic.registers import FIRST_NOTIFICATION_BUFFER_PAGE, SMALLEST_RING
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey

CONFIG = replace(TINY, pipes=2, notification_buffers=2)
QUEUE_DEPTH = 4
RING_BITS = SMALLEST_RING.bit_length() - 1
COMMANDS, HEADS = 3, 2
"""How many come: so that the search passes through the pipeline with all that may follow."""
SET_UP, PIPELINE = 4, 7
"""Cycles until the buffers are enabled; from a command to its first line: 4 in the notifier, 3 in the DMA writer."""


class Command(data.Struct):
    """A packet, or else a head check that notifies."""

    is_packet: 1
    flits: 2
    notify: 1
    pipe: 1
    buffer: 1


class Head(data.Struct):
    """What software writes to the rx_head of a notification buffer."""

    buffer: 1
    value: RING_BITS


def pipe_base(pipe: Value) -> Value:
    """First line of the ring of this pipe."""
    return Cat(Const(0, 10), ~pipe, pipe)


def buffer_base(buffer: Value) -> Value:
    """First line of the ring of this notification buffer."""
    return Cat(Const(0, 5), ~buffer, buffer)


class RxChain(wiring.Component):
    """Two pipes and two buffers with rings of 8 lines, all enabled; commands place packets behind one another."""

    command: In(stream.Signature(Command))
    head: In(stream.Signature(Head))
    to_host: Out(stream.Signature(HostWrite))
    retry: Out(stream.Signature(13))
    idle: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.notifier = notifier = Notifier(CONFIG)
        m.submodules.owed = owed = OwedNotifications(CONFIG)
        m.submodules.writer = writer = DmaWriter()
        wiring.connect(m, notifier.owe, owed.owe)
        wiring.connect(m, notifier.o, writer.i)
        wiring.connect(m, owed.retry, wiring.flipped(self.retry))
        wiring.connect(m, writer.o, wiring.flipped(self.to_host))

        # both buffers are enabled as soon as the tables are clear
        enabled, is_set_up = Signal(2), Signal()
        m.d.comb += is_set_up.eq(enabled == 2)
        writes_head = self.head.valid & self.head.ready
        commands, heads = Signal(3, init=COMMANDS), Signal(2, init=HEADS)
        m.d.sync += heads.eq(heads - writes_head)
        head, write = self.head.payload, notifier.write.payload
        with m.If(owed.ready & notifier.ready & ~is_set_up):
            m.d.sync += enabled.eq(enabled + 1)
        m.d.comb += [
            self.head.ready.eq(is_set_up & owed.freed.ready & (heads != 0)),
            owed.freed.valid.eq(is_set_up & self.head.valid & (heads != 0)),
            owed.freed.payload.eq(head.buffer),
            notifier.write.valid.eq(Mux(is_set_up, writes_head, owed.ready & notifier.ready)),
            write.index.eq(FIRST_NOTIFICATION_BUFFER_PAGE + Mux(is_set_up, head.buffer, enabled[0])),
            write.head.eq(is_set_up),
            write.low.eq(~is_set_up),
            write.high.eq(~is_set_up),
            write.data.eq(Mux(is_set_up, head.value << 32, buffer_base(enabled[0]) << 6)),
            notifier.settings.notification_ring.eq(RING_BITS),
            notifier.can_owe.eq(owed.has_room),
        ]

        # as the pipe manager places packets
        asked, command = self.command.payload, notifier.i.payload
        tails = Array(Signal(RING_BITS, name=f"tail{pipe}") for pipe in range(2))
        tail, next_tail = tails[asked.pipe], Signal(RING_BITS)
        m.d.comb += [
            next_tail.eq(tail + Mux(asked.is_packet, asked.flits, 0)),
            notifier.i.valid.eq(is_set_up & self.command.valid & (commands != 0)),
            self.command.ready.eq(is_set_up & notifier.i.ready & (commands != 0)),
            command.kind.eq(Mux(asked.is_packet, RxCommandKind.PACKET, RxCommandKind.CHECK)),
            command.flits.eq(asked.flits),
            command.base.eq(pipe_base(asked.pipe)),
            command.offset.eq(tail),
            command.size.eq(RING_BITS),
            command.notify.eq(asked.notify | ~asked.is_packet),
            command.pipe.eq(asked.pipe),
            command.tail.eq(next_tail),
            command.buffer.eq(asked.buffer),
            writer.read.ready.eq(1),
            writer.flit.valid.eq(1),
            writer.max_payload.eq(2),
            writer.bus_master.eq(1),
            self.idle.eq(is_set_up & notifier.idle & owed.idle & writer.idle),
        ]
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [tail.eq(next_tail), commands.eq(commands - 1)]
        return m


def rx_chain() -> Specification:
    with ExitStack() as shorter:
        for block in (notifier, dma_writer):
            shorter.enter_context(patch.object(block, "QUEUE_DEPTH", QUEUE_DEPTH))
        dut = RxChain()
        spec = Specification(
            "RX chain",
            dut,
            f"2 pipes, 2 buffers, rings of 8 lines, queues of {QUEUE_DEPTH}, {COMMANDS} commands of at most 3 lines, "
            f"{HEADS} heads, writes of at most 2 lines",
            search_to=SET_UP + 2 * PIPELINE,
        )
    obey(spec)
    m = spec.m
    asked, goes = dut.command.payload, dut.command.valid & dut.command.ready
    spec.assume("a packet has lines (pipe_manager)", ~asked.is_packet | (asked.flits != 0))

    marked = spec.constant(1, "marked")
    o, written = dut.to_host.payload, dut.to_host.valid & dut.to_host.ready
    address, last_address = Signal(58), Signal(58)
    m.d.comb += address.eq(Mux(o.first, o.address, last_address + 1))
    with m.If(written):
        m.d.sync += last_address.eq(address)
    shows = dut.to_host.valid & (o.kind == HostWriteKind.WRITE)

    def lies_in(base: Value) -> Value:
        return address[RING_BITS:] == base[RING_BITS:]

    base, notice = pipe_base(marked), data.View(NotificationLine, o.data)
    is_data = shows & (lies_in(base) | lies_in(pipe_base(~marked)))
    is_slot = shows & Cat(lies_in(buffer_base(Const(number, 1))) for number in range(2)).any()
    mine, tells = is_data & lies_in(base), is_slot & (notice.pipe == marked)
    placed, tail = Signal(RING_BITS), Signal(RING_BITS)  # lines that were given to the pipe, and those written
    with m.If(goes & asked.is_packet & (asked.pipe == marked)):
        m.d.sync += placed.eq(placed + asked.flits)
    m.d.sync += tail.eq(tail + (mine & written))

    # the last notification that was asked for of the pipe, and whether the pipe left since to be checked again
    asked_tail, told_tail, was_asked, retried = Signal(RING_BITS), Signal(RING_BITS), Signal(), Signal()
    next_tail = (placed + Mux(asked.is_packet, asked.flits, 0))[:RING_BITS]
    with m.If(goes & (asked.pipe == marked) & (asked.notify | ~asked.is_packet)):
        m.d.sync += [asked_tail.eq(next_tail), was_asked.eq(1), retried.eq(0)]
    with m.Elif(dut.retry.valid & dut.retry.ready & (dut.retry.payload == marked)):
        m.d.sync += retried.eq(1)
    with m.If(tells & written):
        m.d.sync += told_tail.eq(notice.tail)
    member = spec.word("owed.members", marked)
    is_owed = member.any & spec.word("owed.lists", member.buffer).any
    head, ring_tail = spec.word("notifier.heads", member.buffer), spec.word("notifier.tails", member.buffer)
    is_full = (head - ring_tail - 1)[:RING_BITS] == 0
    # a notification that is owed is on its way to the list for a cycle in which all blocks say that they are idle
    rests = dut.idle & spec.before(dut.idle)
    spec.promise(
        "at rest a notification is owed only while its ring is full: a head that makes room finds each of them",
        when=rests & is_owed,
        then=is_full,
        is_bounded=True,
    )
    spec.promise(
        "no lost wake-up: at rest the last notification of a pipe was written, or is owed, or it left to be checked",
        when=rests & was_asked,
        then=(told_tail == asked_tail) | is_owed | retried,
        is_bounded=True,
    )
    spec.promise(
        "each line of a pipe is written right behind the one before, across writes and the end of its ring",
        when=mine,
        then=address == (base | tail),
        is_bounded=True,
    )
    spec.promise(
        "a notification tells of all that was written to its pipe before it, and of nothing more",
        when=tells,
        then=notice.tail == tail,
        is_bounded=True,
    )
    spec.promise("nothing is written but lines of rings", when=shows, then=is_data | is_slot, is_bounded=True)
    spec.promise("at rest all lines of a pipe were written", when=rests, then=tail == placed, is_bounded=True)
    owed, told = spec.inner("owed"), spec.inner("owed").owe.payload
    spec.promise(
        "notifications are owed by pipes to buffers that exist, when the tables are clear and the queue has room",
        when=owed.owe.valid,
        then=(told.pipe < CONFIG.pipes) & (told.buffer < CONFIG.notification_buffers) & owed.ready
        & spec.inner("owed.queue").w_rdy,
        is_bounded=True,
    )  # fmt: skip
    return spec
