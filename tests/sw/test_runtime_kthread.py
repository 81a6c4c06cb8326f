"""What a kthread does next: its order, its budget, its watchdog, and what it steals from others."""

import pytest

from hermes.runtime.kthread import SOFTIRQ_BUDGET, WATCHDOG_PS
from hermes.world import IDLE, QUEUE_POP, STEAL, UTHREAD_START
from tests.tools.host import COSTS as C
from tests.tools.host import NS, IndirectHost

OWN = 2 * C.poll_clean
PROBE = C.steal_probe + 2 * C.poll_clean


def started(host: IndirectHost) -> list[tuple[int, int]]:
    """(uthread, core) of each start, in order."""
    return [(effect[2], effect[3]) for effect in host.effects if effect[1] == UTHREAD_START]


def make_runnable(host: IndirectHost, kthread: int, *uthreads: int) -> None:
    for number in uthreads:
        tail = host.put_packet(number)[2]
        host.system.uthreads[number].device.pipes[number].notified(tail)
        host.system.uthreads[number].waiting = False
        host.system.runtime.kthreads[kthread].push(host.system.uthreads[number])


def test_the_runqueue_comes_before_the_softirq_queue_oldest_first() -> None:
    host = IndirectHost(uthreads=4)
    kthread = host.system.runtime.kthreads[0]
    kthread.softirqs.push(host.put_packet(3))
    make_runnable(host, 0, 2, 0, 1)
    begin = host.start(1)
    host.run(begin + 20_000 * NS)
    assert started(host) == [(2, 1), (0, 1), (1, 1), (3, 1)]


@pytest.mark.parametrize(("service_ps", "is_late"), [(WATCHDOG_PS - 2_000 * NS, False), (WATCHDOG_PS, True)])
def test_a_softirq_queue_not_looked_at_for_50_us_comes_first(service_ps: int, is_late: bool) -> None:
    host = IndirectHost(uthreads=3, service_ps=service_ps)
    kthread = host.system.runtime.kthreads[0]
    make_runnable(host, 0, 0, 1)
    begin = host.start(1)
    host.run(begin + 1_000 * NS)
    kthread.softirqs.push(host.put_packet(2))
    host.run(begin + 200_000 * NS)
    assert started(host) == [(0, 1), (1, 1), (2, 1)]
    second_start = host.times(UTHREAD_START)[1]
    assert (host.times(QUEUE_POP)[0] < second_start) == is_late


def test_a_call_of_the_handler_takes_at_most_16() -> None:
    host = IndirectHost(uthreads=1)
    kthread = host.system.runtime.kthreads[0]
    for _ in range(SOFTIRQ_BUDGET + 3):
        kthread.softirqs.push(host.put_packet(0))
    begin = host.start(1)
    host.run(begin + 20_000 * NS)
    pops = host.times(QUEUE_POP)
    assert [pops.count(time) for time in sorted(set(pops))][:2] == [SOFTIRQ_BUDGET, 3]
    first_start, *_ = host.times(UTHREAD_START)
    assert pops[0] < first_start < pops[-1], "what became runnable runs before the next call"


def test_a_thief_takes_half_of_a_runqueue_and_the_victim_keeps_the_rest() -> None:
    host = IndirectHost(cores=2, uthreads=5, service_ps=30_000 * NS)
    make_runnable(host, 0, 0, 1, 2, 3, 4)
    begin = host.start(2)  # the victim's core does not run
    host.run(begin + 1_000 * NS)
    assert started(host) == [(0, 2)]
    assert [len(kthread.runqueue) for kthread in host.system.runtime.kthreads] == [2, 2]
    assert host.system.counts()["steals"] == 3


def test_a_thief_pays_for_probe_lines_lock_and_taking() -> None:
    host = IndirectHost(cores=2, uthreads=1)
    make_runnable(host, 0, 0)
    begin = host.start(2)
    host.run(begin + 1_000 * NS)
    found = begin + OWN + C.line_dirty  # the own line is new to it
    stolen = found + PROBE + C.line_dirty + C.lock + C.steal_take + C.line_dirty
    switched = stolen + C.scheduler_entry + OWN + C.lock + C.uthread_switch
    assert host.times(UTHREAD_START) == [switched]


def test_a_thief_pays_for_its_own_line_if_others_looked_at_it() -> None:
    times = []
    for has_looked in (False, True):
        host = IndirectHost(cores=2, uthreads=1)
        make_runnable(host, 0, 0)
        if has_looked:
            host.machine.lines.read(1, host.system.runtime.kthreads[1].line)
        begin = host.start(2)
        host.run(begin + 1_000 * NS)
        times += host.times(UTHREAD_START)
    assert times[1] - times[0] == C.line_dirty


def test_a_search_looks_at_the_own_softirq_queue_all_the_time() -> None:
    host = IndirectHost(cores=2, uthreads=2, service_ps=2_000 * NS)
    begin = host.start(2)
    host.run(begin + WATCHDOG_PS + 10_000 * NS)
    host.engine.now = host.time
    make_runnable(host, 0, 0)
    host.run(host.time + 200 * NS)  # the thief is taking it
    host.system.runtime.kthreads[1].softirqs.push(host.put_packet(1))
    host.run(host.time + 10_000 * NS)
    assert started(host) == [(0, 2), (1, 2)]
    assert host.times(QUEUE_POP)[0] > host.times(UTHREAD_START)[0], "the watchdog is not due"


def test_a_thief_handles_another_ones_softirqs_and_keeps_what_becomes_runnable() -> None:
    host = IndirectHost(cores=3, uthreads=2)
    host.system.runtime.kthreads[2].softirqs.push(host.put_packet(0))
    host.system.runtime.kthreads[2].softirqs.push(host.put_packet(1))
    begin = host.start(1)
    host.run(begin + 10_000 * NS)
    assert started(host) == [(0, 1), (1, 1)]


@pytest.mark.parametrize("holder", ["nobody", "somebody"])
def test_a_handler_pays_for_the_lines_that_it_writes(holder: str) -> None:
    host = IndirectHost(cores=2, uthreads=2)
    victim, thief = host.system.runtime.kthreads
    for uthread in (0, 1):
        victim.softirqs.push(host.put_packet(uthread))
    more = 0
    if holder == "somebody":
        for line in (victim.line, thief.line):
            host.machine.lines.read(1, line)
        more = C.line_dirty
    begin = host.start(2)
    found = begin + OWN + C.line_dirty
    item = C.softirq_item + C.lock + 2 * C.line_dirty
    first = found + PROBE + C.line_dirty + C.softirq_call + C.lock + 2 * C.line_dirty + item + 2 * more
    host.run(first)
    assert host.times(QUEUE_POP) == [first, first]
    second = first + item
    host.run(second - 1)
    assert len(thief.runqueue) == 1
    host.run(second)
    assert len(thief.runqueue) == 2


def test_a_switch_writes_the_line_that_others_poll() -> None:
    host = IndirectHost(cores=2, uthreads=1)
    make_runnable(host, 0, 0)
    line = host.system.runtime.kthreads[0].line
    host.machine.lines.read(2, line)
    begin = host.start(1)
    host.run(begin + 50 * NS)
    assert host.machine.lines.read_cost(2, line) == 0
    host.run(begin + 300 * NS)
    assert len(host.times(UTHREAD_START)) == 1
    assert host.machine.lines.read_cost(2, line) == C.line_dirty


def test_a_search_begins_after_the_own_index() -> None:
    for thief, victim_first in [(0, 1), (1, 2), (2, 0)]:
        host = IndirectHost(cores=3, uthreads=3, service_ps=20_000 * NS)
        for victim in {0, 1, 2} - {thief}:
            make_runnable(host, victim, victim)
        begin = host.start(1 + thief)
        host.run(begin + 2_000 * NS)
        assert started(host) == [(victim_first, 1 + thief)]


def test_a_locked_victim_is_skipped() -> None:
    host = IndirectHost(cores=2, uthreads=1)
    victim = host.system.runtime.kthreads[0]
    make_runnable(host, 0, 0)
    begin = host.start(2)
    victim.lock.take(0, begin + 5_000 * NS)
    host.run(begin + 5_000 * NS)
    assert started(host) == []
    victim.lock.release(0)
    host.run(begin + 6_000 * NS)
    assert started(host) == [(0, 2)]


def test_an_owner_waits_for_a_thief_that_has_its_lock() -> None:
    host = IndirectHost(cores=2, uthreads=2)
    make_runnable(host, 0, 0, 1)
    begin = host.start(1)
    host.system.runtime.kthreads[0].lock.take(1, begin + 5_000 * NS)
    host.run(begin + 4_000 * NS)
    host.system.runtime.kthreads[0].lock.release(1)
    host.run(begin + 10_000 * NS)
    released = begin + 5_000 * NS + C.lock_contended
    assert host.times(UTHREAD_START)[0] == released + OWN + C.lock + C.uthread_switch


def test_pushing_wakes_nobody_a_search_gets_there_in_time() -> None:
    host = IndirectHost(cores=4, uthreads=1)
    begin = host.start(1, 2, 3, 4)
    host.run(begin + 50_000 * NS)
    victim = host.system.runtime.kthreads[1]
    for core in host.machine.cores[1:]:
        assert core.is_quiet
    pushed = host.engine.now = host.time
    victim.softirqs.push(host.put_packet(0))
    host.run(pushed + 10_000 * NS)
    lap = OWN + 3 * PROBE
    popped = host.times(QUEUE_POP)[0]
    assert pushed < popped <= pushed + lap + PROBE + C.line_dirty + 1_000 * NS


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_all_time_of_a_search_is_the_searches(cores: int) -> None:
    host = IndirectHost(cores=cores)
    begin = host.start()
    host.run(begin + 100_000 * NS)
    for core in host.machine.cores[1:]:
        times = core.times_at(host.time)
        assert times[STEAL] == sum(times) == 100_000 * NS
        assert times[IDLE] == 0
