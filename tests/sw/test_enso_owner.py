"""The control plane at the NIC itself, for its owner and for those who ask it by message."""

import pytest

from hermes import messages
from hermes.enso.backends import Direct
from hermes.enso.control import open_notification_buffer
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.owner import Owner
from hermes.enso.pipe import RxPipe, RxTxPipe
from hermes.enso.registers import RX_MEM_LOW, RX_TAIL, notification_buffer_register, pipe_register
from hermes.queues import Item
from tests.tools.host import COSTS, SMALL, Host


def make() -> tuple[Host, Owner]:
    """Its own notification buffer is number 1000."""
    host = Host()
    own = NotificationBuffer(host.memory, SMALL, "the owner")
    host.carry_out(open_notification_buffer(1000, own))
    return host, Owner(host.memory, own)


def ask(kind: int, subject: int = 0, value: int = 0) -> Item:
    return kind, subject, value, 0, 0


def test_what_it_opens_gets_ids_and_rings_and_gives_both_back_when_it_is_closed() -> None:
    host, owner = make()
    for _ in range(2):  # ids are free again
        device = Device(Direct(COSTS), NotificationBuffer(host.memory, SMALL, "a test"))
        other = NotificationBuffer(host.memory, SMALL, "another")
        host.carry_out(owner.open_notification_buffer(other))
        host.carry_out(owner.open_notification_buffer(device.notifications))
        assert (other.number, device.notifications.number) == (0, 1)
        for pipe in [
            RxTxPipe(host.memory, SMALL, host.carry_out(owner.allocate_pipe(fallback=True))),
            RxPipe(host.memory, SMALL, host.carry_out(owner.allocate_pipe())),
        ]:
            device.pipes[pipe.number] = pipe
            host.carry_out(owner.open_pipe(pipe, device.notifications))
            assert host.nic.word(pipe_register(pipe.number, RX_MEM_LOW)) == pipe.address + 1
        assert list(device.pipes) == [0, 8191]
        assert host.nic.word(notification_buffer_register(1, RX_MEM_LOW)) == device.notifications.address

        host.carry_out(owner.close(device))
        host.carry_out(owner.close_notification_buffer(other))
        pages = pipe_register(0, 0), pipe_register(8191, 0), notification_buffer_register(1, 0)
        assert [host.nic.word(page + RX_MEM_LOW) for page in pages] == [0, 0, 0]
        assert device.notifications.number == -1


def test_fallback_and_round_robin_are_set_together_and_remembered_apart() -> None:
    host, owner = make()
    assert (host.carry_out(owner.fallback()), host.carry_out(owner.round_robin())) == (0, False)
    host.carry_out(owner.set_fallback(5))
    assert (host.nic.fallback, host.nic.round_robin) == (3, False)
    host.carry_out(owner.set_round_robin(on=True))
    assert (host.nic.fallback, host.nic.round_robin) == (3, True)
    host.carry_out(owner.set_fallback(8))
    assert (host.nic.fallback, host.nic.round_robin) == (7, True)
    assert (host.carry_out(owner.fallback()), host.carry_out(owner.round_robin())) == (8, True)


def test_it_reads_registers() -> None:
    host, owner = make()
    host.nic.registers[pipe_register(9, RX_TAIL)] = 77
    assert host.carry_out(owner.read(pipe_register(9, RX_TAIL))) == 77


def test_it_answers_messages() -> None:
    host, owner = make()
    host.nic.registers[pipe_register(9, RX_TAIL)] = 77

    def answer(*message: int) -> int:
        return host.carry_out(owner.answer(ask(*message)))

    assert answer(messages.READ, 0, pipe_register(9, RX_TAIL)) == 77
    assert [answer(messages.ALLOCATE_PIPE, 1), answer(messages.ALLOCATE_PIPE, 0)] == [0, 8191]
    assert answer(messages.FREE_PIPE, 8191) == 0
    assert answer(messages.ALLOCATE_PIPE, 0) == 8191
    assert answer(messages.SET_FALLBACK, 0, 2) == 0
    assert answer(messages.SET_ROUND_ROBIN, 0, 1) == 0
    assert (answer(messages.GET_FALLBACK), answer(messages.GET_ROUND_ROBIN)) == (2, 1)
    assert (host.nic.fallback, host.nic.round_robin) == (1, True)


def test_it_does_not_answer_for_notification_buffers_of_others() -> None:
    host, owner = make()
    with pytest.raises(ValueError, match="read of register 0x2000000 by message; accepted are those of pipes and ext"):
        host.carry_out(owner.answer(ask(messages.READ, 0, notification_buffer_register(0, RX_TAIL))))
    with pytest.raises(ValueError, match="message register_pipe to a NIC's owner; accepted are read, allocate_pipe,"):
        host.carry_out(owner.answer(ask(messages.REGISTER_PIPE, 1, 1)))
    with pytest.raises(ValueError, match="message 0x99 to a NIC's owner"):
        host.carry_out(owner.answer(ask(0x99)))
