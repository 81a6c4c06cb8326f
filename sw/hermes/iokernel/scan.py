"""Congestion by periodic scan: an item that stands in a queue in two scans running has waited too long."""

from mypy_extensions import i64

from hermes.iokernel.clients import Record
from hermes.iokernel.cores import Cores
from hermes.iokernel.delivery import Overflow
from hermes.iokernel.detector import Detector
from hermes.switches import Switches
from hermes.world import CacheLines, Clock, World


class Scan(Detector):
    """Looks at the softIRQ queue and the runqueue of every kthread, parked ones too, two lines each.

    Scans start more than the interval apart; the queues are read at the start of a scan, which is one sub-step.

    Attributes
    ----------
    cost, grant_cost
        Picoseconds of a look at the clock, and of noting a grant.
    started, intervals
        When each scan started: the last one; and the sum and the longest of the times between starts, and how many.
    """

    def __init__(
        self, world: World, cores: Cores, switches: Switches, records: list[Record], overflow: Overflow
    ) -> None:
        self.cost = world.costs.poll_clean
        self.grant_cost = 0
        self.checks = 0
        self.checks_ps = 0
        self.started: i64 = 0
        self.intervals = [0, 0, 0]
        self._clock: Clock = world.clock
        self._lines: CacheLines = world.lines
        self._clean = 2 * world.costs.poll_clean
        self._interval: i64 = switches.scan_ps
        self._cores = cores
        self._records = records
        self._overflow = overflow
        self._tails: dict[int, list[tuple[int, int]]] = {}  # by runtime: of runqueue and softIRQs, at the last scan
        self._congested: list[Record] = []

    def next_time(self) -> i64:
        """Picoseconds: when there is something to do."""
        return self.started + self._interval + 1

    def begin(self) -> i64:
        """Scan; picoseconds that it takes."""
        now = self._clock.now
        if self.started:
            past = now - self.started
            self.intervals = [self.intervals[0] + past, max(self.intervals[1], past), self.intervals[2] + 1]
        self.started = now
        cost: i64 = 0
        self._congested.clear()
        for record in self._records:
            runtime = record.runtime
            cost += runtime.count * self._clean
            stale = self._lines.stale_lines(0, runtime.first_line, runtime.count)
            stale |= self._lines.stale_lines(0, runtime.first_softirq_line, runtime.count)
            if stale or runtime.with_work:
                cost += self._look(record)
            record.woken.clear()
        self.checks += 1
        self.checks_ps += self.cost + cost
        return cost

    def finish(self) -> None:
        """Each congested runtime gets a core, or waits for one."""
        for record in self._congested:
            self._cores.congested(record)
        self._cores.serve_overloaded()

    def _look(self, record: Record) -> i64:
        runtime, is_congested = record.runtime, False
        cost: i64 = 0
        tails = self._tails.setdefault(runtime.number, [(0, 0)] * runtime.count)
        for index, kthread in enumerate(runtime.kthreads):
            cost += self._lines.read(0, kthread.line) + self._lines.read(0, kthread.softirq_line)
            runnable, softirqs = kthread.runqueue, kthread.softirqs
            then = tails[index]
            stands = then[0] > runnable.popped or then[1] > softirqs.popped
            if stands and index not in record.woken:
                is_congested = True
            tails[index] = runnable.pushed, softirqs.pushed + self._overflow.held_for(softirqs)
        if is_congested:
            self._congested.append(record)
        return cost
