"""A kthread: decides what its core runs next, searches, parks, and leaves its core when it is told to."""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hermes.messages import PARKED, RUNNABLE
from hermes.queues import Item, SpscQueue
from hermes.runtime.runqueue import Runqueue
from hermes.runtime.spinlock import Spinlock
from hermes.runtime.timers import NEVER
from hermes.runtime.uthread import LEFT, RUNNING, Uthread
from hermes.words import fives
from hermes.world import (
    CORE_LEFT,
    SCHEDULER,
    SOFTIRQ,
    STEAL,
    SWITCH,
    UTHREAD_END,
    UTHREAD_START,
    Core,
    Software,
    Walk,
    World,
)

if TYPE_CHECKING:
    from hermes.runtime.runtime import Runtime

_AWAY: Final = 0
_BEGIN: Final = 1
_SEARCH: Final = 2
_SWITCH: Final = 3
_RUN: Final = 4
_HANDLE: Final = 5
_STEAL: Final = 6
_LOCKED: Final = 7
_TIMERS: Final = 8
_PARK: Final = 9
_YIELD: Final = 10
_TELL: Final = 11


class Kthread(Software):
    """Runs the uthreads of a runtime, on whichever core it was given.

    What is next: its softIRQ queue, if not looked at for 50 us; its runqueue; its softIRQ queue; the runqueue (half of
    it), then the softIRQ queue of every other kthread, starting after its own; and again. Who takes from a kthread's
    queues holds its lock; its owner waits for it, a thief goes on. Who found nothing for 4 rounds and 2 us gives the
    core up.

    All kthreads poll two cache lines of each: ``line`` has the lock and the indices of the runqueue, ``softirq_line``
    the head of the softIRQ queue. A search looks at source j for kthread j.

    Attributes
    ----------
    core
        Its core; while it has none, the last one.
    is_searching
        It found nothing and polls.
    searched
        Picoseconds: when its last search began.
    checks, unchecked_ps, longest_unchecked_ps
        How often it looked at its softIRQ queue, the laps of a search left out; and the sum and the longest of the
        times since the look before, or since the last lap.
    teller
        What tells of its switches.
    """

    def __init__(self, world: World, runtime: "Runtime", index: int, softirqs: SpscQueue) -> None:
        self.index = index
        self.core = world.cores[0]
        self.softirqs = softirqs
        self.runqueue = Runqueue()
        self.lock = Spinlock()
        self.line = runtime.first_line + index
        self.softirq_line = runtime.first_softirq_line + index
        self.is_searching = False
        self._world = world
        self._effects = world.effects
        self._clock = world.clock
        self._lines = world.lines
        self._costs = world.costs
        self._runtime = runtime
        switches = runtime.switches
        self._park_ps: i64 = switches.park_ps
        self._park_rounds: i64 = switches.park_rounds
        self._watchdog_ps: i64 = switches.watchdog_ps
        self._softirq_budget = switches.softirq_budget
        self.teller = runtime.teller(self)
        self._state: i64 = _AWAY
        self._current: Uthread | None = None
        self._left: Uthread | None = None  # the uthread whose leaving is still to be told
        self._is_ceding = False  # an interrupt landed
        self._has_yielded = False  # and nothing but a message is left to do
        self._victim = self
        self._items = fives()
        self._item: i64 = 0  # of them, the one that is being handled
        self._stealing = 0  # uthreads
        self._looked: i64 = 0  # when it last looked at its softIRQ queue
        self.searched: i64 = 0
        self.checks: i64 = 0
        self.unchecked_ps: i64 = 0
        self.longest_unchecked_ps: i64 = 0
        count = runtime.count
        own, other = 2 * world.costs.poll_clean, world.costs.steal_probe + 2 * world.costs.poll_clean
        self._walk = Walk(
            tuple(own if j == index else other for j in range(count)),
            (tuple((index + offset) % count for offset in range(count)),),
            STEAL,
            (runtime.first_line, runtime.first_softirq_line),
        )

    # --- what the core calls ------------------------------------------------------------------------------------------

    def begin(self, core: Core) -> None:
        """See hermes.world.Software."""
        self.core = core
        self._state = _BEGIN
        self._runtime.begins(self)

    def interrupt(self) -> bool:
        """See hermes.world.Software."""
        if self._state == _RUN and self._running().is_computing:
            self._running().cut(self.core.cut())
        elif self._state == _SEARCH:
            self.core.cut()
            self._searches(False)
        else:
            self._is_ceding = True
            return False
        return self._yield()

    def step(self) -> bool:
        """See hermes.world.Software."""
        state = self._state
        if state == _RUN:
            return self._after_uthread(self._running().step(self.core))
        if state == _SWITCH:
            return self._popped()
        if state == _HANDLE:
            return self._handled()
        if state == _STEAL:
            return self._stole()
        if state == _TELL:
            return self.teller.step() and self._told()
        if state == _YIELD:
            return self._yielded()
        if state == _PARK:
            return self._parked()
        if state == _TIMERS:
            for uthread in self._runtime.timers.expired(self.index, self._clock.now):
                self.push(uthread)
            return self._schedule()
        if state == _BEGIN:
            self._world.ksched.arrived(self.core.index)
            self._looked = self._clock.now
        if self._is_ceding:
            return self._yield()
        if self._has_work():  # else a thief was here before it got its lock
            return self._take_own(0)
        return self._search(0)

    def poll(self, source: int) -> bool:
        """See hermes.world.Software."""
        if self._state == _RUN:
            return self._after_uthread(self._running().poll(self.core))
        if self._state == _TELL:
            return self.teller.poll()
        if source != self.index:
            return self._probe(self._runtime.kthreads[source])
        now = self._clock.now
        if self._has_work():
            self._end_search()
            return self._take_own(0)
        if self._runtime.timers.next_time(self.index) <= now:
            self._end_search()
            return self._fire_timers(0)
        if self._runtime.parks and now - self.searched >= self._park_ps and self.core.laps >= self._park_rounds:
            self._end_search()
            self.core.spend(SWITCH, self._costs.park)
            self._state = _PARK
            return True
        self.core.spend(STEAL, 2 * self._costs.poll_clean + self._read(self))
        return False

    def ready(self) -> int:
        """See hermes.world.Software."""
        if self._state == _RUN:
            return self._running().ready(self.core)
        if self._state == _TELL:
            return self.teller.ready()
        return self._runtime.with_work

    def queue_changed(self, queue: int) -> None:  # noqa: ARG002  (whichever, it waits for one thing only)
        """The message queue has room, or the answer is there."""
        if self._state == _RUN or self._state == _TELL:
            self.core.wake(0)

    def in_hand(self) -> list[Item]:
        """SoftIRQs that it took, and has not acted upon."""
        if self._state != _HANDLE or not self._item:
            return []
        return [self._items[index] for index in range(self._item, len(self._items))]

    def uthreads(self) -> list[Uthread]:
        """Those that it has: runnable, running, and parked ones of which nobody has been told."""
        has = self.runqueue.uthreads()
        if self._current is not None:
            has.append(self._current)
        if self._left is not None and self._left.ended == PARKED:
            has.append(self._left)
        return has + self.teller.uthreads() if self._state == _TELL else has

    def waits_for(self) -> str:
        """What would make it go on; empty if nothing need to."""
        return self.teller.waits_for() if self._state == _TELL else ""

    @property
    def running(self) -> Uthread | None:
        """The uthread that has its core."""
        return self._current

    # --- what is next -------------------------------------------------------------------------------------------------

    def _after_uthread(self, outcome: i64) -> bool:
        uthread = self._running()
        if outcome == LEFT:
            self._effects.record(UTHREAD_END, uthread.number, self.core.index)
            self._current = None
            if uthread.ended == RUNNABLE:
                self.push(uthread)
            if self.teller.tells:
                self._left = uthread
            return self._schedule()
        if outcome == RUNNING and self._is_ceding and uthread.is_computing:
            uthread.cut(self.core.cut())
            return self._yield()
        return outcome == RUNNING

    def _running(self) -> Uthread:
        assert self._current is not None
        return self._current

    def _has_work(self) -> bool:
        return bool(self._runtime.with_work >> self.index & 1)

    def _read(self, kthread: "Kthread") -> i64:
        """Cost of looking at both lines of a kthread, beside a clean look."""
        core = self.core.index
        return self._lines.read(core, kthread.line) + self._lines.read(core, kthread.softirq_line)

    def _schedule(self) -> bool:
        """The core is free: enter the scheduler."""
        entry = self._costs.scheduler_entry
        if self._is_ceding:
            return self._yield()
        if self._runtime.timers.next_time(self.index) <= self._clock.now:
            return self._fire_timers(entry)
        if self._has_work():
            return self._take_own(entry)
        return self._search(entry)

    def _fire_timers(self, spent: i64) -> bool:
        self.core.spend(SOFTIRQ, spent + self._costs.softirq_call + self._costs.softirq_item)
        self._state = _TIMERS
        return True

    def _search(self, entry: i64) -> bool:
        if self._left is not None:
            return self._tell_leaving(entry)
        if entry:
            self.core.spend(SCHEDULER, entry)
        self._state = _SEARCH
        self._searches(True)
        self.searched = self._clock.now + entry
        self._check(self._clock.now)
        self.core.walk(self._walk)
        self.set_alarm()
        return False

    def set_alarm(self) -> None:
        """In a search: look at the own queues again when it is time to park, or for a timer."""
        park = self.searched + self._park_ps if self._runtime.parks else NEVER
        timer = self._runtime.timers.next_time(self.index)
        if timer < NEVER:
            self.core.alarm(self.index, min(timer, park))
        elif park < NEVER:
            self.core.alarm(self.index, park, self._park_rounds)

    def _end_search(self) -> None:
        """Something was found. Each lap of the search has looked at the own softIRQ queue."""
        self._searches(False)
        self._looked = self._clock.now

    def _searches(self, is_searching: bool) -> None:
        self.is_searching = is_searching
        self._runtime.searching += 1 if is_searching else -1

    def _take_own(self, spent: i64) -> bool:
        """Take from one of the own queues, of which one is not empty, after what the action has spent."""
        core, costs, now = self.core, self._costs, self._clock.now
        spent += 2 * costs.poll_clean + self._read(self)
        if self.lock.held:
            core.spend(SCHEDULER, spent + (self.lock.wait(now + spent, costs.lock_contended) or costs.lock_contended))
            self._state = _LOCKED
            return True
        is_late = now - self._looked >= self._watchdog_ps
        if self.runqueue and not (is_late and self.softirqs):
            if is_late:
                self._check(now)
            spent += costs.lock + self._lines.write_cost(core.index, self.line) + self.teller.cost
            core.spend(SCHEDULER, spent)
            core.spend(SWITCH, costs.uthread_switch)
            self.lock.take(self.index, now + spent + costs.uthread_switch)
            self._state = _SWITCH
            return True
        if self._left is not None:
            return self._tell_leaving(spent)
        self._check(now)
        core.spend(SCHEDULER, spent)
        return self._handle(self, spent)

    def _check(self, now: i64) -> None:
        """It looks at its softIRQ queue."""
        past = now - self._looked
        self.checks += 1
        self.unchecked_ps += past
        if past > self.longest_unchecked_ps:
            self.longest_unchecked_ps = past
        self._looked = now

    def _popped(self) -> bool:
        """The oldest uthread of the own runqueue is next."""
        uthread = self.runqueue.pop()
        self._runtime.took(self)
        self.lock.release(self.index)
        self._runtime.wrote(self.core, self.line, self.index)
        if not self.teller.tells:
            return self._run(uthread)
        self._state = _TELL
        left, self._left = self._left, None
        return self.teller.tell(self.core, left, uthread) and self._told()

    def _run(self, uthread: Uthread) -> bool:
        self._effects.record(UTHREAD_START, uthread.number, self.core.index)
        self._current = uthread
        self._state = _RUN
        return self._after_uthread(uthread.start(self.core))

    def _tell_leaving(self, spent: i64) -> bool:
        """First tell that a uthread was left for none."""
        self.core.spend(SCHEDULER, spent + self.teller.cost)
        self._state = _TELL
        left, self._left = self._left, None
        self.teller.prepare(self.core, left, None)
        return True

    def _told(self) -> bool:
        """A switch was told, and, if that is waited for, answered."""
        uthread = self.teller.next
        if uthread is not None:
            return self._run(uthread)
        return self._leave() if self._has_yielded else self._schedule()

    # --- softIRQs -----------------------------------------------------------------------------------------------------

    def _handle(self, victim: "Kthread", spent: i64) -> bool:
        """Call the handler: take up to 16 softIRQs of a kthread, whose lock is free, and handle the first."""
        core, costs, queue = self.core, self._costs, victim.softirqs
        count = min(len(queue), self._softirq_budget)
        cost: i64 = costs.softirq_call + costs.lock + count * costs.line_dirty
        cost += self._lines.write_cost(core.index, victim.line)
        cost += self._lines.write_cost(core.index, victim.softirq_line)
        cost += self._runtime.handler.begin(core, queue[0], spent + cost)
        core.spend(SOFTIRQ, cost)
        victim.lock.take(self.index, self._clock.now + spent + cost)
        self._victim = victim
        self._items.clear()
        for index in range(count):
            self._items.append(queue[index])
        self._item = 0
        self._state = _HANDLE
        return True

    def _handled(self) -> bool:
        """A softIRQ's effects land; go on with the next."""
        runtime = self._runtime
        if self._item == 0:
            victim = self._victim
            for _ in range(len(self._items)):
                victim.softirqs.pop()
            runtime.took(victim)
            victim.lock.release(self.index)
            runtime.wrote(self.core, victim.line, victim.index)
            runtime.wrote(self.core, victim.softirq_line, victim.index)
        item = self._items[self._item]
        runnable = runtime.handler.finish(self.core, item)
        if runnable is not None:
            self.push(runnable, item[4])
        self._item += 1
        if self._item == len(self._items):
            return self._schedule()
        self.core.spend(SOFTIRQ, runtime.handler.begin(self.core, self._items[self._item], 0))
        return True

    def push(self, uthread: Uthread, since: i64 = -1) -> None:
        """A uthread lands on the own runqueue; nobody is woken, a search finds it.

        It is runnable since now, or since its softIRQ was pushed, at ``since``.
        """
        uthread.since = self._clock.now if since < 0 else since
        self.runqueue.push(uthread)
        self._runtime.runqueue_insertions += 1
        self._runtime.brought(self)
        self._runtime.wrote(self.core, self.line, self.index)

    # --- stealing -----------------------------------------------------------------------------------------------------

    def _probe(self, victim: "Kthread") -> bool:
        core, costs = self.core, self._costs
        spent = costs.steal_probe + 2 * costs.poll_clean + self._read(victim)
        core.spend(STEAL, spent)
        if victim.lock.held or not self._runtime.with_work >> victim.index & 1:
            return False
        self._end_search()
        if not victim.runqueue:
            return self._handle(victim, spent)
        cost: i64 = costs.lock + costs.steal_take + self._lines.write_cost(core.index, victim.line)
        cost += self._lines.write_cost(core.index, self.line)
        core.spend(STEAL, cost)
        victim.lock.take(self.index, self._clock.now + spent + cost)
        self._victim = victim
        self._stealing = victim.runqueue.stealable()
        self._state = _STEAL
        return True

    def _stole(self) -> bool:
        victim, runtime = self._victim, self._runtime
        stolen = victim.runqueue.steal(self._stealing)
        runtime.took(victim)
        victim.lock.release(self.index)
        runtime.wrote(self.core, victim.line, victim.index)
        for uthread in stolen:
            self.runqueue.push(uthread)
        runtime.brought(self)
        runtime.wrote(self.core, self.line, self.index)
        runtime.steals += len(stolen)
        return self._schedule()

    # --- leaving the core ---------------------------------------------------------------------------------------------

    def _yield(self) -> bool:
        """Interrupted: leave everything as others can find it, then the core."""
        self._is_ceding = True
        self.core.spend(SWITCH, self._costs.clean_yield)
        self._state = _YIELD
        return True

    def _yielded(self) -> bool:
        uthread, self._current = self._current, None
        self._has_yielded = True
        if uthread is not None:
            self._effects.record(UTHREAD_END, uthread.number, self.core.index)
            uthread.ended = RUNNABLE
            self.push(uthread)
            if self.teller.tells:
                self._left = uthread
        if self._left is not None:
            return self._tell_leaving(0)
        return self._leave()

    def _parked(self) -> bool:
        """Look once more before the core goes."""
        if self._is_ceding or not self._has_work():
            return self._leave()
        return self._take_own(0)

    def _leave(self) -> bool:
        self._runtime.leaves(self, is_interrupted=self._is_ceding)
        self._effects.record(CORE_LEFT, self.core.index, self._runtime.number << 16 | self.index)
        self._is_ceding = self._has_yielded = False
        self._state = _AWAY
        self._world.ksched.park(self.core.index)
        return False
