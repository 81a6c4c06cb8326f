"""The discrete-event kernel: what happens next, at the host.

A core has one event at a time, the end of an action or a look that may find something; setting its time replaces what
was set before. Everything else is in a heap: (key, kind, a, b), four integers, handled by kind.

A key is a time with an order, which decides at equal time: the NIC's effects come first, then the cores by number. A
sequence number would not do: it would depend on how many events were polls that found nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

from librt.vecs import vec
from mypy_extensions import i64, trait

from cosim.nic.base import NEVER, Nic
from hermes.words import IS_COMPILED, words
from hermes.world import Clock

ORDER_BITS: Final = 8
NIC_ORDER: Final = 0
FIRST_CORE_ORDER: Final = 1
LAST_ORDER: Final = (1 << ORDER_BITS) - 1
MOST_CORES: Final = 128
NO_EVENT: Final = (1 << 62) - 1
"""Key of an event that is not to come."""

Handler = Callable[[int, int], None]


@trait
class Agent(ABC):
    """Who has one event at a time: a core."""

    @abstractmethod
    def event(self) -> None:
        """It is time."""


class Engine(Clock):
    """Handles events, each when host memory is what it is at that time.

    Attributes
    ----------
    now, order
        Time in picoseconds and order of the event that is being handled, or was last.
    events
        Handled so far.
    core_events
        Key of the next event of each core, NO_EVENT if it has none: ``time << ORDER_BITS | FIRST_CORE_ORDER + index``.
        Cores set theirs.
    """

    __slots__ = (
        *("_cores", "_first", "_handlers", "_heap", "_nic", "_try_advance"),
        *("core_events", "events", "now", "order"),
    )

    def __init__(self, nic: Nic) -> None:
        self.now: i64 = 0
        self.order: i64 = NIC_ORDER
        self.events: i64 = 0
        self.core_events = words(1, NO_EVENT)  # one more than there are cores, so that there is always a first one
        self._cores: list[Agent] = []
        self._nic = nic
        self._try_advance = nic.try_advance
        self._heap: list[tuple[int, int, int, int]] = []
        self._first: i64 = NO_EVENT  # key of the first event in the heap
        self._handlers: list[Handler] = []

    def add_core(self, core: Agent) -> None:
        """The next core. ``core_events`` is another array from then on."""
        if len(self._cores) == MOST_CORES:
            raise ValueError(f"core {MOST_CORES} is one too many; accepted are {MOST_CORES}")
        self._cores.append(core)
        before = self.core_events
        self.core_events = words(len(self._cores) + 1, NO_EVENT)
        for index in range(len(self._cores) - 1):
            self.core_events[index] = before[index]

    def kind(self, handler: Handler) -> int:
        """A new kind of events, handled by ``handler(a, b)``."""
        self._handlers.append(handler)
        return len(self._handlers) - 1

    def schedule(self, time: i64, order: i64, kind: int, a: int, b: int) -> None:
        """An event to come, not before ``now``; at equal time and order behind that of the core."""
        key = time << ORDER_BITS | order
        heappush(self._heap, (key, kind, a, b))
        if key < self._first:
            self._first = key

    @property
    def next_time(self) -> int:
        """Time of the next event; NEVER if there is none."""
        key = min(_least(self.core_events), self._first)
        return NEVER if key == NO_EVENT else key >> ORDER_BITS

    def go_on(self, time: i64, end: i64, effect: int) -> i64:
        """Let NIC and software run from ``time`` to ``end``, or as far as the NIC need not be waited for.

        ``effect`` is the kind of events (source, address) that the NIC's effects are. The time up to which all ran.
        """
        nic = self._nic
        try_run, take_effects = nic.try_run, nic.take_effects
        while time < end:
            safe: i64 = try_run(min(self.next_time, end))
            if safe < 0:
                break
            for when, source, address in take_effects():
                self.schedule(when, NIC_ORDER, effect, source, address)
            time = min(safe, end)
            self.run(time)
        return time

    def run(self, safe: i64) -> int:
        """Handle all events with time <= ``safe``; the time of the next one after that."""
        keys, nic, cores = self.core_events, self._nic, self._cores
        change: i64 = nic.next_change  # nothing that software does here brings it forward: the NIC is too far away
        count: i64 = 0
        while True:
            key = _least(keys) if IS_COMPILED else min(keys)
            first = self._first
            is_of_core = key <= first
            if not is_of_core:
                key = first
            time = key >> ORDER_BITS
            if time > safe or key == NO_EVENT:
                break
            order = key & LAST_ORDER
            if time < self.now:
                what = f"core {order - FIRST_CORE_ORDER}" if is_of_core else str(self._heap[0])
                raise ValueError(f"event of {what} at {time} ps lies before the present, {self.now} ps")
            self.now = time
            self.order = order
            count += 1
            if change <= time:
                change = self._try_advance(time)
                if change < 0:
                    nic.raise_error()
            if is_of_core:
                core = order - FIRST_CORE_ORDER
                keys[core] = NO_EVENT
                cores[core].event()
            else:
                self._handle_first()
        self.events += count
        return NEVER if key == NO_EVENT else time

    def _handle_first(self) -> None:
        """The first event in the heap."""
        heap = self._heap
        _, kind, a, b = heappop(heap)
        self._first = heap[0][0] if heap else NO_EVENT
        self._handlers[kind](a, b)


def _least(keys: vec[i64]) -> i64:
    """The same as ``min``, which is faster in Python, and slower where mypyc made machine code of this."""
    least: i64 = NO_EVENT
    for key in keys:
        if key < least:
            least = key
    return least
