"""Congestion by heap: runnable uthreads that have not run, per runtime, and the runtimes by who has waited longest."""

from heapq import heappop, heappush

from hermes.iokernel.clients import Record
from hermes.iokernel.cores import Cores
from hermes.iokernel.detector import Detector
from hermes.runtime.timers import NEVER
from hermes.switches import Switches
from hermes.world import Clock, World


class Pending(Detector):
    """Per runtime its runnable uthreads, oldest first; a heap of runtimes.

    A runtime's key is the later of two times: when its oldest entry came, and when it last got a core or was found
    congested. The first entry, the removal of the oldest, and a new key take a removal from the heap and an insertion.

    Attributes
    ----------
    cost, grant_cost
        Picoseconds of a look at the top, and of a runtime's new key after a grant.
    """

    def __init__(self, world: World, cores: Cores, switches: Switches) -> None:
        self.cost = world.costs.heap_peek
        self._fix = self.grant_cost = 2 * world.costs.heap_fix
        self._clock: Clock = world.clock
        self._limit = switches.congestion_ps
        self._most = switches.grants_per_iteration
        self._cores = cores
        self._entries: dict[int, dict[int, int]] = {}  # by runtime: when each uthread came, in that order
        self._records: dict[int, Record] = {}
        self._floor: dict[int, int] = {}  # by runtime: no key before this time
        self._keys: dict[int, int] = {}  # by runtime in the heap
        self._heap: list[tuple[int, int]] = []  # (key, runtime); those that are not its key are dead

    # --- what happens to uthreads -------------------------------------------------------------------------------------

    def cost_of_adding(self, record: Record) -> int:
        """Picoseconds that ``add`` takes in the heap: nothing behind others."""
        return 0 if self._entries.get(record.runtime.number) else self._fix

    def cost_of_removing(self, record: Record, uthread: int) -> int:
        """Picoseconds that ``remove`` takes in the heap: nothing but for the oldest."""
        entries = self._entries.get(record.runtime.number)
        return self._fix if entries and next(iter(entries)) == uthread else 0

    def add(self, record: Record, uthread: int) -> None:
        """A uthread became runnable, now."""
        number = record.runtime.number
        entries = self._entries.setdefault(number, {})
        changes_oldest = not entries or next(iter(entries)) == uthread
        entries.pop(uthread, None)
        entries[uthread] = self._clock.now
        self._records[number] = record
        if changes_oldest:
            self._set_key(record)

    def remove(self, record: Record, uthread: int) -> None:
        """A uthread runs."""
        entries = self._entries.get(record.runtime.number, {})
        if uthread not in entries:
            return
        was_oldest = next(iter(entries)) == uthread
        del entries[uthread]
        if was_oldest:
            self._set_key(record)

    # --- what the IOKernel asks ---------------------------------------------------------------------------------------

    def next_time(self) -> int:
        """Picoseconds: when there is something to do."""
        heap = self._heap
        while heap:
            key, number = heap[0]
            if self._keys.get(number) != key:
                heappop(heap)
            elif self._records[number].granted > key:
                self._set_key(self._records[number])
            else:
                return key + self._limit + 1
        return NEVER

    def begin(self) -> int:
        """The top has waited too long: picoseconds that it takes to see to that."""
        return self._fix * self._most

    def finish(self) -> None:
        """The runtimes at the top get a core, or wait for one; either way others come before them now."""
        for _ in range(self._most):
            if self.next_time() > self._clock.now:
                return
            record = self._records[self._heap[0][1]]
            self._cores.congested(record)
            self._cores.serve_overloaded()
            self._floor[record.runtime.number] = self._clock.now
            self._set_key(record)

    def _set_key(self, record: Record) -> None:
        number = record.runtime.number
        entries = self._entries.get(number)
        if not entries:
            self._keys.pop(number, None)
            return
        key = max(next(iter(entries.values())), self._floor.get(number, 0), record.granted)
        if self._keys.get(number) != key:
            self._keys[number] = key
            heappush(self._heap, (key, number))
