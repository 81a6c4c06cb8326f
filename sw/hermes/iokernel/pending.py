"""Congestion by heap: runnable uthreads that have not run, per runtime, and the runtimes by who has waited longest."""

from heapq import heappop, heappush

from mypy_extensions import i64

from hermes.iokernel.clients import Record
from hermes.iokernel.cores import Cores
from hermes.iokernel.detector import Detector
from hermes.runtime.timers import NEVER
from hermes.switches import Switches
from hermes.world import Clock, World


class _Waiting:
    """Of a runtime.

    Attributes
    ----------
    entries
        When each uthread came that is runnable, in that order.
    oldest
        The first of them, if there are any.
    key
        In the heap; -1: it is not there.
    floor
        No key before this time.
    """

    __slots__ = ("entries", "floor", "key", "oldest", "record")

    def __init__(self, record: Record) -> None:
        self.record = record
        self.entries: dict[int, int] = {}
        self.oldest = -1
        self.key: i64 = -1
        self.floor: i64 = 0


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
        self._fix: i64 = 2 * world.costs.heap_fix
        self.grant_cost = 2 * world.costs.heap_fix
        self.checks = 0
        self.checks_ps = 0
        self._clock: Clock = world.clock
        self._limit: i64 = switches.congestion_ps
        self._most: i64 = switches.grants_per_iteration
        self._cores = cores
        self._waiting: list[_Waiting] = []  # by runtime
        self._heap: list[tuple[int, int]] = []  # (key, runtime); those that are not its key are dead
        self._top: _Waiting | None = None  # at the top of the heap, if known, unless its key has changed
        self._top_key: i64 = 0

    # --- what happens to uthreads -------------------------------------------------------------------------------------

    def cost_of_adding(self, record: Record) -> i64:
        """Picoseconds that ``add`` takes in the heap: nothing behind others."""
        return 0 if self._of(record).entries else self._fix

    def cost_of_removing(self, record: Record, uthread: int) -> i64:
        """Picoseconds that ``remove`` takes in the heap: nothing but for the oldest."""
        waiting = self._of(record)
        return self._fix if waiting.entries and waiting.oldest == uthread else 0

    def add(self, record: Record, uthread: int) -> None:
        """A uthread became runnable, now."""
        waiting = self._of(record)
        entries = waiting.entries
        if not entries:
            entries[uthread] = self._clock.now
            waiting.oldest = uthread
            self._set_key(waiting)
            return
        is_oldest = waiting.oldest == uthread
        if uthread in entries:
            del entries[uthread]
        entries[uthread] = self._clock.now
        if is_oldest:
            waiting.oldest = next(iter(entries))
            self._set_key(waiting)

    def remove(self, record: Record, uthread: int) -> None:
        """A uthread runs."""
        waiting = self._of(record)
        entries = waiting.entries
        if uthread not in entries:
            return
        del entries[uthread]
        if waiting.oldest == uthread:
            waiting.oldest = next(iter(entries)) if entries else -1
            self._set_key(waiting)

    # --- what the IOKernel asks ---------------------------------------------------------------------------------------

    def next_time(self) -> i64:
        """Picoseconds: when there is something to do."""
        top = self._top
        if top is not None and top.key == self._top_key and top.record.granted <= top.key:
            return top.key + self._limit + 1
        heap = self._heap
        while heap:
            key, number = heap[0]
            top = self._waiting[number]
            if top.key != key:
                heappop(heap)
            elif top.record.granted > key:
                self._set_key(top)
            else:
                self._top, self._top_key = top, key
                return key + self._limit + 1
        self._top = None
        return NEVER

    def begin(self) -> i64:
        """The top has waited too long: picoseconds that it takes to see to that."""
        self.checks += 1
        self.checks_ps += self.cost + self._fix * self._most
        return self._fix * self._most

    def finish(self) -> None:
        """The runtimes at the top get a core, or wait for one; either way others come before them now."""
        for _ in range(self._most):
            if self.next_time() > self._clock.now:
                return
            top = self._top
            assert top is not None
            self._cores.congested(top.record)
            self._cores.serve_overloaded()
            top.floor = self._clock.now
            self._set_key(top)

    def _of(self, record: Record) -> _Waiting:
        number = record.runtime.number
        if number >= len(self._waiting) or self._waiting[number].record is not record:
            self._waiting += [_Waiting(record) for _ in range(len(self._waiting), number + 1)]
            self._waiting[number].record = record
        return self._waiting[number]

    def _set_key(self, waiting: _Waiting) -> None:
        if not waiting.entries:
            waiting.key = -1
            return
        since: i64 = waiting.entries[waiting.oldest]
        key = max(since, waiting.floor, waiting.record.granted)
        if waiting.key != key:
            waiting.key = key
            heappush(self._heap, (key, waiting.record.runtime.number))
            if key <= self._top_key:
                self._top = None
