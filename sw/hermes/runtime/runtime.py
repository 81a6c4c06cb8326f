"""One application: its kthreads and uthreads, and who of them learns of what."""

from array import array
from collections.abc import Callable, Sequence

from mypy_extensions import i64

from hermes.messages import CREATE
from hermes.queues import SpscQueue
from hermes.runtime.kthread import Kthread
from hermes.runtime.softirq import SoftirqHandler
from hermes.runtime.switching import Silent, Teller
from hermes.runtime.timers import NEVER, Timers
from hermes.runtime.uthread import Uthread
from hermes.switches import Switches
from hermes.world import Core, End, World


class Runtime(End):
    """As many kthreads as cores that it may use, each with a runqueue and a softIRQ queue.

    Parameters
    ----------
    number
        Among the runtimes of a host.
    kthreads
        How many.
    guaranteed
        Cores that it gets at once whenever it is congested, 0 to ``kthreads``.
    handler
        What its softIRQs are.
    softirqs
        The softIRQ queues of its kthreads, numbered one after the other.
    teller
        Makes what tells of a kthread's switches; None: nothing is told.
    parks
        Whether a kthread that finds nothing gives its core up.
    begins
        Called with each kthread that gets a core, before its first step.
    creations
        By core, and changed by who runs there: the message queue that new uthreads are told through; None: they are
        not told.

    Attributes
    ----------
    count
        Number of kthreads.
    first_line, first_softirq_line
        Polled lines of kthread 0; those of the others follow.
    with_work
        Bit j: runqueue or softIRQ queue of kthread j is not empty.
    searching
        How many kthreads do.
    deadline
        Picoseconds: its first timer, if it gave up its last core; NEVER otherwise.
    create_cost
        Picoseconds to tell of a new uthread.
    run_lengths
        Picoseconds for which each kthread that left a core had had it, the way there included.
    runqueue_insertions, steals, parkings, preemptions
        Uthreads made runnable, uthreads that moved to another kthread, cores given up, and taken away, so far.
    parking_ps
        Picoseconds, all together, from when a search began to when its kthread gave the core up.
    creations
        Messages about new uthreads so far.
    """

    def __init__(
        self,
        world: World,
        number: int,
        *,
        kthreads: int,
        guaranteed: int,
        handler: SoftirqHandler,
        softirqs: Sequence[SpscQueue],
        switches: Switches,
        teller: Callable[[], Teller] = Silent,
        parks: bool = True,
        begins: Callable[[Kthread], None] = lambda _: None,
        creations: list[SpscQueue | None] | None = None,
    ) -> None:
        self.number = number
        self.count = kthreads
        self.guaranteed = guaranteed
        self.handler = handler
        self.switches = switches
        self.parks = parks and switches.parking
        self.first_line = world.lines.allocate_polled(kthreads)
        self.first_softirq_line = world.lines.allocate_polled(kthreads)
        self.with_work = 0
        self.searching: i64 = 0
        self.timers = Timers(kthreads)
        self.deadline: i64 = NEVER
        self.steals = self.parkings = self.preemptions = self.creations = 0
        self.parking_ps = 0
        self.runqueue_insertions: i64 = 0
        self.create_cost = 0 if creations is None else world.costs.message_send + world.costs.line_dirty
        self.run_lengths = array("q")
        self._began = [0] * kthreads
        self._clock = world.clock
        self._creations = creations
        self._lines = world.lines
        self._lengths = world.stamps.lengths
        self._make_teller = teller
        self._tell_begins = begins
        self._first_queue = softirqs[0].number
        self._on_core: dict[int, Kthread] = {}
        self.kthreads = [Kthread(world, self, index, queue) for index, queue in enumerate(softirqs)]
        for queue in softirqs:
            queue.consumer = self

    def teller(self, kthread: Kthread) -> Teller:  # noqa: ARG002  (each has its own)
        """What tells of a kthread's switches."""
        return self._make_teller()

    def begins(self, kthread: Kthread) -> None:
        """A kthread got its core."""
        self._on_core[kthread.core.index] = kthread
        self._began[kthread.index] = self._clock.now
        self._tell_begins(kthread)
        if self.deadline < NEVER:
            self.deadline = NEVER
            self.timers.hand_over(0, kthread.index)

    def leaves(self, kthread: Kthread, *, is_interrupted: bool) -> None:
        """A kthread gives its core up, and its timers to one that has a core; the last one's wait for a core."""
        del self._on_core[kthread.core.index]
        self.run_lengths.append(self._clock.now - self._began[kthread.index])
        if is_interrupted:
            self.preemptions += 1
        else:
            self.parkings += 1
            self.parking_ps += self._clock.now - kthread.searched
        if self.timers.next_time(kthread.index) == NEVER:
            return
        for heir in self._on_core.values():
            self.timers.hand_over(kthread.index, heir.index)
            if heir.is_searching:
                heir.set_alarm()
            return
        self.timers.hand_over(kthread.index, 0)
        self.deadline = self.timers.next_time(0)

    def wake(self, uthread: Uthread, core: Core) -> None:
        """Who runs on a core makes a uthread of its own runtime runnable."""
        self._on_core[core.index].push(uthread)

    def can_create(self, core: Core) -> bool:
        """Whether a new uthread can be told of, from a core."""
        return self._creations is None or not self._queue(self._creations, core).is_full()

    def await_creation(self, core: Core) -> None:
        """Have the core's kthread woken once it can."""
        if self._creations is not None:
            self._queue(self._creations, core).await_room()

    def create(self, uthread: Uthread, core: Core) -> None:
        """Who runs on a core made a uthread, which is runnable now."""
        if self._creations is not None:
            self.creations += 1
            self._queue(self._creations, core).push((CREATE, uthread.number, self.number, 0, self._clock.now))
        self.wake(uthread, core)

    @staticmethod
    def _queue(queues: list[SpscQueue | None], core: Core) -> SpscQueue:
        queue = queues[core.index]
        assert queue is not None  # only the IOKernel's core has none
        return queue

    def sleep(self, uthread: Uthread, core: Core, until: int) -> None:
        """Who runs on a core sleeps until a time, in picoseconds."""
        self.timers.set(self._on_core[core.index].index, until, uthread)

    def queue_changed(self, queue: int) -> None:
        """A softIRQ arrived: searching kthreads find it when they get there."""
        index = queue - self._first_queue
        self.with_work |= 1 << index
        if self.searching:
            for kthread in self.kthreads:
                if kthread.is_searching:
                    kthread.core.wake(index)

    def brought(self, kthread: Kthread) -> None:
        """Uthreads stand in the runqueue of this kthread; who searches learns of it when its line is written."""
        self.with_work |= 1 << kthread.index
        self._note_length(kthread)

    def took(self, kthread: Kthread) -> None:
        """Uthreads or softIRQs left the queues of this kthread."""
        if not (kthread.runqueue or kthread.softirqs):
            self.with_work &= ~(1 << kthread.index)
        self._note_length(kthread)

    def _note_length(self, kthread: Kthread) -> None:
        if self._lengths is not None:
            self._lengths.extend((self._clock.now, self.number << 16 | kthread.index, kthread.runqueue.count()))

    def wrote(self, core: Core, line: int, index: int) -> None:
        """A core wrote a line of kthread ``index``, now: who had a copy must look again."""
        lost = self._lines.write(core.index, line)
        if not lost or not self.searching:
            return
        for loser in self.kthreads:
            if loser.is_searching and lost >> loser.core.index & 1:
                loser.core.wake(index)

    def has_waited_since(self, before: i64) -> bool:
        """Whether a runnable uthread or softIRQ has waited, as a softIRQ and in a runqueue, since before this time."""
        for kthread in self.kthreads:
            if kthread.softirqs and kthread.softirqs[0][4] < before:
                return True
            if kthread.runqueue.has_runnable_since(before):
                return True
        return False

    def waits_for(self) -> list[str]:
        """What its kthreads wait for, and what their queues hold, a line for each that has something."""
        lines = []
        for kthread in self.kthreads:
            parts = [kthread.waits_for()] if kthread.waits_for() else []
            if kthread.softirqs or kthread.runqueue:
                parts.append(f"{len(kthread.softirqs)} softIRQs and {len(kthread.runqueue)} uthreads to be run")
            if parts:
                lines.append(f"kthread {kthread.index} of runtime {self.number} waits for {' and '.join(parts)}")
        return lines
