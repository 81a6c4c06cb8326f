"""SoftIRQs: what lands in a uthread's rings, who wakes, what it costs, and what is stamped."""

import pytest

from hermes.enso.registers import RX_HEAD
from hermes.runtime.server import Server
from hermes.runtime.softirq import NotificationHandler, ReadyHandler, ready_softirq, rx_softirq, tx_done_softirq
from hermes.stamps import NOTIFICATION_COLUMNS, RUNNABLE
from hermes.switches import Switches
from hermes.world import MMIO_WRITE
from tests.tools.host import COSTS as C
from tests.tools.runtimes import RuntimeHost, fill, pipe_of

ITEM = C.softirq_item + C.lock


def make(cores: int = 1, switches: Switches | None = None) -> tuple[RuntimeHost, Server, NotificationHandler]:
    """A waiting server, and the handler; there are stamps of two notifications."""
    host = RuntimeHost(cores, tracks=True, switches=switches)
    server = host.server()
    server.waiting = True
    for _ in range(2):
        host.machine.stamps.notification(server.number, 0, 0, 0)
    return host, server, NotificationHandler(host.machine, host.uthreads, host.switches)


def runnable_times(host: RuntimeHost) -> list[int]:
    return list(host.machine.stamps.notifications)[RUNNABLE::NOTIFICATION_COLUMNS]


# --- notifications and completions ------------------------------------------------------------------------------------


def test_a_notification_lands_in_the_ring_and_wakes_who_waits() -> None:
    host, server, handler = make()
    core, buffer = host.machine.cores[1], server.device.notifications
    item = rx_softirq(uthread=0, pipe=4, tail=9, row=NOTIFICATION_COLUMNS, time=0)
    handler.begin(core, item, 0)
    assert not buffer.has_notification(), "effects land at the end"
    host.engine.now = 777
    assert handler.finish(core, item) is server
    assert not server.waiting
    slot = buffer.take_notification()
    assert (buffer.pipe_of(slot), buffer.tail_of(slot), buffer.row_of(slot)) == (4, 9, NOTIFICATION_COLUMNS)
    assert runnable_times(host) == [-1, 777]


def test_a_completion_clears_the_request_and_wakes_who_waits() -> None:
    host, server, handler = make()
    core, buffer = host.machine.cores[1], server.device.notifications
    slot = buffer.post(0x1000, 64)
    item = tx_done_softirq(uthread=0, slot=slot, time=0)
    handler.begin(core, item, 0)
    assert not buffer.has_completion()
    assert handler.finish(core, item) is server
    assert buffer.has_completion()


def test_who_runs_or_is_runnable_is_not_woken_again() -> None:
    host, server, handler = make()
    core = host.machine.cores[1]
    server.waiting = False
    item = rx_softirq(0, 0, 9, 0, 0)
    handler.begin(core, item, 0)
    assert handler.finish(core, item) is None
    assert server.device.notifications.has_notification()


def test_lines_cost_only_when_they_change_hands() -> None:
    """DESIGN 6, point 3."""
    host, _, handler = make(cores=2)
    first, second = host.machine.cores[1:]
    costs = []
    for core in (first, first, second, first):
        item = rx_softirq(0, 0, 1, 0, 0)
        costs.append(handler.begin(core, item, 0))
        handler.finish(core, item)
        host.engine.now += 1_000_000
    ring_slot = C.line_dirty  # each is a fresh one
    lock_line = C.line_dirty
    assert costs == [ITEM + ring_slot + lock_line, ITEM + ring_slot, *[ITEM + ring_slot + lock_line] * 2]


def test_a_completion_costs_the_line_of_its_own_slot() -> None:
    host, server, handler = make()
    core, buffer = host.machine.cores[1], server.device.notifications
    for _ in range(2):
        buffer.post(0x1000, 64)
    host.machine.lines.take(1, server.tx_slots + 1)
    host.machine.lines.take(1, server.slot)
    costs = []
    for slot in (0, 1):
        item = tx_done_softirq(0, slot, 0)
        costs.append(handler.begin(core, item, 0))
        handler.finish(core, item)
    assert costs == [ITEM + C.line_dirty, ITEM]


def test_handlers_of_one_uthread_wait_for_each_other() -> None:
    host, server, handler = make(cores=2)
    first, second = host.machine.cores[1:]
    alone = handler.begin(first, rx_softirq(0, 0, 1, 0, 0), 1_000)
    ends = 1_000 + alone
    assert server.lock.until == ends
    later = handler.begin(second, rx_softirq(0, 0, 2, 0, 0), 5_000)
    own = ITEM + C.line_dirty  # the lock's line; the slot is that of the first until its notification lands
    assert later == ends - 5_000 + C.lock_contended + own + C.line_dirty
    handler.finish(first, rx_softirq(0, 0, 1, 0, 0))
    assert server.lock.held, "by the second"


def test_a_softirq_for_a_uthread_without_a_device_is_an_error() -> None:
    host, _, handler = make()
    host.workers(1, 1_000)
    with pytest.raises(TypeError, match=r"^softIRQ \(0, 1, .* is for uthread 1, which has no device$"):
        handler.begin(host.machine.cores[1], rx_softirq(1, 0, 1, 0, 0), 0)


@pytest.mark.parametrize(("row", "pipe"), [(0, 8191), (NOTIFICATION_COLUMNS, 0), (NOTIFICATION_COLUMNS, 8191)])
def test_pipe_and_row_travel_in_one_softirq(row: int, pipe: int) -> None:
    host, server, handler = make()
    item = rx_softirq(0, pipe, 9, row, 5)
    assert item[4] == 5
    handler.begin(host.machine.cores[1], item, 0)
    handler.finish(host.machine.cores[1], item)
    buffer = server.device.notifications
    slot = buffer.take_notification()
    assert (buffer.pipe_of(slot), buffer.row_of(slot)) == (pipe, row)


# --- completions that the kthread reaps -------------------------------------------------------------------------------


@pytest.mark.parametrize("has_packets", [False, True])
def test_a_kthread_that_reaps_frees_the_space_and_wakes_only_who_has_packets_left(has_packets: bool) -> None:
    host, server, handler = make(switches=Switches(completion="reap"))
    core, pipe = host.machine.cores[1], pipe_of(server)
    pipe.notified(fill(host, server, [60, 60]))
    server.device.send(pipe, 1)
    if not has_packets:
        pipe.take(1)
    host.effects.clear()
    item = tx_done_softirq(0, 0, 0)
    cost = handler.begin(core, item, 0)
    assert cost == ITEM + 2 * C.line_dirty + C.completion_reap + C.mmio_issue
    assert (pipe.rx_head, core.mmio_writes) == (0, 0)
    assert handler.finish(core, item) is (server if has_packets else None)
    assert server.waiting != has_packets
    assert (pipe.rx_head, core.mmio_writes) == (1, 1)
    host.nic.settle()
    assert host.nic.register(RX_HEAD) == 1
    assert MMIO_WRITE not in [effect[1] for effect in host.effects]


def test_a_notification_wakes_as_ever_where_kthreads_reap() -> None:
    host, server, handler = make(switches=Switches(completion="reap"))
    core, item = host.machine.cores[1], rx_softirq(0, 0, 1, 0, 0)
    assert handler.begin(core, item, 0) == ITEM + 2 * C.line_dirty
    assert handler.finish(core, item) is server


# --- uthreads that are ready ------------------------------------------------------------------------------------------


def test_a_ready_uthread_is_runnable_and_that_is_stamped() -> None:
    host = RuntimeHost()
    workers = host.workers(2, 1_000)
    host.machine.stamps.notification(0, 0, 0, 0)
    handler, core = ReadyHandler(host.machine, host.uthreads), host.machine.cores[1]
    assert handler.begin(core, ready_softirq(1, 0, 0), 12_345) == C.softirq_item
    host.engine.now = 555
    assert handler.finish(core, ready_softirq(1, 0, 0)) is workers[1]
    assert runnable_times(host) == [555]
    assert handler.finish(core, ready_softirq(0, -1, 0)) is workers[0], "woken by a completion"
    assert runnable_times(host) == [555]
