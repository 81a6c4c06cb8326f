"""Where register writes go: straight to the NIC, or by message to the IOKernel."""

import pytest

from hermes.enso.backends import Backend, Direct, Hybrid, Software
from hermes.enso.registers import RX_HEAD, RX_MEM_LOW, TX_TAIL, notification_buffer_register, pipe_register
from hermes.messages import PARK, PIPE_RX_HEAD
from hermes.queues import CAPACITY, SpscQueue
from hermes.world import End
from tests.tools.host import COSTS, Host


class Listener(End):
    def queue_changed(self, queue: int) -> None:
        """Nobody has to act."""


def arrived(host: Host, address: int) -> int:
    """What a register of the NIC holds after all writes on their way have arrived."""
    host.nic.settle()
    return host.nic.register(address)


def test_direct_writes_all_registers_by_mmio() -> None:
    host, backend = Host(), Direct(COSTS)
    core = host.machine.cores[1]
    backend.write_pipe(core, 5, RX_HEAD, 40)
    backend.write_notification_buffer(core, 2, TX_TAIL, 9)
    assert arrived(host, pipe_register(5, RX_HEAD)) == 40
    assert arrived(host, notification_buffer_register(2, TX_TAIL)) == 9
    backend.tell(core, PARK, 2, 9, 9)  # nobody is there
    host.nic.settle()
    assert backend.has_room(core, 1000)
    assert backend.pipe_write == backend.notification_write == COSTS.mmio_issue


def test_hybrid_writes_pipes_by_mmio_and_tells_the_rest_on_the_cores_own_queue() -> None:
    host = Host(cores=2)
    queues = [SpscQueue(host.machine, index, Listener()) for index in range(2)]
    backend = Hybrid(COSTS, host.engine, [None, *queues])
    host.engine.now = 7
    backend.write_pipe(host.machine.cores[2], 5, RX_HEAD, 40)
    backend.write_notification_buffer(host.machine.cores[2], 700, RX_HEAD, 3)
    backend.write_notification_buffer(host.machine.cores[1], 700, TX_TAIL, 8, 55)
    backend.tell(host.machine.cores[1], PARK, 700, 3, 8)
    assert arrived(host, pipe_register(5, RX_HEAD)) == 40
    assert arrived(host, notification_buffer_register(700, RX_HEAD)) == 0
    assert queues[1].pop() == (RX_HEAD, 700, 3, 0, 7)
    assert queues[0].pop() == (TX_TAIL, 700, 8, 55, 7)
    assert queues[0].pop() == (PARK, 700, 3, 8, 7)
    assert backend.pipe_write == COSTS.mmio_issue
    assert backend.notification_write == COSTS.message_send + COSTS.line_dirty


def test_software_tells_all_on_the_cores_own_queue() -> None:
    host = Host()
    queue = SpscQueue(host.machine, 0, Listener())
    backend = Software(COSTS, host.engine, [None, queue])
    core = host.machine.cores[1]
    host.engine.now = 7
    backend.write_pipe(core, 5, RX_HEAD, 40)
    backend.write_notification_buffer(core, 700, TX_TAIL, 8)
    assert arrived(host, pipe_register(5, RX_HEAD)) == 0
    assert [queue.pop(), queue.pop()] == [(PIPE_RX_HEAD, 5, 40, 0, 7), (TX_TAIL, 700, 8, 0, 7)]
    assert backend.pipe_write == backend.notification_write == COSTS.message_send + COSTS.line_dirty
    with pytest.raises(ValueError, match="write of register 0x8 of pipe 5 by message; accepted is RX_HEAD"):
        backend.write_pipe(core, 5, RX_MEM_LOW, 0)


@pytest.mark.parametrize("kind", [Hybrid, Software])
def test_there_is_room_for_as_many_writes_as_the_cores_queue_has(kind: type[Hybrid]) -> None:
    host = Host()
    queue = SpscQueue(host.machine, 0, Listener())
    backend: Backend = kind(COSTS, host.engine, [None, queue])
    core = host.machine.cores[1]
    for left in range(CAPACITY, 0, -1):
        assert backend.has_room(core)
        assert backend.has_room(core, left)
        assert not backend.has_room(core, left + 1)
        backend.write_notification_buffer(core, 0, RX_HEAD, 0)
    assert not backend.has_room(core)


def test_a_message_goes_where_the_cores_queue_is_now() -> None:
    host = Host()
    first, second = (SpscQueue(host.machine, index, Listener()) for index in range(2))
    queues: list[SpscQueue | None] = [None, first]
    backend = Hybrid(COSTS, host.engine, queues)
    backend.write_notification_buffer(host.machine.cores[1], 3, RX_HEAD, 1)
    queues[1] = second
    backend.write_notification_buffer(host.machine.cores[1], 3, RX_HEAD, 2)
    assert [first.pop()[2], second.pop()[2]] == [1, 2]


def test_the_iokernels_core_has_no_queue() -> None:
    host = Host()
    with pytest.raises(ValueError, match="core 0 has no message queue; accepted are cores that run applications"):
        Hybrid(COSTS, host.engine, [None]).has_room(host.machine.cores[0])
