"""The IOKernel's loop on its own core: notifications and completions to the runtimes, their messages to the NIC."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.registers import BATCH, RX_HEAD, SLOT_BYTES, TX_TAIL
from hermes.enso.rings import advance
from hermes.iokernel.routing import LastDelivery
from hermes.queues import Item, SpscQueue
from hermes.runtime.runtime import Runtime
from hermes.runtime.softirq import rx_softirq, tx_done_softirq
from hermes.world import MESSAGE, POLL, RX, TX_COMPLETION, ContractError, Core, Walk, World

# One iteration: its steps in order, which are the sources of the walk, and the most that each takes at a time.
OVERFLOW: Final = 0  # retry softIRQs that found their queue full
OVERFLOW_BUDGET: Final = 64
RECEIVE: Final = 1  # notifications of the own RX ring, then one doorbell if there were any
RECEIVE_BUDGET: Final = BATCH
COMPLETE: Final = 2  # completions in the own TX ring
COMPLETE_BUDGET: Final = BATCH
MESSAGES: Final = 3  # every core's queue, one message from each; the next iteration starts one queue further on

HELD_LIMIT: Final = 4096
"""SoftIRQs held for full queues beyond which no more notifications are taken."""

_IDLE, _RX, _RX_DOORBELL, _TX_DONE, _MESSAGE, _RETRY = range(6)

REGISTER_NAMES: Final = {RX_HEAD: "rx_head", TX_TAIL: "tx_tail"}
"""Kinds of messages on the data path."""


@dataclass(frozen=True)
class AllocateNotificationBuffer:
    """Message: a uthread opens a device with this notification buffer; the answer is its id."""

    buffer: NotificationBuffer
    uthread: int
    tx_slots: int  # cache lines of its TX ring


@dataclass(frozen=True)
class RegisterPipe:
    """Message: the rx_mem_low of a pipe was written by a device with this notification buffer."""

    pipe: int
    notification_buffer: int


class _Client:
    """What the IOKernel knows of a uthread's notification buffer."""

    def __init__(self, message: AllocateNotificationBuffer) -> None:
        self.buffer = message.buffer
        self.uthread = message.uthread
        self.tx_slots = message.tx_slots
        self.mask = message.buffer.slots - 1
        self.rx_head = 0
        self.tx_head = 0  # requests before it are complete
        self.tx_tail = 0  # requests before it were forwarded


class IOKernel:
    """The loop of the IOKernel, for a system in which softIRQs are notifications and completions.

    Every sub-step is an action: a notification or a completion routed and pushed, a doorbell, a message applied. It
    never waits for a full softIRQ queue: it holds the item back and retries.

    Parameters
    ----------
    device
        Its own, which the NIC serves.

    Attributes
    ----------
    messages
        Taken so far, by register.
    notifications, completions
        Taken so far.
    walk
        Its loop while it finds nothing; set by ``serve``.
    """

    def __init__(self, world: World, core: Core, device: Device) -> None:
        self.core = core
        self.device = device
        self.messages = {RX_HEAD: 0, TX_TAIL: 0}
        self.notifications = self.completions = 0
        self._clock = world.clock
        self._costs = world.costs
        self._lines = world.lines
        self._own = device.notifications
        self._queues: Sequence[SpscQueue] = ()
        self._with_messages = 0  # bit q: queue q is not empty
        self._blocked = 0  # bit q: its oldest message waits for room in the own TX ring
        self._clients: list[_Client] = []
        self._client_of_pipe: dict[int, _Client] = {}
        self._requester: list[tuple[_Client, int]] = []  # by own TX slot: whose request stands there, and its slot
        self._held: list[deque[Item]] = []  # by kthread
        self._held_count = 0
        self._state = _IDLE
        self._taken = 0  # in this visit of a source
        self._item: Item = (0, 0, 0, 0, 0)
        self._target = 0  # kthread, or message queue
        self._forward = 0  # slots

    def serve(self, world: World, queues: Sequence[SpscQueue], runtime: Runtime) -> None:
        """Begin: with the message queues of the cores that run applications, numbered from 0, and this runtime."""
        costs = world.costs
        self._queues = queues
        self._runtime = runtime
        self._route = LastDelivery(runtime)
        self._held = [deque() for _ in range(runtime.count)]
        self._requester = [(self._clients[0], 0)] * self._own.slots
        count = len(queues)
        first = (OVERFLOW, RECEIVE, COMPLETE)
        self.walk = Walk(
            (costs.iok_loop, *[costs.poll_clean] * (2 + count)),
            tuple((*first, *(MESSAGES + (lap + i) % count for i in range(count))) for lap in range(count)),
            POLL,
        )
        self.core.walk(self.walk)
        size = self._own.slots * SLOT_BYTES
        world.watch(self._own.address, size, self.core.index, RECEIVE)
        world.watch(self._own.tx_address, size, self.core.index, COMPLETE)

    def control(self, message: object) -> int:
        """Apply a message of the set-up, which needs an answer."""
        if isinstance(message, AllocateNotificationBuffer):
            self._clients.append(_Client(message))
            return len(self._clients) - 1
        if isinstance(message, RegisterPipe):
            self._client_of_pipe[message.pipe] = self._clients[message.notification_buffer]
            return 0
        raise ValueError(
            f"message {message!r} to the IOKernel; accepted are AllocateNotificationBuffer and RegisterPipe"
        )

    def queue_changed(self, queue: int) -> None:
        """A message arrived, or a softIRQ queue that was full has room."""
        if queue < len(self._queues):
            self._with_messages |= 1 << queue
            self.core.wake(MESSAGES + queue)
        elif self._held_count:
            self.core.wake(OVERFLOW)

    # --- what the core calls ------------------------------------------------------------------------------------------

    def ready(self) -> int:
        """See hermes.world.Software."""
        ready = (self._with_messages & ~self._blocked) << MESSAGES
        if self._may_receive():
            ready |= 1 << RECEIVE
        if self._own.has_completion():
            ready |= 1 << COMPLETE
        if self._held_count and self._retriable() >= 0:
            ready |= 1 << OVERFLOW
        return ready

    def poll(self, source: int) -> bool:
        """See hermes.world.Software."""
        self._taken = 0
        if source == RECEIVE:
            if self._may_receive():
                return self._begin_notification()
        elif source == COMPLETE:
            if self._own.has_completion():
                return self._begin_completion()
        elif source == OVERFLOW:
            self.core.spend(POLL, self._costs.iok_loop)
            return self._begin_retry()
        elif (self._with_messages & ~self._blocked) >> (source - MESSAGES) & 1:
            return self._begin_message(source - MESSAGES)
        self.core.spend(POLL, self._costs.poll_clean)
        return False

    def step(self) -> bool:
        """See hermes.world.Software."""
        state = self._state
        if state == _MESSAGE:
            return self._end_message()
        if state == _RX:
            self._push()
            if self._taken < RECEIVE_BUDGET and self._may_receive():
                return self._begin_notification()
            return self._ring_doorbell()
        if state == _RX_DOORBELL:
            self.device.tell_rx_head(self.core)
        elif state == _TX_DONE:
            self._push()
            self._blocked = 0
            if self._taken < COMPLETE_BUDGET:
                if self._own.has_completion():
                    return self._begin_completion()
                self.core.spend(TX_COMPLETION, self._costs.poll_clean)
        elif state == _RETRY:
            self._held_count -= 1
            self._held[self._target].popleft()
            self._runtime.kthreads[self._target].softirqs.push(self._item)
            return self._begin_retry()
        return False

    def waits_for(self) -> str:
        """What would make it go on; empty if nothing need to."""
        outstanding = (self._own.tx_tail - self._own.tx_head) & (self._own.slots - 1)
        return f"{outstanding} completions of the NIC" if outstanding else ""

    # --- notifications and completions --------------------------------------------------------------------------------

    def _may_receive(self) -> bool:
        return self._held_count <= HELD_LIMIT and self._own.has_notification()

    def _begin_notification(self) -> bool:
        slot = self._own.take_notification()
        pipe = self._own.pipe_of(slot)
        client = self._client_of_pipe.get(pipe)
        if client is None:
            raise ContractError(f"the NIC notified of pipe {pipe}, which no uthread has")
        self._item = rx_softirq(client.uthread, pipe, self._own.tail_of(slot), self._clock.now)
        self._target = self._route.kthread(client.uthread)
        costs = self._costs
        self.core.spend(RX, costs.line_dma + costs.notification_route + costs.softirq_push + costs.line_dirty)
        self.notifications += 1
        self._taken += 1
        self._state = _RX
        return True

    def _ring_doorbell(self) -> bool:
        look = self._costs.poll_clean if self._taken < RECEIVE_BUDGET else 0
        self.core.spend(RX, look + self.device.backend.notification_write)
        self._state = _RX_DOORBELL
        return True

    def _begin_completion(self) -> bool:
        client, slot = self._requester[self._own.take_completion()]
        client.tx_head = (slot + 1) & client.mask
        self._item = tx_done_softirq(client.uthread, slot, self._clock.now)
        self._target = self._route.kthread(client.uthread)
        costs = self._costs
        self.core.spend(TX_COMPLETION, costs.line_dma + costs.completion_route + costs.softirq_push + costs.line_dirty)
        self.completions += 1
        self._taken += 1
        self._state = _TX_DONE
        return True

    def _push(self) -> None:
        """The softIRQ lands in its queue, or, behind others for a full one, is held."""
        queue, held = self._runtime.kthreads[self._target].softirqs, self._held[self._target]
        if held or queue.is_full():
            held.append(self._item)
            self._held_count += 1
        else:
            queue.push(self._item)

    def _retriable(self) -> int:
        """A kthread for which softIRQs are held, and whose queue has room; -1 if there is none."""
        for index, held in enumerate(self._held):
            if held and not self._runtime.kthreads[index].softirqs.is_full():
                return index
        return -1

    def _begin_retry(self) -> bool:
        self._target = self._retriable() if self._held_count and self._taken < OVERFLOW_BUDGET else -1
        if self._target < 0:
            return False
        self._item = self._held[self._target][0]
        self.core.spend(RX, self._costs.softirq_push + self._costs.line_dirty)
        self._taken += 1
        self._state = _RETRY
        return True

    # --- messages -----------------------------------------------------------------------------------------------------

    def _begin_message(self, queue: int) -> bool:
        register, number, value, _, _ = self._queues[queue][0]
        costs, client = self._costs, self._clients[number]
        cost = costs.line_dirty + costs.message_receive
        self._target = queue
        if register == TX_TAIL:
            first = client.tx_tail
            self._forward = advance(client.tx_head, first, value, client.mask)
            if self._forward > self._own.tx_room():
                self._blocked |= 1 << queue
                self.core.spend(MESSAGE, cost)
                return False
            for slot in range(first, first + self._forward):
                cost += costs.tx_copy + self._lines.take(self.core.index, client.tx_slots + (slot & client.mask))
            if self._forward:
                cost += self.device.backend.notification_write
        self.core.spend(MESSAGE, cost)
        self._state = _MESSAGE
        return True

    def _end_message(self) -> bool:
        queue = self._queues[self._target]
        register, number, value, _, _ = queue.pop()
        if not queue:
            self._with_messages &= ~(1 << self._target)
        client = self._clients[number]
        self.messages[register] += 1
        if register == TX_TAIL:
            for _ in range(self._forward):
                own = self._own.forward(client.buffer, client.tx_tail)
                self._requester[own] = (client, client.tx_tail)
                client.tx_tail = (client.tx_tail + 1) & client.mask
            if self._forward:
                self.device.tell_tx_tail(self.core)
        else:
            client.rx_head = value
        return False
