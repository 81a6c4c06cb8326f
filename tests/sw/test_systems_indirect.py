"""Hermes Indirect as a whole: the way of one packet, step by step, each at its time."""

from cosim.traffic.echo import expected_echo
from cosim.traffic.steering import FlowKey
from hermes.enso.pipe import RxTxPipe
from hermes.enso.registers import RX_HEAD, TX_TAIL
from hermes.world import (
    CORE_GRANT,
    NIC_WRITE,
    QUEUE_POP,
    QUEUE_PUSH,
    UTHREAD_END,
    UTHREAD_START,
)
from tests.tools.host import COSTS as C
from tests.tools.host import NS, IndirectHost, udp_frame
from tests.tools.look_alikes import not_sound_ipv4

MESSAGES, SOFTIRQS = 0, 1  # numbers of the queues with one core
LAP = C.iok_loop + 3 * C.poll_clean


def test_the_way_of_one_packet_step_by_step() -> None:
    host = IndirectHost()
    begin = host.start()
    host.frames([udp_frame(0)], [begin + 5_000 * NS])
    host.run(begin + 50_000 * NS)
    frame, (arrived, *_) = udp_frame(0), host.times(NIC_WRITE)

    # the IOKernel sees the notification when its walk gets there, and routes it
    look = first_look(begin + C.iok_loop, LAP, arrived)
    softirq = look + C.line_dma + C.notification_route + C.softirq_push + C.line_dirty
    # the kthread, which searches alone, sees it in its next lap and calls the handler, ...
    own = 2 * C.poll_clean
    found = first_look(begin + own + C.line_dirty, own, softirq)
    handler = own + C.softirq_call + C.lock + C.line_dirty + C.softirq_item + C.lock + 2 * C.line_dirty
    handled = found + handler
    # ... which makes the uthread runnable; so it runs
    started = handled + C.scheduler_entry + own + C.lock + C.uthread_switch
    # RECEIVE: nothing to reap, one notification, from the ring that this core wrote, one message
    received = started + 3 * C.poll_clean + C.message_send + C.line_dirty
    # SEND: one packet, one request in a slot that was the IOKernel's at set-up, one message
    handled_packet = received + C.line_dma + C.packet_parse
    sent = handled_packet + C.packet_send + C.message_send + 2 * C.line_dirty
    # LOOK: nothing there, so it waits
    parked = sent + C.lock + 2 * C.poll_clean
    happened = [effect[:3] for effect in host.effects if effect[0] <= parked and effect[1] != QUEUE_POP]
    assert happened == [
        (arrived, NIC_WRITE, 0),
        (softirq, QUEUE_PUSH, SOFTIRQS),
        (started, UTHREAD_START, 0),
        (received, QUEUE_PUSH, MESSAGES),
        (sent, QUEUE_PUSH, MESSAGES),
        (parked, UTHREAD_END, 0),
    ]
    assert host.times(QUEUE_POP)[0] == handled
    assert [frame for _, frame in host.nic.sent] == [expected_echo(frame)]


def first_look(start: int, lap: int, at: int) -> int:
    """First of the looks at start, start + lap, ... that is not before ``at``."""
    return start + max(0, -(-(at - start) // lap)) * lap


def test_the_second_half_reaps_and_frees() -> None:
    host = IndirectHost()
    begin = host.start()
    host.frames([udp_frame(0, 200)], [begin + 5_000 * NS])
    host.run(begin + 50_000 * NS)
    assert len(host.times(UTHREAD_START)) == len(host.times(UTHREAD_END)) == 2, "once to serve, once to reap"
    pipe = host.system.uthreads[0].device.pipes[0]
    assert pipe.rx_head == pipe.rx_tail == pipe.notified_tail == 4
    assert host.system.counts()["completions"] == host.system.counts()["notifications"] == 1
    assert host.system.messages() == {"rx_head": 1, "tx_tail": 1}
    assert host.system.waiting() == []


def test_a_pipe_in_header_mode_takes_what_others_refuse_and_brings_it_back_whole() -> None:
    host = IndirectHost(cores=2, uthreads=2, header_pipes={1})
    host.nic.fallback = 0
    begin = host.start()
    trailer = b"what follows the packet" * 5
    some = [udp_frame(0) + trailer, udp_frame(1) + trailer]
    frames = [*some, *not_sound_ipv4()]
    host.nic.flows.update({FlowKey(0, 0, 0, 0): 1})
    host.frames(frames * 10, [begin + 5_000 * NS + 2_000 * NS * i for i in range(10 * len(frames))])
    host.run(begin + 500_000 * NS)
    back = [frame for _, frame in host.nic.sent]
    assert [frame for frame in back if frame == expected_echo(some[0])] == [expected_echo(some[0])] * 10
    others = [expected_echo(frame, in_header_mode=True) for frame in frames[1:]] * 10
    assert [frame for frame in back if frame != expected_echo(some[0])] == others
    assert host.nic.drops == {}
    assert host.system.counts()["request_errors"] == 0


def test_a_packet_behind_a_header_line_costs_one_more_line_to_read() -> None:
    times = []
    for header_pipes in (set(), {0}):
        host = IndirectHost(header_pipes=header_pipes)
        begin = host.start()
        host.frames([udp_frame(0)], [begin + 5_000 * NS])
        host.run(begin + 50_000 * NS)
        received, sent = host.times(QUEUE_PUSH)[1:3]
        times.append(sent - received)
    assert times[1] == times[0] + C.line_dma


def test_hundreds_of_packets_over_all_rings_ends_come_back_in_order() -> None:
    host = IndirectHost(cores=2, uthreads=3)
    begin = host.start()
    frames = [udp_frame(i % 3, 60 + 7 * i % 600) for i in range(300)]
    host.frames(frames, [begin + 2_000 * NS * i for i in range(300)])
    host.run(begin + 700_000 * NS)
    for port in range(3):
        back = [frame for _, frame in host.nic.sent if frame[34:36] == port.to_bytes(2, "big")]
        assert back == [expected_echo(frame) for frame in frames if frame[37] == port]
    assert host.nic.drops == {}
    assert host.machine.is_quiet


def test_register_writes_are_those_of_a_batch_and_no_more() -> None:
    host = IndirectHost()
    begin = host.start()
    written: list[int] = []
    inner = host.nic.mmio_write

    def note(now: int, address: int, value: int, size: int) -> None:
        written.append(address)
        inner(now, address, value, size)

    host.nic.mmio_write = note  # type: ignore[method-assign]
    host.frames([udp_frame(0)] * 5, [begin + 5_000 * NS + 10 * NS * i for i in range(5)])
    host.run(begin + 50_000 * NS)
    own = 8192 * 4096
    assert written[:2] == [own + RX_HEAD, own + TX_TAIL]
    assert set(written) == {own + RX_HEAD, own + TX_TAIL, RX_HEAD}
    assert len(written) == 3 * host.system.counts()["batches"]


def test_cores_are_granted_at_start() -> None:
    host = IndirectHost(cores=3)
    assert host.system.counts()["grants"] == 3
    other = IndirectHost(cores=2)
    other.effects.clear()
    other.carry_out(other.system.set_up(), other.system.control)
    assert [effect[1:] for effect in other.effects if effect[1] == CORE_GRANT] == [
        (CORE_GRANT, 1, 0),
        (CORE_GRANT, 2, 1),
    ]


def test_who_waits_for_what_is_told() -> None:
    host = IndirectHost(cores=2, uthreads=2)
    runtime = host.system.runtime
    runtime.kthreads[1].softirqs.push(host.put_packet(1))
    pipe = host.system.uthreads[0].device.pipes[0]
    assert isinstance(pipe, RxTxPipe)
    host.system.uthreads[0].device.send(pipe, 1)
    assert host.system.waiting() == [
        "kthread 1 waits for 1 softIRQs and 0 uthreads to be run",
        "uthread 0 waits for 1 completions",
    ]
