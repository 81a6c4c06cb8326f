"""A serving uthread: batches, the second look under its lock, waits for room, and who pays for what."""

import pytest

from hermes.enso.registers import RX_HEAD, TX_TAIL
from hermes.runtime.softirq import rx_softirq
from hermes.world import APPLICATION, QUEUE_FULL, QUEUE_PUSH, UTHREAD_END, UTHREAD_START
from tests.tools.host import COSTS as C
from tests.tools.host import NS, IndirectHost, udp_frame

MESSAGES = 0  # number of the message queue of core 1


def fill(host: IndirectHost, flits: int) -> None:
    """Packets of one flit each lie in the pipe of uthread 0, and the NIC told so."""
    pipe = host.system.uthreads[0].device.pipes[0]
    ring = pipe.address - host.memory.base
    for flit in range(pipe.notified_tail, pipe.notified_tail + flits):
        at = ring + flit % pipe.flits * 64
        host.memory.bytes[at : at + 60] = udp_frame(0)
    host.system.runtime.kthreads[0].softirqs.push(rx_softirq(0, 0, (pipe.notified_tail + flits) % pipe.flits, 0))


def messages(host: IndirectHost) -> list[tuple[int, ...]]:
    """What stands in the message queue: (register, buffer, value)."""
    queue = host.system.queues[0]
    return [queue[index][:3] for index in range(len(queue))]


def test_a_batch_is_handled_whole_and_sent_at_once() -> None:
    host = IndirectHost(service_ps=1_000 * NS)
    fill(host, 40)
    begin = host.start(1)
    host.run(begin + 100_000 * NS)
    uthread = host.system.uthreads[0]
    assert (uthread.packets, uthread.batches) == (40, 1)
    assert messages(host) == [(RX_HEAD, 0, 1), (TX_TAIL, 0, 1)]
    application = host.machine.cores[1].times_at(host.time)[APPLICATION]
    assert application == 40 * (1_000 * NS + C.line_dma + C.packet_parse)


def test_a_batch_over_the_rings_end_is_two_requests_and_one_message() -> None:
    host = IndirectHost()
    pipe = host.system.uthreads[0].device.pipes[0]
    pipe.rx_head = pipe.rx_tail = pipe.notified_tail = 60
    fill(host, 10)
    host.run(host.start(1) + 100_000 * NS)
    assert messages(host) == [(RX_HEAD, 0, 1), (TX_TAIL, 0, 2)]
    assert host.system.uthreads[0].packets == 10


def test_what_comes_while_it_serves_is_found_by_the_second_look() -> None:
    host = IndirectHost(service_ps=1_000 * NS)
    fill(host, 1)
    begin = host.start(1)
    host.run(begin + 1_000 * NS)
    uthread = host.system.uthreads[0]
    assert not uthread.waiting
    uthread.device.pipes[0].notified(uthread.device.pipes[0].rx_tail)
    uthread.device.notifications.deliver(0, 2)
    pipe = uthread.device.pipes[0]
    at = pipe.address - host.memory.base + 64
    host.memory.bytes[at : at + 60] = udp_frame(0)
    host.run(begin + 10_000 * NS)
    assert (uthread.packets, uthread.batches) == (2, 2)
    assert len(host.times(UTHREAD_START)) == len(host.times(UTHREAD_END)) == 1, "without giving up its core in between"
    assert uthread.waiting


def test_it_waits_for_its_lock_and_then_sees_what_the_holder_did() -> None:
    host = IndirectHost(cores=2)
    fill(host, 1)
    begin = host.start(1)
    uthread = host.system.uthreads[0]
    host.run(begin + 500 * NS)
    sent = [effect[0] for effect in host.effects if effect[1:3] == (QUEUE_PUSH, MESSAGES)]
    uthread.lock.take(2, begin + 3_000 * NS)
    host.run(begin + 2_900 * NS)
    assert not uthread.waiting, f"it sent at {sent}, and waits for the lock"
    uthread.lock.release(2)
    host.run(begin + 3_000 * NS + C.lock_contended)
    assert not uthread.waiting
    host.run(begin + 4_000 * NS)
    assert uthread.waiting


def test_its_last_look_holds_the_lock() -> None:
    host = IndirectHost()
    fill(host, 1)
    begin = host.start(1)
    host.run(begin + 2_000 * NS)
    (parked,) = host.times(UTHREAD_END)
    look = C.lock + 2 * C.poll_clean

    again = IndirectHost()
    fill(again, 1)
    assert again.start(1) == begin
    lock = again.system.uthreads[0].lock
    for time, wait in [(parked - look - 1, 0), (parked - look, look), (parked - 1, 1), (parked, 0)]:
        again.run(time)
        assert lock.wait(time, contended=0) == wait


def test_without_room_in_the_message_queue_it_spins_and_the_time_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermes.queues.CAPACITY", 1)
    host = IndirectHost()
    fill(host, 1)
    begin = host.start(1)  # the IOKernel does not run
    host.run(begin + 5_000 * NS)
    core, uthread = host.machine.cores[1], host.system.uthreads[0]
    assert messages(host) == [(RX_HEAD, 0, 1)]
    assert uthread.waits_for() == "room in its core's message queue"
    assert core.is_quiet
    spun = core.times_at(host.time)[QUEUE_FULL]
    assert spun > 4_000 * NS

    host.engine.now = host.time
    host.system.queues[0].pop()
    host.run(begin + 8_000 * NS)
    assert messages(host) == [(TX_TAIL, 0, 1)]
    times = core.times_at(host.time)
    assert sum(times) == 8_000 * NS
    assert 0 < times[QUEUE_FULL] - spun <= C.poll_clean + C.poll_clean + C.line_dirty
    assert uthread.waiting


def test_without_room_in_the_tx_ring_it_waits_for_a_completion() -> None:
    host = IndirectHost()
    uthread = host.system.uthreads[0]
    buffer = uthread.device.notifications
    for _ in range(15):
        buffer.post(0x1000, 64)
    fill(host, 1)
    host.run(host.start(1) + 5_000 * NS)
    assert (uthread.packets, uthread.waiting) == (0, True)
    assert uthread.waits_for() == "room in its TX ring, to send 1 flits"
