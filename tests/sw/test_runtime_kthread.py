"""What a kthread does next: the order of its queues, its budget, its watchdog, and what each step takes."""

import pytest

from hermes.runtime.softirq import ready_softirq
from hermes.switches import Switches
from hermes.world import APPLICATION, QUEUE_POP, SCHEDULER, SOFTIRQ, STEAL, SWITCH, UTHREAD_END, UTHREAD_START
from tests.tools.host import COSTS as C
from tests.tools.host import NS
from tests.tools.runtimes import RuntimeHost

US = 1_000 * NS
OWN = 2 * C.poll_clean
NEW = 2 * C.line_dirty
"""To read the lines of a kthread for the first time."""
WATCHDOG = Switches().watchdog_ps
LEAVE = C.lock
"""What a worker's Park takes."""


def ready(host: RuntimeHost, kthread: int, *uthreads: int) -> None:
    """SoftIRQs arrive, now."""
    for uthread in uthreads:
        host.kthreads[kthread].softirqs.push(ready_softirq(uthread, -1, host.engine.now))


def test_the_runqueue_comes_before_the_softirq_queue_oldest_first() -> None:
    host = RuntimeHost()
    workers = host.workers(4, 1 * US)
    ready(host, 0, 3)
    host.push(0, workers[2], workers[0], workers[1])
    host.run(host.grant(1, 0) + 20 * US)
    assert host.starts() == [(2, 1), (0, 1), (1, 1), (3, 1)]


def test_each_step_takes_its_time_and_counts_as_what_it_is() -> None:
    host = RuntimeHost()
    workers = host.workers(2, 5 * US)
    host.push(0, workers[0])
    ready(host, 0, 1)
    begin = host.grant(1, 0)
    # the own lines are new to the core, and core 0 has a copy of one of them
    took = OWN + NEW + C.lock + C.line_dirty
    start = begin + took + C.uthread_switch
    end = start + 5 * US + LEAVE
    # now both lines are its own
    handled = end + C.scheduler_entry + OWN + C.softirq_call + C.lock + C.line_dirty + C.softirq_item
    second = handled + C.scheduler_entry + OWN + C.lock + C.uthread_switch
    host.run(second)
    times = host.machine.cores[1].times_at(second)
    host.run(begin + 20 * US)
    assert host.times(UTHREAD_START) == [start, second]
    assert host.times(UTHREAD_END) == [end, second + 5 * US + LEAVE]
    assert host.times(QUEUE_POP) == [handled]
    assert times[APPLICATION] == 5 * US
    assert times[SWITCH] == C.ksched_idle_wake + 2 * C.uthread_switch
    assert times[SOFTIRQ] == C.softirq_call + C.lock + C.line_dirty + C.softirq_item
    assert times[SCHEDULER] == took + LEAVE + 2 * (C.scheduler_entry + OWN) + C.lock
    assert times[STEAL] == 0


# --- the watchdog -----------------------------------------------------------------------------------------------------

FIRST_START = OWN + NEW + C.lock + C.line_dirty + C.uthread_switch
"""From a kthread's first step to that of a uthread that stands in its runqueue."""


@pytest.mark.parametrize("is_late", [False, True])
def test_a_softirq_queue_not_looked_at_for_50_us_comes_first(is_late: bool) -> None:
    """DESIGN 6, point 5: a softIRQ waits behind a busy kthread, until the queue was not looked at for 50 us."""
    host = RuntimeHost()
    workers = [*host.workers(1, WATCHDOG - FIRST_START - LEAVE - (not is_late)), *host.workers(2, 1 * US)]
    host.push(0, *workers[:2])
    begin = host.grant(1, 0)
    host.at(begin + 1 * US, lambda: ready(host, 0, 2))
    host.run(begin + 100 * US)
    assert host.starts() == [(0, 1), (1, 1), (2, 1)]
    assert (host.times(QUEUE_POP)[0] < host.times(UTHREAD_START)[1]) == is_late


def test_the_watchdog_is_no_timer() -> None:
    """DESIGN 6, point 5: it is looked at when a kthread switches, and never before."""
    host = RuntimeHost()
    host.push(0, *host.workers(2, 300 * US)[:1])
    begin = host.grant(1, 0)
    host.at(begin + 1 * US, lambda: ready(host, 0, 1))
    host.run(begin + 299 * US)
    assert host.times(QUEUE_POP) == []
    host.run(begin + 302 * US)
    assert len(host.times(QUEUE_POP)) == 1


def test_a_look_at_an_empty_softirq_queue_is_a_look() -> None:
    host = RuntimeHost()
    workers = host.workers(5, 30 * US)
    host.push(0, *workers[:4])
    begin = host.grant(1, 0)
    host.at(begin + 70 * US, lambda: ready(host, 0, 4))  # the queue was looked at after 60 us
    host.run(begin + 200 * US)
    pop = host.times(QUEUE_POP)[0]
    assert host.times(UTHREAD_START)[3] < pop < host.times(UTHREAD_START)[4]


def test_the_handling_of_its_softirqs_is_a_look() -> None:
    host = RuntimeHost()
    workers = host.workers(4, 30 * US)
    host.push(0, workers[0])
    begin = host.grant(1, 0)
    host.at(begin + 20 * US, lambda: ready(host, 0, 1))  # handled after 30 us
    host.at(begin + 40 * US, lambda: host.push(0, workers[2]))
    host.at(begin + 40 * US, lambda: ready(host, 0, 3))
    host.run(begin + 200 * US)
    assert host.times(UTHREAD_START)[2] < host.times(QUEUE_POP)[1] < host.times(UTHREAD_START)[3]


def test_the_watchdogs_time_is_a_parameter() -> None:
    host = RuntimeHost(switches=Switches(watchdog_ps=10 * US))
    host.push(0, *host.workers(3, 12 * US)[:2])
    begin = host.grant(1, 0)
    host.at(begin + 1 * US, lambda: ready(host, 0, 2))
    host.run(begin + 100 * US)
    assert host.times(QUEUE_POP)[0] < host.times(UTHREAD_START)[1]


# --- the handler ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [16, 3])
def test_a_call_of_the_handler_takes_at_most_its_budget_and_what_is_runnable_then_runs_first(budget: int) -> None:
    host = RuntimeHost(switches=Switches(softirq_budget=budget))
    host.workers(budget + 2, 1 * US)
    ready(host, 0, *range(budget + 2))
    host.run(host.grant(1, 0) + 50 * US)
    pops, starts = host.times(QUEUE_POP), host.times(UTHREAD_START)
    assert [pops.count(time) for time in sorted(set(pops))] == [budget, 2]
    assert pops[0] < starts[0] < starts[budget - 1] < pops[-1]
    assert host.starts() == [(number, 1) for number in range(budget + 2)]


def test_16_is_what_a_call_takes_unless_told_otherwise() -> None:
    assert Switches().softirq_budget == 16


def test_softirqs_take_effect_one_by_one_and_only_the_call_pays_for_the_queues_lines() -> None:
    """DESIGN 6, point 2: effects land at the end of their sub-step."""
    host = RuntimeHost()
    host.workers(3, 1 * US)
    ready(host, 0, 0, 1, 2)
    begin = host.grant(1, 0)
    first = begin + OWN + NEW + C.softirq_call + C.lock + 3 * C.line_dirty + C.softirq_item
    for count in range(3):
        host.run(first + count * C.softirq_item - 1)
        assert len(host.kthreads[0].runqueue) == count
        host.run(first + count * C.softirq_item)
        assert len(host.kthreads[0].runqueue) == count + 1
    assert host.times(QUEUE_POP) == [first] * 3
    host.run(begin + 100 * US)
    assert host.runtime.runqueue_insertions == 3


def test_what_it_took_and_did_not_act_upon_yet_is_in_its_hand() -> None:
    host = RuntimeHost()
    host.workers(3, 1 * US)
    ready(host, 0, 0, 1, 2)
    begin = host.grant(1, 0)
    first = begin + OWN + NEW + C.softirq_call + C.lock + 3 * C.line_dirty + C.softirq_item
    for time, taken, queued in [(first - 1, [], 3), (first, [1, 2], 0), (first + C.softirq_item, [2], 0)]:
        host.run(time)
        assert [item[1] for item in host.kthreads[0].in_hand()] == taken
        assert len(host.kthreads[0].softirqs) == queued
    host.run(first + 2 * C.softirq_item)
    assert host.kthreads[0].in_hand() == []


# --- its lock ---------------------------------------------------------------------------------------------------------


def test_an_owner_waits_for_a_thief_that_has_its_lock() -> None:
    host = RuntimeHost()
    kthread = host.kthreads[0]
    host.push(0, *host.workers(1, 1 * US))
    begin = host.grant(1, 0)
    released = begin + 5 * US
    kthread.lock.take(1, released)
    host.at(released, lambda: kthread.lock.release(1))
    host.run(begin + 20 * US)
    again = released + C.lock_contended
    assert host.times(UTHREAD_START) == [again + OWN + C.lock + C.line_dirty + C.uthread_switch]


def test_an_owner_that_finds_its_queue_empty_after_a_wait_searches_on() -> None:
    host = RuntimeHost()
    kthread = host.kthreads[0]
    host.push(0, *host.workers(1, 1 * US))
    begin = host.grant(1, 0)
    kthread.lock.take(1, begin + 5 * US)

    def steal() -> None:
        kthread.runqueue.steal(1)
        host.runtime.took(kthread)
        kthread.lock.release(1)

    host.at(begin + 5 * US, steal)
    host.run(begin + 6 * US)
    assert kthread.is_searching
    assert host.starts() == []


def test_a_switch_holds_the_lock_to_its_end() -> None:
    host = RuntimeHost()
    lock = host.kthreads[0].lock
    host.push(0, *host.workers(1, 1 * US))
    begin = host.grant(1, 0)
    start = begin + FIRST_START
    for time, wait in [(begin, FIRST_START), (start - 1, 1), (start, 0)]:
        host.run(time)
        assert lock.wait(time, contended=0) == wait
    assert not lock.held
