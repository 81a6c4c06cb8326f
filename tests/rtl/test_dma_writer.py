"""DmaWriter: data, then its notification, cut where host writes must be cut."""

import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from enso_nic.config import TINY
from enso_nic.dma_writer import QUEUE_DEPTH, DmaWriter
from enso_nic.layouts import HostWriteKind, NotificationLine, RxCommandKind
from enso_nic.packet_buffer import PacketBuffer
from tests.rtl.contract import covers
from tests.rtl.stream_bench import Bench, Port, Sink, Source

LATENCY = 3
RING = TINY.pipe_flits
BASE = 0x40_0000_0400 // 64
"""Line at which the rings of these tests begin."""
Item = dict[str, Any]
Beat = dict[str, Any]


def packet(offset: int, flits: int, *, notify: int = 0, base: int = BASE, slot: int = 7, pipe: int = 3) -> Item:
    return {
        "kind": RxCommandKind.PACKET,
        "flits": flits,
        "address": base + offset,
        "offset": offset,
        "notify": notify,
        "slot": slot,
        "pipe": pipe,
        "tail": (offset + flits) % RING,
    }


def drop(flits: int) -> Item:
    return {"kind": RxCommandKind.DROP, "flits": flits}


def check(slot: int, pipe: int, tail: int) -> Item:
    return {"kind": RxCommandKind.CHECK, "notify": 1, "slot": slot, "pipe": pipe, "tail": tail}


def answer(tag: int, data: int) -> Item:
    return {"kind": RxCommandKind.READ, "tag": tag, "data": data}


def host_beats(item: Item, flits: list[int], max_payload: int) -> list[Beat]:
    """What the host must see of an item whose packet has these flits; addresses and lengths on first beats only."""
    if item["kind"] == RxCommandKind.READ:
        return [{"kind": HostWriteKind.MMIO_RESPONSE, "tag": item["tag"], "data": item["data"], "first": 1, "last": 1}]
    beats: list[Beat] = []
    if item["kind"] == RxCommandKind.PACKET:
        base = item["address"] - item["offset"]
        lines = [base + (item["offset"] + i) % RING for i in range(len(flits))]
        starts = [i for i, line in enumerate(lines) if i == 0 or line == base or line % max_payload == 0]
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            for i in range(start, end):
                beat = {"kind": HostWriteKind.WRITE, "data": flits[i], "first": i == start, "last": i == end - 1}
                beats.append({**beat, "address": lines[i], "flits": end - start} if i == start else beat)
    if item.get("notify"):
        data = NotificationLine.const({"signal": 1, "pipe": item["pipe"], "tail": item["tail"]}).as_bits()
        line = {"address": item["slot"], "flits": 1, "data": data, "first": 1, "last": 1}
        beats.append({"kind": HostWriteKind.WRITE, **line})
    return beats


class Writing:
    """A writer, and what the host sees of its items.

    Their flits come at any time; or, ``with_buffer``, from a packet buffer that holds them when the first item comes.
    """

    def __init__(
        self, items: list[Item], *, max_payload: int = 8, rate: float = 1.0, seed: int = 1, with_buffer: bool = False
    ) -> None:
        self.block, module = DmaWriter(TINY), Module()
        module.submodules.block = self.block
        self.all_items = items
        self.items = Source(self.block.i, rate=rate)
        self.out = Sink(self.block.o, rate)
        self.bus_master, self.max_payload = 1, max_payload
        self.bus_master_before = 1
        self.stalled = 0
        draw = random.Random(seed)
        self.flits: list[int] = []
        self.expected: list[Beat] = []
        self.expected_reads = [(item["flits"], item["kind"] == RxCommandKind.DROP) for item in items if "flits" in item]
        frames = [[draw.getrandbits(512) for _ in range(item.get("flits", 0))] for item in items]
        for item, flits in zip(items, frames, strict=True):
            self.expected += host_beats(item, flits, max_payload)
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
        else:
            shown = [frame for item, frame in zip(items, frames, strict=True) if item["kind"] == RxCommandKind.PACKET]
            self.flits_in = Source(self.block.flit, [flit for frame in shown for flit in frame], rate)
            self.reads = Sink(self.block.read, rate)
            ports.append(self.reads)
        self.bench = Bench(module, [*ports, self.flits_in], seed, self.each_cycle)

    def each_cycle(self, context: Any, cycle: int) -> None:
        block = self.block
        if context.get(block.idle):
            assert len(self.out.got) in (0, len(self.expected)), "idle with a beat to come"
        context.set(block.max_payload, self.max_payload)
        context.set(block.bus_master, self.bus_master)
        beat = context.get(block.o.payload)
        if context.get(block.o.valid) and not self.stalled and beat.first and beat.kind == HostWriteKind.WRITE:
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
            assert [(read.flits, read.drop) for read in self.reads.got] == self.expected_reads
        got = [
            {name: getattr(beat, name) for name in expected}
            for beat, expected in zip(self.out.got, self.expected, strict=True)
        ]
        assert got == self.expected


@pytest.mark.parametrize("max_payload", [2, 4, 8])
@pytest.mark.parametrize("flits", [1, 2, 7, 8, 9, 24])
@covers("C-142")
def test_writes_are_cut_at_max_payload_boundaries_and_only_there(flits: int, max_payload: int) -> None:
    Writing([packet(offset, flits) for offset in range(9)], max_payload=max_payload).run()


@pytest.mark.parametrize("offset", range(RING - 9, RING))
@covers("C-024")
def test_writes_are_cut_at_the_end_of_the_ring_and_go_on_at_its_beginning(offset: int) -> None:
    Writing([packet(offset, flits) for flits in (1, 2, 8, 10, 24)]).run()


@covers("C-024", "C-142")
def test_the_end_of_a_ring_cuts_a_write_wherever_it_lies() -> None:
    writing = Writing([packet(RING - 3, 6, base=BASE + 5)])
    writing.run()
    assert [(beat.address - BASE, beat.flits) for beat in writing.out.got if beat.first] == [(66, 3), (5, 3)]


@covers("C-049")
def test_the_notification_follows_the_last_flit_of_its_packet() -> None:
    writing = Writing([packet(0, 2, notify=1, slot=1234, pipe=8191), packet(2, 1), packet(3, 9, notify=1)])
    writing.run()
    assert [beat.address for beat in writing.out.got if beat.first] == [BASE, 1234, BASE + 2, BASE + 3, BASE + 8, 7]


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
    items = [
        draw.choice(
            [
                *[packet(draw.randrange(RING), draw.choice([1, 1, 2, 8, 24, RING - 1]), notify=draw.getrandbits(1))]
                * 4,
                packet(
                    draw.randrange(RING),
                    draw.randrange(1, 30),
                    base=draw.getrandbits(57),
                    slot=draw.getrandbits(58),
                ),
                drop(draw.randrange(1, 25)),
                check(draw.getrandbits(58), draw.getrandbits(13), draw.getrandbits(20)),
                answer(draw.getrandbits(8), draw.getrandbits(64)),
            ]
        )
        for _ in range(60)
    ]
    writing = Writing(items, max_payload=max_payload, rate=rate, seed=seed)

    async def story() -> None:
        writing.items.items.extend(items)
        while len(writing.out.got) < len(writing.expected):
            assert writing.bench.cycle < 10000, f"seed {seed}: {len(writing.out.got)} of {len(writing.expected)} beats"
            writing.bus_master = draw.random() < 0.9
            await writing.bench.cycles(draw.randrange(1, 10))
        await writing.bench.cycles(50)

    writing.run(story)
