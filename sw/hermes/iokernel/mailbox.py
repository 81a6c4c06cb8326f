"""Messages of the runtimes: what each one costs the IOKernel, and what it does."""

from typing import Final

from mypy_extensions import i64

from hermes.enso.device import Device
from hermes.errors import ContractError
from hermes.iokernel.clients import Client, Directory, Record
from hermes.iokernel.delivery import Delivery
from hermes.iokernel.pending import Pending
from hermes.messages import CREATE, NAMES, PARK, PARKED, PIPE_RX_HEAD, READ, RUNNABLE, RX_HEAD, SWITCH, TX_TAIL
from hermes.queues import Item, SpscQueue
from hermes.stamps import FORWARDED
from hermes.switches import Switches
from hermes.words import words
from hermes.world import Clock, Core, World

_KINDS: Final = 0x50  # more than there are


class Mailbox:
    """Takes messages, one at a time, in two parts: what it costs, at the start, and its effects, at the end.

    A uthread that was stolen may have messages in two queues, of which the later is read first. Of registers the newest
    value counts, by when its message was made: indices alone do not tell, because one that is older than what was done
    since looks like one almost a ring ahead.

    Parameters
    ----------
    answers
        By message queue: where a switch is answered; empty if it is not.

    Attributes
    ----------
    must_ring
        Requests were forwarded of which the NIC has not been told.
    """

    def __init__(
        self,
        world: World,
        directory: Directory,
        device: Device,
        delivery: Delivery,
        pending: Pending | None,
        answers: list[SpscQueue],
        switches: Switches,
    ) -> None:
        self._counts = words(_KINDS)  # by kind
        self._waits_ps = words(_KINDS)
        self.must_ring = False
        self.requesters: list[Client] = []  # by own TX slot: whose request stands there
        self.requested = words(device.notifications.slots)  # and in which slot of the client's
        self._clock: Clock = world.clock
        self._costs = world.costs
        self._lines = world.lines
        self._stamps = world.stamps
        self._directory = directory
        self._device = device
        self._own = device.notifications
        self._delivery = delivery
        self._pending = pending
        self._answers = answers
        self._rings_each = switches.doorbell == "message"
        self._forward: i64 = 0  # slots
        self._is_parked = False
        self._record: Record | None = None  # of who is entered
        self._heads_made: dict[int, int] = {}  # by pipe: when the newest message about its head was made
        self._entered: dict[int, int] = {}  # by uthread: when it was told last that it runs

    @property
    def counts(self) -> dict[int, int]:
        """Messages taken so far, by kind."""
        return {kind: self._counts[kind] for kind in NAMES}

    @property
    def waits_ps(self) -> dict[int, int]:
        """Picoseconds that they had waited in their queues, by kind."""
        return {kind: self._waits_ps[kind] for kind in NAMES}

    def begin(self, core: Core, item: Item) -> i64:
        """Picoseconds of a message besides its line, or, negative, that it must stay in its queue."""
        kind, subject, value, other, time = item
        costs, directory = self._costs, self._directory
        cost: i64 = costs.message_receive
        if kind == TX_TAIL:
            client = directory.clients[subject]
            first, mask = client.tx_tail, client.mask
            self._forward = 0 if time < client.tx_tail_made else (value - first) & mask
            if self._forward > self._own.tx_room():
                return -1
            for slot in range(first, first + self._forward):
                cost += costs.tx_copy + self._lines.take(core.index, client.tx_slots + (slot & mask))
            if self._forward and self._rings_each:
                cost += self._device.backend.notification_write
        elif kind == PIPE_RX_HEAD:
            if time >= self._heads_made.get(subject, 0):
                cost += self._device.backend.pipe_write
        elif kind == PARK:
            cost += self._delivery.parked(directory.clients[subject], value, other)
        elif kind == SWITCH:
            cost += self._begin_switch(subject, value, other, time)
        elif kind == CREATE and self._pending is not None and self._may_run(subject, time):
            cost += self._pending.cost_of_adding(directory.records[value])
        return cost

    def finish(self, core: Core, item: Item, queue: int) -> None:
        """The effects of the message that was begun, from message queue ``queue``."""
        kind, subject, value, other, time = item
        directory = self._directory
        if kind == TX_TAIL:
            client = directory.clients[subject]
            client.source = queue
            client.tx_tail_made = max(time, client.tx_tail_made)
            self._finish_tx_tail(core, client, other)
        elif kind == RX_HEAD:
            client = directory.clients[subject]
            client.source = queue
            if time >= client.rx_head_made:
                client.rx_head_made = time
                client.rx_head = value
        elif kind == PIPE_RX_HEAD:
            if time >= self._heads_made.get(subject, 0):
                self._heads_made[subject] = time
                self._device.backend.write_pipe(core, subject, RX_HEAD, value)
        elif kind == PARK:
            directory.clients[subject].source = queue
            self._delivery.land()
        elif kind == SWITCH:
            self._finish_switch(subject, value, other, time, queue)
        elif kind == CREATE:
            if self._pending is not None and self._may_run(subject, time):
                self._pending.add(directory.records[value], subject)
        else:
            accepted = ", ".join(f"{number:#x} ({name})" for number, name in NAMES.items() if number < READ)
            raise ContractError(f"message {item} in queue {queue}; accepted are kinds {accepted}")
        self._counts[kind] += 1
        self._waits_ps[kind] += self._clock.now - time

    # --- TX -----------------------------------------------------------------------------------------------------------

    def _finish_tx_tail(self, core: Core, client: Client, row: int) -> None:
        own = self._own
        if not self._forward:
            return
        for _ in range(self._forward):
            slot = own.forward(client.buffer, client.tx_tail)
            self.requesters[slot] = client
            self.requested[slot] = client.tx_tail
            client.tx_tail = (client.tx_tail + 1) & client.mask
        client.forwarded += self._forward
        self._stamps.sends[row + FORWARDED] = self._clock.now
        if self._rings_each:
            self._device.tell_tx_tail(core)
        else:
            self.must_ring = True

    # --- switches -----------------------------------------------------------------------------------------------------

    def _may_run(self, uthread: int, time: i64) -> bool:
        """Whether a uthread that was runnable at a time still is, as far as was told: nobody has run it since."""
        return time >= self._entered.get(uthread, 0)

    def _begin_switch(self, left: int, entered: int, other: i64, time: i64) -> i64:
        directory, pending = self._directory, self._pending
        assert pending is not None  # only systems that keep track of runnable uthreads are told of switches
        cost: i64 = self._costs.answer_write + self._costs.line_dirty if self._answers else 0
        client = directory.client_of_uthread.get(left)
        self._is_parked = left >= 0 and other & 0xFF == PARKED and client is not None
        if self._is_parked:
            assert client is not None
            cost += self._delivery.parked(client, other >> 8 & 0xFFFF, other >> 24)
        elif left >= 0 and other & 0xFF == RUNNABLE and self._may_run(left, time):
            cost += pending.cost_of_adding(directory.records[directory.runtime_of[left]])
        if entered >= 0:
            self._record = directory.records[directory.runtime_of[entered]]
            cost += pending.cost_of_removing(self._record, entered)
        return cost

    def _finish_switch(self, left: int, entered: int, other: i64, time: i64, queue: int) -> None:
        directory, pending = self._directory, self._pending
        assert pending is not None
        if self._is_parked:
            directory.client_of_uthread[left].source = queue
            self._delivery.land()
        elif left >= 0 and other & 0xFF == RUNNABLE and self._may_run(left, time):
            pending.add(directory.records[directory.runtime_of[left]], left)
        if entered >= 0:
            assert self._record is not None
            if time > self._entered.get(entered, 0):
                self._entered[entered] = time
            pending.remove(self._record, entered)
        if self._answers:
            self._answers[queue].push((SWITCH, left, entered, 0, self._clock.now))
