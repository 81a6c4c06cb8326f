"""The runqueue: oldest first, ring and overflow, and what thieves get."""

import pytest

from hermes.runtime.runqueue import RING_SLOTS, Runqueue
from tests.tools.uthreads import Named


@pytest.mark.parametrize("count", [1, RING_SLOTS, RING_SLOTS + 1, 100])
def test_uthreads_leave_in_the_order_they_came(count: int) -> None:
    queue, uthreads = Runqueue(), [Named(i) for i in range(count)]
    for uthread in uthreads:
        queue.push(uthread)
    assert len(queue) == count
    assert [queue.pop() for _ in range(count)] == uthreads
    assert not queue


def test_who_comes_after_an_overflow_stays_behind_it() -> None:
    queue, uthreads = Runqueue(), [Named(i) for i in range(RING_SLOTS + 3)]
    for uthread in uthreads[:-1]:
        queue.push(uthread)
    first = queue.pop()
    queue.push(uthreads[-1])
    assert [first, *(queue.pop() for _ in range(len(queue)))] == uthreads


@pytest.mark.parametrize(("count", "stolen"), [(1, 1), (2, 1), (3, 2), (32, 16), (50, 16)])
def test_a_thief_takes_the_older_half_of_the_ring_rounded_up(count: int, stolen: int) -> None:
    queue, uthreads = Runqueue(), [Named(i) for i in range(count)]
    for uthread in uthreads:
        queue.push(uthread)
    assert queue.stealable() == stolen
    assert queue.steal(stolen) == uthreads[:stolen]
    assert [queue.pop() for _ in range(len(queue))] == uthreads[stolen:]


def test_an_overflow_moves_up_as_thieves_take() -> None:
    queue, uthreads = Runqueue(), [Named(i) for i in range(RING_SLOTS + 20)]
    for uthread in uthreads:
        queue.push(uthread)
    assert queue.steal(queue.stealable()) == uthreads[:16]
    assert queue.stealable() == 16, "the ring is full again"
    assert queue.steal(16) == uthreads[16:32]
    assert queue.stealable() == 10
    assert (queue.pushed, queue.popped, len(queue), queue.count()) == (52, 32, 20, 20)


def test_who_has_been_runnable_longest_is_not_always_the_next() -> None:
    queue, uthreads = Runqueue(), [Named(i) for i in range(RING_SLOTS + 2)]
    for uthread in uthreads:
        uthread.since = 1_000
        queue.push(uthread)
    uthreads[-1].since = 300
    assert queue.has_runnable_since(301), "also in the overflow"
    assert not queue.has_runnable_since(300)
    uthreads[5].since = 200
    assert queue.has_runnable_since(201)
    assert not queue.has_runnable_since(200)
