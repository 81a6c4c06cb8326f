"""The discrete-event kernel: a heap of events in the order of time, handled by kind.

An event is (time, order, kind, a, b), five integers. ``order`` decides at equal time: the NIC's effects come first,
then the cores by number. A sequence number would not do: it would depend on how many events were polls that found
nothing.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

from cosim.nic.base import NEVER, Nic

NIC_ORDER: Final = 0
LAST_ORDER: Final = 1 << 30

Handler = Callable[[int, int], None]


class Engine:
    """Handles events, each when host memory is what it is at that time.

    Attributes
    ----------
    now, order
        Time in picoseconds and order of the event that is being handled, or was last.
    events
        Handled so far.
    """

    __slots__ = ("_handlers", "_heap", "_nic", "events", "now", "order")

    def __init__(self, nic: Nic) -> None:
        self.now = 0
        self.order = NIC_ORDER
        self.events = 0
        self._nic = nic
        self._heap: list[tuple[int, int, int, int, int]] = []
        self._handlers: list[Handler] = []

    def kind(self, handler: Handler) -> int:
        """A new kind of events, handled by ``handler(a, b)``."""
        self._handlers.append(handler)
        return len(self._handlers) - 1

    def schedule(self, time: int, order: int, kind: int, a: int, b: int) -> None:
        """An event to come, not before ``now``."""
        heappush(self._heap, (time, order, kind, a, b))

    @property
    def next_time(self) -> int:
        """Time of the next event; NEVER if there is none."""
        return self._heap[0][0] if self._heap else NEVER

    def run(self, safe: int) -> int:
        """Handle all events with time <= ``safe``; the time of the next one after that."""
        heap, handlers, nic = self._heap, self._handlers, self._nic
        now, count = self.now, 0
        change = nic.next_change  # what software does here cannot bring it forward: it takes the way to the NIC and back
        while heap:
            time, order, kind, a, b = heappop(heap)
            if time > safe:
                heappush(heap, (time, order, kind, a, b))
                break
            if time < now:
                raise ValueError(f"event {(time, order, kind, a, b)} lies before the present, {now} ps")
            self.now = now = time
            self.order = order
            count += 1
            if change <= time:
                nic.advance(time)
                change = nic.next_change
            handlers[kind](a, b)
        self.events += count
        return heap[0][0] if heap else NEVER
