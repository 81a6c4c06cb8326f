"""TxFrameBuffer: whole frames only, without a pause inside."""

import random
from dataclasses import replace
from typing import Any

import pytest

from enso_nic.config import TINY
from enso_nic.tx_frame_buffer import NO_DEADLINE, TxFrameBuffer
from tests.rtl.contract import covers
from tests.rtl.stream_bench import Bench, Sink, Source


class Buffering:
    """The block, the frames put in, and those that come out."""

    def __init__(self, rate: float = 1.0, wire_rate: float = 1.0, seed: int = 1) -> None:
        self.block = TxFrameBuffer(TINY)
        self.flits, self.wire = Source(self.block.flit, rate=rate), Sink(self.block.ethernet_tx, wire_rate)
        self.bench = Bench(self.block, [self.flits, self.wire], seed, self.each_cycle)
        self.expected: list[bytes] = []
        self.sent = 0
        self.idle = 0
        self.timestamp, self.rate_limit = {"offset": 0, "enable": 0}, {"numerator": 0, "denominator": 0, "enable": 0}
        self.now = 0
        """What the input ``cycle`` of a NIC would say: tests may let it jump."""
        self.deadline = NO_DEADLINE
        self.shown_at: list[int] = []
        """``now`` when each beat was shown first."""
        self._inside = self._is_still = False

    def each_cycle(self, context: Any, cycle: int) -> None:
        self.now += 1
        context.set(self.block.tick, self.now * 4 // 5)
        context.set(self.block.timestamp, self.timestamp)
        context.set(self.block.rate_limit, self.rate_limit)
        self.deadline = context.get(self.block.deadline)
        self.sent += context.get(self.block.tx_frames)
        valid, beat = context.get(self.block.ethernet_tx.valid), context.get(self.block.ethernet_tx.payload)
        assert valid or not self._inside, "a pause inside a frame"
        assert not (valid and self._is_still), "a beat came out of an idle block"
        self.idle = context.get(self.block.idle)
        self._is_still = not (valid or context.get(self.block.flit.valid)) and bool(self.idle)
        if valid and len(self.shown_at) == len(self.wire.got):
            self.shown_at.append(self.now)
        if valid:
            self._inside = not (beat.last and context.get(self.block.ethernet_tx.ready))

    def put(self, frame: bytes, flits: int | None = None) -> None:
        """Queue a frame; with ``flits`` only so many of its flits: it never ends."""
        count = -(-len(frame) // 64)
        for index in range(count if flits is None else flits):
            part = frame[64 * index : 64 * index + 64]
            self.flits.items.append(
                {
                    "data": int.from_bytes(part, "little"),
                    "bytes": len(part),
                    "first": index == 0,
                    "last": index == count - 1,
                }
            )
        if flits is None:
            self.expected.append(frame)

    def has_all(self) -> bool:
        return self.sent == len(self.expected)

    def check(self) -> None:
        frames, frame = [], b""
        for beat in self.wire.got:
            size = beat.keep.bit_length()
            assert beat.keep == (1 << size) - 1, "keep is contiguous"
            assert size == 64 or beat.last
            frame += beat.data.to_bytes(64, "little")[:size]
            if beat.last:
                frames.append(frame)
                frame = b""
        assert frames == self.expected
        assert self.sent == len(frames)


@covers("C-128")
def test_nothing_of_a_frame_shows_before_it_is_whole() -> None:
    it = Buffering()
    frame = random.Random(1).randbytes(1514)
    it.put(frame, flits=23)

    async def story() -> None:
        await it.bench.cycles(40)
        assert not it.wire.got
        assert it.idle
        it.put(frame)
        await it.bench.until(it.has_all)
        assert it.wire.got_at[0] - it.flits.taken_at[-1] == 2

    it.bench.simulate(story)
    it.check()


@pytest.mark.parametrize("seed", [1, 2, 3])
@covers("C-128", "C-129", "C-147")
def test_frames_leave_whole_and_in_order_whatever_stalls(seed: int) -> None:
    draw = random.Random(seed)
    it = Buffering(draw.choice([1.0, 0.5]), draw.choice([1.0, 0.5]), seed)
    for _ in range(100):
        size = draw.choice([60, 64, 65, 500, 1514])
        it.put(draw.randbytes(size), draw.randrange(-(-size // 64)) if draw.random() < 0.2 else None)

    async def story() -> None:
        await it.bench.until(it.has_all, 8000)
        await it.bench.cycles(5)
        assert it.idle

    it.bench.simulate(story)
    it.check()


def test_unfinished_frames_never_fill_it() -> None:
    it = Buffering(wire_rate=0)
    frame = random.Random(1).randbytes(1514)
    for _ in range(20):
        it.put(frame, flits=23)
    it.put(frame)

    async def story() -> None:
        await it.bench.until(lambda: not it.flits.items)
        it.wire.rate = 1
        await it.bench.until(it.has_all)

    it.bench.simulate(story)
    it.check()


def test_a_full_buffer_takes_no_frame_and_loses_none() -> None:
    it = Buffering(wire_rate=0)
    for seed in range(100):
        it.put(random.Random(seed).randbytes(100))

    async def story() -> None:
        await it.bench.cycles(300)
        assert TINY.tx_buffer_flits - TINY.maximum_frame_flits <= len(it.flits.taken_at) <= TINY.tx_buffer_flits
        it.wire.rate = 1
        await it.bench.until(it.has_all)

    it.bench.simulate(story)
    it.check()


@pytest.mark.parametrize("lacking", [0, 1])
def test_a_frame_begins_only_where_one_of_the_maximum_length_has_room(lacking: int) -> None:
    """Also when each flit counts."""
    it = Buffering(wire_rate=0)
    shown = 1  # the output holds a flit
    before = TINY.tx_buffer_flits - TINY.maximum_frame_flits + shown + lacking
    for size in (TINY.maximum_frame, 64 * (before - TINY.maximum_frame_flits), TINY.maximum_frame):
        it.put(random.Random(size).randbytes(size))

    async def story() -> None:
        await it.bench.cycles(2 * TINY.tx_buffer_flits)
        assert len(it.flits.items) == lacking * TINY.maximum_frame_flits
        it.wire.rate = 1
        await it.bench.until(it.has_all)

    it.bench.simulate(story)
    it.check()


@pytest.mark.parametrize("size", [60, 1514])
def test_a_flit_enters_and_a_beat_leaves_in_every_cycle(size: int) -> None:
    it = Buffering()
    for seed in range(400 // -(-size // 64)):
        it.put(random.Random(seed).randbytes(size))

    async def story() -> None:
        await it.bench.until(it.has_all)

    it.bench.simulate(story)
    it.check()
    assert it.flits.taken_at == list(range(len(it.flits.taken_at)))
    assert it.wire.got_at == list(range(it.wire.got_at[0], it.wire.got_at[0] + len(it.wire.got_at)))


def test_a_buffer_for_less_than_two_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="tx_buffer_flits is 32; accepted is a power of two from 48 up"):
        replace(TINY, tx_buffer_flits=32)


# --- time stamps ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 18, 59, 60])
@covers("C-135")
def test_the_first_flit_carries_the_tick_before_it_was_shown(offset: int) -> None:
    it = Buffering(wire_rate=0.5)
    it.now = (1 << 32) * 5 // 4 - 20  # so that the 32 bits wrap
    it.timestamp = {"offset": offset, "enable": 1}
    frames = [random.Random(size).randbytes(size) for size in (60, 64, 200, 1514, 61, 128)]
    for frame in frames:
        it.put(frame)

    async def story() -> None:
        await it.bench.until(it.has_all)

    it.bench.simulate(story)
    firsts = [0] + [index + 1 for index, beat in enumerate(it.wire.got) if beat.last]
    it.expected = []
    for frame, first in zip(frames, firsts, strict=False):
        stamp = ((it.shown_at[first] - 1) * 4 // 5 % (1 << 32)).to_bytes(4, "big")
        it.expected.append((frame[:offset] + stamp + frame[offset + 4 :])[: len(frame)])
    it.check()


# --- rate limit -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numerator", "denominator"), [(744, 1000), (1, 3), (1, 65535), (65535, 65535), (3, 2), (7, 100)]
)
@pytest.mark.parametrize("size", [60, 1514])
@covers("C-137")
def test_flits_leave_as_fast_as_the_limit_says_and_no_faster(numerator: int, denominator: int, size: int) -> None:
    """The clock jumps to each deadline, as a simulator may; a frame is not interrupted."""
    it = Buffering()
    it.rate_limit = {"numerator": numerator, "denominator": denominator, "enable": 1}
    flits = -(-size // 64)
    count = 200 // flits
    for seed in range(count):
        it.put(random.Random(seed).randbytes(size))

    async def story() -> None:
        for _ in range(6000):
            if it.has_all():
                return
            await it.bench.cycles(1)
            if it.idle and it.deadline != NO_DEADLINE:
                assert it.deadline > it.now
                it.now = it.deadline - 1
        raise TimeoutError

    it.bench.simulate(story)
    it.check()
    starts = it.wire.got_at[::flits]
    assert len(starts) == count
    ticks = [it.shown_at[index] * 4 / 5 for index in range(0, len(it.shown_at), flits)]
    rate = numerator / denominator
    for first in range(0, count, 7):
        for last in range(first + 1, count):
            passed = ticks[last] - ticks[first] + 2
            assert (last - first - 1) * flits <= passed * rate + 16 * rate + 1, "faster than the limit"
    assert (ticks[-1] - ticks[0]) <= max((count - 1) * flits / rate, count * flits * 0.8) * 1.01 + 4, "too slow"


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 5), (5, 0)])
@covers("C-139")
def test_a_limit_that_would_stop_everything_is_none(numerator: int, denominator: int) -> None:
    it = Buffering()
    it.rate_limit = {"numerator": numerator, "denominator": denominator, "enable": 1}
    for seed in range(20):
        it.put(random.Random(seed).randbytes(100))

    async def story() -> None:
        await it.bench.until(it.has_all)

    it.bench.simulate(story)
    assert it.wire.got_at == list(range(it.wire.got_at[0], it.wire.got_at[0] + 40))


@covers("C-152")
def test_where_the_clock_stands_still_is_not_seen() -> None:
    """Beats leave in the same cycles whether the clock runs through every wait or jumps to the deadlines."""
    shown = []
    for jumps in (False, True):
        it = Buffering()
        it.rate_limit = {"numerator": 3, "denominator": 200, "enable": 1}
        for seed, size in enumerate([60, 1514, 60, 60, 700]):
            it.put(random.Random(seed).randbytes(size))

        async def story(it: Buffering = it, jumps: bool = jumps) -> None:
            while not it.has_all():
                assert it.bench.cycle < 6000
                await it.bench.cycles(1)
                if jumps and it.idle and not it.flits.items and it.deadline != NO_DEADLINE:
                    it.now = it.deadline - 1

        it.bench.simulate(story)
        it.check()
        shown.append(it.shown_at)
    assert shown[0] == shown[1]


@covers("C-138")
def test_no_more_than_16_ticks_of_credit_are_saved_while_nothing_is_sent() -> None:
    """Nor is anything saved, or owed, from when there was no limit."""
    it = Buffering()
    for seed in range(20):
        it.put(random.Random(seed).randbytes(60))

    async def story() -> None:
        await it.bench.until(it.has_all)
        it.rate_limit = {"numerator": 1, "denominator": 10, "enable": 1}
        it.now += 1_000_000
        await it.bench.cycles(5)
        for seed in range(20):
            it.put(random.Random(seed).randbytes(60))
        await it.bench.until(it.has_all)

    it.bench.simulate(story)
    it.check()
    cycles = it.shown_at[-1] - it.shown_at[20]
    assert 17 * 10 * 5 / 4 <= cycles <= 19 * 10 * 5 / 4 + 5
