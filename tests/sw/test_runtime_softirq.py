"""SoftIRQs as notifications and completions: what lands in the uthread's rings, who wakes, what it costs."""

from hermes.runtime.softirq import NotificationHandler, rx_softirq, tx_done_softirq
from tests.tools.host import COSTS, Host
from tests.tools.uthreads import Named

ITEM = COSTS.softirq_item + COSTS.lock


def test_a_notification_lands_in_the_ring_and_wakes_who_waits() -> None:
    host = Host()
    uthread = Named(0, host)
    handler, core = NotificationHandler(host.machine, [uthread]), host.machine.cores[1]
    assert uthread.waiting
    item = rx_softirq(uthread=0, pipe=4, tail=9, stamp=0)
    handler.begin(core, item, 0)
    assert not uthread.device.notifications.has_notification(), "effects land at the end"
    assert handler.finish(core, item) is uthread
    assert not uthread.waiting
    slot = uthread.device.notifications.take_notification()
    assert (uthread.device.notifications.pipe_of(slot), uthread.device.notifications.tail_of(slot)) == (4, 9)


def test_a_completion_clears_the_request_and_wakes_who_waits() -> None:
    host = Host()
    uthread = Named(0, host)
    handler, core = NotificationHandler(host.machine, [uthread]), host.machine.cores[1]
    slot = uthread.device.notifications.post(0x1000, 64)
    item = tx_done_softirq(uthread=0, slot=slot, stamp=0)
    handler.begin(core, item, 0)
    assert handler.finish(core, item) is uthread
    assert uthread.device.notifications.has_completion()


def test_who_runs_or_is_runnable_is_not_woken_again() -> None:
    host = Host()
    uthread = Named(0, host)
    handler, core = NotificationHandler(host.machine, [uthread]), host.machine.cores[1]
    uthread.waiting = False
    item = rx_softirq(0, 4, 9, 0)
    handler.begin(core, item, 0)
    assert handler.finish(core, item) is None
    assert uthread.device.notifications.has_notification()


def test_lines_cost_only_when_they_change_hands() -> None:
    host = Host(cores=2)
    handler = NotificationHandler(host.machine, [Named(0, host)])
    first, second = host.machine.cores[1:]
    item = rx_softirq(0, 0, 1, 0)
    costs = []
    for core in (first, first, second, first):
        costs.append(handler.begin(core, item, 0))
        handler.finish(core, item)
        host.engine.now += 1_000_000
    ring_slot = COSTS.line_dirty  # each is a fresh one
    lock_line = COSTS.line_dirty
    assert costs == [ITEM + ring_slot + lock_line, ITEM + ring_slot, *[ITEM + ring_slot + lock_line] * 2]


def test_handlers_of_one_uthread_wait_for_each_other() -> None:
    host = Host(cores=2)
    handler = NotificationHandler(host.machine, [Named(0, host)])
    first, second = host.machine.cores[1:]
    alone = handler.begin(first, rx_softirq(0, 0, 1, 0), 1_000)
    ends = 1_000 + alone
    later = handler.begin(second, rx_softirq(0, 0, 2, 0), 5_000)
    own = ITEM + COSTS.line_dirty  # the lock's line; the slot is that of the first until its notification lands
    assert later == ends - 5_000 + COSTS.lock_contended + own + COSTS.line_dirty
