"""The IOKernel's loop: its order, its budgets, and what each step takes."""

import itertools

import pytest

from cosim.machine.core import Core
from hermes.enso.registers import RX_HEAD, TX_TAIL, notification_buffer_register
from hermes.errors import ContractError
from hermes.iokernel.iokernel import COMPLETE, CONTROL, DETECT, LOOP, MESSAGES, RECEIVE
from hermes.messages import REGISTER_PIPE
from hermes.runtime.softirq import rx_softirq, tx_done_softirq
from hermes.world import (
    CORE_GRANT,
    DETECTION,
    MESSAGE,
    POLL,
    QUEUE_POP,
    QUEUE_PUSH,
    RX,
    TX_COMPLETION,
    Walk,
)
from tests.tools.host import COSTS as C
from tests.tools.whole_host import US, alone, lap, spent

NOTIFICATION = C.line_dma + C.notification_route + C.softirq_push + C.line_dirty
COMPLETION = C.line_dma + C.completion_route + C.softirq_push + C.line_dirty
TAKEN = C.line_dirty + C.message_receive
DOORBELL = C.poll_clean + C.mmio_issue  # behind the last notification, once a look finds no more


def gaps(moments: list[int]) -> list[int]:
    return [later - earlier for earlier, later in itertools.pairwise(moments)]


# --- the walk ---------------------------------------------------------------------------------------------------------


def test_an_iteration_looks_at_everything_once_in_order_and_begins_with_another_queue_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walks: list[Walk] = []
    walk = Core.walk

    def note(core: Core, its: Walk) -> None:
        walks.append(its)
        walk(core, its)

    monkeypatch.setattr(Core, "walk", note)
    host = alone(cores=3)
    begin = host.begin()
    ((costs, orders),) = [(its.costs, its.orders) for its in walks]
    first, words = (LOOP, RECEIVE, COMPLETE), (MESSAGES + 3, MESSAGES + 4, MESSAGES + 5, CONTROL, DETECT)
    queues = [(MESSAGES, MESSAGES + 1, MESSAGES + 2), (MESSAGES + 1, MESSAGES + 2, MESSAGES)]
    assert orders[:2] == tuple((*first, *turn, *words) for turn in queues)
    assert len(orders) == 3
    assert sum(costs) == lap(3)
    host.run(begin + US)
    assert spent(host, POLL) + spent(host, DETECTION) == US


def test_in_priority_an_iteration_peeks_at_the_heap() -> None:
    host = alone(uthreads=2, system="priority")
    begin = host.begin()
    look = begin + 10 * (lap(1) - C.poll_clean + C.heap_peek) + C.iok_loop
    host.run(look)
    host.notify(1)
    host.later(10 * US)
    assert spent(host, RX) == C.line_dma + C.notification_route + DOORBELL
    host.iokernel.client_of_uthread[0].waiting = True
    host.notify(0)
    host.later(2 * US)
    push = C.softirq_push + C.line_dirty + 2 * C.heap_fix
    assert spent(host, RX) == 2 * (C.line_dma + C.notification_route + DOORBELL) + push
    host.later(6 * US)
    assert spent(host, DETECTION) == C.heap_peek + 2 * C.heap_fix
    assert host.cores.true_detections == 1


def test_all_that_is_there_is_done_in_the_order_of_the_steps_each_effect_at_its_own_end() -> None:
    host = alone(cores=2, uthreads=2, kthreads=2, batch=True)
    host.notify(0)
    host.system.servers[0].device.notifications.post(0x1000, 64)
    host.complete(host.own.post(0x1000, 64))
    for queue in (0, 1):
        host.message(queue, RX_HEAD, queue, time=0)
    host.ksched._changed(2)
    host.system._control.push((0, 1, 0, 0, 0))
    begin = host.begin()
    host.run(begin + 2 * US)
    softirqs = host.softirq_queue(0).number
    notified = begin + C.iok_loop + NOTIFICATION
    completed = notified + DOORBELL + COMPLETION
    read = completed + C.poll_clean + TAKEN
    registered = read + TAKEN + C.poll_clean + C.line_dirty + TAKEN
    granted = registered + C.poll_clean + C.iok_loop + C.line_dirty
    assert [effect[:3] for effect in host.effects] == [
        (notified, QUEUE_PUSH, softirqs),
        (completed, QUEUE_PUSH, softirqs),
        (read, QUEUE_POP, 0),
        (read + TAKEN, QUEUE_POP, 1),
        (registered, QUEUE_POP, host.system._control.number),
        (granted, CORE_GRANT, 2),
    ]


# --- notifications ----------------------------------------------------------------------------------------------------


def test_notifications_go_to_kthreads_one_by_one_and_then_one_doorbell_rings() -> None:
    host = alone(cores=2, uthreads=3, kthreads=2)
    host.notify(2, 0, 1, 2)
    begin = host.begin()
    host.run(begin + 10 * US)
    ends = [begin + C.iok_loop + NOTIFICATION * (index + 1) for index in range(4)]
    assert host.softirq_pushes() == ends, "each is visible at its own end"
    rows = [7 * index for index in range(4)]
    assert host.softirqs(0) == [
        rx_softirq(2, 2, 1, rows[0], ends[0]),
        rx_softirq(1, 1, 1, rows[2], ends[2]),
        rx_softirq(2, 2, 1, rows[3], ends[3]),
    ]
    assert host.softirqs(1) == [rx_softirq(0, 0, 1, rows[1], ends[1])]
    host.nic.settle()
    assert host.nic.register(notification_buffer_register(0, RX_HEAD)) == 4
    assert host.machine.cores[0].mmio_writes == 1
    assert spent(host, RX) == 4 * NOTIFICATION + DOORBELL
    assert host.system.counts()["notifications"] == 4


@pytest.mark.parametrize("budget", [1, 3, 64])
def test_a_visit_takes_at_most_its_budget_of_notifications(budget: int) -> None:
    host = alone(receive_budget=budget)
    host.notify(*[0] * 7)
    begin = host.begin()
    host.run(begin + 4 * US)
    next_visit = NOTIFICATION + C.mmio_issue + lap(1) - C.poll_clean
    expected = [NOTIFICATION if index % budget else next_visit for index in range(1, 7)]
    assert gaps(host.softirq_pushes()) == expected
    assert host.machine.cores[0].mmio_writes == -(-7 // budget)


@pytest.mark.parametrize("is_late", [False, True])
def test_a_notification_that_comes_after_its_look_waits_an_iteration(is_late: bool) -> None:
    host = alone(cores=2)
    begin = host.begin()
    look = begin + 10 * lap(2) + C.iok_loop
    host.run(look if is_late else look - 1)
    host.engine.now, host.engine.order = look + is_late, 0  # at equal time the NIC comes first
    host.notify(0)
    host.run(look + 10 * lap(2))
    assert host.softirq_pushes() == [look + is_late * lap(2) + NOTIFICATION]


def test_a_notification_of_a_pipe_that_nobody_has_is_an_error() -> None:
    host = alone()
    host.notify(5)
    begin = host.begin()
    with pytest.raises(ContractError, match="the NIC notified of pipe 5, which no uthread has"):
        host.run(begin + US)


def test_whose_a_pipe_is_is_learned_from_its_registration() -> None:
    host = alone(uthreads=2)
    host.tell((REGISTER_PIPE, 9, 1, 0, 0))
    host.notify(9)
    host.begin()
    host.later(15 * US)
    assert [item[1] for item in host.softirqs(0)] == [1]


# --- messages ---------------------------------------------------------------------------------------------------------


def test_one_message_of_each_queue_is_taken_per_visit_in_rotating_order() -> None:
    host = alone(cores=3)
    for queue in range(3):
        for value in range(3):
            host.message(queue, RX_HEAD, 0, value, time=0)
    begin = host.begin()
    host.run(begin + 4 * US)
    popped = [(queue, value) for _, queue, value in host.happened(QUEUE_POP)]
    assert popped == [*[(0, 0), (1, 0), (2, 0)], *[(1, 1), (2, 1), (0, 1)], *[(2, 2), (0, 2), (1, 2)]]
    first, *others = [time for time, *_ in host.happened(QUEUE_POP)]
    assert first == begin + C.iok_loop + 2 * C.poll_clean + TAKEN
    between = TAKEN + lap(3) - 3 * C.poll_clean
    assert gaps([first, *others]) == [TAKEN, TAKEN, between] * 2 + [TAKEN, TAKEN]
    assert host.system.messages()["rx_head"] == 9
    assert spent(host, MESSAGE) == 9 * TAKEN


@pytest.mark.parametrize("visit", [2, 64])
def test_as_many_messages_as_are_allowed_are_taken_from_a_queue_at_a_time(visit: int) -> None:
    host = alone(cores=2, messages_per_visit=visit)
    for queue in range(2):
        for value in range(3):
            host.message(queue, RX_HEAD, 0, value, time=0)
    host.begin()
    host.later(15 * US)
    taken = [queue for _, queue, _ in host.happened(QUEUE_POP)]
    assert taken == ([0, 0, 1, 1, 1, 0] if visit == 2 else [0, 0, 0, 1, 1, 1])


def test_requests_without_room_in_the_own_ring_stay_unread_until_there_is() -> None:
    host = alone(cores=2, uthreads=2)
    for uthread in range(2):
        host.post(uthread, 10, queue=uthread)
    host.message(1, RX_HEAD, 1)
    first = host.own.tx_tail
    begin = host.begin()
    host.run(begin + 4 * US)
    assert (host.own.tx_tail - first) % 16 == 10
    assert [len(queue) for queue in host.system.queues] == [0, 2]
    assert spent(host, MESSAGE) == (TAKEN + 10 * C.tx_copy + C.mmio_issue) + TAKEN, "it is read once in vain"
    assert host.machine.cores[0].is_quiet
    assert host.iokernel.waits_for() == "10 completions of the NIC"
    host.complete(*range(first, first + 10))
    host.later(5 * US)
    assert (host.own.tx_tail - first) % 16 == 20 % 16
    assert [len(queue) for queue in host.system.queues] == [0, 0]


@pytest.mark.parametrize(("doorbell", "rings"), [("message", 3), ("iteration", 1)])
def test_the_nic_is_told_of_each_message_or_once_per_iteration(doorbell: str, rings: int) -> None:
    host = alone(cores=3, uthreads=3, doorbell=doorbell)
    tail = host.own.tx_tail
    for uthread in range(3):
        host.post(uthread, 2, queue=uthread)
    begin = host.begin()
    host.run(begin + 4 * US)
    address = notification_buffer_register(0, TX_TAIL)
    assert host.machine.cores[0].mmio_writes == rings
    assert spent(host, MESSAGE) == 3 * (TAKEN + 2 * C.tx_copy) + rings * C.mmio_issue
    host.nic.settle()
    assert host.nic.register(address) == (tail + 6) % 16


# --- completions ------------------------------------------------------------------------------------------------------


def test_completions_go_to_the_uthread_whose_request_it_was_in_order_and_stop_at_the_first_that_lacks() -> None:
    host = alone(uthreads=2)
    host.post(1, 1)
    host.post(0, 2)
    first = host.own.tx_tail
    host.begin()
    host.later(15 * US)
    host.complete(first, first + 2)
    host.later(US)
    assert [item[:3] for item in host.softirqs(0)] == [tx_done_softirq(1, 0, 0)[:3]]
    assert spent(host, TX_COMPLETION) == COMPLETION + C.poll_clean
    host.complete(first + 1)
    host.later(US)
    last = host.softirq_pushes()[-1]
    assert host.softirqs(0)[1:] == [tx_done_softirq(0, 0, last - COMPLETION), tx_done_softirq(0, 1, last)]
    assert spent(host, TX_COMPLETION) == 3 * COMPLETION + 2 * C.poll_clean
    assert host.system.counts()["completions"] == 3
    assert host.iokernel.waits_for() == ""


@pytest.mark.parametrize("budget", [1, 3, 64])
def test_a_visit_takes_at_most_its_budget_of_completions(budget: int) -> None:
    host = alone(complete_budget=budget)
    host.post(0, 7)
    first = host.own.tx_tail
    begin = host.begin()
    host.run(begin + US)
    host.complete(*range(first, first + 7))
    host.run(begin + 4 * US)
    next_visit = COMPLETION + lap(1) - C.poll_clean
    assert gaps(host.softirq_pushes()) == [COMPLETION if index % budget else next_visit for index in range(1, 7)]
