"""Messages of the runtimes: what each one costs the IOKernel, and what it does."""

from collections.abc import Sequence

from hermes.enso.device import Device
from hermes.errors import ContractError
from hermes.iokernel.clients import Client, Directory
from hermes.iokernel.delivery import Delivery
from hermes.iokernel.pending import Pending
from hermes.messages import CREATE, NAMES, PARK, PARKED, PIPE_RX_HEAD, READ, RUNNABLE, RX_HEAD, SWITCH, TX_TAIL
from hermes.queues import Item, SpscQueue
from hermes.stamps import FORWARDED
from hermes.switches import Switches
from hermes.world import Clock, Core, World


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
    counts
        Messages taken so far, by kind.
    waits_ps
        Picoseconds that they had waited in their queues, by kind.
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
        answers: Sequence[SpscQueue],
        switches: Switches,
    ) -> None:
        self.counts = dict.fromkeys(NAMES, 0)
        self.waits_ps = dict.fromkeys(NAMES, 0)
        self.must_ring = False
        self.requesters: list[tuple[Client, int]] = []  # by own TX slot: whose request stands there, and its slot
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
        self._forward = 0  # slots
        self._is_parked = False
        self._made: dict[tuple[int, int], int] = {}  # by kind and subject: when the newest message so far was made
        self._entered: dict[int, int] = {}  # by uthread: when it was told last that it runs

    def begin(self, core: Core, item: Item) -> int:
        """Picoseconds of a message besides its line, or, negative, that it must stay in its queue."""
        kind, subject, value, other, time = item
        costs, directory = self._costs, self._directory
        cost = costs.message_receive
        is_old = time < self._made.get((kind, subject), 0)
        if kind == TX_TAIL:
            client = directory.clients[subject]
            first = client.tx_tail
            self._forward = 0 if is_old else (value - first) & client.mask
            if self._forward > self._own.tx_room():
                return -1
            for slot in range(first, first + self._forward):
                cost += costs.tx_copy + self._lines.take(core.index, client.tx_slots + (slot & client.mask))
            if self._forward and self._rings_each:
                cost += self._device.backend.notification_write
        elif kind == PIPE_RX_HEAD and not is_old:
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
        is_old = time < self._made.get((kind, subject), 0)
        if not is_old:
            self._made[kind, subject] = time
        if kind == TX_TAIL:
            client = directory.clients[subject]
            client.source = queue
            self._finish_tx_tail(core, client, other)
        elif kind == RX_HEAD:
            client = directory.clients[subject]
            client.source = queue
            if not is_old:
                client.rx_head = value
        elif kind == PIPE_RX_HEAD:
            if not is_old:
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
        self.counts[kind] += 1
        self.waits_ps[kind] += self._clock.now - time

    # --- TX -----------------------------------------------------------------------------------------------------------

    def _finish_tx_tail(self, core: Core, client: Client, row: int) -> None:
        own = self._own
        for _ in range(self._forward):
            self.requesters[own.forward(client.buffer, client.tx_tail)] = client, client.tx_tail
            client.tx_tail = (client.tx_tail + 1) & client.mask
        if not self._forward:
            return
        client.forwarded += self._forward
        self._stamps.sends[row + FORWARDED] = self._clock.now
        if self._rings_each:
            self._device.tell_tx_tail(core)
        else:
            self.must_ring = True

    # --- switches -----------------------------------------------------------------------------------------------------

    def _may_run(self, uthread: int, time: int) -> bool:
        """Whether a uthread that was runnable at a time still is, as far as was told: nobody has run it since."""
        return time >= self._entered.get(uthread, 0)

    def _begin_switch(self, left: int, entered: int, other: int, time: int) -> int:
        directory, pending = self._directory, self._pending
        assert pending is not None  # only systems that keep track of runnable uthreads are told of switches
        cost = self._costs.answer_write + self._costs.line_dirty if self._answers else 0
        client = directory.client_of_uthread.get(left)
        self._is_parked = left >= 0 and other & 0xFF == PARKED and client is not None
        if self._is_parked:
            assert client is not None
            cost += self._delivery.parked(client, other >> 8 & 0xFFFF, other >> 24)
        elif left >= 0 and other & 0xFF == RUNNABLE and self._may_run(left, time):
            cost += pending.cost_of_adding(directory.records[directory.runtime_of[left]])
        if entered >= 0:
            cost += pending.cost_of_removing(directory.records[directory.runtime_of[entered]], entered)
        return cost

    def _finish_switch(self, left: int, entered: int, other: int, time: int, queue: int) -> None:
        directory, pending = self._directory, self._pending
        assert pending is not None
        if self._is_parked:
            directory.client_of_uthread[left].source = queue
            self._delivery.land()
        elif left >= 0 and other & 0xFF == RUNNABLE and self._may_run(left, time):
            pending.add(directory.records[directory.runtime_of[left]], left)
        if entered >= 0:
            self._entered[entered] = max(time, self._entered.get(entered, 0))
            pending.remove(directory.records[directory.runtime_of[entered]], entered)
        if self._answers:
            self._answers[queue].push((SWITCH, left, entered, 0, self._clock.now))
