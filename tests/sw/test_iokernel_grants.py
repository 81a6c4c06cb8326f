"""Where the IOKernel's loop registers runtimes, notices cores and congestion, and issues grants."""

import pytest

from hermes.errors import ContractError
from hermes.iokernel.scan import Scan
from hermes.runtime.softirq import rx_softirq
from hermes.world import (
    CORE_GRANT,
    CORES,
    DETECTION,
    GRANT,
)
from tests.tools.host import COSTS as C
from tests.tools.whole_host import US, WholeHost, alone, lap, spent

# --- cores, runtimes, detection ---------------------------------------------------------------------------------------


def test_a_runtime_that_registers_gets_a_core_in_the_next_iteration() -> None:
    host = WholeHost(alone=True)
    host.system._control.push((0, 0, 0, 0, 0))
    begin = host.begin()
    host.run(begin + 4 * US)
    looked = begin + lap(1) - 2 * C.poll_clean
    registered = looked + C.line_dirty + C.message_receive
    granted = registered + C.poll_clean + C.iok_loop + C.line_dirty
    assert list(host.happened(CORE_GRANT)) == [(granted, 1, 0)]
    assert host.ksched.granted == [(granted, 1)]
    assert spent(host, CORES) == C.line_dirty + C.message_receive
    assert spent(host, GRANT) == C.line_dirty


def grants(host: WholeHost, *runtimes: int) -> list[int]:
    """These runtimes come; when their grants are issued, from the start of an iteration on."""
    for runtime in runtimes:
        host.cores.register(host.record(runtime))
    begin = host.begin()
    host.run(begin + US)
    return [time - begin - C.iok_loop for time in host.times(CORE_GRANT)]


def test_grants_are_issued_in_one_batch_a_line_for_each() -> None:
    host = WholeHost(cores=2, uthreads=2, applications=2, alone=True)
    assert grants(host, 0, 1) == [2 * C.line_dirty] * 2
    assert spent(host, GRANT) == 2 * C.line_dirty


def test_a_grant_that_interrupts_costs_a_register_write_more() -> None:
    host = WholeHost(batch=True, alone=True)
    assert grants(host, 1, 0) == [2 * C.line_dirty + C.mmio_issue] * 2


def test_with_the_heap_a_grant_costs_a_new_key_more() -> None:
    host = WholeHost("priority", alone=True)
    assert grants(host, 0) == [C.line_dirty + 2 * C.heap_fix]


def test_the_word_of_a_core_is_read_in_each_iteration_and_costs_a_line_if_it_changed() -> None:
    host = alone(cores=2, uthreads=2, kthreads=2)
    begin = host.begin()
    host.run(begin + US)
    host.ksched._changed(2)
    host.later(US)
    assert host.record().active == [0]
    assert spent(host, CORES) == C.line_dirty
    assert host.cores.held()[2] is None


def first_look(start: int, every: int, at: int) -> int:
    """First of the looks at start, start + every, ... that is not before ``at``."""
    return start + max(0, -(-(at - start) // every)) * every


@pytest.mark.parametrize("busy", [0, 10])
def test_a_scan_starts_at_the_first_look_after_the_interval_and_late_if_much_came_before(
    busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[int] = []
    scan = Scan.begin

    def note(its: Scan) -> int:
        starts.append(host.engine.now)
        return scan(its)

    monkeypatch.setattr(Scan, "begin", note)
    host = alone()
    begin = host.begin()
    host.run(begin + 5 * US - lap(1))
    host.notify(*[0] * busy)
    host.run(begin + 12 * US)
    first, second = starts
    assert first >= begin + 5 * US + 1 + (US if busy else 0)
    assert first + 5 * US < second <= first + 5 * US + 2 * lap(1) + 4 * C.line_dirty, "from start to start"
    if not busy:
        assert first == first_look(begin + lap(1) - C.poll_clean, lap(1), begin + 5 * US + 1)


def test_congestion_is_acted_upon_at_the_end_of_the_scan_and_granted_in_the_next_iteration() -> None:
    host = alone(cores=2, uthreads=2)
    host.softirq_queue(0).push(rx_softirq(0, 0, 1, 0, 0))
    begin = host.begin()
    host.run(begin + 12 * US)
    clean, dirty = (1 + 4) * C.poll_clean, 4 * C.line_dirty
    behind = lap(2) - C.poll_clean  # from the start of an iteration to this look, its last
    first = first_look(begin + behind, lap(2), begin + 5 * US + 1)
    second = first_look(first + clean + dirty + behind, lap(2), first + 5 * US + 1)
    assert list(host.happened(CORE_GRANT)) == [(second + clean + C.iok_loop + C.line_dirty, 2, 1)]
    assert spent(host, DETECTION) == 2 * clean + dirty


def test_a_timer_of_a_runtime_without_a_core_gets_it_one() -> None:
    host = alone()
    begin = host.begin()
    host.run(begin + US)
    deadline = host.record().runtime.deadline = begin + 3 * US
    host.ksched._changed(1)
    host.run(begin + 4 * US)
    ((granted, *_),) = host.happened(CORE_GRANT)
    assert deadline < granted <= deadline + 2 * lap(1) + C.line_dirty


def test_the_iokernel_is_never_interrupted() -> None:
    with pytest.raises(ContractError, match="the IOKernel was interrupted"):
        alone().iokernel.interrupt()
