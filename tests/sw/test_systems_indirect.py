"""Hermes Indirect: the way of one packet, step by step, and what comes back of many."""

import pytest

from cosim.traffic.echo import expected_echo
from cosim.traffic.steering import FlowKey
from hermes.enso.registers import RX_HEAD, TX_TAIL, notification_buffer_register, pipe_register
from hermes.runtime.softirq import rx_softirq
from hermes.systems.indirect import Indirect
from hermes.world import MMIO_WRITE, QUEUE_POP, QUEUE_PUSH, UTHREAD_END, UTHREAD_START
from tests.tools.host import COSTS as C
from tests.tools.host import NS, udp_frame
from tests.tools.look_alikes import not_sound_ipv4
from tests.tools.way import (
    ARRIVAL,
    CALLED,
    COMPLETED,
    COMPLETION,
    FORWARDED,
    MESSAGE,
    MESSAGES,
    OWN,
    PACKET,
    PUSHED,
    ROUTED,
    SOFTIRQS,
    SWITCHED,
    TOLD,
    first,
    follow,
    one_packet,
)
from tests.tools.whole_host import WholeHost, lap

LAP = lap(1)
READ = 2 * C.line_dirty
"""The lines of a kthread's queues, which the last scan looked at."""
ITEM = C.softirq_item + C.lock + C.line_dirty
"""To handle a softIRQ about a uthread whose lock, but not the slot, this core had last."""
US = 1_000 * NS


def test_the_way_of_one_packet_step_by_step() -> None:
    """DESIGN 6, points 1 and 2: every step waits for a look at most, and its effects land at its end."""
    host, before = one_packet("indirect")
    assert isinstance(host.system, Indirect)
    kthread = [
        ARRIVAL,
        (QUEUE_PUSH, SOFTIRQS, ROUTED + PUSHED, LAP),
        (QUEUE_POP, SOFTIRQS, CALLED + READ + ITEM, OWN),
        (UTHREAD_START, 0, SWITCHED, 0),
        (QUEUE_PUSH, MESSAGES, 3 * C.poll_clean + MESSAGE, 0),  # this core wrote the slot
        (QUEUE_PUSH, MESSAGES, PACKET + MESSAGE, 0),
        (UTHREAD_END, 0, OWN + C.lock, 0),
    ]
    times = follow(host, before, kthread)
    follow(host, times[4] - 1, [first(QUEUE_PUSH, MESSAGES), (QUEUE_POP, MESSAGES, TOLD, LAP)])
    follow(host, times[5] - 1, [first(QUEUE_PUSH, MESSAGES), (QUEUE_POP, MESSAGES, FORWARDED, LAP)])
    assert [frame for _, frame in host.nic.sent] == [expected_echo(udp_frame(0))]


def test_its_completion_brings_it_back_to_reap() -> None:
    host, before = one_packet("indirect")
    kthread = [
        COMPLETION,
        (QUEUE_PUSH, SOFTIRQS, COMPLETED + PUSHED, LAP),
        (QUEUE_POP, SOFTIRQS, CALLED + ITEM, OWN),
        (UTHREAD_START, 0, SWITCHED, 0),
        (UTHREAD_END, 0, OWN + C.completion_reap + C.mmio_issue + OWN + C.lock, 0),
    ]
    follow(host, before, kthread)
    (server,) = host.system.servers
    pipe = server.device.pipes[0]
    assert pipe.rx_head == pipe.rx_tail == pipe.notified_tail == 1
    assert host.system.counts()["completions"] == host.system.counts()["notifications"] == 1
    assert {kind: count for kind, count in host.system.messages().items() if count} == {"rx_head": 1, "tx_tail": 1}
    assert host.system.waiting() == []
    host.require_balance()


def test_a_pipe_in_header_mode_takes_what_others_refuse_and_brings_it_back_whole() -> None:
    host = WholeHost(cores=2, uthreads=2, header_pipes={1})
    host.nic.fallback = 0
    begin = host.start()
    trailer = b"what follows the packet" * 5
    some = [udp_frame(0) + trailer, udp_frame(1) + trailer]
    frames = [*some, *not_sound_ipv4()]
    host.nic.flows.update({FlowKey(0, 0, 0, 0): 1})
    host.frames(frames * 10, [begin + 5 * US + 2 * US * i for i in range(10 * len(frames))])
    host.run(begin + 500 * US)
    back = [frame for _, frame in host.nic.sent]
    assert [frame for frame in back if frame == expected_echo(some[0])] == [expected_echo(some[0])] * 10
    others = [expected_echo(frame, in_header_mode=True) for frame in frames[1:]] * 10
    assert [frame for frame in back if frame != expected_echo(some[0])] == others
    assert host.nic.drops == {}
    assert host.system.counts()["request_errors"] == 0


def test_a_packet_behind_a_header_line_costs_one_more_line_to_read() -> None:
    times = []
    for header_pipes in (set(), {0}):
        host = WholeHost(header_pipes=header_pipes)
        begin = host.start()
        host.frames([udp_frame(0)], [begin + 5 * US])
        host.run(begin + 50 * US)
        received, sent = (time for time, queue, _ in host.happened(QUEUE_PUSH) if queue == MESSAGES)
        times.append(sent - received)
    assert times[1] == times[0] + C.line_dma


@pytest.mark.parametrize("system", ["indirect", "semi-direct", "priority"])
def test_hundreds_of_packets_over_all_rings_ends_come_back_in_order(system: str) -> None:
    host = WholeHost(system, cores=2, uthreads=3)
    begin = host.start()
    frames = [udp_frame(i % 3, 60 + 7 * i % 600) for i in range(300)]
    host.frames(frames, [begin + 2 * US * i for i in range(300)])
    host.run(begin + 700 * US)
    for port in range(3):
        back = [frame for _, frame in host.nic.sent if frame[34:36] == port.to_bytes(2, "big")]
        assert back == [expected_echo(frame) for frame in frames if frame[37] == port]
    assert host.nic.drops == {}
    assert host.machine.is_quiet
    host.require_balance()


def test_register_writes_are_those_of_a_batch_and_no_more() -> None:
    host = WholeHost(parking=False)
    begin = host.start()
    written: list[int] = []
    inner = host.nic.mmio_write

    def note(now: int, address: int, value: int, size: int) -> None:
        written.append(address)
        inner(now, address, value, size)

    host.nic.mmio_write = note  # type: ignore[method-assign]
    host.frames([udp_frame(0)] * 5, [begin + 5 * US + 10 * NS * i for i in range(5)])
    host.run(begin + 50 * US)
    own_head, own_tail = (notification_buffer_register(0, register) for register in (RX_HEAD, TX_TAIL))
    assert written[:2] == [own_head, own_tail]
    assert set(written) == {own_head, own_tail, pipe_register(0, RX_HEAD)}
    assert len(written) == 3 * host.system.counts()["batches"]
    assert MMIO_WRITE not in {kind for _, kind, _, _ in host.effects}


def test_who_waits_for_what_is_told() -> None:
    host = WholeHost(cores=2, uthreads=2)
    host.system.runtimes[0].kthreads[1].softirqs.push(rx_softirq(1, 1, 1, 0, 0))
    host.post(0, 1)
    pipe = host.system.servers[0].device.pipes[0]
    pipe.notified_tail = 1
    host.system.servers[0].device._sent.append((pipe, 1))  # type: ignore[arg-type]
    assert host.system.waiting() == [
        "message queue 0 waits for 1 messages to be taken",
        "kthread 1 of runtime 0 waits for 1 softIRQs and 0 uthreads to be run",
        "uthread 0 waits for 1 completions",
    ]
