"""The discrete-event kernel: what happens next, at the host.

A core has one event at a time, the end of an action or a look that may find something; setting its time replaces what
was set before. Everything else is in a heap: (time, order, kind, a, b), five integers, handled by kind.

``order`` decides at equal time: the NIC's effects come first, then the cores by number. A sequence number would not do:
it would depend on how many events were polls that found nothing.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

from cosim.nic.base import NEVER, Nic
from hermes.world import Clock

NIC_ORDER: Final = 0
FIRST_CORE_ORDER: Final = 1
LAST_ORDER: Final = 1 << 30
MOST_CORES: Final = 128
NO_EVENT: Final = 1 << 61
"""Of a core: none is to come."""

_IS_COMPILED: Final = not __file__.endswith(".py")

Handler = Callable[[int, int], None]


class Engine(Clock):
    """Handles events, each when host memory is what it is at that time.

    Attributes
    ----------
    now, order
        Time in picoseconds and order of the event that is being handled, or was last.
    events
        Handled so far.
    core_events
        By core: the time of its next event times MOST_CORES, plus its index; NO_EVENT if it has none. Cores set theirs.
        So the least one tells which core is next, and at equal time it is the lower one.
    """

    __slots__ = ("_cores", "_handlers", "_heap", "_nic", "core_events", "events", "now", "order")

    def __init__(self, nic: Nic) -> None:
        self.now = 0
        self.order = NIC_ORDER
        self.events = 0
        self.core_events = [NO_EVENT]  # one more than there are cores, so that there is always a first one
        self._cores: list[Callable[[], None]] = []
        self._nic = nic
        self._heap: list[tuple[int, int, int, int, int]] = []
        self._handlers: list[Handler] = []

    def add_core(self, event: Callable[[], None]) -> None:
        """The next core: its events are handled by ``event()``."""
        if len(self._cores) == MOST_CORES:
            raise ValueError(f"core {MOST_CORES} is one too many; accepted are {MOST_CORES}")
        self._cores.append(event)
        self.core_events.append(NO_EVENT)

    def kind(self, handler: Handler) -> int:
        """A new kind of events, handled by ``handler(a, b)``."""
        self._handlers.append(handler)
        return len(self._handlers) - 1

    def schedule(self, time: int, order: int, kind: int, a: int, b: int) -> None:
        """An event to come, not before ``now``; at equal time and order behind that of the core."""
        heappush(self._heap, (time, order, kind, a, b))

    @property
    def next_time(self) -> int:
        """Time of the next event; NEVER if there is none."""
        key = min(self.core_events)
        first = NEVER if key == NO_EVENT else key // MOST_CORES
        return min(first, self._heap[0][0]) if self._heap else first

    def run(self, safe: int) -> int:
        """Handle all events with time <= ``safe``; the time of the next one after that."""
        heap, keys, nic, cores = self._heap, self.core_events, self._nic, self._cores
        change = nic.next_change  # nothing that software does here brings it forward: the NIC is too far away
        count = 0
        while True:
            key = _least(keys) if _IS_COMPILED else min(keys)
            time, core = key // MOST_CORES, key % MOST_CORES
            order = core + FIRST_CORE_ORDER
            is_of_core = True
            if heap:
                first = heap[0]
                if first[0] < time or (first[0] == time and first[1] < order):
                    time, order, is_of_core = first[0], first[1], False
            if time > safe or (key == NO_EVENT and is_of_core):
                break
            if time < self.now:
                what = f"core {order - FIRST_CORE_ORDER}" if is_of_core else str(heap[0])
                raise ValueError(f"event of {what} at {time} ps lies before the present, {self.now} ps")
            self.now = time
            self.order = order
            count += 1
            if change <= time:
                nic.advance(time)
                change = nic.next_change
            if is_of_core:
                keys[core] = NO_EVENT
                cores[core]()
            else:
                _, _, kind, a, b = heappop(heap)
                self._handlers[kind](a, b)
        self.events += count
        return NEVER if is_of_core and key == NO_EVENT else time


def _least(keys: list[int]) -> int:
    """The same as ``min``, which is faster in Python, and slower where mypyc made machine code of this."""
    least = NO_EVENT
    for key in keys:
        if key < least:
            least = key
    return least
