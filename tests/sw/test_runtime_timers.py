"""Timers: who sleeps is woken in the order of time, by the kthread that has its timer."""

from hermes.runtime.timers import NEVER, Timers
from hermes.world import SOFTIRQ, STEAL, UTHREAD_END, UTHREAD_START
from tests.tools.host import COSTS as C
from tests.tools.host import NS
from tests.tools.runtimes import RuntimeHost
from tests.tools.uthreads import Named


def test_who_expires_first_comes_first_and_of_equals_who_was_set_first() -> None:
    timers, uthreads = Timers(1), [Named(number) for number in range(4)]
    for uthread, time in zip(uthreads, [500, 300, 500, 300], strict=True):
        timers.set(0, time, uthread)
    assert timers.next_time(0) == 300
    assert timers.expired(0, 299) == []
    assert timers.expired(0, 500) == [uthreads[1], uthreads[3], uthreads[0], uthreads[2]]
    assert timers.next_time(0) == NEVER


def test_only_those_that_are_due_are_taken_out() -> None:
    timers, uthreads = Timers(1), [Named(number) for number in range(2)]
    for uthread, time in zip(uthreads, [500, 501], strict=True):
        timers.set(0, time, uthread)
    assert timers.expired(0, 500) == uthreads[:1]
    assert timers.next_time(0) == 501


def test_each_kthread_has_its_own_until_it_hands_them_over() -> None:
    timers, uthreads = Timers(3), [Named(number) for number in range(3)]
    for kthread, time in [(0, 700), (1, 300), (1, 900)]:
        timers.set(kthread, time, uthreads[len(uthreads) - 1])
    timers.hand_over(1, 0)
    assert [timers.next_time(kthread) for kthread in range(3)] == [300, NEVER, NEVER]
    assert len(timers.expired(0, 900)) == 3


def test_the_order_of_equals_outlasts_a_hand_over() -> None:
    timers, uthreads = Timers(2), [Named(number) for number in range(3)]
    for kthread, uthread in zip([1, 0, 1], uthreads, strict=True):
        timers.set(kthread, 500, uthread)
    timers.hand_over(0, 1)
    assert timers.expired(1, 500) == uthreads


def test_a_hand_over_to_itself_keeps_them() -> None:
    timers, uthreads = Timers(2), [Named(0), Named(1)]
    timers.set(0, 500, uthreads[0])
    timers.set(0, 600, uthreads[1])
    timers.hand_over(0, 0)
    assert timers.expired(0, 1_000) == uthreads


# --- in a kthread -----------------------------------------------------------------------------------------------------


def sleeping(host: RuntimeHost, kthread: int, until: int) -> Named:
    uthread = Named(0)
    host.runtime.timers.set(kthread, until, uthread)
    return uthread


def test_a_search_ends_at_the_first_own_look_after_the_timer_and_wakes_the_sleeper() -> None:
    host = RuntimeHost()
    until = C.ksched_idle_wake + 1_000 * NS + 1
    sleeping(host, 0, until)
    begin = host.grant(1, 0)
    host.run(begin + 5_000 * NS)
    own, first = 2 * C.poll_clean, begin + 2 * C.line_dirty
    look = first + -(-(until - first) // own) * own
    woken = look + C.softirq_call + C.softirq_item
    start = woken + C.scheduler_entry + own + C.lock + C.uthread_switch
    assert host.times(UTHREAD_START)[0] == start
    assert host.machine.cores[1].times_at(host.time)[SOFTIRQ] == C.softirq_call + C.softirq_item


def test_a_busy_kthread_looks_at_its_timers_when_it_switches_and_before_all_else() -> None:
    host = RuntimeHost()
    host.push(0, *host.workers(2, 20_000 * NS))
    begin = host.grant(1, 0)
    sleeping(host, 0, begin + 5_000 * NS)
    host.run(begin + 60_000 * NS)
    first_end, second_start = host.times(UTHREAD_END)[0], host.times(UTHREAD_START)[1]
    fired = first_end + C.scheduler_entry + C.softirq_call + C.softirq_item
    assert second_start == fired + C.scheduler_entry + 2 * C.poll_clean + C.lock + C.uthread_switch
    assert [number for number, _ in host.starts()] == [0, 1, 0], "behind who was runnable already"
    assert host.machine.cores[1].times_at(first_end + 60_000 * NS)[STEAL] > 0


def test_a_kthread_that_waits_for_a_timer_parks_all_the_same() -> None:
    host = RuntimeHost()
    sleeping(host, 0, 1_000_000 * NS)
    host.grant(1, 0)
    host.run(20_000 * NS)
    assert host.runtime.parkings == 1
    assert host.runtime.deadline == 1_000_000 * NS
