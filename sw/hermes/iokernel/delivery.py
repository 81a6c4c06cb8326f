"""How what the NIC tells reaches uthreads: by softIRQs that kthreads act upon, or through rings the IOKernel writes.

Each takes a notification or completion in two parts: what it costs, at the start of the sub-step, and its effects, at
the end. SoftIRQs that find their queue full are held, and retried in order.
"""

from abc import ABC, abstractmethod
from collections import deque

from mypy_extensions import i64

from hermes.iokernel.clients import Client
from hermes.iokernel.pending import Pending
from hermes.iokernel.routing import Routing
from hermes.queues import Item, SpscQueue
from hermes.runtime.softirq import ready_softirq, rx_softirq, tx_done_softirq
from hermes.stamps import DELIVERED
from hermes.world import CacheLines, Clock, World


class Overflow:
    """SoftIRQs held for queues that are full.

    Attributes
    ----------
    count
        How many.
    """

    def __init__(self) -> None:
        self.count = 0
        self._held: dict[int, tuple[SpscQueue, deque[Item]]] = {}

    def push(self, queue: SpscQueue, item: Item) -> None:
        """The item lands in the queue or, behind others for a full one, is held."""
        if not self.count and not queue.is_full():
            queue.push(item)
            return
        held = self._held.get(queue.number)
        if held is None and not queue.is_full():
            queue.push(item)
            return
        if held is None:
            held = self._held[queue.number] = queue, deque()
        held[1].append(item)
        self.count += 1
        queue.await_room()

    def items(self) -> list[Item]:
        """All that are held."""
        return [item for _, items in self._held.values() for item in items]

    def held_for(self, queue: SpscQueue) -> int:
        """How many are held for a queue."""
        held = self._held.get(queue.number)
        return len(held[1]) if held else 0

    def retriable(self) -> SpscQueue | None:
        """A queue that has room for what is held for it."""
        return next((queue for queue, _ in self._held.values() if not queue.is_full()), None)

    def retry(self, queue: SpscQueue) -> None:
        """The oldest item that is held for a queue, which has room, lands in it."""
        held = self._held[queue.number][1]
        queue.push(held.popleft())
        self.count -= 1
        if held and queue.is_full():
            queue.await_room()
        if not held:
            del self._held[queue.number]


class Delivery(ABC):
    """What is done about a notification or completion."""

    @abstractmethod
    def notification(self, client: Client, pipe: i64, tail: i64, row: i64) -> i64:
        """Begin with one, of which ``row`` has the stamps; picoseconds besides reading and routing it."""

    @abstractmethod
    def completion(self, client: Client, slot: i64) -> i64:
        """Begin with one of the request in a slot of the client's TX ring; picoseconds besides reading it."""

    @abstractmethod
    def parked(self, client: Client, rx_head: i64, tx_head: i64) -> i64:
        """Begin with the news that the client's uthread left, its rings read up to these heads; picoseconds."""

    @abstractmethod
    def land(self) -> None:
        """The effects of what was begun."""


class ToKthreads(Delivery):
    """A softIRQ is a notification or completion; the kthread that handles it writes the uthread's ring."""

    def __init__(self, world: World, routing: Routing, overflow: Overflow) -> None:
        self._clock: Clock = world.clock
        self._stamps = world.stamps.notifications
        self._push: i64 = world.costs.softirq_push + world.costs.line_dirty
        self._routing = routing
        self._overflow = overflow

    def notification(self, client: Client, pipe: i64, tail: i64, row: i64) -> i64:
        """See Delivery."""
        self._client = client
        self._pipe: i64 = pipe
        self._value: i64 = tail
        self._row: i64 = row
        self._kthread = self._routing.kthread(client)
        return self._push

    def completion(self, client: Client, slot: i64) -> i64:
        """See Delivery."""
        self._client = client
        self._value = slot
        self._row = -1
        self._kthread = self._routing.kthread(client)
        return self._push

    def parked(self, client: Client, rx_head: i64, tx_head: i64) -> i64:
        """Nobody says so in this system."""
        raise NotImplementedError(f"uthread {client.uthread} told that it parked at {rx_head}, {tx_head}")

    def land(self) -> None:
        """See Delivery."""
        now, client = self._clock.now, self._client
        if self._row < 0:
            client.completed += 1
            item = tx_done_softirq(client.uthread, self._value, now)
        else:
            client.notified += 1
            item = rx_softirq(client.uthread, self._pipe, self._value, self._row, now)
            self._stamps[self._row + DELIVERED] = now
        self._overflow.push(client.record.kthread(self._kthread).softirqs, item)


class ToUthreads(Delivery):
    """The IOKernel writes the uthread's rings, at once; a softIRQ is a uthread that waited for that.

    Parameters
    ----------
    pending
        Where uthreads are noted that became runnable; None: nowhere.
    """

    def __init__(self, world: World, routing: Routing, overflow: Overflow, pending: Pending | None) -> None:
        self._clock: Clock = world.clock
        self._lines: CacheLines = world.lines
        self._stamps = world.stamps.notifications
        self._push: i64 = world.costs.softirq_push + world.costs.line_dirty
        self._routing = routing
        self._overflow = overflow
        self._pending = pending
        self._kthread = -1

    def notification(self, client: Client, pipe: i64, tail: i64, row: i64) -> i64:
        """See Delivery."""
        self._client = client
        self._pipe: i64 = pipe
        self._value: i64 = tail
        self._row: i64 = row
        self._is_park = False
        cost = self._lines.take(0, client.rx_slots + client.buffer.rx_tail)
        return cost + self._wake(client) if client.waiting else cost

    def completion(self, client: Client, slot: i64) -> i64:
        """See Delivery."""
        self._client = client
        self._value = slot
        self._row = -1
        self._is_park = False
        cost = self._lines.take(0, client.tx_slots + slot)
        return cost + self._wake(client) if client.waiting else cost

    def parked(self, client: Client, rx_head: i64, tx_head: i64) -> i64:
        """It waits, unless something was written beyond these heads: then it is ready again at once."""
        has_unread = client.buffer.rx_tail != rx_head
        self._client = client
        self._row = client.row if has_unread else -1
        self._is_park = True
        return self._wake(client) if has_unread or client.tx_head != tx_head else 0

    def land(self) -> None:
        """See Delivery."""
        client = self._client
        if self._is_park:
            client.waiting = True
        elif self._row >= 0:
            client.notified += 1
            client.row = self._row
            client.buffer.deliver(self._pipe, self._value, self._row)
            self._stamps[self._row + DELIVERED] = self._clock.now
        else:
            client.completed += 1
            client.buffer.complete(self._value)
        if self._kthread >= 0:
            client.waiting = False
            queue = client.record.kthread(self._kthread).softirqs
            self._overflow.push(queue, ready_softirq(client.uthread, self._row, self._clock.now))
            if self._pending is not None:
                self._pending.add(client.record, client.uthread)
            self._kthread = -1

    def _wake(self, client: Client) -> i64:
        self._kthread = self._routing.kthread(client)
        return self._push + (self._pending.cost_of_adding(client.record) if self._pending is not None else 0)
