"""Messages of the runtimes: what each one costs the IOKernel, and what it does, also if it comes late."""

from typing import Any, Literal

import pytest

from hermes.enso.backends import Direct
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.registers import RX_HEAD, TX_TAIL, notification_buffer_register, pipe_register
from hermes.errors import ContractError
from hermes.iokernel.clients import Client, Directory
from hermes.iokernel.cores import Cores
from hermes.iokernel.delivery import Overflow, ToUthreads
from hermes.iokernel.mailbox import Mailbox
from hermes.iokernel.pending import Pending
from hermes.iokernel.routing import Routing
from hermes.messages import BLOCKED, CREATE, FINISHED, PARK, PARKED, PIPE_RX_HEAD, RUNNABLE, SWITCH, switched
from hermes.queues import Item, SpscQueue
from hermes.runtime.timers import NEVER
from hermes.stamps import FORWARDED
from hermes.switches import Switches
from tests.tools.host import COSTS as C
from tests.tools.host import SMALL, Host
from tests.tools.idle_runtimes import client_of, idle_record

FIX = 2 * C.heap_fix
ANSWER = C.answer_write + C.line_dirty
WAKE = C.softirq_push + C.line_dirty


class Messages:
    """A mailbox, and a runtime with a core: uthreads 0 and 1 have notification buffers 0 and 1, uthread 9 has none."""

    def __init__(self, doorbell: Literal["message", "iteration"] = "message", *, answers: bool = True) -> None:
        self.host = Host(2)
        self.host.engine.now = 1000
        world, switches = self.host.machine, Switches(doorbell=doorbell)
        self.core = world.cores[0]
        self.own = NotificationBuffer(world.memory, SMALL, "the IOKernel")
        self.own.number = 0
        record = idle_record(self.host)
        directory = Directory()
        self.clients, self.records = directory.clients, directory.records
        self.records.append(record)
        self.clients += [client_of(self.host, record, uthread) for uthread in range(2)]
        self.client, self.buffer = self.clients[0], self.clients[0].buffer
        directory.client_of_uthread.update(enumerate(self.clients))
        directory.runtime_of.update({0: 0, 1: 0, 9: 0})
        cores = Cores(world, switches, 1)
        cores.register(record)
        self.host.engine.now = 2000
        self.pending = Pending(world, cores, switches)
        delivery = ToUthreads(world, Routing(cores, switches), Overflow(), self.pending)
        device = Device(Direct(C), self.own)
        self.answers = [SpscQueue(world, 50 + queue) for queue in range(2)] if answers else []
        self.mailbox = Mailbox(world, directory, device, delivery, self.pending, self.answers, switches)
        self.mailbox.requesters = [self.client] * self.own.slots
        self.row = world.stamps.send(0, 0, 0)

    def take(self, *items: Item, queue: int = 0) -> list[int]:
        """Costs of these messages, one after the other."""
        costs = []
        for item in items:
            costs.append(self.mailbox.begin(self.core, item))
            self.mailbox.finish(self.core, item, queue)
        return costs

    def post(self, count: int, client: Client | None = None) -> int:
        """So many requests, of 64 bytes at 0x1000 and on; the tail behind them."""
        buffer = (client or self.client).buffer
        for slot in range(count):
            buffer.post(0x1000 + 64 * slot, 64)
        return buffer.tx_tail

    def pend(self) -> list[int]:
        """Uthreads that are runnable and have not run, oldest first."""
        return [uthread for waiting in self.pending._waiting[:1] for uthread in waiting.entries]


# --- requests to send -------------------------------------------------------------------------------------------------


def requested(messages: Messages, slot: int) -> tuple[Client, int]:
    """Whose request stands in a slot of the own TX ring, and in which of its own."""
    return messages.mailbox.requesters[slot], messages.mailbox.requested[slot]


def test_a_tx_tail_forwards_all_new_requests_and_rings_once() -> None:
    messages = Messages()
    tail = messages.post(3)
    for slot in (0, 2):
        messages.host.machine.lines.take(1, messages.client.tx_slots + slot)
    costs = messages.take((TX_TAIL, 0, tail, messages.row, 500), queue=1)
    assert costs == [C.message_receive + 3 * C.tx_copy + 2 * C.line_dirty + C.mmio_issue]
    words, at = messages.host.memory.words, (messages.own.tx_address - messages.host.memory.base) // 8
    assert [words[at + 8 * slot + 1] for slot in range(3)] == [0x1000, 0x1040, 0x1080]
    assert [requested(messages, slot) for slot in range(3)] == [(messages.client, slot) for slot in range(3)]
    assert (messages.client.tx_tail, messages.client.forwarded, messages.client.source) == (3, 3, 1)
    assert messages.host.machine.stamps.sends[messages.row + FORWARDED] == 2000
    messages.host.nic.settle()
    assert messages.host.nic.register(notification_buffer_register(0, TX_TAIL)) == 3
    assert messages.core.mmio_writes == 1


def test_with_a_doorbell_per_iteration_it_only_notes_that_it_must_ring() -> None:
    messages = Messages("iteration")
    assert not messages.mailbox.must_ring
    costs = messages.take((TX_TAIL, 0, messages.post(1), messages.row, 500))
    assert costs == [C.message_receive + C.tx_copy]
    assert messages.mailbox.must_ring
    assert messages.core.mmio_writes == 0
    assert messages.client.forwarded == 1


def test_a_tx_tail_without_anything_new_rings_nothing() -> None:
    messages = Messages()
    assert messages.take((TX_TAIL, 0, 0, messages.row, 500)) == [C.message_receive]
    assert messages.core.mmio_writes == 0
    assert messages.host.machine.stamps.sends[messages.row + FORWARDED] == -1


def test_requests_for_which_the_own_ring_has_no_room_stay_where_they_are() -> None:
    messages = Messages()
    other = messages.clients[1]
    messages.take((TX_TAIL, 0, messages.post(10), messages.row, 500))
    item = (TX_TAIL, 1, messages.post(6, other), messages.row, 500)
    assert messages.mailbox.begin(messages.core, item) == -1
    assert (other.tx_tail, messages.own.tx_tail) == (0, 10)
    messages.own.tx_head = 1
    assert messages.take(item) == [C.message_receive + 6 * C.tx_copy + C.mmio_issue]
    assert messages.own.tx_room() == 0
    assert requested(messages, 10) == (other, 0)
    assert requested(messages, 15) == (other, 5)


def test_requests_go_on_over_the_end_of_both_rings() -> None:
    messages = Messages()
    messages.take((TX_TAIL, 0, messages.post(12), messages.row, 500))
    for buffer in (messages.own, messages.buffer):
        buffer.tx_head = 12
    messages.take((TX_TAIL, 0, messages.post(8), messages.row, 600))
    assert messages.client.tx_tail == messages.own.tx_tail == 4
    assert [requested(messages, slot) for slot in (2, 3)] == [(messages.client, 2), (messages.client, 3)]
    assert messages.client.forwarded == 20


# --- messages that overtook each other: their uthread was stolen in between -------------------------------------------


def test_a_tx_tail_that_comes_late_forwards_nothing_even_if_all_before_the_newer_is_complete() -> None:
    messages = Messages()
    messages.take((TX_TAIL, 0, messages.post(3), messages.row, 200))
    assert (messages.client.tx_tail, messages.own.tx_tail) == (3, 3)
    messages.client.tx_head = 3
    (cost,) = messages.take((TX_TAIL, 0, 2, messages.row, 100))
    assert (messages.client.tx_tail, messages.own.tx_tail, cost) == (3, 3, C.message_receive)
    for _ in range(14):
        messages.buffer.tx_head = messages.buffer.tx_tail
        messages.post(1)
    messages.own.tx_head = messages.own.tx_tail
    messages.take((TX_TAIL, 0, 1, messages.row, 300))  # almost a ring ahead, and new
    assert (messages.client.tx_tail, messages.own.tx_tail) == (1, 1)


def test_the_newest_rx_head_counts() -> None:
    messages = Messages()
    assert messages.take((RX_HEAD, 0, 5, 0, 200), (RX_HEAD, 0, 4, 0, 100)) == [C.message_receive] * 2
    assert messages.client.rx_head == 5
    messages.take((RX_HEAD, 0, 4, 0, 300))
    assert messages.client.rx_head == 4, "a lap later"


def test_a_pipes_head_never_goes_back() -> None:
    messages = Messages()
    costs = messages.take((PIPE_RX_HEAD, 7, 5, 0, 200), (PIPE_RX_HEAD, 7, 4, 0, 100), (PIPE_RX_HEAD, 8, 1, 0, 50))
    messages.host.nic.settle()
    assert [messages.host.nic.register(pipe_register(pipe, RX_HEAD)) for pipe in (7, 8)] == [5, 1]
    assert costs == [C.message_receive + extra for extra in (C.mmio_issue, 0, C.mmio_issue)]


# --- parks, switches, creations ---------------------------------------------------------------------------------------


def test_who_parks_waits_or_is_woken_if_a_ring_has_moved_on() -> None:
    messages = Messages()
    messages.client.buffer.deliver(0, 1)
    assert messages.take((PARK, 0, 1, 0, 500), queue=1) == [C.message_receive]
    assert messages.client.waiting
    assert messages.client.source == 1
    messages.client.waiting = False
    assert messages.take((PARK, 0, 0, 0, 600)) == [C.message_receive + WAKE + FIX]
    assert not messages.client.waiting
    assert len(messages.records[0].kthread(0).softirqs) == 1
    assert messages.pend() == [0]


def test_a_switch_ends_the_next_ones_wait_and_is_answered_through_the_own_queue() -> None:
    messages = Messages()
    for uthread in (9, 1):
        messages.pending.add(messages.records[0], uthread)
    costs = messages.take((SWITCH, -1, 9, 0, 500), (SWITCH, 9, 1, switched(FINISHED, 0, 0), 600), queue=1)
    assert costs == [C.message_receive + ANSWER + FIX] * 2
    assert messages.pend() == []
    assert [messages.answers[1][index][:3] for index in range(2)] == [(SWITCH, -1, 9), (SWITCH, 9, 1)]
    assert len(messages.answers[0]) == 0


def test_a_switch_away_from_who_parked_makes_it_wait_or_wakes_it() -> None:
    messages = Messages()
    messages.client.buffer.deliver(0, 1)
    assert messages.take((SWITCH, 0, -1, switched(PARKED, 1, 0), 500), queue=1) == [C.message_receive + ANSWER]
    assert messages.client.waiting
    assert messages.client.source == 1
    messages.client.waiting = False
    costs = messages.take((SWITCH, 0, -1, switched(PARKED, 0, 0), 600))
    assert costs == [C.message_receive + ANSWER + WAKE + FIX]
    assert not messages.client.waiting
    assert messages.pend() == [0]
    messages.client.tx_head = 7
    messages.take((SWITCH, 0, -1, switched(PARKED, 1, 7), 700))
    assert messages.client.waiting, "both heads are told"


def test_who_yielded_or_was_preempted_goes_to_the_tail() -> None:
    messages = Messages()
    messages.pending.add(messages.records[0], 1)
    costs = messages.take((SWITCH, 0, -1, switched(RUNNABLE, 0, 0), 500))
    assert costs == [C.message_receive + ANSWER]
    assert messages.pend() == [1, 0]
    assert not messages.client.waiting
    costs = messages.take((SWITCH, 9, 1, switched(RUNNABLE, 0, 0), 600))
    assert costs == [C.message_receive + ANSWER + FIX]
    assert messages.pend() == [0, 9]


@pytest.mark.parametrize("state", [FINISHED, BLOCKED, PARKED])
def test_who_ended_waits_for_another_or_has_no_device_is_not_the_iokernels_to_wake(state: int) -> None:
    messages = Messages()
    assert messages.take((SWITCH, 9, -1, switched(state, 0, 0), 500)) == [C.message_receive + ANSWER]
    if state != PARKED:
        messages.take((SWITCH, 0, -1, switched(state, 0, 0), 600))
    assert messages.pend() == []
    assert not messages.client.waiting
    assert messages.pending.next_time() == NEVER


def test_without_a_wait_for_answers_there_are_none() -> None:
    messages = Messages(answers=False)
    assert messages.take((SWITCH, 0, 1, switched(PARKED, 0, 0), 500)) == [C.message_receive]
    assert messages.client.waiting


def test_a_new_uthread_is_runnable() -> None:
    messages = Messages()
    costs = messages.take((CREATE, 9, 0, 0, 500), (CREATE, 1, 0, 0, 600))
    assert costs == [C.message_receive + FIX, C.message_receive]
    assert messages.pend() == [9, 1]


# --- all of them ------------------------------------------------------------------------------------------------------


def test_messages_are_counted_with_the_time_that_they_waited() -> None:
    messages = Messages()
    messages.take((RX_HEAD, 0, 1, 0, 1500), (RX_HEAD, 0, 1, 0, 1000), (CREATE, 9, 0, 0, 1990))
    counts = {kind: count for kind, count in messages.mailbox.counts.items() if count}
    assert counts == {RX_HEAD: 2, CREATE: 1}
    assert (messages.mailbox.waits_ps[RX_HEAD], messages.mailbox.waits_ps[CREATE]) == (1500, 10)


@pytest.mark.parametrize("kind", [0x40, 0x99])
def test_a_message_of_another_kind_is_an_error(kind: int) -> None:
    message: Any = (kind, 0, 0, 0, 0)
    with pytest.raises(ContractError, match=r"^message \(\d+, 0, .* in queue 1; accepted are kinds 0x4 \(rx_head\), "):
        Messages().take(message, queue=1)
