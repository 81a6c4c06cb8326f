"""DmaWriter: data, then its notification, cut where host writes must be cut."""

import random
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from enso_nic.config import FLIT_BYTES, TINY
from enso_nic.dma_writer import QUEUE_DEPTH, DmaWriter
from enso_nic.layouts import HostWriteKind, NotificationLine, RxCommandKind
from enso_nic.packet_buffer import PacketBuffer
from tests.rtl.contract import covers
from tests.rtl.rx_writes import BASE, RING, Item, answer, check, drop, lines_of, packet
from tests.rtl.stream_bench import Bench, Port, Sink, Source, fields

LATENCY = 3
WRITE, ANSWER = HostWriteKind.WRITE, HostWriteKind.MMIO_RESPONSE


class Line(NamedTuple):
    """What the host must see in one beat.

    ``place``: line address, or the tag of an answer; ``begins``: whether a write begins here, None if it may.
    """

    kind: Any
    place: int
    data: int
    begins: bool | None = True


def host_lines(items: list[Item], frames: list[list[int]], max_payload: int) -> list[Line]:
    """What the host must see of items with these frames. One that goes on behind another may share its write."""
    seen: list[Line] = []
    end = None  # the line behind the last packet's, while others may follow it
    for item, frame in zip(items, frames, strict=True):
        if item["kind"] == RxCommandKind.READ:
            seen.append(Line(ANSWER, item["tag"], item["data"]))
            end = None
        for number, line in enumerate(lines_of(item)):
            goes_on = line == end and line % max_payload != 0
            begins = (None if number == 0 else False) if goes_on else True
            seen.append(Line(WRITE, line, frame[number], begins))
            end = line + 1
        if item.get("notify"):
            told = NotificationLine.const({"signal": 1, "pipe": item["pipe"], "tail": item["tail"]}).as_bits()
            seen.append(Line(WRITE, item["slot"], told))
            end = None
    return seen


class Writing:
    """A writer, and what the host sees of its items.

    Their flits come at any time; or, ``with_buffer``, from a packet buffer that holds them when the first item comes.

    Attributes
    ----------
    writes
        (line address, flits) of each write, once all is done.
    """

    def __init__(
        self, items: list[Item], *, max_payload: int = 8, rate: float = 1.0, seed: int = 1, with_buffer: bool = False
    ) -> None:
        self.block, module = DmaWriter(), Module()
        module.submodules.block = self.block
        self.all_items = items
        self.items = Source(self.block.i, rate=rate)
        self.out = Sink(self.block.o, rate)
        self.bus_master, self.max_payload = 1, max_payload
        self.bus_master_before = 1
        self.stalled = 0
        draw = random.Random(seed)
        self.expected_reads = [item["read"] for item in items if "read" in item]
        sizes = [-(-item["read"]["length"] // FLIT_BYTES) if "read" in item else 0 for item in items]
        frames = [[draw.getrandbits(512) for _ in range(size)] for size in sizes]
        self.expected = host_lines(items, frames, max_payload)
        self.beats = [len(host_lines([item], [frame], 8)) for item, frame in zip(items, frames, strict=True)]
        self.writes: list[tuple[int, int]] = []
        ports: list[Port] = [self.items, self.out]
        self.reads: Sink | None = None
        if with_buffer:
            buffer = module.submodules.buffer = PacketBuffer(TINY)
            wiring.connect(module, self.block.read, buffer.read)
            wiring.connect(module, buffer.o, self.block.flit)
            stored = [
                {"data": flit, "write": 1, "commit": i == len(frame) - 1}
                for frame in frames
                for i, flit in enumerate(frame)
            ]
            self.flits_in = Source(buffer.flit, stored)
            ports.append(Source(buffer.details, [{}] * len(frames)))
        else:
            shown = [frame for item, frame in zip(items, frames, strict=True) if item["kind"] == RxCommandKind.PACKET]
            self.flits_in = Source(self.block.flit, [flit for frame in shown for flit in frame], rate)
            self.reads = Sink(self.block.read, rate)
            ports.append(self.reads)
        self.bench = Bench(module, [*ports, self.flits_in], seed, self.each_cycle)

    def each_cycle(self, context: Any, cycle: int) -> None:
        block = self.block
        if context.get(block.idle):
            assert len(self.out.got) == sum(self.beats[: len(self.items.taken_at)]), "idle with a beat to come"
        context.set(block.max_payload, self.max_payload)
        context.set(block.bus_master, self.bus_master)
        beat = context.get(block.o.payload)
        if context.get(block.o.valid) and not self.stalled and beat.first and beat.kind == WRITE:
            assert self.bus_master_before, "a write started without bus_master"
        self.stalled = context.get(block.o.valid) and not context.get(block.o.ready)
        self.bus_master_before = self.bus_master

    async def writes_all(self) -> None:
        await self.bench.until(lambda: not self.flits_in.items or self.reads is not None)
        self.items.items.extend(self.all_items)
        await self.bench.until(lambda: len(self.out.got) == len(self.expected), 10000)
        await self.bench.cycles(20)

    def run(self, story: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """``story``, or all items; then the host and the packet buffer must have seen what they must."""
        self.bench.simulate(story or self.writes_all)
        if self.reads is not None:
            got = [fields(read) for read in self.reads.got]
            due = self.expected_reads
            assert got == [dict.fromkeys(each, 0) | wanted for each, wanted in zip(got, due, strict=True)]
        address = left = 0
        for beat, line in zip(self.out.got, self.expected, strict=True):
            assert beat.kind == line.kind
            assert beat.first == (left == 0)
            if line.kind == ANSWER:
                assert (beat.tag, beat.data, beat.first, beat.last) == (line.place, line.data, 1, 1)
                continue
            if beat.first:
                address, left = beat.address, beat.flits
                self.writes.append((address, left))
            assert (address, beat.data) == (line.place, line.data)
            assert line.begins in (None, beat.first), f"a write begins, or does not, at line {address:#x}"
            address, left = address + 1, left - 1
            assert beat.last == (left == 0)


@pytest.mark.parametrize("max_payload", [2, 4, 8])
@pytest.mark.parametrize("flits", [1, 2, 7, 8, 9, 24])
@covers("C-142")
def test_writes_are_cut_at_max_payload_boundaries_and_only_there(flits: int, max_payload: int) -> None:
    Writing([packet(offset, flits) for offset in range(9)], max_payload=max_payload).run()


@pytest.mark.parametrize("offset", range(RING - 9, RING))
@covers("C-024")
def test_writes_are_cut_at_the_end_of_the_ring_and_go_on_at_its_beginning(offset: int) -> None:
    Writing([packet(offset, flits) for flits in (1, 2, 8, 10, 24)]).run()


def test_the_end_of_a_ring_cuts_a_write_whatever_its_size() -> None:
    for size in (3, 6, 12):
        writing = Writing([packet(2**size - 3, 6, size=size)])
        writing.run()
        assert writing.writes == [(BASE + 2**size - 3, 3), (BASE, 3)]


@covers("C-049")
def test_the_notification_follows_the_last_flit_of_its_packet() -> None:
    writing = Writing([packet(0, 2, notify=1, slot=1234, pipe=8191), packet(2, 1), packet(3, 9, notify=1)])
    writing.run()
    lines = [beat.data for beat in writing.out.got]
    notification = NotificationLine.const({"signal": 1, "pipe": 8191, "tail": 2}).as_bits()
    assert lines[2] == notification
    assert writing.writes[:2] == [(BASE, 2), (1234, 1)]
    assert writing.writes[-1] == (7, 1)


@pytest.mark.parametrize("notify", [0, 1])
def test_packets_that_come_before_their_write_begins_share_it(notify: int) -> None:
    """Up to a boundary or a notification, which tells of the last of them."""
    packets = [packet(3 + number, 1) for number in range(4)]
    last = packet(7, 2, notify=notify, slot=1234, pipe=4, tail=9)
    writing = Writing([*packets, last, packet(9, 1)])

    async def story() -> None:
        writing.bus_master = 0
        writing.items.items.extend(writing.all_items)
        await writing.bench.cycles(20)
        writing.bus_master = 1
        await writing.bench.until(lambda: len(writing.out.got) == len(writing.expected))

    writing.run(story)
    if notify:
        assert writing.writes == [(BASE + 3, 5), (BASE + 8, 1), (1234, 1), (BASE + 9, 1)]
    else:
        assert writing.writes == [(BASE + 3, 5), (BASE + 8, 2)]


def test_packets_share_a_write_that_waits_for_their_data() -> None:
    writing = Writing([packet(number, 1) for number in range(5)])
    stored = list(writing.flits_in.items)
    writing.flits_in.items.clear()

    async def story() -> None:
        writing.items.items.extend(writing.all_items)
        await writing.bench.cycles(20)
        writing.flits_in.items.extend(stored)
        await writing.bench.until(lambda: len(writing.out.got) == len(writing.expected))

    writing.run(story)
    assert writing.writes == [(BASE, 5)]


def test_a_packet_waits_for_no_other() -> None:
    writing = Writing([packet(number, 1) for number in range(6)], with_buffer=True)

    async def story() -> None:
        await writing.bench.until(lambda: not writing.flits_in.items)
        for item in writing.all_items:
            writing.items.items.append(item)
            await writing.bench.cycles(6)

    writing.run(story)
    assert writing.out.got_at == [cycle + LATENCY for cycle in writing.items.taken_at]
    assert writing.writes == [(BASE + number, 1) for number in range(6)]


@covers("C-045", "C-048")
def test_a_notification_line_is_what_software_expects() -> None:
    writing = Writing([check(slot=99, pipe=0x1ABC, tail=0xFEDCB)])
    writing.run()
    (beat,) = writing.out.got
    line = beat.data.to_bytes(64, "little")
    words = [int.from_bytes(line[start : start + 8], "little") for start in range(0, 64, 8)]
    assert words == [1, 0x1ABC, 0xFEDCB, 0, 0, 0, 0, 0]


@covers("C-012", "C-143")
def test_answers_keep_their_place_between_writes() -> None:
    Writing(
        [packet(0, 2, notify=1), answer(7, 0xFFFF_FFFF_FFFF_FFFF), check(1, 2, 3), answer(255, 5), packet(2, 1)]
    ).run()


@covers("C-027")
def test_dropped_frames_show_nothing_but_leave_the_packet_buffer() -> None:
    Writing([drop(24), packet(0, 1), drop(1), drop(9), packet(1, 3, notify=1)]).run()


def test_a_packet_buffer_that_takes_its_time_holds_the_input_back() -> None:
    writing = Writing([drop(1 + i % 24) for i in range(40)])
    reads = writing.reads
    assert reads is not None
    reads.rate = 0

    async def story() -> None:
        writing.items.items.extend(writing.all_items)
        await writing.bench.cycles(60)
        assert len(writing.items.taken_at) == QUEUE_DEPTH
        reads.rate = 0.5
        await writing.bench.until(lambda: len(reads.got) == len(writing.all_items))

    writing.run(story)


@covers("C-145")
def test_no_write_starts_without_bus_master_and_one_under_way_ends() -> None:
    writing = Writing([answer(1, 11), packet(0, 12, notify=1), answer(2, 22), drop(3)])

    async def story() -> None:
        writing.items.items.extend(writing.all_items)
        writing.bus_master = 0
        await writing.bench.cycles(20)
        assert [beat.tag for beat in writing.out.got] == [1], "the answer that waits for no write"
        writing.bus_master = 1
        await writing.bench.until(lambda: len(writing.out.got) == 4)
        writing.bus_master = 0
        await writing.bench.cycles(20)
        assert [beat.last for beat in writing.out.got[1:]] == [0] * 7 + [1], "the first write, whole"
        writing.bus_master = 1
        await writing.bench.until(lambda: len(writing.out.got) == 11)
        writing.bus_master = 0
        await writing.bench.cycles(20)
        assert len(writing.out.got) == 13, "the notification is a write too"
        writing.bus_master = 1
        await writing.bench.until(lambda: len(writing.out.got) == len(writing.expected))

    writing.run(story)


def test_three_cycles_to_the_first_beat_from_the_packet_buffer() -> None:
    writing = Writing([packet(0, 1)], with_buffer=True)
    writing.run()
    assert writing.out.got_at == [writing.items.taken_at[0] + LATENCY]


@pytest.mark.parametrize(
    "items",
    [
        [packet(i, 1) for i in range(60)],
        [packet(i, 1, notify=1) for i in range(60)],
        [packet(24 * i, 24, notify=1) for i in range(4)],
        [packet(5 * i, 5) for i in range(20)],
        [check(i, 1, 2) for i in range(60)],
        [item for i in range(20) for item in (packet(2 * i, 2), answer(i, i), drop(1))],
    ],
)
@covers("C-170")
def test_a_beat_per_cycle_while_packets_wait(items: list[Item]) -> None:
    writing = Writing(items, with_buffer=True)
    writing.run()
    first = writing.out.got_at[0]
    assert writing.out.got_at == list(range(first, first + len(writing.expected)))


@pytest.mark.parametrize("max_payload", [2, 4, 8])
@pytest.mark.parametrize(("seed", "rate"), [(1, 0.5), (2, 0.8), (3, 1.0)])
@covers("C-049", "C-142", "C-143", "C-147")
def test_any_items_under_any_stalls(seed: int, rate: float, max_payload: int) -> None:
    draw = random.Random(seed)
    items: list[Item] = []
    tail = 0
    for _ in range(60):
        flits = draw.choice([1, 1, 1, 2, 8, 24, RING - 1])
        if draw.random() < 0.2:
            tail = draw.randrange(RING)
        follows = packet(tail, flits, notify=draw.random() < 0.3)
        ring = {
            "size": 4,
            "base": 16 * draw.getrandbits(50),
            "slot": draw.getrandbits(58),
            "pipe": draw.getrandbits(13),
        }
        others = [
            packet(draw.randrange(16), draw.randrange(1, 15), **ring),
            drop(draw.randrange(1, 25)),
            check(draw.getrandbits(58), draw.getrandbits(13), draw.getrandbits(20)),
            answer(draw.getrandbits(8), draw.getrandbits(64)),
        ]
        items.append(follows if draw.random() < 0.7 else draw.choice(others))
        if items[-1] is follows:
            tail = (tail + flits) % RING
    writing = Writing(items, max_payload=max_payload, rate=rate, seed=seed)

    async def story() -> None:
        writing.items.items.extend(items)
        while len(writing.out.got) < len(writing.expected):
            assert writing.bench.cycle < 10000, f"seed {seed}: {len(writing.out.got)} of {len(writing.expected)} beats"
            writing.bus_master = draw.random() < 0.9
            await writing.bench.cycles(draw.randrange(1, 10))
        await writing.bench.cycles(50)

    writing.run(story)
