"""The heap of runtimes with runnable uthreads: times, costs, and who is found congested."""

import random
from typing import Any

import pytest

from hermes.iokernel.cores import Cores
from hermes.iokernel.pending import Pending
from hermes.runtime.timers import NEVER
from hermes.switches import Switches
from tests.tools.host import COSTS as C
from tests.tools.host import Host
from tests.tools.idle_runtimes import idle_record

US = 1_000_000
LIMIT = 5 * US
FIX = 2 * C.heap_fix


class Waiting:
    """Runtimes of four kthreads that have a core each, on a machine with ``cores``."""

    def __init__(self, runtimes: int = 1, cores: int = 8, guaranteed: int = 4, **switches: Any) -> None:
        self.host = Host(cores)
        self.host.engine.now = US
        self.cores = Cores(self.host.machine, Switches(**switches), LIMIT)
        self.pending = Pending(self.host.machine, self.cores, Switches(**switches))
        self.records = [idle_record(self.host, number, kthreads=4, guaranteed=guaranteed) for number in range(runtimes)]
        for record in self.records:
            self.cores.register(record)
        self.cores.decided.clear()

    def add(self, time: int, uthread: int, runtime: int = 0) -> int:
        """A uthread becomes runnable; what that costs."""
        self.host.engine.now = time
        cost = self.pending.cost_of_adding(self.records[runtime])
        self.pending.add(self.records[runtime], uthread)
        return cost

    def remove(self, uthread: int, runtime: int = 0) -> int:
        """A uthread runs; what that costs."""
        cost = self.pending.cost_of_removing(self.records[runtime], uthread)
        self.pending.remove(self.records[runtime], uthread)
        return cost

    def due(self) -> int:
        """The time of the oldest key of all; -1 if there is none."""
        time = self.pending.next_time()
        return time - LIMIT - 1 if time < NEVER else -1

    def finish(self, time: int) -> list[int]:
        """The top is seen to: runtimes that get a core."""
        self.host.engine.now = time
        self.pending.finish()
        decided = [record.runtime.number for _, record, *_ in self.cores.decided]
        self.cores.decided.clear()
        return decided


def test_a_runtime_is_due_once_its_oldest_entry_has_waited_longer_than_the_limit() -> None:
    waiting = Waiting()
    assert waiting.due() == -1
    waiting.add(10 * US, 7)
    waiting.add(11 * US, 8)
    assert waiting.due() == 10 * US
    assert waiting.finish(10 * US + LIMIT) == []
    assert waiting.finish(10 * US + LIMIT + 1) == [0]


def test_the_next_one_counts_when_the_oldest_runs_and_a_runtime_without_any_is_not_in_the_heap() -> None:
    waiting = Waiting()
    for uthread in range(3):
        waiting.add((10 + uthread) * US, uthread)
    waiting.remove(1)
    assert waiting.due() == 10 * US
    waiting.remove(0)
    assert waiting.due() == 12 * US
    waiting.remove(2)
    assert waiting.due() == -1
    waiting.remove(2)
    waiting.add(20 * US, 1)
    assert waiting.due() == 20 * US


def test_a_uthread_that_becomes_runnable_again_goes_to_the_tail() -> None:
    waiting = Waiting()
    waiting.add(10 * US, 0)
    waiting.add(11 * US, 1)
    waiting.remove(0)
    waiting.add(12 * US, 0)
    assert waiting.due() == 11 * US
    waiting.add(13 * US, 1)
    assert waiting.due() == 12 * US, "also one that was never told to have run"


def test_costs_are_those_of_the_heap_alone() -> None:
    waiting = Waiting()
    assert waiting.pending.cost == C.heap_peek
    assert waiting.pending.grant_cost == FIX
    assert waiting.pending.begin() == FIX
    assert [waiting.add(10 * US + uthread, uthread) for uthread in range(3)] == [FIX, 0, 0]
    assert [waiting.remove(uthread) for uthread in (1, 0, 9, 2, 2)] == [0, FIX, 0, FIX, 0]


def test_the_last_grant_counts_as_a_start_too() -> None:
    waiting = Waiting()
    waiting.add(10 * US, 0)
    waiting.host.engine.now = 12 * US
    waiting.cores.congested(waiting.records[0])
    assert waiting.due() == 12 * US
    waiting.add(13 * US, 1)
    waiting.remove(0)
    assert waiting.due() == 13 * US


def test_one_runtime_is_seen_to_at_a_time_that_with_the_lowest_key_first() -> None:
    waiting = Waiting(runtimes=3)
    for runtime, time in ((0, 12), (1, 10), (2, 11)):
        waiting.add(time * US, runtime, runtime)
    assert [waiting.finish(30 * US + step) for step in range(4)] == [[1], [2], [0], []]
    assert waiting.due() == 30 * US, "and after its grant it waits anew"


@pytest.mark.parametrize(("most", "granted"), [(1, [1]), (2, [1, 2]), (5, [1, 2, 0])])
def test_as_many_as_are_allowed_get_a_core_in_one_iteration(most: int, granted: list[int]) -> None:
    waiting = Waiting(runtimes=3, grants_per_iteration=most)
    for runtime, time in ((0, 12), (1, 10), (2, 11)):
        waiting.add(time * US, runtime, runtime)
    assert waiting.pending.begin() == FIX * most
    assert (waiting.pending.checks, waiting.pending.checks_ps) == (1, C.heap_peek + FIX * most)
    assert waiting.finish(30 * US) == granted


def test_who_cannot_be_served_waits_for_a_core_and_does_not_hide_the_next() -> None:
    waiting = Waiting(runtimes=2, cores=2)
    waiting.add(10 * US, 0, 0)
    waiting.add(11 * US, 1, 1)
    assert waiting.finish(20 * US) == []
    assert waiting.due() == 11 * US
    assert [record.is_overloaded for record in waiting.records] == [True, False]
    assert waiting.finish(20 * US) == []
    assert [record.is_overloaded for record in waiting.records] == [True, True]
    assert waiting.due() == 20 * US
    waiting.cores.left(2)
    assert [record.runtime.number for _, record, *_ in waiting.cores.decided] == [0]


def test_beyond_the_guarantee_an_idle_core_is_given_at_once() -> None:
    waiting = Waiting(cores=2, guaranteed=1)
    waiting.add(10 * US, 0)
    assert waiting.finish(20 * US) == [0]


@pytest.mark.parametrize("seed", range(5))
def test_the_top_is_always_the_lowest_key_of_all(seed: int) -> None:
    print(f"seed {seed}")
    draw = random.Random(seed)
    waiting = Waiting(runtimes=3, cores=4)
    entries: list[list[tuple[int, int]]] = [[], [], []]
    floor = [0, 0, 0]
    for step in range(400):
        time, runtime, uthread = (10 + step) * US, draw.randrange(3), draw.randrange(6)
        own = entries[runtime]
        if draw.randrange(2):
            waiting.add(time, uthread, runtime)
            own[:] = [entry for entry in own if entry[1] != uthread] + [(time, uthread)]
        else:
            waiting.remove(uthread, runtime)
            own[:] = [entry for entry in own if entry[1] != uthread]
        if draw.randrange(8) == 0:
            before = [
                max(own[0][0], floor[i], waiting.records[i].granted) if own else NEVER for i, own in enumerate(entries)
            ]
            waiting.finish(time)
            if min(before) + LIMIT < time:
                floor[before.index(min(before))] = time
        keys = [max(own[0][0], floor[i], waiting.records[i].granted) for i, own in enumerate(entries) if own]
        assert waiting.due() == min(keys, default=-1), step
