"""One application: its kthreads and uthreads, and who of them learns of what."""

from collections.abc import Sequence

from hermes.queues import End, SpscQueue
from hermes.runtime.kthread import Kthread
from hermes.runtime.softirq import SoftirqHandler
from hermes.runtime.uthread import Uthread
from hermes.world import Core, World


class Runtime:
    """As many kthreads as cores that it may use, each with a runqueue and a softIRQ queue, and their uthreads.

    Parameters
    ----------
    cores
        Kthread j runs on ``cores[j]``.
    iokernel
        Producer of the softIRQ queues, whose numbers are ``first_queue`` on.

    Attributes
    ----------
    count
        Number of kthreads.
    first_line
        Polled line of kthread 0; those of the others follow.
    with_work
        Bit j: runqueue or softIRQ queue of kthread j is not empty.
    runqueue_insertions, steals
        Uthreads made runnable, and uthreads that moved to another kthread, so far.
    """

    def __init__(
        self,
        world: World,
        cores: Sequence[Core],
        uthreads: Sequence[Uthread],
        handler: SoftirqHandler,
        iokernel: End,
        first_queue: int,
    ) -> None:
        self.count = len(cores)
        self.uthreads = uthreads
        self.handler = handler
        self.first_line = world.lines.allocate_polled(self.count)
        self.with_work = 0
        self.runqueue_insertions = self.steals = 0
        self._lines = world.lines
        self._first_queue = first_queue
        self.kthreads = [
            Kthread(world, self, index, core, SpscQueue(world, first_queue + index, self, iokernel))
            for index, core in enumerate(cores)
        ]
        self._on_core = {kthread.core.index: kthread for kthread in self.kthreads}

    def queue_changed(self, queue: int) -> None:
        """A softIRQ arrived: searching kthreads find it when they get there."""
        index = queue - self._first_queue
        self.with_work |= 1 << index
        for kthread in self.kthreads:
            if kthread.searching:
                kthread.core.wake(index)

    def brought(self, kthread: Kthread) -> None:
        """Uthreads stand in the runqueue of this kthread; who searches learns of it when its line is written."""
        self.with_work |= 1 << kthread.index

    def took(self, kthread: Kthread) -> None:
        """Uthreads or softIRQs left the queues of this kthread."""
        if not (kthread.runqueue or kthread.softirqs):
            self.with_work &= ~(1 << kthread.index)

    def wrote(self, core: Core, kthread: Kthread) -> None:
        """A core wrote the line of a kthread, now: who had a copy must look again."""
        lost = self._lines.write(core.index, kthread.line)
        while lost:
            low = lost & -lost
            lost ^= low
            loser = self._on_core.get(low.bit_length() - 1)
            if loser is not None and loser.searching:
                loser.core.wake(kthread.index)
