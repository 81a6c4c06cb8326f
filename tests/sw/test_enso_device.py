"""A device over its rings: batches, sends of several requests, and who frees what, when. Last on a NIC."""

import pytest

from hermes.enso.backends import Direct, Hybrid
from hermes.enso.control import open_pipe
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.pipe import RxPipe, RxTxPipe
from hermes.enso.registers import BATCH, RX_HEAD, TX_TAIL, RingSizes, notification_buffer_register, pipe_register
from hermes.enso.tx_pipe import TxPipe
from hermes.messages import PARK
from hermes.queues import SpscQueue
from hermes.world import End
from tests.tools.driver import DriverHost
from tests.tools.host import COSTS, SMALL, Host, udp_frame


class Listener(End):
    def queue_changed(self, queue: int) -> None:
        """Nobody has to act."""


WIDE = RingSizes(pipe_flits=64, notification_slots=128)


def make(host: Host, pipes: int = 1) -> tuple[Device, list[RxTxPipe]]:
    device = Device(Direct(COSTS), NotificationBuffer(host.memory, WIDE, "a test"))
    device.notifications.number = 6
    made = [RxTxPipe(host.memory, WIDE, number) for number in range(pipes)]
    device.pipes.update({pipe.number: pipe for pipe in made})
    return device, made


def test_at_most_64_notifications_are_taken_and_the_last_tail_of_each_pipe_counts() -> None:
    device, pipes = make(Host(), pipes=2)
    for i in range(70):
        device.notifications.deliver(i % 2, i // 2)
    assert device.receive() == BATCH == 64
    assert [pipe.notified_tail for pipe in pipes] == [31, 31]
    assert device.receive() == 6
    assert [pipe.notified_tail for pipe in pipes] == [34, 34]
    assert device.receive() == 0


def test_notifications_that_overtook_each_other_are_put_in_order() -> None:
    device, (pipe,) = make(Host())
    for tail, row in [(3, 7), (9, 21), (5, 14)]:
        device.notifications.deliver(0, tail, row)
    assert (device.receive(), pipe.available()) == (3, 9)


def test_rx_space_is_freed_when_the_whole_send_is_complete() -> None:
    host = Host()
    device, (pipe,) = make(host)
    pipe.rx_head = pipe.rx_tail = 60
    pipe.notified_tail = 10
    device.send(pipe, 14)  # cut at the ring's end: two requests
    assert device.unsent == 1
    device.notifications.complete(0)
    assert (device.reap(), device.freed(), pipe.rx_head) == (1, 0, 60)
    device.notifications.complete(1)
    assert (device.reap(), device.freed(), pipe.rx_head, device.unsent) == (1, 1, 10, 0)


def test_what_a_pipe_in_header_mode_holds_is_sent_framed_in_all_parts() -> None:
    host = Host()
    device, (plain,) = make(host)
    framed = RxTxPipe(host.memory, WIDE, 1, in_header_mode=True)
    framed.rx_head = framed.rx_tail = 60
    for pipe, flits in ((plain, 2), (framed, 14)):
        pipe.notified((pipe.rx_tail + flits) % 64)
        device.send(pipe, flits)
    at = (device.notifications.tx_address - host.memory.base) // 8
    assert [host.memory.words[at + 8 * slot + 2] for slot in range(3)] == [128, 256 | 1 << 32, 640 | 1 << 32]


def test_at_most_64_completions_are_taken() -> None:
    device, (pipe,) = make(Host())
    for _ in range(65):
        pipe.notified((pipe.rx_tail + 1) % 64)
        device.send(pipe, 1)
        pipe.rx_head = pipe.rx_tail  # as if it were freed already: more than 63 flits at once
    for slot in range(65):
        device.notifications.complete(slot)
    assert [device.reap(), device.reap(), device.reap()] == [64, 1, 0]


def test_the_far_side_is_told_by_registers() -> None:
    host = Host()
    device, (pipe, other) = make(host, pipes=2)
    core = host.machine.cores[1]
    device.notifications.deliver(0, 3)
    device.receive()
    device.tell_rx_head(core)
    device.send(pipe, 3)
    device.tell_tx_tail(core)
    device.notifications.complete(0)
    device.reap()
    device.tell_pipe_heads(core)
    assert device.freed() == 0
    host.nic.settle()
    assert host.nic.register(notification_buffer_register(6, RX_HEAD)) == 1
    assert host.nic.register(notification_buffer_register(6, TX_TAIL)) == 1
    assert host.nic.register(pipe_register(pipe.number, RX_HEAD)) == 3
    assert host.nic.register(pipe_register(other.number, RX_HEAD)) == 0


@pytest.mark.parametrize("flits", [1, 5, 63])
def test_what_was_received_is_what_is_sent(flits: int) -> None:
    device, (pipe,) = make(Host())
    device.notifications.deliver(0, flits)
    device.receive()
    assert pipe.available() == flits
    device.send(pipe, flits)
    assert pipe.available() == 0


def test_what_else_there_is_to_tell_goes_by_message() -> None:
    host = Host()
    queue = SpscQueue(host.machine, 0, Listener())
    device = Device(Hybrid(COSTS, host.engine, [None, queue]), NotificationBuffer(host.memory, WIDE, "a test"))
    device.notifications.number = 6
    device.tell(host.machine.cores[1], PARK, 3, 4)
    device.notifications.post(0, 64)
    device.tell_tx_tail(host.machine.cores[1], row=77)
    assert [queue.pop(), queue.pop()] == [(PARK, 6, 3, 4, 0), (TX_TAIL, 6, 1, 77, 0)]


def test_room_of_a_tx_pipe_comes_back_when_the_whole_send_is_complete() -> None:
    host = Host()
    device, _ = make(host)
    pipe = TxPipe(host.memory, WIDE, "a test")
    pipe.tx_head = pipe.tx_tail = pipe.tx_end = 60
    pipe.extend(14 * 64)
    device.send(pipe, pipe.written())  # cut at the ring's end: two requests
    assert (device.unsent, device.notifications.tx_tail) == (1, 2)
    device.notifications.complete(0)
    assert (device.reap(), pipe.capacity()) == (1, 63 - 14)
    device.notifications.complete(1)
    assert (device.reap(), pipe.capacity()) == (1, 63)
    assert (device.freed(), device.unsent) == (0, 0), "the NIC has nothing to be told of"


def test_space_of_an_rx_pipe_is_free_when_the_application_says_so() -> None:
    host = Host()
    device, _ = make(host)
    pipe = RxPipe(host.memory, WIDE, 9)
    device.pipes[9] = pipe
    device.notifications.deliver(9, 5)
    device.receive()
    pipe.take(5)
    device.free(pipe, 2)
    device.free(pipe, 1)
    assert (pipe.rx_head, device.freed()) == (3, 1), "it is told once"
    device.tell_pipe_heads(host.machine.cores[1])
    assert device.freed() == 0
    host.nic.settle()
    assert host.nic.register(pipe_register(9, RX_HEAD)) == 3


def test_an_answer_is_copied_and_its_request_freed_before_it_is_sent() -> None:
    host = DriverHost()
    device, core = host.device, host.machine.cores[1]
    receiving, sending = RxPipe(host.memory, SMALL, 0), TxPipe(host.memory, SMALL, "a test")
    device.pipes[0] = receiving
    host.carry_out(open_pipe(receiving, 0))
    frames = [udp_frame(port, 60 + 31 * port) for port in range(12)]
    for _ in range(5):  # over the rings' ends
        host.nic.sent.clear()
        host.take(frames)
        while flits := receiving.available():
            for position, length in receiving.take_packets(flits):
                out = sending.allocate(length)
                host.memory.bytes[out : out + length] = host.memory.bytes[position : position + length]
                sending.extend(length)
            device.free(receiving, flits)
            device.tell_pipe_heads(core)  # tells whether more has come
            device.tell_rx_head(core)
            host.settle()
            assert host.nic.register(pipe_register(0, RX_HEAD)) == receiving.rx_tail
            device.receive()
        assert sending.capacity() < 63
        device.send(sending, sending.written())
        device.tell_tx_tail(core)
        assert host.sent() == frames
        device.reap()
        assert sending.capacity() == 63


def test_prefetch_asks_for_the_next_notification_before_anything_is_freed() -> None:
    host = DriverHost()
    device, pipe, core = host.device, host.pipe, host.machine.cores[1]
    host.take([udp_frame(1)] * 3)
    assert pipe.available() == 1, "the NIC tells once until it is asked"
    pipe.take(1)
    device.prefetch(core, pipe)
    host.settle()
    assert (device.receive(), pipe.available()) == (1, 2)
    device.prefetch(core, pipe)
    host.settle()
    assert (device.receive(), pipe.available()) == (1, 2), "it tells the same tail again"
    assert host.nic.register(pipe_register(0, RX_HEAD)) == 0


def test_prefetch_of_an_empty_pipe_is_answered_by_the_next_packet() -> None:
    host = DriverHost()
    device, pipe, core = host.device, host.pipe, host.machine.cores[1]
    host.take([udp_frame(1)])
    pipe.take(1)
    device.free(pipe, 1)
    device.prefetch(core, pipe)  # tells what was freed, too
    assert device.freed() == 0
    host.settle()
    assert host.nic.register(pipe_register(0, RX_HEAD)) == 1
    assert device.receive() == 0
    host.take([udp_frame(1)])
    assert pipe.available() == 1
