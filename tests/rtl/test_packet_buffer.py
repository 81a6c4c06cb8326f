"""PacketBuffer: what was committed comes out, once, in order."""

import random
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import pytest

from enso_nic.config import TINY
from enso_nic.packet_buffer import PacketBuffer
from tests.rtl.contract import covers
from tests.rtl.stream_bench import Bench, Sink, Source

DEPTH, MAXIMUM = TINY.packet_buffer_flits, TINY.maximum_frame_flits


class Buffer:
    """A buffer whose writer asks for room as each frame begins, and whose reader knows what was committed.

    A frame is its flits, of which None are not kept, and whether it stays. ``has_room`` is compared in each cycle with
    what it must be.
    """

    def __init__(
        self, *, write_rate: float = 1.0, read_rate: float = 1.0, out_rate: float = 1.0, seed: int = 1
    ) -> None:
        self.block = PacketBuffer(TINY)
        self.flits = Source(self.block.flit, rate=write_rate)
        self.reads = Source(self.block.read, rate=read_rate)
        self.out = Sink(self.block.o, out_rate)
        self.frames: deque[tuple[list[int | None], bool]] = deque()
        self.reads_at_once = True
        self.drops: Iterator[bool] = repeat(False)
        self.expected: list[int] = []
        self.valid: list[int] = []
        self.waited_for_room = False
        self.bench = Bench(self.block, [self.flits, self.reads, self.out], seed, self.each_cycle)
        self._under_way: list[int] = []
        self._committed: deque[list[int]] = deque()  # not asked for yet
        self._asked: deque[dict[str, int]] = deque()
        self._kept = self._dropped = 0  # flits

    def each_cycle(self, context: Any, cycle: int) -> None:
        self.valid.append(context.get(self.block.o.valid))
        if context.get(self.block.idle):
            assert not self.valid[-1]
            assert not self.reads.shows, "idle with a read"
        while len(self._asked) > len(self.reads.items):
            taken = self._asked.popleft()
            self._dropped += taken["flits"] if taken["drop"] else 0

        if context.get(self.block.flit.valid):
            self._flit(context.get(self.block.flit.payload))
        # flits that left the memory before this cycle: those taken, and the one shown
        left = len(self.out.got) + self.valid[-1] + self._dropped
        has_room = context.get(self.block.has_room)
        used = self._kept + len(self._under_way) - left
        assert has_room == (DEPTH - used >= MAXIMUM), f"{used} flits are in use"
        if self.reads_at_once:
            self.ask()
        if self.frames and len(self.flits.items) <= context.get(self.block.flit.valid):
            self.waited_for_room |= not has_room
            if has_room:
                self._begin(*self.frames.popleft())

    def _flit(self, flit: Any) -> None:
        if flit.write:
            self._under_way.append(flit.data)
        if flit.commit:
            self._kept += len(self._under_way)
            self._committed.append(self._under_way)
        if flit.commit or flit.rollback:
            self._under_way = []

    def _begin(self, flits: list[int | None], stays: bool) -> None:
        for i, flit in enumerate(flits):
            ends = i == len(flits) - 1
            self.flits.items.append(
                {"data": flit or 0, "write": flit is not None, "commit": ends and stays, "rollback": ends and not stays}
            )

    def ask(self) -> None:
        """Read or drop each frame that was committed."""
        while self._committed:
            frame = self._committed.popleft()
            drop = next(self.drops)
            self.expected += [] if drop else frame
            request = {"flits": len(frame), "drop": drop}
            self.reads.items.append(request)
            self._asked.append(request)

    async def written(self) -> None:
        await self.bench.until(lambda: not self.frames and not self.flits.items)

    async def drained(self) -> None:
        await self.written()
        await self.bench.until(lambda: not self.reads.items)
        await self.bench.until(lambda: len(self.out.got) == len(self.expected))

    def check(self) -> None:
        assert self.out.got == self.expected


def frame(*flits: int | None, stays: bool = True) -> tuple[list[int | None], bool]:
    return list(flits), stays


def frames_of(lengths: Iterable[int]) -> list[tuple[list[int | None], bool]]:
    """Frames of so many flits, all of them different."""
    return [frame(*(i << 448 | position for position in range(length))) for i, length in enumerate(lengths)]


@pytest.mark.parametrize(("write_rate", "read_rate", "out_rate"), [(1.0, 1.0, 1.0), (1.0, 0.8, 0.3), (0.5, 1.0, 0.9)])
@pytest.mark.parametrize("seed", [1, 2])
@covers("C-044", "C-147")
def test_what_was_committed_comes_out_in_order(seed: int, write_rate: float, read_rate: float, out_rate: float) -> None:
    """Over many laps of the ring, with rollbacks, flits that are not kept, drops and stalls."""
    draw = random.Random(seed)
    buffer = Buffer(write_rate=write_rate, read_rate=read_rate, out_rate=out_rate, seed=seed)
    buffer.drops = (draw.random() < 0.2 for _ in repeat(None))
    for _ in range(300):
        flits = [draw.getrandbits(512) for _ in range(draw.choice([1, 1, 2, 3, 8, MAXIMUM]))]
        trailer = [None] * draw.choice([0, 0, 0, 2])
        buffer.frames.append(frame(*flits, *trailer, stays=draw.random() < 0.8))

    async def story() -> None:
        await buffer.bench.until(lambda: not buffer.frames, 6000)
        await buffer.drained()

    buffer.bench.simulate(story)
    buffer.check()
    assert len(buffer.expected) > 4 * DEPTH, f"seed {seed}"
    assert buffer.waited_for_room == (out_rate == 0.3)


@pytest.mark.parametrize(
    "bad", [frame(7, 8, 9, stays=False), frame(7, stays=False), frame(7, None, stays=False), frame(None, stays=False)]
)
@covers("C-058")
def test_a_rolled_back_frame_leaves_nothing(bad: tuple[list[int | None], bool]) -> None:
    """Whether or not its last flit was to be kept."""
    buffer = Buffer()
    buffer.frames.extend([frame(1, 2), bad, frame(3), bad, bad, frame(4, 5, 6)])
    buffer.bench.simulate(buffer.drained)
    buffer.check()
    assert buffer.expected == [1, 2, 3, 4, 5, 6]


@covers("C-063")
def test_there_is_room_exactly_while_a_longest_frame_fits() -> None:
    """``each_cycle`` compares; this makes the buffer full to the last flit, and frees it by a rollback."""
    buffer = Buffer()
    buffer.reads_at_once = False
    lengths = [DEPTH - 2 * MAXIMUM, MAXIMUM]
    assert lengths[0] > MAXIMUM

    async def story() -> None:
        buffer.frames.extend(frames_of([1] * lengths[0]))
        buffer.frames.append(frame(*range(MAXIMUM), stays=False))
        buffer.frames.append(frame(*range(MAXIMUM)))
        buffer.frames.append(frame(*range(MAXIMUM)))
        await buffer.written()
        assert not buffer.bench.context.get(buffer.block.has_room)
        assert len(buffer.flits.taken_at) == DEPTH + MAXIMUM
        buffer.frames.append(frame(1))
        await buffer.bench.cycles(20)
        assert buffer.frames, "a full buffer takes no frame"
        buffer.reads_at_once = True
        await buffer.drained()

    buffer.bench.simulate(story)
    buffer.check()


@pytest.mark.parametrize("length", [1, 2, MAXIMUM])
@pytest.mark.parametrize("out_rate", [1.0, 0.5])
def test_a_flit_per_cycle_across_frames(length: int, out_rate: float) -> None:
    """While frames wait, whoever is ready gets a flit."""
    buffer = Buffer(out_rate=out_rate)
    buffer.reads_at_once = False

    async def story() -> None:
        buffer.frames.extend(frames_of([length] * (96 // length)))
        await buffer.written()
        buffer.ask()
        await buffer.drained()

    buffer.bench.simulate(story)
    buffer.check()
    first, last = buffer.valid.index(1), buffer.out.got_at[-1]
    assert all(buffer.valid[first : last + 1])


def test_a_read_shows_its_first_flit_in_the_next_cycle() -> None:
    buffer = Buffer()
    buffer.frames.append(frame(1))
    buffer.bench.simulate(buffer.drained)
    assert buffer.out.got_at == [buffer.reads.taken_at[0] + 1]


def test_a_drop_takes_one_cycle_whatever_the_length_even_if_the_output_stalls() -> None:
    buffer = Buffer(out_rate=0)
    buffer.reads_at_once = False
    buffer.drops = iter([False, True, True, True, True, False])

    async def story() -> None:
        buffer.frames.extend(frames_of([1, MAXIMUM, 1, MAXIMUM, 5, 2]))
        await buffer.written()
        buffer.ask()
        await buffer.bench.cycles(6)
        assert buffer.reads.taken_at == list(range(buffer.reads.taken_at[0], buffer.reads.taken_at[0] + 5))
        buffer.out.rate = 1
        await buffer.drained()

    buffer.bench.simulate(story)
    buffer.check()
    assert len(buffer.expected) == 3
