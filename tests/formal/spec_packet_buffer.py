"""The packet buffer: each flit of each admitted frame leaves once, in order, or is skipped on purpose."""

from dataclasses import replace

from amaranth.hdl import Const, Mux, Signal, Value

from enso_nic.bits import flits
from enso_nic.config import TINY
from enso_nic.packet_buffer import PacketBuffer
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rules

DEPTH = 4
"""Flits in the buffer; a frame has at most half as many."""


def packet_buffer() -> Specification:
    config = replace(TINY, maximum_frame=128, packet_buffer_flits=DEPTH)
    dut = PacketBuffer(config)
    spec = Specification("packet_buffer", dut, "4 flits, frames of at most 2")
    m = spec.m
    obey(spec)
    flit, wanted = dut.flit.payload, dut.read.payload

    # what the parser does: a frame begins only where there is room, and ends committed or rolled back
    begun, keeps, had_room = Signal(2), Signal(), Signal()
    is_first = begun == 0
    ends = flit.commit | flit.rollback
    with m.If(dut.flit.valid):
        m.d.sync += begun.eq(Mux(ends, 0, Mux(begun == 2, 2, begun + 1)))
        with m.If(is_first):
            m.d.sync += keeps.eq(flit.write)
    m.d.sync += had_room.eq(dut.has_room)
    spec.assume(
        "a frame is kept whole, if there was room for it, or not at all; one too long is rolled back (rx_parser)",
        ~dut.flit.valid
        | (
            ~(flit.commit & flit.rollback)
            & Mux(is_first, ~flit.write | had_room, flit.write == (keeps & (begun < 2)))
            & (~flit.commit | (flit.write & (begun < 2)))
        ),
    )

    # each flit carries its number among those that were kept
    came, committed, left = Signal(4), Signal(4), Signal(4)
    spec.assume("the data of each flit says its number", ~dut.flit.valid | (flit.data[:4] == came))
    next_came = Mux(dut.flit.valid & flit.write, came + 1, came)
    with m.If(dut.flit.valid & flit.rollback):
        m.d.sync += came.eq(committed)
    with m.Else():
        m.d.sync += came.eq(next_came)
    with m.If(dut.flit.valid & flit.commit):
        m.d.sync += committed.eq(next_came)

    # what the pipe manager and the DMA writer do: a read for each frame, in their order, that knows its length
    lengths, waiting = [Signal(2, name=f"length{place}") for place in range(DEPTH)], Signal(3)
    commits, reads = dut.flit.valid & flit.commit, dut.read.valid & dut.read.ready
    m.d.sync += waiting.eq(waiting + commits - reads)
    for place in range(DEPTH):
        later = lengths[place + 1] if place + 1 < DEPTH else Const(0)
        with m.If(commits & (waiting - reads == place)):
            m.d.sync += lengths[place].eq(begun + 1)
        with m.Elif(reads):
            m.d.sync += lengths[place].eq(later)
    kept, stored = flits(wanted.kept), flits(wanted.length)
    spec.assume(
        "frames are read in their order, each with its length, and at most all of it (pipe_manager)",
        ~dut.read.valid | ((waiting != 0) & (stored == lengths[0]) & (kept != 0) & (kept <= stored)),
    )
    promise_rules(spec)

    # left: flits that were read or skipped
    issue, shows_header, ends, shown = (spec.inner(name) for name in ("issue", "shows_header", "ends", "shown"))
    takes, is_header, expected = issue & ~shows_header, spec.inner("is_header"), Signal(4)
    with m.If(takes):
        m.d.sync += [expected.eq(left), left.eq(left + Mux(ends, stored - shown, 1))]
    with m.If(reads & wanted.drop):
        m.d.sync += left.eq(left + stored)
    write_index, read_index, start = (spec.inner(name) for name in ("write_index", "read_index", "frame_start"))

    def distance(one: Value, other: Value) -> Value:
        return (one - other)[: len(read_index)]

    total = sum((Mux(waiting > place, lengths[place], 0) for place in range(DEPTH)), Const(0, 4))
    spec.lemma("the read pointer follows the flits", distance(start, read_index) == (committed - left)[:3])
    spec.lemma("the write pointer follows the flits", distance(write_index, start) == (came - committed)[:3])
    spec.lemma("flits of a frame are counted up to 2", begun <= 2)
    spec.lemma("a frame that began is kept from its first flit on", (came - committed)[:4] == Mux(keeps, begun, 0))
    spec.lemma("the buffer never holds more than it can", (came - left)[:4] <= DEPTH)
    spec.lemma(
        "a frame that began has room until it ends", (begun == 0) | ~keeps | ((came - left)[:4] + 2 - begun <= DEPTH)
    )
    spec.lemma("a frame that may begin has room", (begun != 0) | ~had_room | ((came - left)[:4] + 2 <= DEPTH))
    spec.lemma(
        "of the frames that wait, all flits are stored but those that were shown",
        (waiting <= DEPTH) & (total == (committed - left + shown)[:4]),
    )
    for place in range(DEPTH):
        spec.lemma(
            f"frame {place} that waits has flits", (waiting <= place) | ((lengths[place] != 0) & (lengths[place] <= 2))
        )
    spec.lemma(
        "of the frame at hand, less is shown than it has",
        (shown == 0) | (dut.read.valid & ~wanted.drop & (shown < kept)),
    )
    slot = spec.constant(range(DEPTH), "slot")
    ahead, word = Signal(range(DEPTH)), spec.word("flits", slot)
    m.d.comb += ahead.eq(slot - read_index)
    spec.lemma(
        "each place holds the flit that belongs there", (ahead >= (came - left)[:4]) | (word[:4] == (left + ahead)[:4])
    )
    is_marked = Signal()  # what is shown was read from the marked place, which may be any
    with m.If(takes):
        m.d.sync += is_marked.eq(read_index[: len(slot)] == slot)
    shows_flit = dut.o.valid & ~is_header & is_marked
    spec.lemma("what was read is what was meant", ~shows_flit | (spec.inner("read").data[:4] == expected))
    spec.promise(
        "what leaves is the next flit that was kept: none lost, none twice, none out of place",
        when=shows_flit,
        then=dut.o.payload[:4] == expected,
    )
    spec.promise("nothing of a frame leaves before it is committed", when=takes, then=left != committed)
    spec.promise("a frame ends where its read ends", when=reads & ~wanted.drop, then=ends & ~shows_header)
    spec.promise(
        "packets and their lengths agree: no length waits without its flits, also under drop",
        when=waiting == 0,
        then=committed == left,
    )
    spec.promise(
        "no place of the memory is read while it is written",
        when=takes & dut.flit.valid & flit.write,
        then=distance(write_index, read_index)[: len(slot)] != 0,
    )
    spec.promise(
        "a flit that is kept overwrites none that must still leave",
        when=dut.flit.valid & flit.write,
        then=(came - left)[:4] < DEPTH,
    )
    return spec
