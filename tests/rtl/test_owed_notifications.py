"""OwedNotifications: what found no room is checked again when its buffer has some, once, oldest first."""

import random
from dataclasses import replace

import pytest
from amaranth.hdl import ResetInserter, Signal

from enso_nic.config import TINY
from enso_nic.owed_notifications import QUEUE_DEPTH, SETTLE_CYCLES, OwedNotifications
from tests.rtl.contract import covers
from tests.rtl.stream_bench import Bench, Sink, Source

SWEEP = max(TINY.pipes, TINY.notification_buffers) + 4


class Owing:
    def __init__(self, seed: int = 1, rate: float = 1.0, pipes: int = TINY.pipes) -> None:
        self.block = OwedNotifications(replace(TINY, pipes=pipes))
        self.owe, self.freed = Source(self.block.owe), Source(self.block.freed)
        self.retry = Sink(self.block.retry, rate)
        self.reset = Signal()
        self.bench = Bench(ResetInserter(self.reset)(self.block), [self.owe, self.freed, self.retry], seed)

    async def owes(self, *owed: tuple[int, int]) -> None:
        """(pipe, buffer) each."""
        self.owe.items.extend({"pipe": pipe, "buffer": buffer} for pipe, buffer in owed)
        await self.settles()

    async def frees(self, *buffers: int) -> list[int]:
        """Pipes that are checked again because of it."""
        before = len(self.retry.got)
        self.freed.items.extend(buffers)
        await self.settles()
        return self.retry.got[before:]

    async def settles(self) -> None:
        await self.bench.until(lambda: not self.owe.items and not self.freed.items, 5000)
        await self.bench.until(lambda: bool(self.bench.context.get(self.block.idle)), 5000)


@covers("C-051", "C-052", "C-053")
def test_pipes_leave_when_their_buffer_is_freed_oldest_first_and_once() -> None:
    it = Owing()

    async def story() -> None:
        await it.bench.cycles(SWEEP)
        await it.owes((5, 1), (3, 2), (9, 1), (5, 1), (0, 1))
        assert it.retry.got == []
        assert await it.frees(0) == []
        assert await it.frees(1) == [5, 9, 0]
        assert await it.frees(1) == []
        assert await it.frees(2) == [3]

    it.bench.simulate(story)


@covers("C-054")
def test_a_pipe_that_another_buffer_owes_to_is_checked_again_and_then_that_one_s() -> None:
    """Its old buffer may never be freed. What else that owes to is checked too, in vain."""
    it = Owing()

    async def story() -> None:
        await it.bench.cycles(SWEEP)
        await it.owes((5, 1), (3, 1), (9, 2))
        await it.owes((3, 2))
        assert it.retry.got == [5, 3]
        assert await it.frees(1) == []
        await it.owes((5, 1), (3, 2))
        assert await it.frees(2) == [9, 3]
        assert await it.frees(1) == [5]

    it.bench.simulate(story)


@covers("C-051")
def test_a_pipe_may_be_owed_again_after_it_left() -> None:
    it = Owing()

    async def story() -> None:
        await it.bench.cycles(SWEEP)
        for _ in range(3):
            await it.owes((7, 3))
            assert await it.frees(3) == [7]

    it.bench.simulate(story)


def test_a_reset_forgets_what_was_owed() -> None:
    it = Owing()
    last_pipe, last_buffer = TINY.pipes - 1, TINY.notification_buffers - 1

    async def story() -> None:
        await it.bench.cycles(SWEEP)
        await it.owes((0, 0), (last_pipe, last_buffer))
        it.bench.context.set(it.reset, 1)
        await it.bench.cycles(1)
        it.bench.context.set(it.reset, 0)
        await it.bench.cycles(SWEEP)
        assert await it.frees(0, last_buffer) == []
        await it.owes((last_pipe, last_buffer), (0, 0))
        assert await it.frees(last_buffer, 0) == [last_pipe, 0]

    it.bench.simulate(story)


def test_buffers_that_do_not_exist_are_ignored() -> None:
    it = Owing()

    async def story() -> None:
        await it.bench.cycles(SWEEP)
        await it.owes(*((buffer + 4, buffer) for buffer in range(TINY.notification_buffers)))
        for buffer in (TINY.notification_buffers, 1022, 1023):
            assert await it.frees(buffer) == []

    it.bench.simulate(story)


@pytest.mark.parametrize("delay", range(SETTLE_CYCLES + 1))
@covers("C-043", "C-051")
def test_a_notification_that_is_told_just_after_its_buffer_was_freed_is_not_forgotten(delay: int) -> None:
    it = Owing()

    async def story() -> None:
        await it.bench.cycles(SWEEP)
        it.freed.items.append(1)
        await it.bench.cycles(delay)  # the notifier decided before it saw the write
        await it.owes((6, 1))
        assert it.retry.got == [6]

    it.bench.simulate(story)


def test_a_burst_fits_while_there_is_room_for_each_stage() -> None:
    """A notification per cycle, also in as many cycles as it takes the notifier to stop."""
    pipes = 4 * QUEUE_DEPTH
    it = Owing(pipes=pipes)

    async def story() -> None:
        await it.bench.cycles(pipes + 4)
        it.owe.items.extend({"pipe": pipe, "buffer": 0} for pipe in range(pipes))
        had_room = [True] * (SETTLE_CYCLES - 1)
        while it.owe.items:
            assert it.bench.cycle < 20 * pipes
            had_room.append(bool(it.bench.context.get(it.block.has_room)))
            it.owe.rate = float(had_room[-SETTLE_CYCLES])
            await it.bench.cycles(1)
        await it.settles()
        assert not all(had_room)
        assert await it.frees(0) == list(range(pipes))

    it.bench.simulate(story)


@pytest.mark.parametrize("seed", range(4))
@covers("C-043", "C-051", "C-052")
def test_no_pipe_stays_owed_when_its_buffer_was_freed_after_it(seed: int) -> None:
    print(f"seed {seed}")
    draw = random.Random(seed)
    it = Owing(seed, rate=0.3)

    async def story() -> None:
        await it.bench.cycles(SWEEP)
        owed: dict[int, list[int]] = {}
        for _ in range(60):
            pipes = draw.sample(range(TINY.pipes), draw.randrange(1, 5))
            # a pipe belongs to one buffer
            pairs = [(pipe, pipe % TINY.notification_buffers) for pipe in pipes]
            await it.owes(*pairs)
            for pipe, buffer in pairs:
                waiting = owed.setdefault(buffer, [])
                waiting += [] if pipe in waiting else [pipe]
            buffer = draw.randrange(TINY.notification_buffers)
            assert await it.frees(buffer) == owed.pop(buffer, [])

    it.bench.simulate(story)
