"""The spinlock: who waits, how long, and who has it then."""

from hermes.runtime.spinlock import Spinlock


def test_a_free_lock_costs_no_wait() -> None:
    assert Spinlock().wait(100, 80) == 0


def test_a_taker_waits_to_the_end_of_the_holder_and_pays_for_contention() -> None:
    lock = Spinlock()
    lock.take(1, until=500)
    assert lock.held
    assert lock.wait(420, contended=80) == 80 + 80
    assert lock.wait(500, contended=80) == 0, "released at that very time"


def test_takers_queue_up() -> None:
    lock = Spinlock()
    lock.take(1, until=500)
    lock.take(2, until=600)
    lock.release(1)
    assert lock.held, "the second one has it now"
    assert lock.wait(550, contended=80) == 50 + 80
    lock.release(2)
    assert not lock.held
