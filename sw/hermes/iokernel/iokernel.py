"""The IOKernel's loop on its own core: between the NIC and the runtimes, and over who gets which core."""

from typing import Final

from mypy_extensions import i64

from hermes.enso.device import Device
from hermes.enso.owner import Owner
from hermes.enso.registers import PIPES, SLOT_BYTES
from hermes.errors import ContractError
from hermes.iokernel.clients import Client, Directory, Record, Shared
from hermes.iokernel.cores import Cores
from hermes.iokernel.delivery import Delivery, Overflow
from hermes.iokernel.detector import Detector
from hermes.iokernel.mailbox import Mailbox
from hermes.messages import ALLOCATE_NOTIFICATION_BUFFER, FREE_NOTIFICATION_BUFFER, REGISTER_PIPE
from hermes.queues import Item, SpscQueue
from hermes.switches import Switches
from hermes.world import (
    CORE_GRANT,
    CORES,
    DETECTION,
    GRANT,
    MESSAGE,
    POLL,
    RX,
    TX_COMPLETION,
    Control,
    Core,
    Software,
    Walk,
    World,
)

# One iteration: its steps in the order in which the walk has them. What each takes at most at a time: 64 notifications,
# 64 completions (receive_budget, complete_budget), one message of each queue (messages_per_visit), all cores, one scan
# or look at the heap, all grants, 64 softIRQs held.
LOOP: Final = 0  # issue the grants that were decided; ring the NIC's doorbell, once per iteration; retry what is held
RECEIVE: Final = 1  # notifications of the own RX ring, then one doorbell if there were any
COMPLETE: Final = 2  # completions in the own TX ring
CONTROL: Final = 3  # runtimes that register
DETECT: Final = 4  # congestion, and timers of runtimes without a core
MESSAGES: Final = 5  # every queue; the next iteration starts one queue further on. Behind them: the word of each core
RETRY_BUDGET: Final = 64
_RECEIVE_BIT: Final = 1 << RECEIVE
_COMPLETE_BIT: Final = 1 << COMPLETE

_IDLE: Final = 0
_GRANT: Final = 1
_RING: Final = 2
_RETRY: Final = 3
_RX: Final = 4
_RX_DOORBELL: Final = 5
_TX_DONE: Final = 6
_REGISTER: Final = 7
_DETECT: Final = 8
_MESSAGE: Final = 9
_CORE: Final = 10


class IOKernel(Software):
    """The loop. Every sub-step is an action: one notification, one completion, one message, a scan, a doorbell.

    It never waits for a full softIRQ queue: it holds the item back and retries.

    Parameters
    ----------
    device
        Its own, which the NIC serves.
    queues
        Message queues, numbered from 0.
    control
        Where runtimes register: items are about the runtime.

    Attributes
    ----------
    clients, client_of_uthread, records, runtime_of
        See hermes.iokernel.clients.Directory.
    registered
        Runtimes that have said so, and get cores.
    shared
        By uthread, what it shares with the IOKernel.
    owner
        The NIC's control plane.
    notifications, completions
        Taken so far.
    """

    def __init__(
        self,
        world: World,
        core: Core,
        device: Device,
        queues: list[SpscQueue],
        control: SpscQueue,
        switches: Switches,
    ) -> None:
        self.core = core
        self.device = device
        self.queues = queues
        self.registrations = control
        self.overflow = Overflow()
        self.owner = Owner(world.memory, device.notifications)
        self.shared: dict[int, Shared] = {}
        self.directory = Directory()
        self.clients = self.directory.clients
        self.client_of_uthread = self.directory.client_of_uthread
        self.records = self.directory.records
        self.runtime_of = self.directory.runtime_of
        self.registered: list[Record] = []
        self.notifications: i64 = 0
        self.completions: i64 = 0
        self._world = world
        self._effects = world.effects
        self._clock = world.clock
        self._costs = world.costs
        self._ksched = world.ksched
        self._stamps = world.stamps
        self._own = device.notifications
        self._receive_budget: i64 = switches.receive_budget
        self._complete_budget: i64 = switches.complete_budget
        self._messages_per_visit: i64 = switches.messages_per_visit
        self._held_limit: i64 = switches.held_limit
        self._client_of_pipe: list[Client | None] = [None] * PIPES
        self._has_registrations = False
        self._with_messages = 0  # bit q: queue q is not empty
        self._blocked = 0  # bit q: its oldest message waits for room in the own TX ring
        self._first_word = MESSAGES + len(queues)  # source of the word of core 1
        self._state: i64 = _IDLE
        self._taken: i64 = 0  # in this visit of a source
        self._source = 0  # queue or core that is visited
        self._retried: SpscQueue | None = None
        self._alarm: i64 = -1
        for queue in (*queues, control):
            queue.consumer = self

    def compose(self, cores: Cores, delivery: Delivery, detector: Detector, mailbox: Mailbox) -> None:
        """The parts in which systems differ."""
        self.cores = cores
        self.delivery = delivery
        self.detector = detector
        self.mailbox = mailbox

    def begin(self, core: Core) -> None:
        """See hermes.world.Software."""
        costs, count, world = self._costs, len(self.queues), self._world
        words = range(self._first_word, self._first_word + len(world.cores) - 1)
        orders = tuple(
            (LOOP, RECEIVE, COMPLETE, *(MESSAGES + (lap + i) % count for i in range(count)), *words, CONTROL, DETECT)
            for lap in range(count)
        )
        looks = [costs.iok_loop, *[costs.poll_clean] * 3, self.detector.cost]
        core.walk(Walk((*looks, *[costs.poll_clean] * (count + len(words))), orders, POLL))
        self.mailbox.requesters = [self.clients[0]] * self._own.slots if self.clients else []
        size = self._own.slots * SLOT_BYTES
        world.watch(self._own.address, size, core.index, RECEIVE)
        world.watch(self._own.tx_address, size, core.index, COMPLETE)
        self._ksched.watch(core.index, self._first_word)
        self._set_alarm()

    def interrupt(self) -> bool:
        """Its core is never granted to anybody else."""
        raise ContractError("the IOKernel was interrupted")

    def control(self, message: Item) -> Control[int]:
        """Carry out a message of the set-up, which is answered."""
        kind, subject, value, _, _ = message
        if kind == ALLOCATE_NOTIFICATION_BUFFER:
            shared = self.shared[subject]
            client = Client(subject, shared, self.records[shared.runtime])
            self.clients.append(client)
            self.client_of_uthread[subject] = client
            return len(self.clients) - 1
        if kind == REGISTER_PIPE:
            self._client_of_pipe[subject] = self.clients[value]
            return 0
        if kind == FREE_NOTIFICATION_BUFFER:  # its number stays used: they are a count
            del self.client_of_uthread[self.clients[subject].uthread]
            return 0
        return (yield from self.owner.answer(message))

    def queue_changed(self, queue: int) -> None:
        """A message arrived, a runtime registered, or a softIRQ queue that was full has room."""
        if queue < len(self.queues):
            self._with_messages |= 1 << queue
            self.core.wake(MESSAGES + queue)
        elif queue == self.registrations.number:
            self._has_registrations = True
            self.core.wake(CONTROL)
        elif self.overflow.count:
            self.core.wake(LOOP)

    # --- what the core calls ------------------------------------------------------------------------------------------

    def ready(self) -> int:
        """See hermes.world.Software."""
        ready = (self._with_messages & ~self._blocked) << MESSAGES
        if self._ksched.left:
            ready |= self._ksched.left >> 1 << self._first_word
        woken = self.core.woken
        if woken & _RECEIVE_BIT:
            if not self._own.has_notification():
                self.core.woken &= ~_RECEIVE_BIT
            elif self.overflow.count <= self._held_limit:
                ready |= _RECEIVE_BIT
        if woken & _COMPLETE_BIT:
            if self._own.has_completion():
                ready |= _COMPLETE_BIT
            else:
                self.core.woken &= ~_COMPLETE_BIT
        if self._has_registrations:
            ready |= 1 << CONTROL
        can_retry = self.overflow.count and self.overflow.retriable() is not None
        if self.cores.decided or self.mailbox.must_ring or can_retry:
            ready |= 1 << LOOP
        return ready

    def poll(self, source: int) -> bool:
        """See hermes.world.Software."""
        self._taken = 0
        if source == LOOP:
            self.core.spend(POLL, self._costs.iok_loop)
            return self._begin_grants()
        if source == RECEIVE:
            if self._may_receive():
                return self._begin_notification()
        elif source == COMPLETE:
            if self._own.has_completion():
                return self._begin_completion()
        elif source == CONTROL:
            if self._has_registrations:
                return self._begin(_REGISTER, CORES, self._costs.line_dirty + self._costs.message_receive)
        elif source == DETECT:
            return self._begin_detection()
        elif source < self._first_word:
            if (self._with_messages & ~self._blocked) >> (source - MESSAGES) & 1:
                self._source = source - MESSAGES
                return self._begin_message()
        elif self._ksched.left >> (core := source - self._first_word + 1) & 1:
            self._source = core
            return self._begin(_CORE, CORES, self._costs.line_dirty)
        self.core.spend(POLL, self._costs.poll_clean)
        return False

    def step(self) -> bool:
        """See hermes.world.Software."""
        state, self._state = self._state, _IDLE
        goes_on = False
        if state == _MESSAGE:
            goes_on = self._end_message()
        elif state == _RX:
            self.delivery.land()
            if self._taken < self._receive_budget and self._may_receive():
                goes_on = self._begin_notification()
            else:
                look = self._costs.poll_clean if self._taken < self._receive_budget else 0
                goes_on = self._begin(_RX_DOORBELL, RX, look + self.device.backend.notification_write)
        elif state == _RX_DOORBELL:
            self.device.tell_rx_head(self.core)
        elif state == _TX_DONE:
            self.delivery.land()
            self._blocked = 0
            if self._taken < self._complete_budget:
                if self._own.has_completion():
                    goes_on = self._begin_completion()
                else:
                    self.core.spend(TX_COMPLETION, self._costs.poll_clean)
        elif state == _CORE:
            for _ in range(self._ksched.take(self._source)):
                self.cores.left(self._source)
        elif state == _GRANT:
            goes_on = self._end_grants()
        elif state == _RING:
            self.mailbox.must_ring = False
            self.device.tell_tx_tail(self.core)
            goes_on = self._begin_retry()
        elif state == _RETRY:
            assert self._retried is not None
            self.overflow.retry(self._retried)
            goes_on = self._begin_retry()
        elif state == _DETECT:
            self.cores.expire_deadlines()
            if self._is_detecting:
                self.detector.finish()
        elif state == _REGISTER:
            record = self.records[self.registrations.pop()[1]]
            self._has_registrations = bool(self.registrations)
            self.registered.append(record)
            self.cores.register(record)
        self._set_alarm()
        return goes_on

    def waits_for(self) -> str:
        """What would make it go on; empty if nothing need to."""
        outstanding = (self._own.tx_tail - self._own.tx_head) & (self._own.slots - 1)
        held = self.overflow.count
        parts = [f"{outstanding} completions of the NIC"] if outstanding else []
        return " and ".join(parts + [f"room for {held} softIRQs"] * bool(held))

    @property
    def in_hand(self) -> tuple[int, int]:
        """Notifications and completions that it took, and has not passed on."""
        return int(self._state == _RX), int(self._state == _TX_DONE)

    def _begin(self, state: i64, activity: i64, cost: i64) -> bool:
        self.core.spend(activity, cost)
        self._state = state
        return True

    # --- notifications and completions --------------------------------------------------------------------------------

    def _may_receive(self) -> bool:
        return self.overflow.count <= self._held_limit and self._own.has_notification()

    def _begin_notification(self) -> bool:
        own, costs = self._own, self._costs
        slot = own.take_notification()
        pipe, tail = own.pipe_of(slot), own.tail_of(slot)
        client = self._client_of_pipe[pipe]
        if client is None:
            raise ContractError(f"the NIC notified of pipe {pipe}, which no uthread has")
        visible = self._stamps.visible.get(own.address + SLOT_BYTES * slot, -1)
        row = self._stamps.notification(pipe, tail, visible, self._clock.now)
        cost = costs.line_dma + costs.notification_route + self.delivery.notification(client, pipe, tail, row)
        self.notifications += 1
        self._taken += 1
        return self._begin(_RX, RX, cost)

    def _begin_completion(self) -> bool:
        own_slot = self._own.take_completion()
        client, slot = self.mailbox.requesters[own_slot], self.mailbox.requested[own_slot]
        client.tx_head = (slot + 1) & client.mask
        costs = self._costs
        cost = costs.line_dma + costs.completion_route + self.delivery.completion(client, slot)
        self.completions += 1
        self._taken += 1
        return self._begin(_TX_DONE, TX_COMPLETION, cost)

    # --- once per iteration -------------------------------------------------------------------------------------------

    def _begin_grants(self) -> bool:
        if not self.cores.decided:
            return self._begin_ring()
        cost = 0
        for *_, interrupts in self.cores.decided:
            cost += self._costs.line_dirty + self.detector.grant_cost + (self._costs.mmio_issue if interrupts else 0)
        return self._begin(_GRANT, GRANT, cost)

    def _end_grants(self) -> bool:
        for core, record, index, _ in self.cores.decided:
            self._effects.record(CORE_GRANT, core, record.runtime.number << 16 | index)
            self._ksched.grant(core, record.kthread(index))
        self.cores.decided.clear()
        return self._begin_ring()

    def _begin_ring(self) -> bool:
        if self.mailbox.must_ring:
            return self._begin(_RING, MESSAGE, self.device.backend.notification_write)
        return self._begin_retry()

    def _begin_retry(self) -> bool:
        if not self.overflow.count or self._taken >= RETRY_BUDGET:
            return False
        self._retried = self.overflow.retriable()
        if self._retried is None:
            return False
        self._taken += 1
        return self._begin(_RETRY, RX, self._costs.softirq_push + self._costs.line_dirty)

    # --- congestion ---------------------------------------------------------------------------------------------------

    def _set_alarm(self) -> None:
        time = min(self.detector.next_time(), self.cores.next_deadline())
        if time != self._alarm:
            self._alarm = time
            self.core.alarm(DETECT, time)

    def _begin_detection(self) -> bool:
        now = self._clock.now
        self._is_detecting = self.detector.next_time() <= now
        if not self._is_detecting and self.cores.next_deadline() > now:
            self.core.spend(POLL, self.detector.cost)
            return False
        cost = self.detector.begin() if self._is_detecting else 0
        return self._begin(_DETECT, DETECTION, self.detector.cost + cost)

    # --- messages -----------------------------------------------------------------------------------------------------

    def _begin_message(self) -> bool:
        self._item: Item = self.queues[self._source][0]
        cost = self.mailbox.begin(self.core, self._item)
        self._taken += 1
        if cost < 0:
            self._blocked |= 1 << self._source
            self.core.spend(MESSAGE, self._costs.line_dirty + self._costs.message_receive)
            return False
        return self._begin(_MESSAGE, MESSAGE, self._costs.line_dirty + cost)

    def _end_message(self) -> bool:
        queue = self.queues[self._source]
        queue.pop()
        if not queue:
            self._with_messages &= ~(1 << self._source)
        self.mailbox.finish(self.core, self._item, self._source)
        if self._taken < self._messages_per_visit and queue:
            return self._begin_message()
        return False
