"""Messages of a uthread that are read in the wrong order, because it was stolen in between."""

from typing import cast

from hermes.enso.backends import Direct
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.registers import RX_HEAD, TX_TAIL, pipe_register
from hermes.iokernel.clients import Client, Record, Shared
from hermes.iokernel.delivery import Delivery
from hermes.iokernel.mailbox import Mailbox
from hermes.messages import PIPE_RX_HEAD
from hermes.queues import Item
from hermes.switches import Switches
from tests.tools.host import COSTS, SMALL, Host


class Messages:
    """A mailbox with one uthread, whose notification buffer is number 0."""

    def __init__(self) -> None:
        self.host = Host()
        world = self.host.machine
        self.core = world.cores[0]
        self.own = NotificationBuffer(world.memory, SMALL, "the IOKernel")
        self.own.number = 0
        self.buffer = NotificationBuffer(world.memory, SMALL, "uthread 0")
        shared = Shared(self.buffer, 0, world.lines.allocate(16), world.lines.allocate(16))
        self.client = Client(0, shared, cast(Record, None))
        self.clients, self.client_of_uthread = [self.client], {0: self.client}
        self.records: list[Record] = []
        self.runtime_of: dict[int, int] = {}
        device = Device(Direct(COSTS), self.own)
        self.mailbox = Mailbox(world, self, device, cast(Delivery, None), None, (), Switches())
        self.mailbox.requesters = [(self.client, 0)] * 16
        self.row = world.stamps.send(0, 0, 0)

    def take(self, *items: Item) -> list[int]:
        """Costs of these messages, one after the other."""
        costs = []
        for item in items:
            costs.append(self.mailbox.begin(self.core, item))
            self.mailbox.finish(self.core, item, 0)
        return costs


def test_a_tx_tail_that_comes_late_forwards_nothing_even_if_all_before_the_newer_is_complete() -> None:
    messages = Messages()
    for _ in range(3):
        messages.buffer.post(0x1000, 64)
    messages.take((TX_TAIL, 0, 3, messages.row, 200))
    assert (messages.client.tx_tail, messages.own.tx_tail) == (3, 3)
    messages.client.tx_head = 3
    (cost,) = messages.take((TX_TAIL, 0, 2, messages.row, 100))
    assert (messages.client.tx_tail, messages.own.tx_tail, cost) == (3, 3, COSTS.message_receive)
    for _ in range(14):
        messages.buffer.tx_head = messages.buffer.tx_tail
        messages.buffer.post(0x1000, 64)
    messages.own.tx_head = messages.own.tx_tail
    messages.take((TX_TAIL, 0, 1, messages.row, 300))  # almost a ring ahead, and new
    assert (messages.client.tx_tail, messages.own.tx_tail) == (1, 1)


def test_the_newest_rx_head_counts() -> None:
    messages = Messages()
    messages.take((RX_HEAD, 0, 5, 0, 200), (RX_HEAD, 0, 4, 0, 100))
    assert messages.client.rx_head == 5
    messages.take((RX_HEAD, 0, 4, 0, 300))
    assert messages.client.rx_head == 4, "a lap later"


def test_a_pipes_head_never_goes_back() -> None:
    messages = Messages()
    costs = messages.take((PIPE_RX_HEAD, 7, 5, 0, 200), (PIPE_RX_HEAD, 7, 4, 0, 100), (PIPE_RX_HEAD, 8, 1, 0, 50))
    messages.host.nic.settle()
    assert [messages.host.nic.register(pipe_register(pipe, RX_HEAD)) for pipe in (7, 8)] == [5, 1]
    assert costs == [COSTS.message_receive + extra for extra in (COSTS.mmio_issue, 0, COSTS.mmio_issue)]
