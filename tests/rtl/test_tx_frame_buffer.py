"""TxFrameBuffer: whole frames only, without a pause inside."""

import random
from dataclasses import replace
from typing import Any

import pytest

from enso_nic.config import TINY
from enso_nic.tx_frame_buffer import TxFrameBuffer
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
        self._inside = self._is_still = False

    def each_cycle(self, context: Any, cycle: int) -> None:
        self.sent += context.get(self.block.tx_frames)
        valid, beat = context.get(self.block.ethernet_tx.valid), context.get(self.block.ethernet_tx.payload)
        assert valid or not self._inside, "a pause inside a frame"
        assert not (valid and self._is_still), "a beat came out of an idle block"
        self.idle = context.get(self.block.idle)
        self._is_still = not (valid or context.get(self.block.flit.valid)) and bool(self.idle)
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
