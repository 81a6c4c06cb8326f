"""SoftIRQs: what the IOKernel puts into a kthread's queue, and what a kthread does with one."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

from mypy_extensions import i64

from hermes.queues import Item
from hermes.runtime.server import Server
from hermes.runtime.uthread import Uthread
from hermes.stamps import RUNNABLE, Stamps
from hermes.switches import Switches
from hermes.world import Clock, Core, World

RX: Final = 0
TX_DONE: Final = 1
READY: Final = 2

_PIPE_BITS: Final = 13


def rx_softirq(uthread: i64, pipe: i64, tail: i64, row: i64, time: i64) -> Item:
    """A pipe of a uthread has data up to ``tail``; ``row`` is where its stamps are. Pushed at ``time``."""
    return RX, uthread, tail, row << _PIPE_BITS | pipe, time


def tx_done_softirq(uthread: i64, slot: i64, time: i64) -> Item:
    """The request in a TX slot of a uthread is complete."""
    return TX_DONE, uthread, slot, 0, time


def ready_softirq(uthread: i64, row: i64, time: i64) -> Item:
    """A uthread is ready to run; ``row`` is where the stamps of the notification are that woke it, or -1."""
    return READY, uthread, 0, row, time


class SoftirqHandler(ABC):
    """What a kthread does with one softIRQ."""

    @abstractmethod
    def begin(self, core: Core, item: Item, spent: i64) -> i64:
        """Start with it, after what the action has ``spent`` so far; picoseconds that it takes."""

    @abstractmethod
    def finish(self, core: Core, item: Item) -> Uthread | None:
        """Its effects land; a uthread that is to become runnable."""


class ReadyHandler(SoftirqHandler):
    """The IOKernel found out that a uthread is ready, and wrote its rings."""

    def __init__(self, world: World, uthreads: Sequence[Uthread | None]) -> None:
        self._clock: Clock = world.clock
        self._stamps: Stamps = world.stamps
        self._uthreads = uthreads
        self._cost = world.costs.softirq_item

    def begin(self, core: Core, item: Item, spent: i64) -> i64:  # noqa: ARG002
        """Decode it."""
        return self._cost

    def finish(self, core: Core, item: Item) -> Uthread | None:  # noqa: ARG002
        """The uthread is runnable."""
        if item[3] >= 0:
            self._stamps.notifications[item[3] + RUNNABLE] = self._clock.now
        return self._uthreads[item[1]]


class NotificationHandler(SoftirqHandler):
    """Brings a notification or completion into the uthread's ring, under its lock, and wakes it if it waits.

    If kthreads reap completions, one wakes a uthread only if it has packets for which its TX ring had no room.
    """

    def __init__(self, world: World, uthreads: Sequence[Uthread | None], switches: Switches) -> None:
        self._clock: Clock = world.clock
        self._lines = world.lines
        self._stamps: Stamps = world.stamps
        self._uthreads = uthreads
        costs = world.costs
        self._item = costs.softirq_item + costs.lock
        self._reap = costs.completion_reap
        self._contended = costs.lock_contended
        self._reaps = switches.completion == "reap"

    def begin(self, core: Core, item: Item, spent: i64) -> i64:
        """Wait for the uthread's lock, take it and its lines."""
        server = self._server(item)
        slot = server.rx_slots + server.device.notifications.rx_tail if item[0] == RX else server.tx_slots + item[2]
        start = self._clock.now + spent
        cost = server.lock.wait(start, self._contended) + self._item
        cost += self._lines.take(core.index, server.slot) + self._lines.take(core.index, slot)
        if self._reaps and item[0] == TX_DONE:
            cost += self._reap + server.device.backend.pipe_write
        server.lock.take(core.index, start + cost)
        return cost

    def finish(self, core: Core, item: Item) -> Uthread | None:
        """Write the ring; who waited is runnable."""
        server = self._server(item)
        device = server.device
        if item[0] == RX:
            row = item[3] >> _PIPE_BITS
            device.notifications.deliver(item[3] & (1 << _PIPE_BITS) - 1, item[2], row)
            self._stamps.notifications[row + RUNNABLE] = self._clock.now
        else:
            device.notifications.complete(item[2])
            if self._reaps:
                device.reap()
                device.tell_pipe_heads(core)
        server.lock.release(core.index)
        if not server.waiting or (self._reaps and item[0] == TX_DONE and not server.has_packets()):
            return None
        server.waiting = False
        return server

    def _server(self, item: Item) -> Server:
        server = self._uthreads[item[1]]
        if not isinstance(server, Server):
            raise TypeError(f"softIRQ {item} is for uthread {item[1]}, which has no device")
        return server
