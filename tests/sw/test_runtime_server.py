"""A serving uthread: its actions and what they take, batches and sends, and how it becomes known that it waits."""

import pytest

from hermes.apps.application import Copied
from hermes.apps.echo import Echo
from hermes.enso.registers import RX_HEAD, RX_MEM_LOW, TX_TAIL, pipe_register
from hermes.messages import FINISHED, PARK, PARKED, SWITCH, switched
from hermes.runtime.server import BY_MESSAGE, BY_SWITCH, UNDER_LOCK
from hermes.switches import Switches
from hermes.world import (
    APPLICATION,
    DRIVER,
    QUEUE_FULL,
    QUEUE_PUSH,
    SCHEDULER,
    UTHREAD_END,
    UTHREAD_START,
)
from tests.tools.host import COSTS as C
from tests.tools.host import NS
from tests.tools.runtimes import RuntimeHost, fill, notify, pipe_of

US = 1_000 * NS
MESSAGE = C.message_send + C.line_dirty
FIRST_START = 2 * C.poll_clean + 2 * C.line_dirty + C.lock + C.line_dirty + C.uthread_switch
PACKET = C.line_dma + C.packet_parse
RECEIVE = 3 * C.poll_clean + C.line_dirty + MESSAGE
"""One notification, nothing to reap."""
POST = C.packet_send + C.line_dirty + MESSAGE
LOOK = 2 * C.poll_clean
QUIET = Switches(answer_wait=False)


class Stage(RuntimeHost):
    """Kthread 0 gets core 1, with a server in its runqueue that was notified of packets."""

    def __init__(
        self,
        lengths: list[int],
        *,
        waits: int = UNDER_LOCK,
        service_ps: int = 0,
        switches: Switches = QUIET,
        has_tx_pipe: bool = False,
        begin_at: int = 0,
    ) -> None:
        super().__init__(tracks=waits == UNDER_LOCK, tells=waits == BY_SWITCH, switches=switches)
        echo = Echo(service_ps)
        self.server(Copied(echo, 128) if has_tx_pipe else echo, waits, has_tx_pipe=has_tx_pipe)
        self.pipe = pipe_of(self.served)
        self.pipe.rx_head = self.pipe.rx_tail = self.pipe.notified_tail = begin_at
        if lengths:
            notify(self, self.served, lengths)
        self.push(0, self.served)
        self.start = self.grant(1, 0) + FIRST_START + (MESSAGE if waits == BY_SWITCH else 0)

    def spent(self, activity: int) -> int:
        return self.machine.cores[1].times_at(self.time)[activity]


# --- the actions ------------------------------------------------------------------------------------------------------


def test_a_batch_is_received_handled_and_sent_whole_then_it_waits() -> None:
    stage = Stage([60] * 40, service_ps=1 * US)
    stage.run(stage.start + 100 * US)
    received = stage.start + RECEIVE
    handled = received + 40 * (1 * US + PACKET)
    sent = handled + POST
    parked = sent + LOOK + C.lock + C.line_dirty
    assert stage.times(QUEUE_PUSH) == [received, sent]
    assert stage.told() == [(RX_HEAD, 0, 1), (TX_TAIL, 0, 1)]
    assert (stage.times(UTHREAD_START), stage.times(UTHREAD_END)) == ([stage.start], [parked])
    assert (stage.served.packets, stage.served.batches) == (40, 1)
    assert (stage.served.waiting, stage.served.ended) == (True, PARKED)
    assert stage.spent(APPLICATION) == 40 * (1 * US + PACKET)
    assert stage.spent(DRIVER) == RECEIVE + POST


def test_effects_of_an_action_are_there_at_its_end_and_not_before() -> None:
    """DESIGN 6, point 2."""
    stage = Stage([60] * 2)
    received = stage.start + RECEIVE
    sent = received + 2 * PACKET + POST
    for time, told, posted in [(received - 1, 0, 0), (received, 1, 0), (sent - 1, 1, 0), (sent, 2, 1)]:
        stage.run(time)
        assert (len(stage.queue(1)), stage.served.device.notifications.posted) == (told, posted)


def test_slots_that_it_owns_already_cost_nothing_more() -> None:
    """DESIGN 6, point 3."""
    stage = Stage([60])
    stage.machine.lines.take(1, stage.served.rx_slots)
    stage.machine.lines.take(1, stage.served.tx_slots)
    stage.run(stage.start + 10 * US)
    assert stage.spent(DRIVER) == RECEIVE + POST - 2 * C.line_dirty


def test_a_batch_over_the_rings_end_is_two_requests_and_one_message() -> None:
    stage = Stage([60] * 10, begin_at=60)
    stage.run(stage.start + 100 * US)
    assert stage.told() == [(RX_HEAD, 0, 1), (TX_TAIL, 0, 2)]
    assert (stage.served.packets, stage.served.batches) == (10, 1)
    assert stage.spent(DRIVER) == RECEIVE + POST + C.packet_send + C.line_dirty


def test_several_notifications_are_taken_at_once_and_told_with_one_message() -> None:
    stage = Stage([60])
    notify(stage, stage.served, [60, 60])  # a tail of two packets from the start, as the pipe was told of none yet
    stage.run(stage.start + 100 * US)
    assert stage.told()[0] == (RX_HEAD, 0, 2)
    assert stage.spent(DRIVER) == RECEIVE + POST + C.poll_clean + C.line_dirty


def test_completions_free_rx_space_of_which_the_nic_is_told_when_it_receives() -> None:
    stage = Stage([])
    stage.pipe.notified(fill(stage, stage.served, [60] * 5))
    stage.served.device.send(stage.pipe, 3)
    stage.served.device.send(stage.pipe, 2)
    stage.served.device.notifications.complete(0)
    stage.run(stage.start)
    cost = 2 * C.poll_clean + C.completion_reap + C.line_dirty + C.mmio_issue
    stage.run(stage.start + cost - 1)
    assert stage.machine.cores[1].mmio_writes == 0
    stage.run(stage.start + 10 * US)
    stage.nic.settle()
    assert (stage.pipe.rx_head, stage.nic.register(pipe_register(0, RX_HEAD))) == (3, 3)
    assert stage.spent(DRIVER) == cost
    assert stage.told() == []
    assert stage.served.waits_for() == "1 completions"


def test_without_work_it_looks_and_waits() -> None:
    stage = Stage([])
    stage.run(stage.start + 10 * US)
    assert stage.times(UTHREAD_END) == [stage.start + 2 * C.poll_clean + LOOK + C.lock + C.line_dirty]
    assert stage.served.waits_for() == ""


def test_without_room_in_the_tx_ring_it_waits_for_a_completion() -> None:
    stage = Stage([60])
    buffer = stage.served.device.notifications
    for _ in range(15):
        buffer.post(0x1000, 64)
    stage.run(stage.start + 5 * US)
    assert (stage.served.packets, stage.served.waiting) == (0, True)
    assert stage.served.has_packets()
    assert stage.served.waits_for() == "room in its TX ring, to send 1 flits"


# --- the second look, and who learns that it waits --------------------------------------------------------------------


@pytest.mark.parametrize("waits", [UNDER_LOCK, BY_MESSAGE, BY_SWITCH])
@pytest.mark.parametrize("is_completion", [False, True])
def test_what_comes_while_it_serves_is_found_by_the_second_look(waits: int, is_completion: bool) -> None:
    """No lost wake-up: it goes on, without giving up its core in between."""
    stage = Stage([], waits=waits, service_ps=5 * US)
    stage.pipe.notified(fill(stage, stage.served, [60]))
    stage.served.device.send(stage.pipe, 1)
    notify(stage, stage.served, [60])

    def come() -> None:
        if is_completion:
            stage.served.device.notifications.complete(0)
        else:
            notify(stage, stage.served, [60])

    stage.at(stage.start + 1 * US, come)
    stage.run(stage.start + 20 * US)
    assert len(stage.times(UTHREAD_START)) == len(stage.times(UTHREAD_END)) == 1
    assert stage.served.packets == (1 if is_completion else 2)
    assert stage.served.device.notifications.reaped == is_completion


def test_under_the_lock_it_waits_by_its_flag_and_tells_nobody() -> None:
    stage = Stage([60])
    stage.run(stage.start + 20 * US)
    assert stage.served.waiting
    assert [message[0] for message in stage.told()] == [RX_HEAD, TX_TAIL]


def test_by_message_it_says_up_to_where_it_read_its_rings() -> None:
    stage = Stage([60, 60], waits=BY_MESSAGE)
    stage.run(stage.start + 20 * US)
    assert stage.told() == [(RX_HEAD, 0, 1), (TX_TAIL, 0, 1), (PARK, 0, 1)]
    queue = stage.queue(1)
    assert queue[2][3] == 0, "its TX head"
    assert queue[2][4] == stage.times(UTHREAD_END)[0]
    assert not stage.served.waiting
    assert stage.times(UTHREAD_END) == [stage.start + RECEIVE + 2 * PACKET + POST + LOOK + MESSAGE]


def test_by_switch_its_kthread_says_so() -> None:
    stage = Stage([60, 60], waits=BY_SWITCH)
    stage.run(stage.start + 20 * US)
    assert stage.told() == [(SWITCH, -1, 0), (RX_HEAD, 0, 1), (TX_TAIL, 0, 1), (SWITCH, 0, -1)]
    assert stage.queue(1)[3][3] == switched(PARKED, 1, 0)
    assert stage.times(UTHREAD_END) == [stage.start + RECEIVE + 2 * PACKET + POST + LOOK]


def test_it_waits_for_its_lock_and_then_sees_what_the_holder_did() -> None:
    stage = Stage([60])
    lock = stage.served.lock
    look = stage.start + RECEIVE + PACKET + POST
    released = look + 3 * US

    def release() -> None:
        notify(stage, stage.served, [60])
        lock.release(2)

    stage.at(look - 1, lambda: lock.take(2, released))
    stage.at(released, release)
    stage.run(released + C.lock_contended - 1)
    assert not stage.served.waiting
    stage.run(released + 10 * US)
    assert (stage.served.packets, stage.served.waiting) == (2, True)
    assert len(stage.times(UTHREAD_END)) == 1
    own = 2 * (LOOK + C.lock) + C.line_dirty
    assert stage.spent(SCHEDULER) >= 3 * US + C.lock_contended + own


def test_its_last_look_holds_the_lock() -> None:
    stage = Stage([60])
    lock = stage.served.lock
    look = stage.start + RECEIVE + PACKET + POST
    takes = LOOK + C.lock + C.line_dirty
    for time, wait in [(look - 1, 0), (look, takes), (look + takes - 1, 1), (look + takes, 0)]:
        stage.run(time)
        assert lock.wait(time, contended=0) == wait
    assert not lock.held


# --- room for messages ------------------------------------------------------------------------------------------------


def test_without_room_in_the_message_queue_it_spins_and_the_time_is_told_apart() -> None:
    """DESIGN 6, points 1 and 4: it sees room by its next look; queue-full spin is a category of its own."""
    stage = Stage([60])
    queue = stage.queue(1)
    queue.capacity = 3
    queue.push((0, 0, 0, 0, 0))
    room = stage.start + 10 * US + 3
    stage.at(room, queue.pop)
    stage.run(stage.start + 5 * US)
    assert stage.told() == [(0, 0, 0)]
    assert stage.served.waits_for() == "room in its core's message queue"
    assert stage.machine.cores[1].is_quiet
    look = stage.start + -(-(room - stage.start) // C.poll_clean) * C.poll_clean
    received = look + C.poll_clean + C.line_dirty + RECEIVE
    stage.run(received)
    assert stage.told() == [(RX_HEAD, 0, 1)]
    assert stage.spent(QUEUE_FULL) == received - RECEIVE - stage.start
    stage.run(received + 10 * US)
    assert stage.told() == [(RX_HEAD, 0, 1), (TX_TAIL, 0, 1)]


def test_a_park_message_needs_room_too() -> None:
    stage = Stage([60], waits=BY_MESSAGE)
    queue = stage.queue(1)
    stage.run(stage.start + RECEIVE + PACKET + 1)
    queue.capacity = 2
    stage.run(stage.start + 20 * US)
    assert [message[0] for message in stage.told()] == [RX_HEAD, TX_TAIL]
    assert stage.times(UTHREAD_END) == []
    stage.at(stage.start + 21 * US, queue.pop)
    stage.run(stage.start + 30 * US)
    assert [message[0] for message in stage.told()] == [TX_TAIL, PARK]


# --- the switches -----------------------------------------------------------------------------------------------------


def test_sending_per_packet_is_a_request_and_a_message_for_each_without_a_look_in_between() -> None:
    stage = Stage([60] * 3, switches=Switches(send="packet"), service_ps=1 * US)
    stage.run(stage.start + 20 * US)
    each = 1 * US + PACKET + POST
    sent = [stage.start + RECEIVE + (count + 1) * each for count in range(3)]
    assert stage.told() == [(RX_HEAD, 0, 1), (TX_TAIL, 0, 1), (TX_TAIL, 0, 2), (TX_TAIL, 0, 3)]
    assert stage.times(QUEUE_PUSH)[1:] == sent
    assert (stage.served.packets, stage.served.batches) == (3, 3)


def test_with_a_tx_pipe_answers_are_copied_there_and_rx_space_is_free_at_once() -> None:
    stage = Stage([60, 100], has_tx_pipe=True)
    stage.run(stage.start + 20 * US)
    stage.nic.settle()
    assert stage.told() == [(RX_HEAD, 0, 1), (TX_TAIL, 0, 1)]
    assert stage.pipe.rx_head == stage.nic.register(pipe_register(0, RX_HEAD)) == 3
    flits = 1 + 2
    assert stage.spent(DRIVER) == RECEIVE + POST + flits * C.copy_per_64_bytes + C.mmio_issue
    tx_pipe = stage.tx_pipes[0]
    assert (tx_pipe.tx_tail, tx_pipe.tx_head) == (3, 0)
    answers = stage.memory.bytes[tx_pipe.address - stage.memory.base :][:60]
    request = stage.memory.bytes[stage.pipe.address - stage.memory.base :][:60]
    assert (bytes(answers[:6]), bytes(answers[6:12])) == (bytes(request[6:12]), bytes(request[:6])), "an echo of it"


def test_without_room_in_the_tx_pipe_only_so_many_are_handled_as_there_is_room_for() -> None:
    stage = Stage([60] * 3, has_tx_pipe=True)
    tx_pipe = stage.tx_pipes[0]
    tx_pipe.tx_tail = tx_pipe.tx_end = 60  # 3 flits are left; room for the longest answer, of 2, is asked for
    stage.run(stage.start + 20 * US)
    assert (stage.served.packets, stage.served.waiting) == (2, True)
    assert stage.served.has_packets()
    assert tx_pipe.tx_tail == 62


@pytest.mark.parametrize("has_packets", [False, True])
def test_prefetch_asks_for_the_next_notification_before_it_handles_what_is_there(has_packets: bool) -> None:
    stage = Stage([60] * 2 if has_packets else [], switches=Switches(prefetch=True), service_ps=5 * US)
    stage.run(stage.start + RECEIVE + C.mmio_issue)
    assert stage.machine.cores[1].mmio_writes == has_packets
    assert stage.spent(DRIVER) == (RECEIVE if has_packets else 2 * C.poll_clean) + C.mmio_issue
    assert stage.served.packets == 0


@pytest.mark.parametrize("completion", ["readd", "reap"])
def test_a_uthread_whose_completions_kthreads_reap_holds_its_lock_while_it_receives(completion: str) -> None:
    switches = Switches(completion="reap") if completion == "reap" else QUIET
    stage = Stage([60], switches=switches)
    stage.run(stage.start)
    assert stage.served.lock.held == (completion == "reap")
    more = C.lock + C.line_dirty if completion == "reap" else 0
    stage.run(stage.start + RECEIVE + more)
    assert not stage.served.lock.held
    assert stage.told() == [(RX_HEAD, 0, 1)]


def test_who_ends_closes_its_pipe_and_leaves_what_lies_there() -> None:
    stage = Stage([60] * 2, switches=Switches(send="packet"))
    stage.served.ends_after = 1
    stage.nic.registers[pipe_register(0, RX_MEM_LOW)] = 0x10000
    stage.run(stage.start + 20 * US)
    sent = stage.start + RECEIVE + PACKET + POST
    assert stage.times(UTHREAD_END) == [sent + C.mmio_issue]
    assert (stage.served.ended, stage.served.packets, stage.served.waiting) == (FINISHED, 1, False)
    stage.nic.settle()
    assert stage.nic.register(pipe_register(0, RX_MEM_LOW)) == 0
    assert stage.told() == [(RX_HEAD, 0, 1), (TX_TAIL, 0, 1)]
