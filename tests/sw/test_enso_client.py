"""The control plane of a uthread: what it asks for by message, what it does at the NIC, and in which order."""

from collections.abc import Mapping

import pytest

from hermes import messages
from hermes.enso.backends import Direct
from hermes.enso.client import Client
from hermes.enso.control import open_notification_buffer
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.owner import Owner
from hermes.enso.pipe import RxTxPipe
from hermes.enso.registers import (
    RX_HEAD,
    RX_MEM_LOW,
    RX_TAIL,
    notification_buffer_register,
    pipe_mode_register,
    pipe_register,
)
from hermes.queues import Item
from hermes.world import Control
from tests.tools.host import COSTS, SMALL, Host, T

NIC_BUFFER = 13
NOW = 7


class Asked:
    """Stands in for the IOKernel: notes what it is asked, and what the NIC held then of pipe 4."""

    def __init__(self, answers: Mapping[int, int]) -> None:
        self.host = Host()
        self.host.engine.now = NOW
        self.answers = answers
        self.messages: list[Item] = []
        self.ring_at_message: list[int] = []

    def answer(self, message: object) -> int:
        assert isinstance(message, tuple)
        self.messages.append(message)
        self.ring_at_message.append(self.host.nic.word(pipe_register(4, RX_MEM_LOW)))
        return self.answers.get(message[0], 0)

    def carry_out(self, control: Control[T]) -> T:
        return self.host.carry_out(control, self.answer)


def test_a_pipe_names_the_iokernels_buffer_to_the_nic_and_its_own_to_the_iokernel_before() -> None:
    asked = Asked({messages.ALLOCATE_NOTIFICATION_BUFFER: 700})
    client = Client(asked.host.engine, NIC_BUFFER)
    device = Device(Direct(COSTS), NotificationBuffer(asked.host.memory, SMALL, "uthread 3"))
    asked.carry_out(client.open_notification_buffer(device.notifications, uthread=3))
    assert device.notifications.number == 700
    assert asked.host.nic.word(notification_buffer_register(700, RX_MEM_LOW)) == 0, "the NIC never sees it"
    pipe = RxTxPipe(asked.host.memory, SMALL, 4)
    device.pipes[4] = pipe
    asked.carry_out(client.open_pipe(pipe, device.notifications))
    assert asked.host.nic.word(pipe_register(4, RX_MEM_LOW)) == pipe.address + NIC_BUFFER
    asked.carry_out(client.close(device))
    assert device.notifications.number == -1
    assert asked.messages == [
        (messages.ALLOCATE_NOTIFICATION_BUFFER, 3, 0, 0, NOW),
        (messages.REGISTER_PIPE, 4, 700, 0, NOW),
        (messages.FREE_PIPE, 4, 0, 0, NOW),
        (messages.FREE_NOTIFICATION_BUFFER, 700, 0, 0, NOW),
    ]
    assert asked.ring_at_message == [0, 0, 0, 0], "it knows of a pipe before the NIC can notify, and until it cannot"


@pytest.mark.parametrize("reads_directly", [True, False])
def test_registers_are_read_where_they_are(reads_directly: bool) -> None:
    asked = Asked({messages.READ: 5})
    client = Client(asked.host.engine, NIC_BUFFER, reads_directly=reads_directly)
    addresses = [
        pipe_register(8191, RX_TAIL),
        notification_buffer_register(0, RX_TAIL),
        notification_buffer_register(1023, RX_TAIL),
        pipe_mode_register(0),
    ]
    for address in addresses:
        asked.host.nic.registers[address] = 77
    found = [asked.carry_out(client.read(address)) for address in addresses]
    assert found == ([77, 5, 5, 77] if reads_directly else [5, 5, 5, 5])
    by_message = addresses[1:3] if reads_directly else addresses
    assert asked.messages == [(messages.READ, 0, address, 0, NOW) for address in by_message]


def test_settings_are_asked_for() -> None:
    asked = Asked({messages.GET_FALLBACK: 6, messages.GET_ROUND_ROBIN: 1, messages.ALLOCATE_PIPE: 8190})
    client = Client(asked.host.engine, NIC_BUFFER)
    asked.carry_out(client.set_fallback(6))
    asked.carry_out(client.set_round_robin(on=True))
    assert asked.carry_out(client.fallback()) == 6
    assert asked.carry_out(client.round_robin()) is True
    assert asked.carry_out(client.allocate_pipe()) == 8190
    assert [message[:3] for message in asked.messages] == [
        (messages.SET_FALLBACK, 0, 6),
        (messages.SET_ROUND_ROBIN, 0, 1),
        (messages.GET_FALLBACK, 0, 0),
        (messages.GET_ROUND_ROBIN, 0, 0),
        (messages.ALLOCATE_PIPE, 0, 0),
    ]


def test_what_it_asks_an_owner_can_answer() -> None:
    host = Host()
    own = NotificationBuffer(host.memory, SMALL, "the owner")
    host.carry_out(open_notification_buffer(0, own))
    owner, client = Owner(host.memory, own), Client(host.engine, 0, reads_directly=False)

    def answer(message: object) -> int:
        assert isinstance(message, tuple)
        return host.carry_out(owner.answer(message))

    number = host.carry_out(client.allocate_pipe(fallback=True), answer)
    host.carry_out(client.set_fallback(2), answer)
    host.carry_out(client.set_round_robin(on=True), answer)
    assert (number, host.nic.fallback, host.nic.round_robin) == (0, 1, True)
    assert host.carry_out(client.fallback(), answer) == 2
    assert host.carry_out(client.round_robin(), answer) is True
    host.nic.registers[pipe_register(3, RX_HEAD)] = 9
    assert host.carry_out(client.read(pipe_register(3, RX_TAIL)), answer) == 9 << 32
