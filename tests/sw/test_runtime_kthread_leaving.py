"""How a kthread gives its core up: it parks by itself, or is interrupted in whatever it does."""

from collections.abc import Callable

import pytest

from hermes.messages import FINISHED, RUNNABLE
from hermes.runtime.script import Acquire, Body, Compute, Mutex, Release, Sleep
from hermes.runtime.softirq import ready_softirq
from hermes.runtime.timers import NEVER
from hermes.switches import Switches
from hermes.world import APPLICATION, BATCH, CORE_LEFT, ENDLESS, IDLE, STEAL, SWITCH, UTHREAD_END, UTHREAD_START
from tests.tools.host import COSTS as C
from tests.tools.host import NS
from tests.tools.runtimes import Intruder, RuntimeHost

US = 1_000 * NS
OWN = 2 * C.poll_clean
NEW = 2 * C.line_dirty
PROBE = C.steal_probe + OWN
PARK = Switches().park_ps
FIRST_START = OWN + NEW + C.lock + C.line_dirty + C.uthread_switch


def ready(host: RuntimeHost, kthread: int, *uthreads: int) -> None:
    """SoftIRQs arrive, now."""
    for uthread in uthreads:
        host.kthreads[kthread].softirqs.push(ready_softirq(uthread, -1, host.engine.now))


def first_look(start: int, lap: int, time: int) -> int:
    """First of the looks at start, start + lap, ... that is not before ``time``."""
    return start + max(0, -(-(time - start) // lap)) * lap


def once(duration: int) -> Body:
    yield Compute(duration)


# --- parking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_naive", [False, True])
@pytest.mark.parametrize(("kthreads", "switches"), [(1, Switches()), (14, Switches()), (2, Switches(park_rounds=40))])
def test_who_found_nothing_for_4_rounds_and_2_us_gives_its_core_up(
    kthreads: int, switches: Switches, is_naive: bool
) -> None:
    host = RuntimeHost(cores=1, kthreads=kthreads, switches=switches, is_naive=is_naive)
    begin = host.grant(1, 0)
    host.run(begin + 100 * US)
    lap, first_lap = OWN + (kthreads - 1) * PROBE, kthreads * NEW  # the first reads all lines
    after_rounds = begin + first_lap + switches.park_rounds * lap
    look = max(after_rounds, first_look(begin + first_lap, lap, begin + PARK))
    assert (look == after_rounds) == (kthreads > 1), "many kthreads need long for 4 rounds"
    assert host.times(CORE_LEFT) == [look + C.park]
    assert host.machine.ksched.left == 1 << 1
    assert (host.runtime.parkings, host.runtime.parking_ps) == (1, look + C.park - begin)
    times = host.machine.cores[1].times_at(host.time)
    assert (times[STEAL], times[SWITCH]) == (look - begin, C.ksched_idle_wake + C.park)
    assert list(host.runtime.run_lengths) == [look + C.park - (begin - C.ksched_idle_wake)]


def test_what_comes_while_it_parks_is_found_by_its_last_look() -> None:
    host = RuntimeHost()
    host.workers(1, 1 * US)
    begin = host.grant(1, 0)
    host.run(begin + 10 * US)
    (left,) = host.times(CORE_LEFT)

    again = RuntimeHost()
    again.workers(1, 1 * US)
    assert again.grant(1, 0) == begin
    again.at(left - 1, lambda: ready(again, 0, 0))
    again.run(left + 2 * US)
    assert again.starts() == [(0, 1)]
    assert again.times(CORE_LEFT) == []
    again.run(left + 10 * US)
    assert len(again.times(CORE_LEFT)) == 1, "then it searches, and parks, anew"


@pytest.mark.parametrize("how", ["the runtime", "the switch"])
def test_a_runtime_that_does_not_park_searches_on(how: str) -> None:
    host = RuntimeHost(parks=how != "the runtime", switches=Switches(parking=how != "the switch"))
    begin = host.grant(1, 0)
    host.run(begin + 1_000 * US)
    assert host.times(CORE_LEFT) == []
    assert host.kthreads[0].is_searching


def test_a_parked_kthread_comes_back_to_any_core_and_finds_what_there_is() -> None:
    host = RuntimeHost(cores=2, kthreads=1)
    host.workers(1, 1 * US)
    host.grant(1, 0)
    host.at(20 * US, lambda: ready(host, 0, 0))
    begin = host.grant(2, 0, 30 * US)
    host.run(40 * US)
    assert host.starts() == [(0, 2)]
    assert host.kthreads[0].core.index == 2
    assert begin < host.times(UTHREAD_START)[0]


# --- interrupted ------------------------------------------------------------------------------------------------------


def test_the_victim_works_until_the_interrupt_lands_and_then_nobody_works() -> None:
    """DESIGN 6, point 6."""
    host = RuntimeHost()
    host.push(0, *host.workers(1, 50 * US))
    begin = host.grant(1, 0)
    lands = host.preempt(1, begin + 10 * US)
    left, arrives = lands + C.clean_yield, lands + C.clean_yield + C.park_switch
    host.run(arrives - 1)
    assert host.times(UTHREAD_END) == host.times(CORE_LEFT) == [left]
    times = host.machine.cores[1].times_at(host.time)
    assert times[APPLICATION] == lands - begin - FIRST_START
    assert times[SWITCH] == C.ksched_idle_wake + C.uthread_switch + C.clean_yield + C.park_switch - 1
    assert times[IDLE] == 0
    assert host.machine.ksched.left == 0, "the word tells of it once the next is there"
    host.run(arrives)
    assert host.machine.ksched.left == 1 << 1
    assert (host.runtime.preemptions, host.runtime.parkings) == (1, 0)


def test_a_cut_uthread_is_runnable_behind_all_others() -> None:
    """DESIGN 6, point 6: a pre-empted uthread is runnable again."""
    host = RuntimeHost()
    workers = host.workers(3, 50 * US)
    host.push(0, *workers)
    begin = host.grant(1, 0)
    left = host.preempt(1, begin + 10 * US) + C.clean_yield
    host.run(left)
    queue = host.kthreads[0].runqueue
    assert [queue.pop() for _ in range(len(queue))] == [workers[1], workers[2], workers[0]]
    assert (workers[0].ended, workers[0].since) == (RUNNABLE, left)


def test_a_cut_uthread_goes_on_elsewhere_with_what_was_left() -> None:
    """DESIGN 6, point 6: nothing of its work is lost or done twice."""
    host = RuntimeHost(cores=2)
    worker = host.script(once(50 * US))
    host.push(0, worker)
    begin = host.grant(1, 0)
    lands = host.preempt(1, begin + 10 * US)
    host.grant(2, 1, lands + 5 * US)
    host.run(begin + 80 * US)
    assert host.starts() == [(0, 1), (0, 2)]
    assert host.runtime.steals == 1
    assert worker.has_ended
    done = [host.machine.cores[core].times_at(host.time)[APPLICATION] for core in (1, 2)]
    first = lands - begin - FIRST_START
    assert done[1] == 50 * US - first
    start, end = host.times(UTHREAD_START)[1], host.times(UTHREAD_END)[1]
    assert end - start == 50 * US - first


def test_an_endless_computation_is_cut_as_often_as_needed() -> None:
    host = RuntimeHost(parks=False)
    worker = host.script(once(ENDLESS), BATCH)
    host.push(0, worker)
    host.grant(1, 0)
    host.preempt(1, 100 * US)
    host.run(150 * US)
    first = host.machine.cores[1].times_at(host.time)[BATCH]
    host.at(200 * US, lambda: host.machine.ksched.grant(1, host.kthreads[0]))  # as an interrupt for the other
    host.run(300 * US)
    second = host.machine.cores[1].times_at(host.time)[BATCH] - first
    assert 95 * US < first < 101 * US
    assert 90 * US < second < 100 * US
    assert not worker.has_ended
    assert host.machine.ksched.take(1) == 2, "the kthread says when it is there"


@pytest.mark.parametrize("moment", [0, 1, OWN, 777 * NS])
def test_a_search_ends_where_the_interrupt_lands(moment: int) -> None:
    host = RuntimeHost(switches=Switches(parking=False))
    begin = host.grant(1, 0)
    lands = host.preempt(1, begin + 10 * US + moment)
    host.run(lands + C.clean_yield)
    assert host.times(CORE_LEFT) == [lands + C.clean_yield]
    assert host.machine.cores[1].times_at(host.time)[STEAL] == lands - begin
    assert not host.kthreads[0].is_searching


def in_a_switch(host: RuntimeHost, begin: int) -> int:
    host.push(0, *host.workers(1, 20 * US))
    return begin + FIRST_START - 1


def in_a_handler(host: RuntimeHost, begin: int) -> int:
    host.workers(3, 20 * US)
    ready(host, 0, 0, 1, 2)
    return begin + OWN + NEW + 1


def in_a_steal(host: RuntimeHost, begin: int) -> int:
    host.push(1, *host.workers(3, 20 * US))
    return begin + OWN + NEW + PROBE + NEW + 1


@pytest.mark.parametrize(
    ("what", "runnable", "starts"), [(in_a_switch, 1, 1), (in_a_handler, 3, 0), (in_a_steal, 3, 0)]
)
def test_what_must_not_be_cut_is_finished_first_and_nothing_else_begun(
    what: Callable[[RuntimeHost, int], int], runnable: int, starts: int
) -> None:
    """DESIGN 6, point 6: a critical section ends, nobody's work is lost, no computation begins."""
    host = RuntimeHost(cores=1, kthreads=2)
    begin = C.ksched_idle_wake + 100 * US
    lands = what(host, begin)
    assert host.grant(1, 0, 100 * US) == begin
    assert host.preempt(1, lands - C.ipi_flight) == lands
    host.run(lands)
    assert host.times(CORE_LEFT) == []
    host.run(lands + 5 * US)
    assert len(host.starts()) == len(host.times(UTHREAD_END)) == starts
    assert sum(len(kthread.runqueue) for kthread in host.kthreads) == runnable
    assert not any(kthread.lock.held for kthread in host.kthreads)
    left = host.times(CORE_LEFT)[0]
    assert lands + C.clean_yield < left < lands + C.clean_yield + 600 * NS
    assert host.machine.cores[1].times_at(host.time)[APPLICATION] == host.time - left - C.park_switch, "the other's"


def test_in_a_critical_section_of_a_uthread_it_waits_for_its_end() -> None:
    mutex = Mutex()

    def body() -> Body:
        yield Compute(1 * US)
        yield Acquire(mutex)
        yield Compute(20 * US)
        yield Release(mutex)

    host = RuntimeHost()
    worker = host.script(body())
    host.push(0, worker)
    begin = host.grant(1, 0)
    acquiring = begin + FIRST_START + 1 * US
    lands = acquiring + 1
    host.preempt(1, lands - C.ipi_flight)
    host.run(lands + 5 * US)
    assert host.times(CORE_LEFT) == [acquiring + C.lock + C.clean_yield]
    assert mutex.holder is worker
    assert not worker.has_ended


def test_an_interrupt_on_the_way_to_the_core_is_taken_at_the_first_step() -> None:
    host = RuntimeHost()
    host.push(0, *host.workers(1, 20 * US))
    begin = host.grant(1, 0)
    assert host.preempt(1, 100 * NS) < begin
    host.run(10 * US)
    assert host.times(CORE_LEFT) == [begin + C.clean_yield]
    assert host.starts() == []
    assert len(host.kthreads[0].runqueue) == 1


def test_who_parks_anyway_switches_at_once_and_was_not_interrupted() -> None:
    host = RuntimeHost()
    begin = host.grant(1, 0)
    host.run(begin + 10 * US)
    (left,) = host.times(CORE_LEFT)

    again = RuntimeHost()
    assert again.grant(1, 0) == begin
    intruder = Intruder(again)
    again.at(left - 1, lambda: again.machine.ksched.grant(1, intruder))
    again.run(left + C.park_switch)
    assert again.times(CORE_LEFT) == [left]
    assert intruder.arrived == left + C.park_switch, "no clean yield, no flight"
    assert (again.runtime.preemptions, again.runtime.parkings) == (0, 1)


def test_who_ends_while_it_is_interrupted_leaves_no_uthread_behind() -> None:
    host = RuntimeHost()
    worker = host.script(once(10 * US))
    host.push(0, worker)
    begin = host.grant(1, 0)
    end = begin + FIRST_START + 10 * US
    host.preempt(1, end - C.ipi_flight)  # at the very moment when the computation ends
    host.run(end + 5 * US)
    assert worker.ended == FINISHED
    assert host.times(UTHREAD_END) == [end]
    assert len(host.kthreads[0].runqueue) == 0


# --- timers -----------------------------------------------------------------------------------------------------------


def sleeper(duration: int) -> Body:
    yield Sleep(duration)
    yield Compute(1 * US)


def test_who_leaves_hands_its_timers_to_one_that_has_a_core() -> None:
    host = RuntimeHost(cores=2)
    host.push(0, host.script(sleeper(30 * US)))
    host.push(1, host.script(once(100 * US)))
    begin = host.grant(1, 0)
    host.grant(2, 1)
    host.run(begin + 20 * US)
    assert len(host.times(CORE_LEFT)) == 1
    timers, expires = host.runtime.timers, begin + FIRST_START + C.lock + 30 * US
    assert (timers.next_time(0), timers.next_time(1)) == (NEVER, expires)
    assert host.runtime.deadline == NEVER, "there is a core that sees to it"
    host.run(begin + 120 * US)
    assert host.starts() == [(0, 1), (1, 2), (0, 2)]


def test_an_heir_that_searches_looks_when_the_timer_expires() -> None:
    host = RuntimeHost(cores=2, switches=Switches(parking=False))
    host.push(0, host.script(sleeper(30 * US)))
    begin = host.grant(1, 0)
    host.grant(2, 1)
    host.preempt(1, begin + 10 * US)
    host.run(begin + 60 * US)
    expires = begin + FIRST_START + C.lock + 30 * US
    assert [start[0] for start in host.starts()] == [0, 0]
    assert host.starts()[1][1] == 2
    assert expires < host.times(UTHREAD_START)[1] < expires + 1 * US


def test_the_last_ones_timers_wait_for_a_core_until_their_deadline() -> None:
    host = RuntimeHost(cores=2, kthreads=2)
    host.push(1, host.script(sleeper(30 * US)))
    host.grant(1, 1)
    host.run(20 * US)
    assert len(host.times(CORE_LEFT)) == 1
    expires = host.times(UTHREAD_END)[0] + 30 * US
    assert host.runtime.deadline == expires
    begin = host.grant(2, 1, expires)
    host.run(expires + 20 * US)
    assert host.starts() == [(0, 1), (0, 2)]
    handler = C.softirq_call + C.softirq_item
    assert begin < host.times(UTHREAD_START)[1] < begin + handler + 2 * (OWN + NEW) + PROBE + 1 * US
    assert host.runtime.deadline == NEVER
