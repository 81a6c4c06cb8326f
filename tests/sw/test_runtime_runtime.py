"""A runtime: what it counts, whom it tells of work, and how its kthreads and cores find each other."""

import pytest

from hermes.runtime.softirq import ready_softirq
from hermes.runtime.timers import NEVER
from hermes.switches import Switches
from hermes.world import CORE_LEFT
from tests.tools.host import COSTS as C
from tests.tools.host import NS
from tests.tools.runtimes import SOFTIRQS, RuntimeHost

US = 1_000 * NS


def test_it_knows_which_kthreads_have_work() -> None:
    host = RuntimeHost(cores=3)
    runtime, (first, _, third) = host.runtime, host.kthreads
    assert runtime.with_work == 0
    workers = host.workers(2, 1 * US)
    host.push(2, *workers)
    first.softirqs.push(ready_softirq(0, -1, 0))
    third.softirqs.push(ready_softirq(1, -1, 0))
    assert runtime.with_work == 0b101
    first.softirqs.pop()
    runtime.took(first)
    third.runqueue.steal(2)
    runtime.took(third)
    assert runtime.with_work == 0b100, "a softIRQ is left"
    third.softirqs.pop()
    runtime.took(third)
    assert runtime.with_work == 0


def test_each_softirq_queue_is_its_kthreads_by_number() -> None:
    host = RuntimeHost(cores=3)
    assert [kthread.softirqs.number for kthread in host.kthreads] == [SOFTIRQS, SOFTIRQS + 1, SOFTIRQS + 2]
    host.runtime.queue_changed(SOFTIRQS + 1)
    assert host.runtime.with_work == 0b010


def test_polled_lines_of_kthreads_follow_each_other() -> None:
    host = RuntimeHost(cores=3)
    runtime = host.runtime
    assert [kthread.line for kthread in host.kthreads] == [runtime.first_line + index for index in range(3)]
    assert [kthread.softirq_line for kthread in host.kthreads] == [
        runtime.first_softirq_line + index for index in range(3)
    ]


def test_somebody_has_waited_since_the_oldest_uthread_or_softirq_came() -> None:
    host = RuntimeHost(cores=2)
    workers = host.workers(3, 1 * US)

    def waits_since(time: int) -> bool:
        return host.runtime.has_waited_since(time + 1) and not host.runtime.has_waited_since(time)

    assert not host.runtime.has_waited_since(500)
    host.engine.now = 300
    host.push(0, workers[0])
    host.engine.now = 100
    host.push(0, workers[1])
    assert waits_since(100), "the oldest, wherever it stands"
    host.kthreads[1].softirqs.push(ready_softirq(2, -1, 50))
    assert waits_since(50)
    host.kthreads[0].softirqs.push(ready_softirq(2, -1, 20))
    host.kthreads[0].softirqs.push(ready_softirq(2, -1, 10))
    assert waits_since(20), "the first in line, which came first"


def test_it_counts_cores_given_up_and_taken_away_and_for_how_long_they_were_had() -> None:
    host = RuntimeHost(cores=3)
    (worker,) = host.workers(1, 500 * US)
    begin = host.grant(1, 0)
    host.at(10 * US, lambda: host.push(1, worker))
    host.grant(2, 1, 10 * US)
    host.preempt(2, 40 * US)
    host.run(100 * US)
    parked, taken = host.times(CORE_LEFT)
    assert (host.runtime.parkings, host.runtime.preemptions) == (1, 1)
    assert begin == C.ksched_idle_wake
    assert list(host.runtime.run_lengths) == [parked, taken - 10 * US]


def test_who_runs_on_a_core_makes_others_runnable_on_its_own_kthread() -> None:
    host = RuntimeHost(cores=2, switches=Switches(parking=False))
    workers = host.workers(2, 1 * US)
    host.grant(1, 1)
    host.grant(2, 0)
    host.run(2 * US)
    host.engine.now = host.time
    host.runtime.wake(workers[0], host.machine.cores[1])
    assert [len(kthread.runqueue) for kthread in host.kthreads] == [0, 1]
    host.runtime.sleep(workers[1], host.machine.cores[2], 7 * US)
    assert host.runtime.timers.next_time(0) == 7 * US
    assert host.runtime.runqueue_insertions == 1


def test_without_messages_new_uthreads_always_have_room_and_cost_nothing_more() -> None:
    host, telling = RuntimeHost(), RuntimeHost(tells=True)
    core = host.machine.cores[1]
    assert (host.runtime.create_cost, telling.runtime.create_cost) == (0, C.message_send + C.line_dirty)
    host.queue(1).capacity = telling.queue(1).capacity = 0
    assert host.runtime.can_create(core)
    assert not telling.runtime.can_create(telling.machine.cores[1])


@pytest.mark.parametrize("heir", [0, 1])
def test_the_timers_of_a_runtime_without_a_core_go_to_the_next_that_gets_one(heir: int) -> None:
    host = RuntimeHost(cores=2)
    host.runtime.timers.set(1, 900 * US, host.workers(1, 1 * US)[0])
    host.grant(1, 1)
    host.run(20 * US)
    assert host.runtime.deadline == 900 * US
    host.grant(2, heir, 20 * US)
    host.run(22 * US)
    assert host.runtime.deadline == NEVER
    assert host.runtime.timers.next_time(heir) == 900 * US


def test_it_tells_what_its_queues_hold() -> None:
    host = RuntimeHost(cores=2)
    host.push(1, *host.workers(2, 1 * US))
    host.kthreads[1].softirqs.push(ready_softirq(0, -1, 0))
    assert host.runtime.waits_for() == ["kthread 1 of runtime 0 waits for 1 softIRQs and 2 uthreads to be run"]
