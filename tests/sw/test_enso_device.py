"""A device over its rings, the test standing in for the NIC: batches, sends of several requests, RX space after TX."""

import pytest

from hermes.enso.backends import Direct
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.pipe import RxTxPipe
from hermes.enso.registers import BATCH, RX_HEAD, TX_TAIL, RingSizes, notification_buffer_register, pipe_register
from tests.tools.host import COSTS, Host

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
