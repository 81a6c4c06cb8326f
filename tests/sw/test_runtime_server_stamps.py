"""When a serving uthread says that things happened, also where it is cut in the middle of a batch."""

import pytest

from hermes import stamps
from hermes.apps.echo import Echo
from hermes.messages import RUNNABLE
from hermes.switches import Switches
from hermes.world import APPLICATION, QUEUE_PUSH, UTHREAD_END, UTHREAD_START
from tests.tools.host import COSTS as C
from tests.tools.host import NS
from tests.tools.runtimes import RuntimeHost, notify, pipe_of

US = 1_000 * NS
SERVICE = 10 * US
EACH = SERVICE + C.line_dma + C.packet_parse
RECEIVE = 3 * C.poll_clean + C.line_dirty + C.message_send + C.line_dirty


def make(lengths: list[int], *, cores: int = 1, switches: Switches | None = None, begin_at: int = 0) -> RuntimeHost:
    """Kthread 0 gets core 1 at 100 us, with a server in its runqueue."""
    host = RuntimeHost(cores, tracks=True, switches=switches)
    server = host.server(Echo(SERVICE))
    pipe = pipe_of(server)
    pipe.rx_head = pipe.rx_tail = pipe.notified_tail = begin_at
    notify(host, server, lengths)
    host.push(0, server)
    host.grant(1, 0, 100 * US)
    return host


def packets(host: RuntimeHost) -> list[tuple[int, ...]]:
    """(pipe, flit behind it, begun, done) of each."""
    rows = list(host.machine.stamps.packets)
    return [tuple(rows[at : at + stamps.PACKET_COLUMNS]) for at in range(0, len(rows), stamps.PACKET_COLUMNS)]


def sends(host: RuntimeHost) -> list[tuple[int, ...]]:
    """(pipe, flit behind the last packet, posted, forwarded) of each."""
    rows = list(host.machine.stamps.sends)
    return [tuple(rows[at : at + stamps.SEND_COLUMNS]) for at in range(0, len(rows), stamps.SEND_COLUMNS)]


def test_packets_of_a_batch_begin_and_end_one_after_the_other() -> None:
    host = make([60, 200, 60], begin_at=60)
    host.run(200 * US)
    begun = host.times(UTHREAD_START)[0] + RECEIVE
    behind = [61, (61 + 4) % 64, (61 + 5) % 64]
    assert packets(host) == [
        (0, flit, begun + count * EACH, begun + (count + 1) * EACH) for count, flit in enumerate(behind)
    ]


def test_a_notification_is_taken_when_the_receiving_begins() -> None:
    host = make([60])
    host.run(200 * US)
    (start,) = host.times(UTHREAD_START)
    assert host.machine.stamps.notifications[stamps.TAKEN] == start


@pytest.mark.parametrize("send", ["batch", "packet"])
def test_a_send_is_posted_when_its_message_is(send: str) -> None:
    host = make([60] * 2, switches=Switches(send=send))  # type: ignore[arg-type]
    host.run(200 * US)
    posted = host.times(QUEUE_PUSH)[1:]
    ends = [2] if send == "batch" else [1, 2]
    assert sends(host) == [(0, end, time, -1) for end, time in zip(ends, posted, strict=True)]
    queue = host.queue(1)
    rows = [queue[index][3] for index in range(1, len(queue))]
    assert rows == [stamps.SEND_COLUMNS * index for index in range(len(ends))], "the message says which row"


@pytest.mark.parametrize(("after", "done"), [(1, 0), (EACH - 1, 0), (EACH, 1), (2 * EACH + 5, 2)])
def test_who_is_cut_has_handled_what_had_ended_and_goes_on_in_the_middle_of_the_next(after: int, done: int) -> None:
    """DESIGN 6, point 6: packets that were done stay done, at their time; no time is counted twice."""
    host = make([60] * 3, cores=2)
    probe = make([60] * 3)
    probe.run(150 * US)
    begun = probe.times(UTHREAD_START)[0] + RECEIVE
    lands = host.preempt(1, begun + after - C.ipi_flight)
    host.grant(2, 1, lands + 50 * US)
    host.run(lands + 40 * US)
    server = host.served
    whole = [(0, count + 1, begun + count * EACH, begun + (count + 1) * EACH) for count in range(done)]
    assert packets(host) == whole
    assert (server.packets, server.batches, server.ended) == (done, 0, RUNNABLE)

    host.run(lands + 150 * US)
    again = host.times(UTHREAD_START)[1]
    ends = [again + 3 * EACH - after - (2 - count) * EACH for count in range(done, 3)]
    begins = [begun + done * EACH, *ends]
    rest = [(0, done + 1 + index, begins[index], end) for index, end in enumerate(ends)]
    assert packets(host) == whole + rest
    assert (server.packets, server.batches) == (3, 1)
    assert len(host.times(UTHREAD_END)) == 2
    assert host.starts() == [(0, 1), (0, 2)]
    core_1, core_2 = (host.machine.cores[core].times_at(host.time)[APPLICATION] for core in (1, 2))
    assert core_2 == 3 * EACH - after
    assert core_1 > after, "then it is the other's"


def test_what_comes_while_it_is_cut_waits_for_its_next_batch() -> None:
    host = make([60] * 2, cores=2)
    lands = host.preempt(1, 105 * US)
    host.at(lands + 10 * US, lambda: notify(host, host.served, [60]))
    host.grant(2, 1, lands + 20 * US)
    host.run(lands + 100 * US)
    assert (host.served.packets, host.served.batches) == (3, 2)
    assert [row[1] for row in sends(host)] == [2, 3]
