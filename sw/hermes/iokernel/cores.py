"""Which application gets a core, and which core: Shenango's rules, with the oldest overloaded application first.

Decisions are noted and issued in one batch, at the end of the iteration.
"""

from heapq import heappop, heappush

from mypy_extensions import i64

from hermes.iokernel.clients import ACTIVE, LEAVING, PARKED, Record
from hermes.runtime.timers import NEVER
from hermes.switches import Switches
from hermes.world import Clock, World

Held = tuple[Record, int]
"""A runtime and its kthread."""


class Cores:
    """The cores that run applications, as the IOKernel sees them.

    Attributes
    ----------
    decided
        (core, runtime, kthread) of each grant that is to be issued, and whether somebody must be interrupted for it.
    grants
        So far.
    true_detections, false_detections
        Times that a runtime was found congested, so far: its oldest runnable item had waited longer than the limit, or
        it had not.
    """

    def __init__(self, world: World, switches: Switches, limit_ps: int) -> None:
        count = len(world.cores)
        self.decided: list[tuple[int, Record, int, bool]] = []
        self.grants = self.true_detections = self.false_detections = 0
        self._clock: Clock = world.clock
        self._limit = limit_ps
        self._newest_first = switches.overloaded == "newest"
        self._current: list[Held | None] = [None] * count
        self._next: list[Held | None] = [None] * count
        self._history: list[list[Held]] = [[] for _ in range(count)]  # the last two, latest first
        self._idle = list(range(1, count))  # ascending
        self._overloaded: list[Record] = []  # oldest first
        self._deadlines: list[tuple[int, int, Record]] = []

    # --- what makes a runtime get a core ------------------------------------------------------------------------------

    def register(self, record: Record) -> None:
        """A runtime came: it gets its first core."""
        self._at_once(record)

    def for_delivery(self, record: Record) -> int:
        """A runtime without active kthreads is told of something: it gets a core at once, if one can be had.

        The kthread that will run, or, if there is no core, the one that parked last.
        """
        if not self._at_once(record):
            return record.parked[-1] if record.parked else record.states.index(LEAVING)
        return record.active[0]

    def congested(self, record: Record) -> None:
        """Something has waited too long for a core of this runtime."""
        if record.runtime.has_waited_since(self._clock.now - self._limit):
            self.true_detections += 1
        else:
            self.false_detections += 1
        if len(record.active) < record.runtime.guaranteed:
            self._at_once(record)
        else:
            self._overload(record)

    def serve_overloaded(self) -> None:
        """Idle cores go to overloaded runtimes, one to each."""
        for record in self._overloaded[::-1] if self._newest_first else list(self._overloaded):
            if not self._idle:
                return
            if record.parked:
                self._grant(record, self._choose_core(record))

    def left(self, core: int) -> None:
        """The kthread on a core left it: for who is to have it, for one more look at its softIRQs, or for good."""
        held = self._current[core]
        if held is None:
            raise ValueError(f"core {core} was left by nobody")
        record, index = held
        history = self._history[core]
        history.insert(0, held)
        del history[2:]
        if record.states[index] == ACTIVE:
            record.active.remove(index)
        record.states[index] = PARKED
        record.parked.append(index)
        self._current[core], self._next[core] = self._next[core], None
        if not record.active and record.runtime.deadline < NEVER:
            heappush(self._deadlines, (record.runtime.deadline, record.runtime.number, record))
        if self._current[core] is not None:
            return
        self._idle.append(core)
        self._idle.sort()
        if record.kthread(index).softirqs:
            self._give(record, index, core)
        else:
            self.serve_overloaded()

    def next_deadline(self) -> i64:
        """Picoseconds: the first timer of a runtime without a core."""
        return self._deadlines[0][0] if self._deadlines else NEVER

    def expire_deadlines(self) -> None:
        """Runtimes without a core of which a timer has passed get one."""
        while self._deadlines and self._deadlines[0][0] <= self._clock.now:
            record = heappop(self._deadlines)[2]
            if not record.active:
                self._at_once(record)

    # --- who is where -------------------------------------------------------------------------------------------------

    def kthread_on(self, core: int, record: Record) -> int:
        """The active kthread of a runtime on a core; -1 if there is none."""
        held = self._next[core] or self._current[core]
        return held[1] if held is not None and held[0] is record else -1

    def held(self) -> list[Held | None]:
        """Who has, or will have, each core."""
        return [following or current for current, following in zip(self._current, self._next, strict=True)]

    # --- decisions ----------------------------------------------------------------------------------------------------

    def _at_once(self, record: Record) -> bool:
        """An idle core, or that of a bursting runtime; if there is neither, the runtime counts as overloaded."""
        if not record.parked:
            return False
        core = self._choose_core(record)
        if core:
            self._grant(record, core)
            return True
        self._overload(record)
        return False

    def _overload(self, record: Record) -> None:
        if not record.is_overloaded and len(record.active) < record.runtime.count:
            record.is_overloaded = True
            self._overloaded.append(record)

    def _choose_core(self, record: Record) -> int:
        """That of the kthread that parked last, else the first idle one, else the first that may be taken; 0: none."""
        last = record.cores[record.parked[-1]]
        if self._idle:
            return last if last in self._idle else self._idle[0]
        if last and self._may_take(last):
            return last
        return next((core for core in range(1, len(self._current)) if self._may_take(core)), 0)

    def _may_take(self, core: int) -> bool:
        """From another runtime: who bursts has more than it may take from others."""
        held = self._current[core]
        return held is not None and self._next[core] is None and held[0].is_bursting

    def _grant(self, record: Record, core: int) -> None:
        self._give(record, self._choose_kthread(record, core), core)

    def _choose_kthread(self, record: Record, core: int) -> int:
        """Who ran on the core last, or before; without any active one, who parked last; else who has parked longest."""
        if not record.granted:
            return 0
        if not record.active and record.is_overloaded:
            return record.parked[-1]
        for previous, index in self._history[core]:
            if previous is record and record.states[index] == PARKED:
                return index
        return record.parked[0]

    def _give(self, record: Record, index: int, core: int) -> None:
        record.parked.remove(index)
        record.active.append(index)
        record.states[index] = ACTIVE
        record.woken.add(index)
        record.cores[index] = core
        record.granted = self._clock.now
        if record.is_overloaded:
            record.is_overloaded = False
            self._overloaded.remove(record)
        victim = self._current[core]
        if victim is None:
            self._idle.remove(core)
            self._current[core] = (record, index)
        else:
            victim[0].active.remove(victim[1])
            victim[0].states[victim[1]] = LEAVING
            self._next[core] = (record, index)
            self._overload(victim[0])
        self.decided.append((core, record, index, victim is not None))
        self.grants += 1
