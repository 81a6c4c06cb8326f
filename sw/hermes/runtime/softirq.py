"""SoftIRQs that are notifications and completions: the kthread that handles one writes the uthread's rings."""

from collections.abc import Sequence
from typing import Final, Protocol

from hermes.queues import Item
from hermes.runtime.uthread import Uthread
from hermes.world import Clock, Core, World

RX: Final = 0
TX_DONE: Final = 1


def rx_softirq(uthread: int, pipe: int, tail: int, stamp: int) -> Item:
    """A pipe of a uthread has data up to ``tail``; the IOKernel learned it at ``stamp``."""
    return RX, uthread, tail, pipe, stamp


def tx_done_softirq(uthread: int, slot: int, stamp: int) -> Item:
    """The request in a TX slot of a uthread is complete; the IOKernel learned it at ``stamp``."""
    return TX_DONE, uthread, slot, 0, stamp


class SoftirqHandler(Protocol):
    """What a kthread does with one softIRQ."""

    def begin(self, core: Core, item: Item, spent: int) -> int:
        """Start with it, after what the action has ``spent`` so far; picoseconds that it takes."""

    def finish(self, core: Core, item: Item) -> Uthread | None:
        """Its effects land; a uthread that is to become runnable."""


class NotificationHandler:
    """Brings a notification or completion into the uthread's ring, under its lock, and wakes it if it waits."""

    def __init__(self, world: World, uthreads: Sequence[Uthread]) -> None:
        self._clock: Clock = world.clock
        self._lines = world.lines
        self._uthreads = uthreads
        costs = world.costs
        self._item = costs.softirq_item + costs.lock
        self._contended = costs.lock_contended

    def begin(self, core: Core, item: Item, spent: int) -> int:
        """Wait for the uthread's lock, take it and its lines."""
        uthread = self._uthreads[item[1]]
        slot = uthread.rx_slots + uthread.device.notifications.rx_tail if item[0] == RX else uthread.tx_slots + item[2]
        start = self._clock.now + spent
        cost = uthread.lock.wait(start, self._contended) + self._item
        cost += self._lines.take(core.index, uthread.slot) + self._lines.take(core.index, slot)
        uthread.lock.take(core.index, start + cost)
        return cost

    def finish(self, core: Core, item: Item) -> Uthread | None:
        """Write the ring; who waited is runnable."""
        uthread = self._uthreads[item[1]]
        if item[0] == RX:
            uthread.device.notifications.deliver(item[3], item[2])
        else:
            uthread.device.notifications.complete(item[2])
        uthread.lock.release(core.index)
        if not uthread.waiting:
            return None
        uthread.waiting = False
        return uthread
