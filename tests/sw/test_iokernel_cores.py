"""Which runtime gets a core, which core, and which of its kthreads runs there."""

from typing import Literal

import pytest

from hermes.iokernel.clients import ACTIVE, LEAVING, PARKED, Record
from hermes.iokernel.cores import Cores
from hermes.runtime.softirq import ready_softirq
from hermes.switches import Switches
from tests.tools.host import Host
from tests.tools.idle_runtimes import Idler, idle_record

US = 1_000_000
LIMIT = 5 * US


class Allocation:
    """Cores, and runtimes with as many kthreads as there are cores; ``guaranteed`` to each."""

    def __init__(
        self, cores: int, *guaranteed: int, kthreads: int = 0, overloaded: Literal["oldest", "newest"] = "oldest"
    ) -> None:
        self.host = Host(cores)
        self.host.engine.now = US
        self.cores = Cores(self.host.machine, Switches(overloaded=overloaded), LIMIT)
        self.records = [
            idle_record(self.host, number, kthreads=kthreads or cores, guaranteed=count)
            for number, count in enumerate(guaranteed)
        ]

    def decided(self) -> list[tuple[int, int, int, bool]]:
        """(core, runtime, kthread, whether somebody is interrupted) of each decision since the last call."""
        decided = [(core, record.runtime.number, index, cuts) for core, record, index, cuts in self.cores.decided]
        self.cores.decided.clear()
        return decided

    def spread(self, record: Record, cores: int) -> None:
        """A runtime comes, and gets so many cores, idle ones."""
        self.cores.register(record)
        while len(record.active) < cores:
            self.cores.congested(record)
            self.cores.serve_overloaded()
        self.decided()

    def holders(self) -> list[tuple[int, int] | None]:
        """(runtime, kthread) that has, or will have, core 1, 2, ..."""
        return [held and (held[0].runtime.number, held[1]) for held in self.cores.held()[1:]]


# --- which runtime ----------------------------------------------------------------------------------------------------


def test_a_runtime_that_comes_gets_its_first_core_for_its_first_kthread() -> None:
    allocation = Allocation(2, 2)
    (record,) = allocation.records
    allocation.cores.register(record)
    assert allocation.decided() == [(1, 0, 0, False)]
    assert (record.active, record.parked, record.states) == ([0], [1], [ACTIVE, PARKED])
    assert (record.woken, record.cores, record.granted) == ({0}, [1, 0], US)
    assert allocation.cores.grants == 1


def test_a_congested_runtime_below_its_guarantee_gets_a_core_at_once() -> None:
    allocation = Allocation(3, 2)
    (record,) = allocation.records
    allocation.cores.register(record)
    allocation.cores.congested(record)
    assert allocation.decided() == [(1, 0, 0, False), (2, 0, 1, False)]
    assert not record.is_overloaded
    allocation.cores.congested(record)
    assert allocation.decided() == []
    assert record.is_overloaded, "it has what is guaranteed to it"
    allocation.cores.serve_overloaded()
    assert allocation.decided() == [(3, 0, 2, False)], "which does not keep it from an idle one"
    assert not record.is_overloaded


def test_an_idle_core_is_taken_before_that_of_a_bursting_runtime() -> None:
    allocation = Allocation(3, 0, 1)
    bursting, other = allocation.records
    allocation.spread(bursting, 2)
    allocation.cores.register(other)
    assert allocation.decided() == [(3, 1, 0, False)]


def test_a_bursting_runtime_loses_cores_down_to_its_guarantee_and_waits_for_others() -> None:
    allocation = Allocation(3, 1, 3)
    bursting, other = allocation.records
    allocation.spread(bursting, 3)
    assert bursting.is_bursting
    for _ in range(2):
        allocation.cores.congested(other) if other.active else allocation.cores.register(other)
    assert allocation.decided() == [(1, 1, 0, True), (2, 1, 1, True)]
    assert (bursting.active, bursting.states) == ([2], [LEAVING, LEAVING, ACTIVE])
    assert bursting.is_overloaded
    assert not bursting.is_bursting, "who is being taken away counts no more"
    allocation.cores.congested(other)
    assert allocation.decided() == []
    assert other.is_overloaded
    assert other.active == [0, 1]


def test_a_runtime_takes_no_core_from_itself() -> None:
    allocation = Allocation(2, 0, kthreads=3)
    (record,) = allocation.records
    allocation.spread(record, 2)
    record.runtime.guaranteed = 3
    allocation.cores.congested(record)
    assert allocation.decided() == []


@pytest.mark.parametrize(("overloaded", "order"), [("oldest", [1, 2]), ("newest", [2, 1])])
def test_of_those_that_wait_the_oldest_gets_a_core_first(
    overloaded: Literal["oldest", "newest"], order: list[int]
) -> None:
    allocation = Allocation(2, 2, 1, 1, overloaded=overloaded)
    holder, *others = allocation.records
    allocation.spread(holder, 2)
    for record in (*others, others[0]):
        allocation.cores.congested(record)
    assert [record.is_overloaded for record in others] == [True, True]
    for core in (1, 2):
        allocation.cores.left(core)
    assert [(core, runtime) for core, runtime, *_ in allocation.decided()] == list(zip((1, 2), order, strict=True))
    assert [record.is_overloaded for record in others] == [False, False]


def test_all_idle_cores_are_given_to_those_that_wait_one_to_each() -> None:
    allocation = Allocation(4, 0, 0)
    one, two = allocation.records
    allocation.spread(one, 1)
    allocation.spread(two, 1)
    allocation.cores.congested(two)
    allocation.cores.congested(one)
    allocation.cores.serve_overloaded()
    assert allocation.decided() == [(3, 1, 1, False), (4, 0, 1, False)]
    allocation.cores.serve_overloaded()
    assert allocation.decided() == []


def test_a_runtime_of_which_all_kthreads_have_a_core_does_not_wait_for_one() -> None:
    allocation = Allocation(2, 1, kthreads=1)
    (record,) = allocation.records
    allocation.spread(record, 1)
    allocation.cores.congested(record)
    allocation.cores.serve_overloaded()
    assert not record.is_overloaded
    assert allocation.decided() == []


# --- deliveries -------------------------------------------------------------------------------------------------------


def test_for_a_delivery_a_runtime_without_a_core_gets_one_and_its_kthread_is_told() -> None:
    allocation = Allocation(2, 1)
    (record,) = allocation.records
    allocation.spread(record, 2)
    allocation.cores.left(2)
    allocation.cores.left(1)
    assert allocation.cores.for_delivery(record) == 0
    assert allocation.decided() == [(1, 0, 0, False)], "core and kthread of who parked last"


def test_without_a_core_to_take_who_parked_last_is_told_and_the_runtime_waits() -> None:
    allocation = Allocation(2, 2, 1)
    holder, record = allocation.records
    allocation.spread(record, 2)
    allocation.cores.left(1)
    allocation.cores.left(2)
    allocation.spread(holder, 2)
    assert allocation.cores.for_delivery(record) == 1
    assert allocation.decided() == []
    assert record.is_overloaded
    allocation.cores.left(1)
    assert allocation.decided() == [(1, 1, 1, False)], "and runs, though the other one was on this core last"


def test_if_all_kthreads_are_leaving_one_of_these_is_told() -> None:
    allocation = Allocation(1, 0, 1)
    batch, record = allocation.records
    allocation.spread(batch, 1)
    allocation.cores.register(record)
    assert batch.states == [LEAVING]
    assert allocation.cores.for_delivery(batch) == 0
    allocation.decided()
    allocation.cores.left(1)
    assert batch.is_overloaded


# --- which core, which kthread ----------------------------------------------------------------------------------------


def test_the_core_of_the_kthread_that_parked_last_comes_first_then_the_lowest_idle_one() -> None:
    allocation = Allocation(3, 3)
    (record,) = allocation.records
    allocation.spread(record, 3)
    for core in (1, 3, 2):
        allocation.cores.left(core)
    for _ in range(3):
        allocation.cores.congested(record)
    assert allocation.decided() == [(2, 0, 1, False), (3, 0, 2, False), (1, 0, 0, False)]


def test_a_core_that_others_have_now_is_passed_for_an_idle_one() -> None:
    allocation = Allocation(3, 2, 1)
    record, other = allocation.records
    allocation.spread(record, 2)
    allocation.cores.left(1)
    allocation.spread(other, 1)
    assert allocation.holders() == [(1, 0), (0, 1), None]
    allocation.cores.congested(record)
    assert allocation.decided() == [(3, 0, 2, False)]


def test_without_an_idle_core_the_last_one_is_taken_from_a_bursting_runtime_else_the_first_such() -> None:
    allocation = Allocation(3, 0, 3)
    batch, record = allocation.records
    allocation.spread(record, 3)
    for core in (1, 3, 2):
        allocation.cores.left(core)
    allocation.spread(batch, 3)
    for _ in range(2):
        allocation.cores.congested(record)
    assert [(core, cuts) for core, _, _, cuts in allocation.decided()] == [(2, True), (3, True)]
    allocation = Allocation(3, 0, 3)
    batch, record = allocation.records
    allocation.spread(batch, 3)
    allocation.cores.register(record)
    allocation.cores.congested(record)
    assert allocation.decided() == [(1, 1, 0, True), (2, 1, 1, True)], "1 is being taken already"


@pytest.mark.parametrize(("others", "kthread"), [(0, 0), (1, 0), (2, 1)])
def test_a_core_runs_who_ran_there_last_or_before_that_else_who_has_parked_longest(others: int, kthread: int) -> None:
    allocation = Allocation(3, 3, 1, 1)
    record = allocation.records[0]
    allocation.spread(record, 3)
    for core in (2, 1):
        allocation.cores.left(core)
    assert record.parked == [1, 0]
    for other in allocation.records[1 : 1 + others]:
        allocation.spread(other, 1)
        allocation.cores.left(1)
    allocation.cores.congested(record)
    assert allocation.decided() == [(1, 0, kthread, False)]


# --- cores that are left ----------------------------------------------------------------------------------------------


def test_a_core_that_is_left_goes_to_who_it_was_granted_to() -> None:
    allocation = Allocation(1, 0, 1)
    batch, record = allocation.records
    allocation.spread(batch, 1)
    allocation.cores.register(record)
    assert allocation.cores.kthread_on(1, record) == 0
    assert allocation.cores.kthread_on(1, batch) == -1, "who will have it counts"
    allocation.decided()
    allocation.cores.left(1)
    assert (batch.states, batch.parked) == ([PARKED], [0])
    assert allocation.holders() == [(1, 0)]
    assert allocation.decided() == []
    allocation.cores.left(1)
    assert allocation.decided() == [(1, 0, 0, False)], "the victim waited for it"


def test_who_left_with_softirqs_in_its_queue_runs_again_even_if_others_wait() -> None:
    allocation = Allocation(1, 1, 1)
    record, other = allocation.records
    allocation.spread(record, 1)
    allocation.cores.congested(other)
    record.kthread(0).softirqs.push(ready_softirq(0, -1, 0))
    allocation.cores.left(1)
    assert allocation.decided() == [(1, 0, 0, False)]
    record.kthread(0).softirqs.pop()
    allocation.cores.left(1)
    assert allocation.decided() == [(1, 1, 0, False)]


def test_a_core_that_nobody_waits_for_idles() -> None:
    allocation = Allocation(2, 2)
    (record,) = allocation.records
    allocation.spread(record, 2)
    allocation.cores.left(1)
    assert allocation.decided() == []
    assert allocation.holders() == [None, (0, 1)]
    assert (record.active, record.parked) == ([1], [0])
    with pytest.raises(ValueError, match="core 1 was left by nobody"):
        allocation.cores.left(1)


# --- timers and what detections were worth ----------------------------------------------------------------------------


def test_a_runtime_without_a_core_gets_one_when_its_first_timer_has_passed() -> None:
    allocation = Allocation(1, 1)
    (record,) = allocation.records
    allocation.spread(record, 1)
    record.runtime.deadline = 9 * US
    allocation.cores.left(1)
    assert allocation.cores.next_deadline() == 9 * US
    allocation.host.engine.now = 9 * US - 1
    allocation.cores.expire_deadlines()
    assert allocation.decided() == []
    allocation.host.engine.now = 9 * US
    allocation.cores.expire_deadlines()
    assert allocation.decided() == [(1, 0, 0, False)]
    assert allocation.cores.next_deadline() > 1 << 60


def test_a_timer_of_a_runtime_that_has_a_core_again_gets_it_none() -> None:
    allocation = Allocation(2, 2)
    (record,) = allocation.records
    allocation.spread(record, 1)
    record.runtime.deadline = 9 * US
    allocation.cores.left(1)
    allocation.cores.for_delivery(record)
    allocation.decided()
    allocation.host.engine.now = 10 * US
    allocation.cores.expire_deadlines()
    assert allocation.decided() == []


@pytest.mark.parametrize("waits_as", ["softirq", "uthread"])
def test_a_detection_is_true_if_something_has_waited_longer_than_the_limit(waits_as: str) -> None:
    allocation = Allocation(1, 1)
    (record,) = allocation.records
    allocation.spread(record, 1)
    allocation.host.engine.now = 2 * US
    if waits_as == "softirq":
        record.kthread(0).softirqs.push(ready_softirq(0, -1, 2 * US))
    else:
        record.kthread(0).push(Idler(0), 2 * US)
    for time, counts in ((2 * US + LIMIT, (0, 1)), (2 * US + LIMIT + 1, (1, 1))):
        allocation.host.engine.now = time
        allocation.cores.congested(record)
        assert (allocation.cores.true_detections, allocation.cores.false_detections) == counts
