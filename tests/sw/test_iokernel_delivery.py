"""How notifications and completions reach uthreads: by softIRQs that tell them, or through rings that are written."""

import pytest

from hermes.errors import ContractError
from hermes.iokernel.cores import Cores
from hermes.iokernel.delivery import Delivery, Overflow, ToKthreads, ToUthreads
from hermes.iokernel.pending import Pending
from hermes.iokernel.routing import Routing
from hermes.queues import Item, SpscQueue
from hermes.runtime.softirq import ready_softirq, rx_softirq, tx_done_softirq
from hermes.stamps import DELIVERED
from hermes.switches import Switches
from tests.tools.host import COSTS as C
from tests.tools.host import Host
from tests.tools.idle_runtimes import client_of, idle_record

US = 1_000_000
PUSH = C.softirq_push + C.line_dirty
FIX = 2 * C.heap_fix


def item(number: int) -> Item:
    return 0, number, 0, 0, 0


def contents(queue: SpscQueue) -> list[Item]:
    return [queue[index] for index in range(len(queue))]


# --- what is held for full queues -------------------------------------------------------------------------------------


def test_items_that_find_their_queue_full_are_held_and_retried_in_order() -> None:
    overflow, queue = Overflow(), SpscQueue(Host().machine, 0)
    queue.capacity = 2
    for number in range(5):
        overflow.push(queue, item(number))
    assert (overflow.count, overflow.held_for(queue)) == (3, 3)
    assert overflow.items() == [item(2), item(3), item(4)]
    assert overflow.retriable() is None
    taken = []
    while queue:
        taken.append(queue.pop())
        if (retriable := overflow.retriable()) is not None:
            overflow.retry(retriable)
    assert taken == [item(number) for number in range(5)]
    assert (overflow.count, overflow.held_for(queue), overflow.items()) == (0, 0, [])


def test_what_comes_behind_held_items_is_held_too_even_if_there_is_room() -> None:
    overflow, queue = Overflow(), SpscQueue(Host().machine, 0)
    queue.capacity = 1
    for number in range(2):
        overflow.push(queue, item(number))
    queue.pop()
    overflow.push(queue, item(2))
    assert contents(queue) == []
    assert overflow.count == 2
    overflow.retry(queue)
    assert contents(queue) == [item(1)]


def test_one_full_queue_holds_nothing_up_for_others() -> None:
    overflow, full, other = Overflow(), SpscQueue(Host().machine, 0), SpscQueue(Host().machine, 1)
    full.capacity = 1
    for number in range(3):
        overflow.push(full, item(number))
    overflow.push(other, item(9))
    assert contents(other) == [item(9)]
    assert overflow.held_for(other) == 0
    other.capacity = 1
    overflow.push(other, item(10))
    other.pop()
    assert overflow.retriable() is other


# --- both ways --------------------------------------------------------------------------------------------------------


class Delivered:
    """A runtime with two kthreads and a core for each, and one uthread."""

    def __init__(self, *, with_heap: bool = False) -> None:
        self.host = Host(cores=2)
        self.host.engine.now = US
        world, switches = self.host.machine, Switches()
        self.cores = Cores(world, switches, US)
        self.record = idle_record(self.host, kthreads=2, guaranteed=2)
        for _ in range(2):
            self.cores.congested(self.record)
        self.client = client_of(self.host, self.record, 5)
        self.buffer = self.client.buffer
        self.overflow = Overflow()
        self.pending = Pending(world, self.cores, switches) if with_heap else None
        self.routing = Routing(self.cores, switches)
        self.to_kthreads = ToKthreads(world, self.routing, self.overflow)
        self.to_uthreads = ToUthreads(world, self.routing, self.overflow, self.pending)

    def softirqs(self, kthread: int = 0) -> list[Item]:
        return contents(self.record.kthread(kthread).softirqs)

    def notify(self, delivery: Delivery, tail: int) -> tuple[int, int]:
        """A notification is delivered in 1 us; what it costs, and where its stamps are."""
        row = self.host.machine.stamps.notification(7, tail, 0, self.host.engine.now)
        seen = self._seen()
        cost = delivery.notification(self.client, 7, tail, row)
        self._land(delivery, seen)
        return cost, row

    def complete(self, delivery: Delivery, slot: int) -> int:
        """A completion is delivered in 1 us; what it costs."""
        self.client.tx_head = slot + 1
        seen = self._seen()
        cost = delivery.completion(self.client, slot)
        self._land(delivery, seen)
        return cost

    def park(self, rx_head: int, tx_head: int) -> int:
        """The uthread is read to have parked; what that costs."""
        seen = self._seen()
        cost = self.to_uthreads.parked(self.client, rx_head, tx_head)
        self._land(self.to_uthreads, seen)
        return cost

    def _seen(self) -> tuple[object, ...]:
        buffer = self.buffer
        return self.softirqs(), self.softirqs(1), self.client.waiting, buffer.rx_tail, buffer.has_completion()

    def _land(self, delivery: Delivery, seen: tuple[object, ...]) -> None:
        assert self._seen() == seen, "effects come at the end"
        self.host.engine.now += US
        delivery.land()


def test_kthreads_are_sent_each_notification_and_completion_whether_or_not_the_uthread_waits() -> None:
    delivered = Delivered()
    for turn, waiting in enumerate((True, False)):
        delivered.client.waiting = waiting
        cost, row = delivered.notify(delivered.to_kthreads, 4 + turn)
        now = delivered.host.engine.now
        assert cost == PUSH
        assert delivered.softirqs()[-1] == rx_softirq(5, 7, 4 + turn, row, now)
        assert delivered.host.machine.stamps.notifications[row + DELIVERED] == now
        assert delivered.complete(delivered.to_kthreads, turn) == PUSH
        assert delivered.softirqs()[-1] == tx_done_softirq(5, turn, delivered.host.engine.now)
    assert len(delivered.softirqs()) == 4
    assert (delivered.client.notified, delivered.client.completed) == (2, 2)
    assert delivered.buffer.delivered == 0, "they write its ring"


def test_a_full_softirq_queue_holds_an_item_back() -> None:
    delivered = Delivered()
    delivered.record.kthread(0).softirqs.capacity = 1
    for tail in (1, 2):
        delivered.notify(delivered.to_kthreads, tail)
    assert len(delivered.softirqs()) == 1
    assert [held[2] for held in delivered.overflow.items()] == [2]


def test_kthreads_that_find_who_waits_are_told_of_no_park() -> None:
    delivered = Delivered()
    with pytest.raises(NotImplementedError, match="uthread 5 told that it parked at 0, 0"):
        delivered.to_kthreads.parked(delivered.client, 0, 0)


def test_the_ring_of_a_uthread_is_written_at_once_also_while_it_runs() -> None:
    delivered = Delivered()
    cost, row = delivered.notify(delivered.to_uthreads, 4)
    assert cost == 0, "the line is the IOKernel's still"
    slot = delivered.buffer.take_notification()
    assert (delivered.buffer.pipe_of(slot), delivered.buffer.tail_of(slot), delivered.buffer.row_of(slot)) == (
        7,
        4,
        row,
    )
    assert delivered.host.machine.stamps.notifications[row + DELIVERED] == delivered.host.engine.now
    delivered.host.machine.lines.take(1, delivered.client.rx_slots + 1)
    assert delivered.notify(delivered.to_uthreads, 5)[0] == C.line_dirty
    for _ in range(2):
        delivered.buffer.post(0x1000, 64)
    delivered.host.machine.lines.take(1, delivered.client.tx_slots)
    assert [delivered.complete(delivered.to_uthreads, slot) for slot in range(2)] == [C.line_dirty, 0]
    assert delivered.buffer.has_completion()
    assert (delivered.client.notified, delivered.client.completed) == (2, 2)
    assert delivered.softirqs() == delivered.softirqs(1) == []


@pytest.mark.parametrize("with_heap", [False, True])
def test_a_uthread_that_waits_is_sent_as_a_softirq_once(with_heap: bool) -> None:
    delivered = Delivered(with_heap=with_heap)
    delivered.client.waiting = True
    cost, row = delivered.notify(delivered.to_uthreads, 4)
    now = delivered.host.engine.now
    assert cost == PUSH + (FIX if with_heap else 0)
    assert delivered.softirqs() == [ready_softirq(5, row, now)]
    assert not delivered.client.waiting
    if delivered.pending is not None:
        assert delivered.pending.next_time() == now + Switches().congestion_ps + 1
    assert delivered.notify(delivered.to_uthreads, 5)[0] == 0
    assert len(delivered.softirqs()) == 1
    assert delivered.buffer.rx_tail == 2, "both are in its ring"


def test_a_completion_wakes_a_uthread_that_waits() -> None:
    delivered = Delivered()
    delivered.buffer.post(0x1000, 64)
    delivered.client.waiting = True
    assert delivered.complete(delivered.to_uthreads, 0) == PUSH
    assert delivered.softirqs() == [ready_softirq(5, -1, delivered.host.engine.now)]
    assert delivered.buffer.has_completion()


def test_behind_others_an_entry_of_the_heap_costs_nothing() -> None:
    delivered = Delivered(with_heap=True)
    assert delivered.pending is not None
    delivered.pending.add(delivered.record, 1)
    delivered.client.waiting = True
    assert delivered.notify(delivered.to_uthreads, 4)[0] == PUSH


@pytest.mark.parametrize(
    ("notifications", "completions", "heads", "is_woken"),
    [
        (0, 0, (0, 0), False),
        (2, 1, (2, 1), False),
        (2, 1, (1, 1), True),
        (2, 1, (2, 0), True),
        (2, 1, (0, 0), True),
    ],
)
def test_who_parks_waits_unless_something_came_beyond_what_it_has_seen(
    notifications: int, completions: int, heads: tuple[int, int], is_woken: bool
) -> None:
    delivered = Delivered(with_heap=True)
    for tail in range(notifications):
        delivered.notify(delivered.to_uthreads, tail)
    for slot in range(completions):
        delivered.buffer.post(0x1000, 64)
        delivered.complete(delivered.to_uthreads, slot)
    assert delivered.park(*heads) == (PUSH + FIX if is_woken else 0)
    assert delivered.client.waiting == (not is_woken)
    row = delivered.client.row if heads[0] < notifications else -1  # the last one's, of which it is told
    assert delivered.softirqs() == [ready_softirq(5, row, delivered.host.engine.now)] * is_woken
    assert (delivered.client.notified, delivered.client.completed) == (notifications, completions)


def test_who_waits_without_a_core_for_its_runtime_gets_it_one() -> None:
    delivered = Delivered()
    for core in (1, 2):
        delivered.cores.left(core)
    delivered.cores.decided.clear()
    delivered.client.waiting = True
    delivered.notify(delivered.to_uthreads, 4)
    assert [index for _, _, index, _ in delivered.cores.decided] == [1]
    assert len(delivered.softirqs(1)) == 1


def test_a_uthread_that_does_not_wait_gets_its_runtime_no_core() -> None:
    delivered = Delivered()
    for core in (1, 2):
        delivered.cores.left(core)
    delivered.cores.decided.clear()
    delivered.notify(delivered.to_uthreads, 4)
    assert delivered.cores.decided == []


def test_a_ring_without_room_is_an_error() -> None:
    delivered = Delivered()
    for tail in range(delivered.buffer.slots):
        delivered.notify(delivered.to_uthreads, tail)
    with pytest.raises(ContractError, match="notification buffer of uthread 5: no room for a notification of pipe 7"):
        delivered.notify(delivered.to_uthreads, 0)
