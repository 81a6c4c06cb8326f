"""The periodic scan: what stands in two scans running, what a scan costs, and when the next one starts."""

import pytest

from hermes.iokernel.cores import Cores
from hermes.iokernel.delivery import Overflow
from hermes.iokernel.scan import Scan
from hermes.runtime.softirq import ready_softirq
from hermes.switches import Switches
from tests.tools.host import COSTS as C
from tests.tools.host import Host
from tests.tools.idle_runtimes import Idler, idle_record

US = 1_000_000
CLEAN = 2 * C.poll_clean


class Scanned:
    """Runtimes of three kthreads, of which the first has a core, on a machine with ``cores``."""

    def __init__(self, runtimes: int = 1, cores: int = 6, guaranteed: int = 3) -> None:
        self.host = Host(cores)
        self.host.engine.now = US
        self.cores = Cores(self.host.machine, Switches(), 5 * US)
        self.records = [idle_record(self.host, number, kthreads=3, guaranteed=guaranteed) for number in range(runtimes)]
        self.overflow = Overflow()
        self.detector = Scan(self.host.machine, self.cores, Switches(), self.records, self.overflow)
        for record in self.records:
            self.cores.register(record)
            record.woken.clear()
        self.cores.decided.clear()

    def put(self, what: str, kthread: int, runtime: int = 0) -> None:
        """A uthread, or a softIRQ, for a kthread."""
        of = self.records[runtime].kthread(kthread)
        if what == "uthread":
            of.push(Idler(0))
        else:
            of.softirqs.push(ready_softirq(0, -1, self.host.engine.now))

    def take(self, what: str, kthread: int, runtime: int = 0) -> None:
        """It is run, or handled."""
        of = self.records[runtime].kthread(kthread)
        if what == "uthread":
            of.runqueue.pop()
        else:
            of.softirqs.pop()
        self.host.machine.lines.write(1, of.line)
        self.records[runtime].runtime.took(of)

    def scan(self) -> list[int]:
        """One, 6 us after the last; runtimes that get a core."""
        self.host.engine.now += 6 * US
        self.detector.begin()
        self.detector.finish()
        decided = [record.runtime.number for _, record, *_ in self.cores.decided]
        self.cores.decided.clear()
        for record in self.records:
            record.woken.clear()
        return decided


@pytest.mark.parametrize("kthread", [0, 2], ids=["active", "parked"])
@pytest.mark.parametrize("what", ["uthread", "softirq"])
def test_what_was_there_at_the_last_scan_and_still_is_is_congestion(what: str, kthread: int) -> None:
    scanned = Scanned()
    assert scanned.scan() == []
    scanned.put(what, kthread)
    assert scanned.scan() == [], "it was not there before"
    assert scanned.scan() == [0]
    assert scanned.scan() == [0], "again and again"
    scanned.take(what, kthread)
    assert scanned.scan() == []


@pytest.mark.parametrize("what", ["uthread", "softirq"])
def test_others_in_its_place_are_none(what: str) -> None:
    scanned = Scanned()
    scanned.put(what, 0)
    for _ in range(4):
        assert scanned.scan() == []
        scanned.put(what, 0)
        scanned.take(what, 0)
    scanned.put(what, 0)
    scanned.put(what, 0)
    assert scanned.scan() == []
    scanned.take(what, 0)
    assert scanned.scan() == [0], "the second of two was there as well"


def test_a_kthread_that_was_woken_has_one_free_pass_and_is_looked_at_nevertheless() -> None:
    scanned = Scanned()
    scanned.put("softirq", 0)
    assert scanned.scan() == []
    scanned.records[0].woken.add(0)
    assert scanned.scan() == []
    assert scanned.scan() == [0]
    scanned = Scanned()
    scanned.put("softirq", 0)
    scanned.records[0].woken.add(0)
    assert scanned.scan() == []
    assert scanned.scan() == [0], "that scan saw it for the first time"


def test_a_free_pass_is_one_kthreads_not_the_runtimes() -> None:
    scanned = Scanned()
    scanned.put("softirq", 1)
    scanned.scan()
    scanned.records[0].woken.add(0)
    assert scanned.scan() == [0]


def test_the_free_passes_end_with_the_scan() -> None:
    scanned = Scanned()
    scanned.records[0].woken.update((0, 1))
    scanned.detector.begin()
    assert scanned.records[0].woken == set()


def test_what_is_held_for_a_full_queue_is_behind_it_as_if_it_were_there() -> None:
    scanned = Scanned()
    queue = scanned.records[0].kthread(0).softirqs
    queue.capacity = 1
    for _ in range(2):
        scanned.overflow.push(queue, ready_softirq(0, -1, 0))
    assert scanned.scan() == []
    scanned.take("softirq", 0)
    scanned.overflow.retry(queue)
    assert scanned.scan() == [0], "it was held at the last scan, and stands in the queue now"


def test_a_runtime_gets_one_core_in_a_scan_however_many_queues_stand() -> None:
    scanned = Scanned(runtimes=2)
    for runtime in range(2):
        for kthread in range(3):
            scanned.put("uthread", kthread, runtime)
            scanned.put("softirq", kthread, runtime)
    scanned.scan()
    assert scanned.scan() == [0, 1]
    assert scanned.scan() == [0, 1]
    assert scanned.scan() == []
    assert [sorted(record.active) for record in scanned.records] == [[0, 1, 2]] * 2


def test_behind_each_scan_idle_cores_go_to_those_that_wait() -> None:
    scanned = Scanned(guaranteed=1)
    scanned.put("softirq", 0)
    scanned.scan()
    assert scanned.scan() == [0], "beyond what is guaranteed"
    scanned = Scanned(guaranteed=1)
    scanned.cores.congested(scanned.records[0])
    assert scanned.cores.decided == []
    assert scanned.scan() == [0], "found otherwise"


def test_it_costs_two_looks_at_each_kthread_and_the_lines_that_changed() -> None:
    scanned = Scanned(runtimes=2)
    assert scanned.detector.begin() == 6 * CLEAN + 12 * C.line_dirty, "it has no copy of any"
    assert scanned.detector.begin() == 6 * CLEAN
    lines = scanned.host.machine.lines
    runtime = scanned.records[1].runtime
    lines.write(1, runtime.kthreads[0].line)
    lines.write(2, runtime.kthreads[0].line)
    lines.write(2, runtime.kthreads[2].softirq_line)
    assert scanned.detector.begin() == 6 * CLEAN + 2 * C.line_dirty
    assert scanned.detector.begin() == 6 * CLEAN
    detector = scanned.detector
    assert detector.checks_ps == detector.checks * (detector.cost + 6 * CLEAN) + 14 * C.line_dirty
    assert scanned.detector.cost == C.poll_clean
    assert scanned.detector.grant_cost == 0


def test_scans_start_more_than_the_interval_apart_and_late_ones_are_told() -> None:
    scanned = Scanned()
    now = scanned.host.engine.now = 20 * US
    assert scanned.detector.next_time() <= now, "the first"
    scanned.detector.begin()
    assert scanned.detector.started == now
    assert scanned.detector.next_time() == now + 5 * US + 1
    for interval in (7 * US, 6 * US):
        scanned.host.engine.now += interval
        scanned.detector.begin()
    assert scanned.detector.intervals == [13 * US, 7 * US, 2]
    assert scanned.detector.next_time() == now + 13 * US + 5 * US + 1
