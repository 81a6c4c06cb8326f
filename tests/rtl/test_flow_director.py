"""FlowDirector: frames go where the rules say, in the order in which they came."""

import random
from typing import Any

import pytest
from amaranth.hdl import ResetInserter, Signal

from enso_nic.config import TINY
from enso_nic.flow_director import FlowDirector
from enso_nic.layouts import ConfigFallback, ConfigFlow
from tests.rtl.golden.steering import Key, Steering, lookup3
from tests.rtl.stream_bench import Bench, Sink, Source

LATENCY = 6
FLOW, FALLBACK = 1, 4
KEY, OTHER_KEY = Key(1024, 0, 0x0A000001, 0), Key(1025, 0, 0x0A000001, 0)


def insert(key: Key, pipe: int) -> dict[str, Any]:
    # the protocol is carried, not matched
    return {"id": FLOW, "body": ConfigFlow.const({**key._asdict(), "pipe": pipe, "protocol": 17}).as_bits()}


def fallback(pipes: int, mask: int) -> dict[str, Any]:
    return {"id": FALLBACK, "body": ConfigFallback.const({"pipes": pipes, "mask": mask}).as_bits()}


class Director:
    """A director, and what comes of the frames and config requests that it is given."""

    def __init__(self, *, rate: float = 1.0, seed: int = 1) -> None:
        self.block = FlowDirector(TINY)
        self.reset = Signal()
        self.frames = Source(self.block.frame, rate=rate)
        self.configs = Source(self.block.config)
        self.steered = Sink(self.block.steered)
        self.failed_at: list[int] = []
        self.ready_at: list[int] = []
        self.bench = Bench(
            ResetInserter(self.reset)(self.block), [self.frames, self.configs, self.steered], seed, self.each_cycle
        )
        self._number = 0

    def each_cycle(self, context: Any, cycle: int) -> None:
        if context.get(self.block.insert_failed):
            self.failed_at.append(cycle)
        if context.get(self.block.ready):
            self.ready_at.append(cycle)
        if context.get(self.block.idle):
            assert not context.get(self.block.steered.valid)
            assert len(self.steered.got) == len(self.frames.taken_at), "idle with a frame inside"

    def frame(self, key: Key) -> None:
        """Frames are told apart by their number of flits, 1 to 255."""
        self.frames.items.append({"key": key._asdict(), "flits": self._number % 255 + 1})
        self._number += 1

    async def configure(self, request: dict[str, Any]) -> None:
        self.configs.items.append(request)
        await self.bench.until(lambda: not self.configs.items)

    async def pipes_of(self, *keys: Key) -> list[int | None]:
        """Where frames with these keys go now; None: nowhere."""
        before = len(self.steered.got)
        for key in keys:
            self.frame(key)
        await self.bench.until(lambda: len(self.steered.got) == before + len(keys))
        return [None if each.miss else each.pipe for each in self.steered.got[before:]]

    async def opened(self) -> None:
        await self.bench.until(lambda: bool(self.ready_at))


def test_a_frame_goes_to_the_pipe_of_its_rule_and_to_none_without() -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        await director.configure(insert(KEY, 8191))
        assert await director.pipes_of(KEY, OTHER_KEY, KEY) == [8191, None, 8191]

    director.bench.simulate(story)


@pytest.mark.parametrize("field", Key._fields)
def test_all_of_the_key_must_match(field: str) -> None:
    director = Director()
    almost = KEY._replace(**{field: getattr(KEY, field) ^ 1})

    async def story() -> None:
        await director.opened()
        # in all its places, so that its own hash finds the rule of the other
        await director.configure(insert(almost, 2))
        assert await director.pipes_of(KEY, almost) == [None, 2]

    director.bench.simulate(story)


def test_no_rule_is_not_one_for_zeros() -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        assert await director.pipes_of(Key()) == [None]

    director.bench.simulate(story)


def test_a_rule_of_the_same_key_is_overwritten() -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        for pipe in (3, 4, 5):
            await director.configure(insert(KEY, pipe))
            assert await director.pipes_of(KEY) == [pipe]

    director.bench.simulate(story)
    assert not director.failed_at


def test_a_rule_takes_the_first_empty_of_its_four_places_and_fails_if_there_is_none() -> None:
    """More rules than the 64 places of all sub-tables, against the golden model."""
    seed = 3
    draw = random.Random(seed)
    director, steering, failures = Director(), Steering.after_reset(TINY), 0
    keys = [Key(draw.getrandbits(16), 0, draw.getrandbits(32), 0) for _ in range(90)]

    async def story() -> None:
        nonlocal steering, failures
        await director.opened()
        for pipe, key in enumerate(keys):
            changed = steering.with_rule(key, pipe)
            failures += changed is None
            steering = changed or steering
            await director.configure(insert(key, pipe))
            await director.bench.cycles(1)  # the pulse
            assert len(director.failed_at) == failures, f"rule {pipe} of seed {seed}"
        assert await director.pipes_of(*keys) == [steering.pipe(key) for key in keys]

    director.bench.simulate(story)
    assert 0 < failures < len(keys)


def test_frames_leave_in_order_six_cycles_after_they_came() -> None:
    director = Director(rate=0.7, seed=2)
    keys = [KEY, OTHER_KEY] * 100

    async def story() -> None:
        await director.opened()
        await director.configure(insert(KEY, 7))
        pipes = await director.pipes_of(*keys)
        assert pipes == [7, None] * 100

    director.bench.simulate(story)
    assert [each.flits for each in director.steered.got] == [i % 255 + 1 for i in range(len(keys))]
    assert director.steered.got_at == [cycle + LATENCY for cycle in director.frames.taken_at]


def test_a_frame_each_cycle() -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        await director.pipes_of(*[KEY] * 50)

    director.bench.simulate(story)
    assert director.steered.got_at == list(range(director.steered.got_at[0], director.steered.got_at[0] + 50))


@pytest.mark.parametrize("request_", [insert(KEY, 5), fallback(1, 0)])
def test_every_frame_after_the_acceptance_of_a_request_sees_its_effect(request_: dict[str, Any]) -> None:
    """Before it, some may; but none misses what an earlier one saw."""
    director = Director(rate=0.8, seed=4)

    async def story() -> None:
        await director.opened()
        for _ in range(20):
            director.frame(KEY)
        await director.bench.cycles(10)
        director.configs.items.append(request_)
        for _ in range(100):
            director.frame(KEY)
        await director.bench.until(lambda: len(director.steered.got) == 120)

    director.bench.simulate(story)
    accepted = director.configs.taken_at[0]
    sees = [not each.miss for each in director.steered.got]
    assert sees == sorted(sees)
    before = [saw for saw, cycle in zip(sees, director.frames.taken_at, strict=True) if cycle <= accepted]
    assert not before[0]
    assert all(sees[len(before) :])
    assert len(before) < len(sees)


def test_an_insert_waits_for_a_gap_between_frames() -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        for _ in range(40):
            director.frame(KEY)
        director.configs.items.append(insert(KEY, 5))
        await director.bench.until(lambda: not director.configs.items)

    director.bench.simulate(story)
    assert director.configs.taken_at[0] > director.frames.taken_at[-1]


@pytest.mark.parametrize("mask", [0, 7, 8191])
def test_without_a_rule_the_fallback_is_the_hash_under_a_mask(mask: int) -> None:
    director = Director()
    draw = random.Random(mask)
    keys = [Key(*(draw.getrandbits(width) for width in (16, 16, 32, 32))) for _ in range(30)]

    async def story() -> None:
        await director.opened()
        await director.configure(insert(KEY, 99))
        await director.configure(fallback(mask + 1, mask))
        assert await director.pipes_of(KEY, *keys) == [99, *(lookup3(key, 0) & mask for key in keys)]
        await director.configure(fallback(0, mask))
        assert await director.pipes_of(KEY, *keys[:2]) == [99, None, None]

    director.bench.simulate(story)


@pytest.mark.parametrize("other_id", [0, 2, 3, 5, FLOW | 1 << 32, FALLBACK | 1 << 32])
def test_other_requests_have_no_effect(other_id: int) -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        await director.configure({"id": other_id, "body": (1 << 384) - 1})
        for request in (insert(KEY, 5), fallback(1, 0)):
            await director.configure(request | {"id": other_id})
        assert await director.pipes_of(KEY, Key(0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)) == [None, None]

    director.bench.simulate(story)


def test_reset_clears_rules_and_fallback_and_meanwhile_takes_no_request() -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        await director.configure(insert(KEY, 5))
        await director.configure(fallback(1, 0))
        director.bench.context.set(director.reset, 1)
        await director.bench.cycles(1)
        director.bench.context.set(director.reset, 0)
        director.ready_at.clear()
        director.configs.items.append(insert(OTHER_KEY, 6))
        await director.bench.until(lambda: not director.configs.items)
        assert await director.pipes_of(KEY, OTHER_KEY) == [None, 6]

    director.bench.simulate(story)
    assert director.configs.taken_at[-1] >= director.ready_at[0]
