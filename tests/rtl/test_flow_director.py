"""FlowDirector: frames go where the rules say, in the order in which they came, while rules come and go."""

import random
from itertools import pairwise
from typing import Any

import pytest
from amaranth.hdl import ResetInserter, Signal

from enso_nic.config import TINY
from enso_nic.flow_director import FlowDirector
from enso_nic.layouts import ConfigCode, DropCause, FlowOperationKind
from tests.rtl.contract import covers
from tests.rtl.golden.steering import Key, Steering, lookup3
from tests.rtl.stream_bench import Bench, Sink, Source, fields

LATENCY = 6
OPERATION_CYCLES, LONGEST_OPERATION = 11, 840
INSERT, DELETE, STATUS = tuple(FlowOperationKind)
OK, UNKNOWN, TABLE_FULL, NOT_FOUND = tuple(ConfigCode)
KEY, OTHER_KEY = Key(1024, 0, 0x0A000001, 0), Key(1025, 0, 0x0A000001, 0)
PLACES = 4 * TINY.flow_entries
REFUSALS: tuple[Any, ...] = (DropCause.NONE, DropCause.NOT_IP, DropCause.BAD_IP_LENGTH)


def random_key(draw: random.Random) -> Key:
    return Key(*(draw.getrandbits(width) for width in (16, 16, 32, 32)))


class Director:
    """A director, and what comes of the frames and operations that it is given."""

    def __init__(self, *, rate: float = 1.0, seed: int = 1) -> None:
        self.block = FlowDirector(TINY)
        self.reset = Signal()
        self.frames = Source(self.block.frame, rate=rate)
        self.operations = Source(self.block.flow)
        self.steered = Sink(self.block.steered)
        self.details: list[dict[str, int]] = []
        """Of each frame in ``steered``."""
        self.entered: list[dict[str, Any]] = []
        """Each frame that was offered, by its fields."""
        self.codes: list[ConfigCode] = []
        self.failed = 0
        self.ready_at: list[int] = []
        self.bench = Bench(
            ResetInserter(self.reset)(self.block), [self.frames, self.operations, self.steered], seed, self.each_cycle
        )

    def each_cycle(self, context: Any, cycle: int) -> None:
        if context.get(self.block.flow.valid) and context.get(self.block.flow.ready):
            self.codes.append(context.get(self.block.flow_code))
        self.failed += context.get(self.block.insert_failed)
        if context.get(self.block.ready):
            self.ready_at.append(cycle)
        if context.get(self.block.steered.valid):
            self.details.append(fields(context.get(self.block.details)))
        if context.get(self.block.idle):
            assert not context.get(self.block.steered.valid)
            assert len(self.steered.got) == len(self.frames.taken_at), "idle with a frame inside"

    def frame(self, key: Key) -> None:
        """Frames are told apart by all that travels with their keys."""
        number = len(self.entered)
        frame = {
            "key": key._asdict(),
            "length": number * 0x2B67 % (1 << 14),
            "end": number * 5 % (1 << 14) ^ 0x3FFF,
            "refusal": REFUSALS[number % 3],
            "arrival": number << 56 | number * 0x010305,
        }
        self.frames.items.append(frame)
        self.entered.append(frame)

    def offer(self, kind: FlowOperationKind, key: Key, pipe: int = 0) -> None:
        self.operations.items.append({"kind": kind, "rule": {"key": key._asdict(), "pipe": pipe}})

    async def operate(self, kind: FlowOperationKind, key: Key, pipe: int = 0) -> ConfigCode:
        """The operation, until it has taken effect; its code."""
        self.offer(kind, key, pipe)
        await self.bench.until(lambda: not self.operations.items)
        return self.codes[-1]

    def set_fallback(self, pipes: int, mask: int, *, round_robin: bool = False) -> None:
        setting = {"enable": pipes != 0, "mask": mask, "round_robin": round_robin}
        self.bench.context.set(self.block.fallback, setting)

    async def pipes_of(self, *keys: Key) -> list[int | None]:
        """Where frames with these keys go now; None: nowhere."""
        before = len(self.steered.got)
        for key in keys:
            self.frame(key)
        await self.bench.until(lambda: len(self.steered.got) == before + len(keys))
        return [None if each.miss else each.pipe for each in self.steered.got[before:]]

    async def opened(self) -> None:
        await self.bench.until(lambda: bool(self.ready_at))


@covers("C-071")
def test_a_frame_goes_to_the_pipe_of_its_rule_and_to_none_without() -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        assert await director.operate(INSERT, KEY, 8191) == OK
        assert await director.pipes_of(KEY, OTHER_KEY, KEY) == [8191, None, 8191]

    director.bench.simulate(story)


@pytest.mark.parametrize("field", Key._fields)
@covers("C-071")
def test_all_of_the_key_must_match(field: str) -> None:
    director = Director()
    almost = KEY._replace(**{field: getattr(KEY, field) ^ 1})

    async def story() -> None:
        await director.opened()
        await director.operate(INSERT, almost, 2)
        assert await director.pipes_of(KEY, almost) == [None, 2]

    director.bench.simulate(story)


@covers("C-071")
def test_no_rule_is_not_one_for_zeros() -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        assert await director.operate(STATUS, Key()) == NOT_FOUND
        assert await director.pipes_of(Key()) == [None]

    director.bench.simulate(story)


@covers("C-077")
def test_a_rule_of_the_same_key_is_overwritten() -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        for pipe in (3, 4, 5):
            assert await director.operate(INSERT, KEY, pipe) == OK
            assert await director.pipes_of(KEY) == [pipe]
        assert await director.operate(DELETE, KEY) == OK
        assert await director.pipes_of(KEY) == [None], "it stood in more than one place"

    director.bench.simulate(story)
    assert not director.failed


@covers("C-082")
def test_a_deleted_rule_is_gone_and_no_other() -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        await director.operate(INSERT, KEY, 3)
        await director.operate(INSERT, OTHER_KEY, 4)
        assert await director.operate(DELETE, KEY, 4) == OK
        assert await director.operate(DELETE, KEY) == NOT_FOUND
        assert await director.pipes_of(KEY, OTHER_KEY) == [None, 4]
        assert await director.operate(INSERT, KEY, 5) == OK
        assert await director.pipes_of(KEY, OTHER_KEY) == [5, 4]

    director.bench.simulate(story)


@covers("C-083")
def test_status_tells_whether_there_is_a_rule_and_changes_none() -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        await director.operate(INSERT, KEY, 3)
        assert await director.operate(STATUS, KEY, 9) == OK
        assert await director.operate(STATUS, OTHER_KEY, 9) == NOT_FOUND
        assert await director.pipes_of(KEY, OTHER_KEY) == [3, None]

    director.bench.simulate(story)


@covers("C-079", "C-081")
def test_rules_make_way_until_the_table_is_full_and_then_nothing_changes() -> None:
    """More rules than places, and then one that goes for each that comes: each ends as in the golden model."""
    seed = 11  # here it makes a difference which 64 rules are considered
    draw = random.Random(seed)
    director, steering = Director(), Steering.after_reset(TINY)
    keys = [random_key(draw) for _ in range(PLACES + 12)]
    held_when_first_failed = 0

    async def story() -> None:
        nonlocal steering, held_when_first_failed
        await director.opened()
        for pipe, key in enumerate(keys):
            if pipe >= PLACES:
                leaving = next(iter(steering.rules.values()))[0]
                assert await director.operate(DELETE, leaving) == OK
                steering = steering.without_rule(leaving) or steering
            changed = steering.with_rule(key, pipe)
            code = await director.operate(INSERT, key, pipe)
            assert code == (TABLE_FULL if changed is None else OK), f"rule {pipe} of seed {seed}"
            if changed is None and not held_when_first_failed:
                held_when_first_failed = len(steering.rules)
            steering = changed or steering
        assert await director.pipes_of(*keys) == [steering.pipe(key, 0) for key in keys]

    director.bench.simulate(story)
    assert held_when_first_failed >= 0.9 * PLACES
    assert director.failed == director.codes.count(TABLE_FULL)
    taken_at = [director.ready_at[0], *director.operations.taken_at]
    cycles = [after - before for before, after in pairwise(taken_at)]
    assert LONGEST_OPERATION - 10 <= max(cycles) <= LONGEST_OPERATION
    assert director.codes[cycles.index(max(cycles))] == TABLE_FULL


@pytest.mark.parametrize("seed", [1, 2])
@covers("C-079", "C-082", "C-083")
def test_rules_come_and_go_in_a_table_that_is_nearly_full(seed: int) -> None:
    """Against a dictionary: what is inserted is found until it is deleted, and the codes say so."""
    draw = random.Random(seed)
    director = Director(rate=0.5, seed=seed)
    rules: dict[Key, int] = {}
    keys = [random_key(draw) for _ in range(PLACES)]

    async def story() -> None:
        await director.opened()
        fullest = 0
        for number in range(160):
            key = draw.choice(keys)
            # the table hovers at 90 %
            kind = draw.choice([INSERT, DELETE, STATUS] if len(rules) > 0.9 * PLACES else [INSERT])
            code = await director.operate(kind, key, number)
            if kind == INSERT and code == OK:
                rules[key] = number
            elif kind == INSERT:
                assert code == TABLE_FULL
                assert key not in rules
            else:
                assert code == (OK if key in rules else NOT_FOUND)
            if kind == DELETE:
                rules.pop(key, None)
            fullest = max(fullest, len(rules))
            if number % 10 == 9:
                assert await director.pipes_of(*keys) == [rules.get(key) for key in keys], f"seed {seed}"
        assert fullest >= 0.9 * PLACES
        assert director.codes.count(TABLE_FULL) < 5

    director.bench.simulate(story)


@pytest.mark.parametrize("seed", [1, 2, 3])
@covers("C-080")
def test_every_lookup_meets_its_rule_while_that_is_moved(seed: int) -> None:
    """Frames of all rules come in all cycles but a few while inserts make the rules move."""
    draw = random.Random(seed)
    director, steering = Director(rate=0.9, seed=seed), Steering.after_reset(TINY)
    keys = [random_key(draw) for _ in range(PLACES)]
    old, new, moves = 54, keys[54:63], 0
    expected: list[int] = []

    async def story() -> None:
        nonlocal steering, moves
        await director.opened()
        for pipe, key in enumerate(keys[:old]):
            await director.operate(INSERT, key, pipe)
            steering = steering.with_rule(key, pipe) or steering
        for pipe, key in enumerate(new, old):
            before, steering = steering, steering.with_rule(key, pipe) or steering
            director.offer(INSERT, key, pipe)
            moved = [place for place, rule in before.rules.items() if steering.rules[place] != rule]
            moves += len(moved)
            # most of all the rules that are on their way
            watched = [before.rules[place] for place in moved] * 20 + list(before.rules.values())
            while director.operations.items:
                key, pipe = draw.choice(watched)
                director.frame(key)
                expected.append(pipe)
                await director.bench.cycles(1)
        await director.bench.until(lambda: len(director.steered.got) == len(expected))

    director.bench.simulate(story)
    assert [None if each.miss else each.pipe for each in director.steered.got] == expected, f"seed {seed}"
    assert moves >= 4, "too few rules were moved"


@covers("C-044")
def test_frames_leave_in_order_six_cycles_after_they_came() -> None:
    director = Director(rate=0.7, seed=2)
    keys = [KEY, OTHER_KEY] * 100

    async def story() -> None:
        await director.opened()
        await director.operate(INSERT, KEY, 7)
        pipes = await director.pipes_of(*keys)
        assert pipes == [7, None] * 100

    director.bench.simulate(story)
    names = ("length", "end", "refusal")
    passed = [{name: getattr(each, name) for name in names} for each in director.steered.got]
    assert passed == [{name: frame[name] for name in names} for frame in director.entered]
    assert director.steered.got_at == [cycle + LATENCY for cycle in director.frames.taken_at]


@pytest.mark.parametrize("fallback", [0, 4])
def test_beside_a_frame_comes_when_it_arrived_and_the_hash_of_its_key(fallback: int) -> None:
    """Whether or not it has a rule, or a key, or goes anywhere; also while operations look keys up in between."""
    director, draw = Director(rate=0.7, seed=5), random.Random(5)
    keys = [draw.choice([KEY, Key(), random_key(draw)]) for _ in range(200)]

    async def story() -> None:
        await director.opened()
        await director.operate(INSERT, KEY, 7)
        director.set_fallback(fallback, 3)
        for _ in range(20):
            director.offer(STATUS, random_key(draw))
        await director.pipes_of(*keys)

    director.bench.simulate(story)
    arrivals = [frame["arrival"] for frame in director.entered]
    assert director.details == [
        {"arrival": arrival, "hash": lookup3(key, 0)} for arrival, key in zip(arrivals, keys, strict=True)
    ]


def test_frames_without_a_key_go_by_a_rule_for_zeros_or_to_the_fallback() -> None:
    """That they may be refused where they go is not this block's concern."""
    director = Director()

    async def story() -> None:
        await director.opened()
        assert await director.pipes_of(*[Key()] * 3) == [None] * 3
        director.set_fallback(8, 7)
        assert await director.pipes_of(*[Key()] * 3) == [lookup3(Key(), 0) & 7] * 3
        await director.operate(INSERT, Key(), 9)
        assert await director.pipes_of(*[Key()] * 3, OTHER_KEY) == [*[9] * 3, lookup3(OTHER_KEY, 0) & 7]

    director.bench.simulate(story)
    assert {each.refusal for each in director.steered.got} == set(REFUSALS)


def test_a_frame_each_cycle() -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        await director.pipes_of(*[KEY] * 50)

    director.bench.simulate(story)
    assert director.steered.got_at == list(range(director.steered.got_at[0], director.steered.got_at[0] + 50))


@pytest.mark.parametrize("kind", [INSERT, DELETE])
@covers("C-076")
def test_every_frame_after_the_acceptance_of_an_operation_sees_its_effect(kind: FlowOperationKind) -> None:
    """Before it, some may; but none misses what an earlier one saw."""
    director = Director(rate=0.8, seed=4)

    async def story() -> None:
        await director.opened()
        if kind == DELETE:
            await director.operate(INSERT, KEY, 5)
        for _ in range(20):
            director.frame(KEY)
        await director.bench.cycles(10)
        director.offer(kind, KEY, 5)
        for _ in range(100):
            director.frame(KEY)
        await director.bench.until(lambda: len(director.steered.got) == 120)

    director.bench.simulate(story)
    accepted = director.operations.taken_at[-1]
    sees = [each.miss == (kind == DELETE) for each in director.steered.got]
    assert sees == sorted(sees)
    before = [saw for saw, cycle in zip(sees, director.frames.taken_at, strict=True) if cycle <= accepted]
    assert not before[0]
    assert all(sees[len(before) :])
    assert len(before) < len(sees)


def test_an_operation_waits_for_a_gap_between_frames_and_then_takes_eleven_cycles() -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        for _ in range(40):
            director.frame(KEY)
        director.offer(INSERT, KEY, 5)
        await director.bench.until(lambda: not director.operations.items)
        director.offer(STATUS, KEY)
        started = director.bench.cycle
        await director.bench.until(lambda: not director.operations.items)
        assert director.bench.cycle - started <= OPERATION_CYCLES

    director.bench.simulate(story)
    assert director.operations.taken_at[0] > director.frames.taken_at[-1]


@pytest.mark.parametrize("mask", [0, 7, 8191])
@covers("C-073", "C-074")
def test_without_a_rule_the_fallback_is_the_hash_under_a_mask(mask: int) -> None:
    director = Director()
    draw = random.Random(mask)
    keys = [random_key(draw) for _ in range(30)]

    async def story() -> None:
        await director.opened()
        await director.operate(INSERT, KEY, 99)
        director.set_fallback(mask + 1, mask)
        assert await director.pipes_of(KEY, *keys) == [99, *(lookup3(key, 0) & mask for key in keys)]
        director.set_fallback(0, mask)
        assert await director.pipes_of(KEY, *keys[:2]) == [99, None, None]

    director.bench.simulate(story)


@covers("C-075")
def test_round_robin_counts_the_frames_without_a_rule_and_nothing_else() -> None:
    director = Director(rate=0.5)

    async def story() -> None:
        await director.opened()
        await director.operate(INSERT, KEY, 99)
        director.set_fallback(0, 3, round_robin=True)
        assert await director.pipes_of(KEY, OTHER_KEY) == [99, None]
        director.set_fallback(4, 3, round_robin=True)
        assert await director.pipes_of(*[OTHER_KEY] * 3, KEY, *[OTHER_KEY] * 3) == [0, 1, 2, 99, 3, 0, 1]
        await director.operate(STATUS, OTHER_KEY)
        await director.bench.cycles(5)
        director.set_fallback(4, 3)
        assert await director.pipes_of(OTHER_KEY) == [lookup3(OTHER_KEY, 0) & 3]
        director.set_fallback(8, 7, round_robin=True)
        assert await director.pipes_of(*[OTHER_KEY] * 4) == [6, 7, 0, 1]

    director.bench.simulate(story)


@covers("C-140", "C-154")
def test_reset_clears_rules_and_count_and_meanwhile_no_operation_ends() -> None:
    director = Director()

    async def story() -> None:
        await director.opened()
        await director.operate(INSERT, KEY, 5)
        director.set_fallback(4, 3, round_robin=True)
        await director.pipes_of(OTHER_KEY)
        director.bench.context.set(director.reset, 1)
        await director.bench.cycles(1)
        director.bench.context.set(director.reset, 0)
        director.ready_at.clear()
        await director.operate(INSERT, OTHER_KEY, 6)
        assert await director.pipes_of(KEY, OTHER_KEY) == [0, 6]

    director.bench.simulate(story)
    assert director.operations.taken_at[-1] >= director.ready_at[0]


@pytest.mark.parametrize("after", [15, 40, 100, 300])
def test_a_reset_in_the_middle_of_an_insert_forgets_it(after: int) -> None:
    draw = random.Random(after)
    director = Director()

    async def story() -> None:
        await director.opened()
        for pipe in range(PLACES - 2):
            await director.operate(INSERT, random_key(draw), pipe)
        director.offer(INSERT, KEY, 1)
        await director.bench.cycles(after)
        director.operations.items.clear()
        director.operations.shows = False
        director.bench.context.set(director.reset, 1)
        await director.bench.cycles(1)
        director.bench.context.set(director.reset, 0)
        assert await director.operate(STATUS, KEY) == NOT_FOUND
        assert await director.operate(INSERT, KEY, 7) == OK
        assert await director.pipes_of(KEY) == [7]

    director.bench.simulate(story)
