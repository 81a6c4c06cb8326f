"""The IOKernel's loop: its order, its budgets, and what it does when a queue or ring is full."""

import itertools

import pytest

from hermes.enso.registers import RX_HEAD, TX_TAIL
from hermes.errors import ContractError
from hermes.iokernel.iokernel import COMPLETE, HELD_LIMIT, MESSAGES, OVERFLOW, RECEIVE, RegisterPipe
from hermes.runtime.softirq import rx_softirq, tx_done_softirq
from hermes.world import MESSAGE, POLL, QUEUE_POP, QUEUE_PUSH, RX, TX_COMPLETION
from tests.tools.host import COSTS as C
from tests.tools.host import NS, IndirectHost

OWN_BUFFER = 8192 * 4096


def lap(cores: int) -> int:
    return C.iok_loop + (2 + cores) * C.poll_clean


def notify(host: IndirectHost, *pipes: int) -> None:
    """The NIC wrote notifications into the IOKernel's ring."""
    for pipe in pipes:
        host.system.iokernel.device.notifications.deliver(pipe, 1)


def softirqs(host: IndirectHost, kthread: int) -> list[tuple[int, ...]]:
    queue = host.system.runtime.kthreads[kthread].softirqs
    return [queue[index] for index in range(len(queue))]


def test_a_lap_that_finds_nothing_takes_the_loop_and_a_look_at_each_source() -> None:
    host = IndirectHost(cores=3)
    walk = host.system.iokernel.walk
    assert sum(walk.costs) == lap(3)
    assert walk.orders == ((0, 1, 2, 3, 4, 5), (0, 1, 2, 4, 5, 3), (0, 1, 2, 5, 3, 4))
    assert (OVERFLOW, RECEIVE, COMPLETE, MESSAGES) == (0, 1, 2, 3)
    begin = host.start(0)
    host.run(begin + 1_000 * NS)
    times = host.machine.cores[0].times_at(host.time)
    assert times[POLL] == sum(times) == 1_000 * NS


def test_notifications_go_to_kthreads_one_by_one_and_then_one_doorbell_rings() -> None:
    host = IndirectHost(cores=2, uthreads=3)
    notify(host, 2, 0, 1, 2)
    begin = host.start(0)
    host.run(begin + 10_000 * NS)
    each = C.line_dma + C.notification_route + C.softirq_push + C.line_dirty
    look = begin + C.iok_loop
    first = look + each
    assert softirqs(host, 0) == [
        rx_softirq(2, 2, 1, look),
        rx_softirq(1, 1, 1, look + 2 * each),
        rx_softirq(2, 2, 1, look + 3 * each),
    ]
    assert softirqs(host, 1) == [rx_softirq(0, 0, 1, first)]
    assert host.times(QUEUE_PUSH) == [first, first + each, first + 2 * each, first + 3 * each]
    host.nic.settle()
    assert host.nic.register(OWN_BUFFER + RX_HEAD) == 4
    times = host.machine.cores[0].times_at(host.time)
    assert times[RX] == 4 * each + C.poll_clean + C.mmio_issue


def test_a_visit_takes_at_most_64_notifications(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermes.iokernel.iokernel.RECEIVE_BUDGET", 3)
    host = IndirectHost()
    notify(host, *[0] * 7)
    begin = host.start(0)
    host.run(begin + 10_000 * NS)
    each = C.line_dma + C.notification_route + C.softirq_push + C.line_dirty
    pushes = host.times(QUEUE_PUSH)
    gaps = [later - earlier for earlier, later in itertools.pairwise(pushes)]
    assert gaps == [each, each, each + C.mmio_issue + lap(1) - C.poll_clean] * 2


def test_a_notification_that_comes_after_its_look_waits_a_lap() -> None:
    host = IndirectHost(cores=2)
    begin = host.start(0)
    look = begin + 10 * lap(2) + C.iok_loop
    host.run(look - 1)
    host.engine.now = look
    notify(host, 0)
    host.engine.order = 0
    host.machine.cores[0].wake(RECEIVE)  # at the very time of the look: the NIC comes first
    host.run(look + 10 * lap(2))
    assert host.times(QUEUE_PUSH) == [look + C.line_dma + C.notification_route + C.softirq_push + C.line_dirty]

    host = IndirectHost(cores=2)
    host.start(0)
    host.run(look)
    host.engine.now = look + 1
    notify(host, 0)
    host.machine.cores[0].wake(RECEIVE)
    host.run(look + 10 * lap(2))
    assert host.times(QUEUE_PUSH) == [look + lap(2) + C.line_dma + C.notification_route + C.softirq_push + C.line_dirty]


def test_one_message_of_each_core_is_taken_per_visit_in_rotating_order() -> None:
    host = IndirectHost(cores=3, uthreads=1)
    for queue in host.system.queues:
        for value in range(3):
            queue.push((RX_HEAD, 0, value, 0, 0))
    host.effects.clear()
    host.run(host.start(0) + 10_000 * NS)
    assert [effect[2:] for effect in host.effects if effect[1] == QUEUE_POP] == [
        *[(0, 0), (1, 0), (2, 0)],
        *[(1, 1), (2, 1), (0, 1)],
        *[(2, 2), (0, 2), (1, 2)],
    ]
    assert host.system.messages() == {"rx_head": 9, "tx_tail": 0}
    times = host.machine.cores[0].times_at(host.time)
    assert times[MESSAGE] == 9 * (C.line_dirty + C.message_receive)


def test_a_tail_message_is_forwarded_slot_by_slot_and_rings_one_doorbell() -> None:
    host = IndirectHost(cores=1, uthreads=2)
    client = host.system.uthreads[1].device.notifications
    addresses = [0x100000 + 64 * i for i in range(3)]
    for address in addresses:
        client.post(address, 64)
    host.system.queues[0].push((TX_TAIL, 1, client.tx_tail, 0, 0))
    own = host.system.iokernel.device.notifications
    first = own.tx_tail
    begin = host.start(0)
    host.run(begin + 1_000 * NS)
    words = host.memory.words
    at = (own.tx_address - host.memory.base) // 8
    assert [words[at + 8 * (first + i) + 1] for i in range(3)] == addresses
    host.nic.settle()
    assert host.nic.register(OWN_BUFFER + TX_TAIL) == own.tx_tail == first + 3
    times = host.machine.cores[0].times_at(host.time)
    assert times[MESSAGE] == C.line_dirty + C.message_receive + 3 * C.tx_copy + C.mmio_issue


def test_a_tail_that_was_overtaken_changes_nothing() -> None:
    host = IndirectHost(cores=2, uthreads=1)
    client = host.system.uthreads[0].device.notifications
    for i in range(3):
        client.post(0x100000 + 64 * i, 64)
    host.system.queues[0].push((TX_TAIL, 0, 3, 0, 0))
    host.system.queues[1].push((TX_TAIL, 0, 2, 0, 0))
    own = host.system.iokernel.device.notifications
    first = own.tx_tail
    host.run(host.start(0) + 1_000 * NS)
    assert own.tx_tail == first + 3
    assert host.system.messages()["tx_tail"] == 2


def test_completions_go_to_the_uthread_whose_request_it_was() -> None:
    host = IndirectHost(cores=1, uthreads=2)
    for number in (1, 0):
        client = host.system.uthreads[number].device.notifications
        client.post(0x100000, 64)
        host.system.queues[0].push((TX_TAIL, number, client.tx_tail, 0, 0))
    own = host.system.iokernel.device.notifications
    first = own.tx_tail
    begin = host.start(0)
    host.run(begin + 1_000 * NS)
    own.complete(first)
    own.complete(first + 1)
    host.engine.now = host.time
    host.machine.cores[0].wake(COMPLETE)
    host.run(begin + 2_000 * NS)
    each = C.line_dma + C.completion_route + C.softirq_push + C.line_dirty
    second = host.times(QUEUE_PUSH)[-1] - each
    assert softirqs(host, 0) == [tx_done_softirq(1, 0, second - each), tx_done_softirq(0, 0, second)]
    assert host.machine.cores[0].times_at(host.time)[TX_COMPLETION] == 2 * each + C.poll_clean


def test_a_visit_takes_at_most_64_completions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermes.iokernel.iokernel.COMPLETE_BUDGET", 3)
    host = IndirectHost()
    client, own = host.system.uthreads[0].device.notifications, host.system.iokernel.device.notifications
    for _ in range(7):
        client.post(0x100000, 64)
    host.system.queues[0].push((TX_TAIL, 0, 7, 0, 0))
    first = own.tx_tail
    begin = host.start(0)
    host.run(begin + 1_000 * NS)
    for i in range(7):
        own.complete((first + i) % 16)
    host.engine.now = host.time
    host.machine.cores[0].wake(COMPLETE)
    host.effects.clear()
    host.run(begin + 5_000 * NS)
    each = C.line_dma + C.completion_route + C.softirq_push + C.line_dirty
    pushes = host.times(QUEUE_PUSH)
    gaps = [later - earlier for earlier, later in itertools.pairwise(pushes)]
    assert gaps == [each, each, each + lap(1) - C.poll_clean] * 2


def test_requests_without_room_in_the_own_ring_stay_unread_until_there_is() -> None:
    host = IndirectHost(cores=2, uthreads=2)
    own = host.system.iokernel.device.notifications
    for number, count in ((0, 10), (1, 10)):
        client = host.system.uthreads[number].device.notifications
        for _ in range(count):
            client.post(0x100000, 64)
        host.system.queues[number].push((TX_TAIL, number, client.tx_tail, 0, 0))
    host.system.queues[1].push((RX_HEAD, 1, 0, 0, 0))
    first = own.tx_tail
    begin = host.start(0)
    host.run(begin + 1_000 * NS)
    assert (own.tx_tail - first) % 16 == 10
    assert [len(queue) for queue in host.system.queues] == [0, 2]
    assert host.machine.cores[0].is_quiet
    for i in range(10):
        own.complete((first + i) % 16)
    host.engine.now = host.time
    host.machine.cores[0].wake(COMPLETE)
    host.run(begin + 5_000 * NS)
    assert (own.tx_tail - first) % 16 == 20 % 16
    assert [len(queue) for queue in host.system.queues] == [0, 0]


def test_a_full_softirq_queue_holds_items_back_in_order_and_stops_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermes.queues.CAPACITY", 2)
    host = IndirectHost(cores=2, uthreads=2)
    notify(host, 0, 1, 0, 0, 0, 1)
    begin = host.start(0)
    host.run(begin + 5_000 * NS)
    queue = host.system.runtime.kthreads[0].softirqs
    assert (len(queue), len(softirqs(host, 1))) == (2, 2)
    assert host.machine.cores[0].is_quiet
    for _ in range(4):
        host.engine.now = host.time
        queue.pop()
        host.run(host.time + 1_000 * NS)
    assert [effect[3] >> 32 for effect in host.effects if effect[1:3] == (QUEUE_PUSH, queue.number)] == [0] * 4
    assert len(queue) == 0


def test_a_visit_retries_at_most_64_held_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermes.queues.CAPACITY", 5)
    monkeypatch.setattr("hermes.iokernel.iokernel.OVERFLOW_BUDGET", 2)
    host = IndirectHost()
    notify(host, *[0] * 10)
    begin = host.start(0)
    host.run(begin + 5_000 * NS)
    host.engine.now = host.time
    host.effects.clear()
    for _ in range(5):
        host.system.runtime.kthreads[0].softirqs.pop()
    host.run(begin + 9_000 * NS)
    pushes = host.times(QUEUE_PUSH)
    each = C.softirq_push + C.line_dirty
    assert [later - earlier for earlier, later in itertools.pairwise(pushes)] == [
        each,
        each + lap(1),
        each,
        each + lap(1),
    ]


def test_what_comes_behind_held_items_does_not_overtake_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermes.queues.CAPACITY", 2)
    for offset in range(0, lap(1), 4 * NS):
        host = IndirectHost()
        own = host.system.iokernel.device.notifications
        for tail in range(1, 5):
            own.deliver(0, tail)
        begin = host.start(0)
        queue = host.system.runtime.kthreads[0].softirqs
        host.run(begin + 2_000 * NS + offset)
        host.engine.now = host.time
        own.deliver(0, 5)
        host.machine.cores[0].wake(RECEIVE)
        queue.pop()
        for _ in range(4):
            host.run(host.time + 1_000 * NS)
            host.engine.now = host.time
            queue.pop()
        tails = [effect[3] & 0xFFFFFFFF for effect in host.effects if effect[1] == QUEUE_POP]
        assert tails == [1, 2, 3, 4, 5], offset


def test_with_too_many_held_back_it_takes_no_more_notifications(monkeypatch: pytest.MonkeyPatch) -> None:
    assert HELD_LIMIT == 4096
    monkeypatch.setattr("hermes.queues.CAPACITY", 1)
    monkeypatch.setattr("hermes.iokernel.iokernel.HELD_LIMIT", 3)
    host = IndirectHost()
    notify(host, *[0] * 10)
    begin = host.start(0)
    host.run(begin + 5_000 * NS)
    own = host.system.iokernel.device.notifications
    assert own.has_notification()
    assert own.rx_head == 1 + 3 + 1
    queue = host.system.runtime.kthreads[0].softirqs
    for taken in range(1, 10):
        assert len(queue) == 1, taken
        host.engine.now = host.time
        queue.pop()
        host.run(host.time + 2_000 * NS)
    assert len(queue) == 1
    assert not own.has_notification()


def test_a_notification_of_a_pipe_that_nobody_has_is_an_error() -> None:
    host = IndirectHost()
    notify(host, 5)
    begin = host.start(0)
    with pytest.raises(ContractError, match="the NIC notified of pipe 5, which no uthread has"):
        host.run(begin + 1_000 * NS)


def test_a_message_of_set_up_that_it_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="message 'hello' to the IOKernel; accepted are AllocateNotificationBuffer"):
        IndirectHost().system.iokernel.control("hello")


def test_a_pipe_is_learned_from_its_registration() -> None:
    host = IndirectHost(uthreads=2)
    host.system.iokernel.control(RegisterPipe(pipe=9, notification_buffer=1))
    notify(host, 9)
    host.run(host.start(0) + 1_000 * NS)
    assert [item[:4] for item in softirqs(host, 0)] == [rx_softirq(1, 9, 1, 0)[:4]]
