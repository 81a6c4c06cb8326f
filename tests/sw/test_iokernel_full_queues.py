"""What the IOKernel does when softIRQ queues are full: it holds items back, and goes on."""

import itertools

import pytest

from hermes.enso.registers import RX_HEAD
from hermes.iokernel.iokernel import RETRY_BUDGET
from hermes.runtime.softirq import ready_softirq
from hermes.world import (
    QUEUE_POP,
    RX,
)
from tests.tools.host import COSTS as C
from tests.tools.host import NS
from tests.tools.whole_host import US, alone, lap, spent

NOTIFICATION = C.line_dma + C.notification_route + C.softirq_push + C.line_dirty
COMPLETION = C.line_dma + C.completion_route + C.softirq_push + C.line_dirty
TAKEN = C.line_dirty + C.message_receive
DOORBELL = C.poll_clean + C.mmio_issue  # behind the last notification, once a look finds no more


def gaps(moments: list[int]) -> list[int]:
    return [later - earlier for earlier, later in itertools.pairwise(moments)]


# --- full softIRQ queues ----------------------------------------------------------------------------------------------


def test_a_full_softirq_queue_holds_items_back_in_order_and_stops_nothing_else() -> None:
    host = alone(cores=2, uthreads=2, kthreads=2)
    full = host.softirq_queue(0)
    full.capacity = 2
    host.notify(0, 1, 0, 0, 0, 1)
    begin = host.begin()
    host.run(begin + 4 * US)
    assert [len(host.softirqs(kthread)) for kthread in range(2)] == [2, 2]
    assert host.iokernel.overflow.count == 2
    assert host.machine.cores[0].is_quiet
    for left in (1, 0):
        full.pop()
        host.later(300 * NS)
        assert (len(full), host.iokernel.overflow.count) == (2, left), "it is told that there is room, and retries"
    assert spent(host, RX) == 6 * NOTIFICATION + DOORBELL + 2 * (C.softirq_push + C.line_dirty)


def test_an_iteration_retries_at_most_64_held_items() -> None:
    assert RETRY_BUDGET == 64
    host = alone(scan_ps=50 * US)
    queue = host.softirq_queue(0)
    for number in range(70):
        queue.capacity = 0
        host.iokernel.overflow.push(queue, ready_softirq(number, -1, 0))
    queue.capacity = 100
    begin = host.begin()
    host.run(begin + 10 * US)
    each = C.softirq_push + C.line_dirty
    assert gaps(host.softirq_pushes()) == [each] * 63 + [each + lap(1)] + [each] * 5
    assert [item[1] for item in host.softirqs(0)] == list(range(70))


def test_what_comes_behind_held_items_does_not_overtake_them() -> None:
    for offset in range(0, lap(1), 4 * NS):
        host = alone()
        queue = host.softirq_queue(0)
        queue.capacity = 2
        for tail in range(1, 5):
            host.notify(0, tail=tail)
        begin = host.begin()
        host.run(begin + 2 * US + offset)
        host.notify(0, tail=5)
        queue.pop()
        for _ in range(4):
            host.later(US)
            queue.pop()
        tails = [value & 0xFFFFFFFF for _, subject, value in host.happened(QUEUE_POP) if subject == queue.number]
        assert tails == [1, 2, 3, 4, 5], offset


@pytest.mark.parametrize("limit", [1, 3])
def test_with_more_held_than_the_limit_it_takes_no_more_notifications_but_all_else(limit: int) -> None:
    host = alone(held_limit=limit)
    queue = host.softirq_queue(0)
    queue.capacity = 1
    host.notify(*[0] * 10)
    begin = host.begin()
    host.run(begin + 4 * US)
    assert host.own.rx_head == 1 + limit + 1
    assert host.machine.cores[0].is_quiet
    host.message(0, RX_HEAD, 0)
    host.later(US)
    assert host.system.messages()["rx_head"] == 1
    for taken in range(1, 10):
        assert len(queue) == 1, taken
        queue.pop()
        host.later(2 * US)
    assert len(queue) == 1
    assert not host.own.has_notification()
