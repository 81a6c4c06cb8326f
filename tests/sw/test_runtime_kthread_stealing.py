"""A kthread's search: where it looks, in which order, what it takes from others, and what all of that costs."""

import random
from collections.abc import Callable
from functools import partial

import pytest

from hermes.runtime.script import Body, Compute, Sleep, Yield
from hermes.runtime.softirq import ready_softirq
from hermes.switches import Switches
from hermes.world import IDLE, QUEUE_POP, STEAL, SWITCH, UTHREAD_START
from tests.tools.host import COSTS as C
from tests.tools.host import NS
from tests.tools.runtimes import RuntimeHost

US = 1_000 * NS
OWN = 2 * C.poll_clean
NEW = 2 * C.line_dirty
PROBE = C.steal_probe + OWN
STAYS = Switches(parking=False)


def ready(host: RuntimeHost, kthread: int, *uthreads: int) -> None:
    """SoftIRQs arrive, now."""
    for uthread in uthreads:
        host.kthreads[kthread].softirqs.push(ready_softirq(uthread, -1, host.engine.now))


# --- what is taken ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "taken"), [(1, 1), (2, 1), (4, 2), (5, 3), (40, 16)])
def test_a_thief_takes_half_of_a_runqueue_rounded_up_oldest_first(count: int, taken: int) -> None:
    host = RuntimeHost(cores=2)
    host.push(0, *host.workers(count, 100 * US))  # its own core stays idle
    host.run(host.grant(2, 1) + 2 * US)
    assert host.starts() == [(0, 2)]
    assert [len(kthread.runqueue) for kthread in host.kthreads] == [count - taken, taken - 1]
    assert host.runtime.steals == taken
    assert host.runtime.runqueue_insertions == count, "who moves was runnable before"


def test_only_an_empty_runqueues_softirqs_are_taken() -> None:
    host = RuntimeHost(cores=2)
    host.push(0, *host.workers(4, 3 * US)[:2])
    ready(host, 0, 2, 3)
    host.run(host.grant(2, 1) + 20 * US)
    assert host.starts() == [(0, 2), (1, 2), (2, 2), (3, 2)]
    assert host.runtime.steals == 2
    first, *_, last = host.times(QUEUE_POP)
    assert host.times(UTHREAD_START)[1] < first == last < host.times(UTHREAD_START)[2]


def test_a_thief_handles_at_most_16_softirqs_and_keeps_what_becomes_runnable() -> None:
    host = RuntimeHost(cores=2)
    host.workers(18, 10 * US)
    ready(host, 0, *range(18))
    host.run(host.grant(2, 1) + 5 * US)
    assert len(host.times(QUEUE_POP)) == 16
    assert [len(kthread.runqueue) for kthread in host.kthreads] == [0, 15]
    assert len(host.kthreads[0].softirqs) == 2
    assert host.runtime.steals == 0


def test_queues_of_parked_kthreads_are_searched_too() -> None:
    host = RuntimeHost(cores=1, kthreads=3)
    host.push(2, *host.workers(2, 1 * US)[:1])
    ready(host, 1, 1)
    host.run(host.grant(1, 0) + 20 * US)
    assert sorted(host.starts()) == [(0, 1), (1, 1)]


@pytest.mark.parametrize(("thief", "first"), [(0, 1), (1, 2), (2, 0)])
def test_a_search_begins_after_the_own_index(thief: int, first: int) -> None:
    host = RuntimeHost(cores=3)
    workers = host.workers(3, 100 * US)
    for victim in {0, 1, 2} - {thief}:
        host.push(victim, workers[victim])
    host.run(host.grant(1, thief) + 2 * US)
    assert host.starts() == [(first, 1)]


def test_a_search_looks_at_the_own_softirq_queue_in_each_lap_so_the_watchdog_is_not_due() -> None:
    host = RuntimeHost(cores=2, switches=STAYS)
    workers = host.workers(2, 2 * US)
    begin = host.grant(2, 1)
    found = begin + 60 * US
    host.at(found, lambda: host.push(0, workers[0]))
    host.at(found + 200 * NS, lambda: ready(host, 1, 1))  # while the thief takes
    host.run(begin + 80 * US)
    assert host.starts() == [(0, 2), (1, 2)]
    assert host.times(QUEUE_POP)[0] > host.times(UTHREAD_START)[0]


# --- what it costs ----------------------------------------------------------------------------------------------------


def test_a_thief_pays_for_probe_lines_lock_and_taking() -> None:
    host = RuntimeHost(cores=2)
    host.push(0, *host.workers(1, 1 * US))
    begin = host.grant(2, 1)
    found = begin + OWN + NEW
    stolen = found + PROBE + NEW + C.lock + C.steal_take + C.line_dirty  # core 0 had a copy
    switched = stolen + C.scheduler_entry + OWN + C.lock + C.uthread_switch
    host.run(switched)
    assert host.times(UTHREAD_START) == [switched]
    times = host.machine.cores[2].times_at(switched)
    assert times[STEAL] == stolen - begin, "the search, and taking what it found"
    assert times[SWITCH] == C.ksched_idle_wake + C.uthread_switch


def look_at_runqueue(host: RuntimeHost) -> None:
    host.machine.lines.read(1, host.kthreads[1].line)


def look_at_softirqs(host: RuntimeHost) -> None:
    host.machine.lines.read(1, host.kthreads[0].softirq_line)


def look_at_the_victims_runqueue(host: RuntimeHost) -> None:
    host.machine.lines.read(1, host.kthreads[0].line)


def nobody_looks(host: RuntimeHost) -> None:
    """Only the thief itself."""


@pytest.mark.parametrize(
    ("looks", "steals", "more"),
    [
        (nobody_looks, True, 0),
        (look_at_runqueue, True, 1),  # of the thief, who pushes there
        (look_at_softirqs, True, 0),  # nothing is written there
        (look_at_softirqs, False, 1),
        (look_at_the_victims_runqueue, False, 1),  # where the lock is
        (look_at_runqueue, False, 0),  # its own line is written after the first softIRQ took effect
    ],
)
def test_whoever_looked_at_a_line_makes_its_next_write_dear(
    looks: Callable[[RuntimeHost], None], steals: bool, more: int
) -> None:
    """DESIGN 6, point 3: the producer pays too, and only where a copy was elsewhere."""
    times = []
    for look in (nobody_looks, looks):
        host = RuntimeHost(cores=2)
        workers = host.workers(1, 1 * US)
        if steals:
            host.push(0, *workers)
        else:
            ready(host, 0, 0)
        look(host)
        begin = host.grant(2, 1)
        host.run(begin + 5 * US)
        times.append((host.times(UTHREAD_START) if steals else host.times(QUEUE_POP))[0])
    assert times[1] - times[0] == more * C.line_dirty


@pytest.mark.parametrize("steals", [True, False])
def test_what_a_thief_takes_others_see_at_its_next_look(steals: bool) -> None:
    host = RuntimeHost(cores=2)
    workers, (victim, thief) = host.workers(1, 1 * US), host.kthreads
    if steals:
        host.push(0, *workers)
    else:
        ready(host, 0, 0)
    begin = host.grant(2, 1)
    lines = host.machine.lines
    for line in (victim.line, victim.softirq_line, thief.line):
        lines.read(1, line)
    host.run(begin + 5 * US)
    costs = [lines.read_cost(1, line) for line in (victim.line, victim.softirq_line, thief.line)]
    assert costs == [C.line_dirty, 0 if steals else C.line_dirty, C.line_dirty]


def test_a_switch_writes_the_line_that_others_poll() -> None:
    host = RuntimeHost(cores=2)
    host.push(0, *host.workers(1, 1 * US))
    line = host.kthreads[0].line
    host.machine.lines.read(2, line)
    begin = host.grant(1, 0)
    start = begin + OWN + NEW + C.lock + C.line_dirty + C.uthread_switch
    host.run(start - 1)
    assert host.machine.lines.read_cost(2, line) == 0
    host.run(start)
    assert host.machine.lines.read_cost(2, line) == C.line_dirty


def test_probes_of_empty_victims_take_time_too() -> None:
    """DESIGN 6, point 5: stealing takes time, probes of empty victims too."""
    host = RuntimeHost(cores=1, kthreads=5)
    host.push(4, *host.workers(1, 1 * US))
    begin = host.grant(1, 0)
    host.run(begin + 5 * US)
    stolen = begin + OWN + NEW + 4 * (PROBE + NEW) + C.lock + C.steal_take + C.line_dirty
    assert host.times(UTHREAD_START) == [stolen + C.scheduler_entry + OWN + C.lock + C.uthread_switch]


# --- who is not found -------------------------------------------------------------------------------------------------


def test_a_locked_victim_is_skipped() -> None:
    """DESIGN 6, point 5: a failed try-lock skips."""
    host = RuntimeHost(cores=3, switches=STAYS)
    workers = host.workers(2, 20 * US)
    host.push(1, workers[0])
    host.push(2, workers[1])
    begin = host.grant(1, 0)
    lock = host.kthreads[1].lock
    lock.take(1, begin + 5 * US)
    host.run(begin + 5 * US)
    assert host.starts() == [(1, 1)], "of the next one in turn"
    host.at(begin + 6 * US, lambda: lock.release(1))
    host.run(begin + 30 * US)
    assert host.starts() == [(1, 1), (0, 1)]


def test_pushing_wakes_nobody_a_search_gets_there_in_its_turn() -> None:
    """DESIGN 6, points 1 and 5: what is pushed waits until a walk comes to it."""
    lap = OWN + 3 * PROBE
    for moment in range(0, lap, 7 * NS):
        host = RuntimeHost(cores=1, kthreads=4, switches=STAYS)
        host.workers(1, 1 * US)
        begin = host.grant(1, 1)
        host.run(begin + 50 * US)
        assert host.machine.cores[1].is_quiet
        pushed = begin + 50 * US + moment
        host.at(pushed, partial(ready, host, 3, 0))
        host.run(pushed + 10 * US)
        # the first lap read all lines; then kthread 3 has its turn behind kthreads 1 and 2
        turn = begin + 4 * NEW + OWN + PROBE
        found = turn + -(-(pushed - turn) // lap) * lap
        # only core 1 has copies
        popped = found + PROBE + C.softirq_call + C.lock + C.line_dirty + C.softirq_item
        assert host.times(QUEUE_POP) == [popped]


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_all_time_of_a_search_is_the_searches(cores: int) -> None:
    """DESIGN 6, point 4: a core's time adds up, and a search is not useful time."""
    host = RuntimeHost(cores=cores, switches=STAYS)
    for index in range(cores):
        begin = host.grant(index + 1, index)
    host.run(begin + 100 * US)
    for core in host.machine.cores[1:]:
        times = core.times_at(host.time)
        assert times[STEAL] == 100 * US
        assert times[SWITCH] == C.ksched_idle_wake
        assert times[IDLE] == 0
        assert sum(times) == host.time


def body(seed: str) -> Body:
    draw = random.Random(seed)
    for _ in range(6):
        yield Compute(draw.randrange(1, 2 * US))
        yield Yield() if draw.random() < 0.5 else Sleep(draw.randrange(1, 3 * US))


@pytest.mark.parametrize("seed", range(6))
def test_a_search_by_arithmetic_and_probe_by_probe_are_the_same(seed: int) -> None:
    """DESIGN 6, point 1: the search, with stealing, softIRQs, sleep, parking and pre-emption on the way."""
    print(f"seed {seed}")
    outcomes = []
    for is_naive in (False, True):
        host, draw = RuntimeHost(cores=3, kthreads=4, is_naive=is_naive), random.Random(seed)
        for number in range(12):
            host.script(body(f"{seed} {number}"))
            host.at(draw.randrange(9 * US), partial(ready, host, draw.randrange(4), number))
        for core, kthread in [(1, 2), (2, 0), (3, 3)]:
            host.grant(core, kthread, draw.randrange(300 * NS))
        host.preempt(2, draw.randrange(4 * US, 8 * US))
        host.run(60 * US)
        outcomes.append((host.effects, host.machine.times_at(host.time)))
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0][0]) > 100
