"""A kthread: decides what its core runs next, handles softIRQs, steals."""

from typing import TYPE_CHECKING

from hermes.queues import Item, SpscQueue
from hermes.runtime.runqueue import Runqueue
from hermes.runtime.spinlock import Spinlock
from hermes.runtime.uthread import LEFT, RUNNING, Uthread
from hermes.world import (
    SCHEDULER,
    SOFTIRQ,
    STEAL,
    SWITCH,
    UTHREAD_END,
    UTHREAD_START,
    Core,
    Walk,
    World,
)

if TYPE_CHECKING:
    from hermes.runtime.runtime import Runtime

SOFTIRQ_BUDGET = 16
"""SoftIRQs that one call of the handler takes."""

WATCHDOG_PS = 50_000_000
"""After this long without a look at its softIRQ queue, a kthread looks there before its runqueue."""

_BEGIN, _SEARCH, _SWITCH, _RUN, _HANDLE, _STEAL, _LOCKED = range(7)


class Kthread:
    """Runs the uthreads of a runtime on a core.

    What is next: its softIRQ queue, if not looked at for 50 us; its runqueue; its softIRQ queue; the runqueue (half of
    it), then the softIRQ queue of every other kthread, starting after its own; and again. Whoever takes from a
    kthread's queues holds its lock; its owner waits for it, a thief goes on.

    Lock, indices of the runqueue and head of the softIRQ queue share one cache line, ``line``, which all kthreads poll.
    A search looks at source j for kthread j.

    Attributes
    ----------
    searching
        It found nothing and polls.
    """

    def __init__(self, world: World, runtime: "Runtime", index: int, core: Core, softirqs: SpscQueue) -> None:
        self.index = index
        self.core = core
        self.softirqs = softirqs
        self.runqueue = Runqueue()
        self.lock = Spinlock()
        self.line = runtime.first_line + index
        self.searching = False
        self._world = world
        self._clock = world.clock
        self._lines = world.lines
        self._costs = world.costs
        self._runtime = runtime
        self._state = _BEGIN
        self._current: Uthread | None = None
        self._victim = self
        self._items: list[Item] = []
        self._item = 0  # of them, the one that is being handled
        self._stealing = 0  # uthreads
        self._looked = 0  # when it last looked at its softIRQ queue
        count = runtime.count
        own, other = 2 * world.costs.poll_clean, world.costs.steal_probe + 2 * world.costs.poll_clean
        self._walk = Walk(
            tuple(own if j == index else other for j in range(count)),
            (tuple((index + offset) % count for offset in range(count)),),
            STEAL,
            runtime.first_line,
        )

    # --- what the core calls ------------------------------------------------------------------------------------------

    def step(self) -> bool:
        """See hermes.world.Software."""
        state = self._state
        if state == _RUN:
            return self._after_uthread(self._running().step(self.core))
        if state == _SWITCH:
            uthread = self.runqueue.pop()
            self._runtime.took(self)
            self.lock.release(self.index)
            self._runtime.wrote(self.core, self)
            self._world.record(UTHREAD_START, uthread.number, self.core.index)
            self._current = uthread
            self._state = _RUN
            return self._after_uthread(uthread.start(self.core))
        if state == _HANDLE:
            return self._handled()
        if state == _STEAL:
            return self._stole()
        if state == _BEGIN:
            self._looked = self._clock.now
        if self._has_work():  # else a thief was here before it got its lock
            return self._take_own(0)
        return self._search(0)

    def poll(self, source: int) -> bool:
        """See hermes.world.Software."""
        if self._state == _RUN:
            return self._after_uthread(self._running().poll(self.core))
        if source == self.index:
            if self._has_work():
                self._end_search()
                return self._take_own(0)
            self.core.spend(STEAL, 2 * self._costs.poll_clean + self._lines.read(self.core.index, self.line))
            return False
        return self._probe(self._runtime.kthreads[source])

    def ready(self) -> int:
        """See hermes.world.Software."""
        if self._state == _RUN:
            return self._running().ready(self.core)
        return self._runtime.with_work

    def queue_changed(self, queue: int) -> None:  # noqa: ARG002  (it produces for one queue)
        """The core's message queue has room; its uthread may wait for that."""
        if self._state == _RUN:
            self.core.wake(0)

    # --- what is next -------------------------------------------------------------------------------------------------

    def _after_uthread(self, outcome: int) -> bool:
        if outcome != LEFT:
            return outcome == RUNNING
        self._world.record(UTHREAD_END, self._running().number, self.core.index)
        self._current = None
        return self._schedule()

    def _running(self) -> Uthread:
        assert self._current is not None
        return self._current

    def _has_work(self) -> bool:
        return bool(self._runtime.with_work >> self.index & 1)

    def _schedule(self) -> bool:
        """The core is free: enter the scheduler."""
        if self._has_work():
            return self._take_own(self._costs.scheduler_entry)
        return self._search(self._costs.scheduler_entry)

    def _search(self, entry: int) -> bool:
        if entry:
            self.core.spend(SCHEDULER, entry)
        self._state = _SEARCH
        self.searching = True
        self.core.walk(self._walk)
        return False

    def _end_search(self) -> None:
        """Something was found. Each lap of the search has looked at the own softIRQ queue."""
        self.searching = False
        self._looked = self._clock.now

    def _take_own(self, spent: int) -> bool:
        """Take from one of the own queues, of which one is not empty, after what the action has spent."""
        core, costs, now = self.core, self._costs, self._clock.now
        spent += 2 * costs.poll_clean + self._lines.read(self.core.index, self.line)
        if self.lock.held:
            core.spend(SCHEDULER, spent + (self.lock.wait(now + spent, costs.lock_contended) or costs.lock_contended))
            self._state = _LOCKED
            return True
        is_late = now - self._looked >= WATCHDOG_PS
        if self.runqueue and not (is_late and self.softirqs):
            if is_late:
                self._looked = now
            spent += costs.lock + self._lines.write_cost(core.index, self.line)
            core.spend(SCHEDULER, spent)
            core.spend(SWITCH, costs.uthread_switch)
            self.lock.take(self.index, now + spent + costs.uthread_switch)
            self._state = _SWITCH
            return True
        self._looked = now
        core.spend(SCHEDULER, spent)
        return self._handle(self, spent)

    # --- softIRQs -----------------------------------------------------------------------------------------------------

    def _handle(self, victim: "Kthread", spent: int) -> bool:
        """Call the handler: take up to 16 softIRQs of a kthread, whose lock is free, and handle the first."""
        core, costs, queue = self.core, self._costs, victim.softirqs
        count = min(len(queue), SOFTIRQ_BUDGET)
        cost = costs.softirq_call + costs.lock + count * costs.line_dirty
        cost += self._lines.write_cost(core.index, victim.line)
        if victim is not self:
            cost += self._lines.write_cost(core.index, self.line)
        cost += self._runtime.handler.begin(core, queue[0], spent + cost)
        core.spend(SOFTIRQ, cost)
        victim.lock.take(self.index, self._clock.now + spent + cost)
        self._victim = victim
        self._items = [queue[index] for index in range(count)]
        self._item = 0
        self._state = _HANDLE
        return True

    def _handled(self) -> bool:
        """A softIRQ's effects land; go on with the next."""
        runtime = self._runtime
        if self._item == 0:
            victim = self._victim
            for _ in self._items:
                victim.softirqs.pop()
            runtime.took(victim)
            victim.lock.release(self.index)
            runtime.wrote(self.core, victim)
        runnable = runtime.handler.finish(self.core, self._items[self._item])
        if runnable is not None:
            self.push(runnable)
        self._item += 1
        if self._item == len(self._items):
            return self._schedule()
        self.core.spend(SOFTIRQ, runtime.handler.begin(self.core, self._items[self._item], 0))
        return True

    def push(self, uthread: Uthread) -> None:
        """A uthread lands on the own runqueue; nobody is woken, a search finds it."""
        self.runqueue.push(uthread)
        self._runtime.runqueue_insertions += 1
        self._runtime.brought(self)
        self._runtime.wrote(self.core, self)

    # --- stealing -----------------------------------------------------------------------------------------------------

    def _probe(self, victim: "Kthread") -> bool:
        core, costs = self.core, self._costs
        spent = costs.steal_probe + 2 * costs.poll_clean + self._lines.read(core.index, victim.line)
        core.spend(STEAL, spent)
        if victim.lock.held or not victim._has_work():
            return False
        self._end_search()
        if not victim.runqueue:
            return self._handle(victim, spent)
        cost = costs.lock + costs.steal_take + self._lines.write_cost(core.index, victim.line)
        cost += self._lines.write_cost(core.index, self.line)
        core.spend(STEAL, cost)
        victim.lock.take(self.index, self._clock.now + spent + cost)
        self._victim = victim
        self._stealing = victim.runqueue.stealable()
        self._state = _STEAL
        return True

    def _stole(self) -> bool:
        victim = self._victim
        stolen = victim.runqueue.steal(self._stealing)
        self._runtime.took(victim)
        victim.lock.release(self.index)
        self._runtime.wrote(self.core, victim)
        for uthread in stolen:
            self.runqueue.push(uthread)
        self._runtime.brought(self)
        self._runtime.wrote(self.core, self)
        self._runtime.steals += len(stolen)
        return self._schedule()
