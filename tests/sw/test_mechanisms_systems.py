"""Mechanisms M-27 to M-37, in which the three systems differ: each at work, and each missed when it is disabled."""

from typing import Any

import pytest

from hermes.apps.echo import Echo
from hermes.iokernel.clients import Client, Record
from hermes.iokernel.delivery import ToUthreads
from hermes.iokernel.pending import Pending
from hermes.iokernel.scan import Scan
from hermes.messages import PARKED, RX_HEAD, SWITCH, switched
from hermes.runtime.server import Server
from hermes.runtime.softirq import READY, RX, TX_DONE
from hermes.systems import SYSTEMS, Workload
from hermes.systems.composition import Hermes
from hermes.systems.priority import Priority
from hermes.systems.semi_direct import SemiDirect
from hermes.world import ANSWER, CORE_GRANT, QUEUE_POP, UTHREAD_END, UTHREAD_START
from tests.tools.host import COSTS as C
from tests.tools.host import SMALL, Host, udp_frame
from tests.tools.mechanisms import Check, Disable, identifiers, override, require_failure
from tests.tools.whole_host import US, WholeHost


def sent_messages(host: WholeHost) -> set[str]:
    """Kinds of messages that came."""
    return {kind for kind, count in host.system.messages().items() if count}


def served(system: str, **options: Any) -> WholeHost:
    """A system behind twelve packets for three uthreads on two cores."""
    host = WholeHost(system, cores=2, uthreads=3, **options)
    start = host.start()
    host.frames([udp_frame(i % 3) for i in range(12)], [start + US + 2 * i * US for i in range(12)])
    host.run(start + 200 * US)
    assert len(host.nic.sent) == 12
    host.require_balance()
    return host


def test_m27_what_came_before_the_message_that_a_uthread_waits_wakes_it_at_once() -> None:
    host = WholeHost("priority", alone=True)
    host.activate(1)
    host.begin()
    host.later(15 * US)
    host.notify(0)
    host.later(US)
    assert host.softirqs(0) == [], "it is not known to wait"
    host.message(0, SWITCH, 0, -1, switched(PARKED, 0, 0))
    host.later(US)
    assert [item[:2] for item in host.softirqs(0)] == [(READY, 0)]
    assert not host.iokernel.client_of_uthread[0].waiting


def test_m27_a_uthread_that_waits_is_woken_by_what_comes() -> None:
    host = WholeHost("priority", alone=True)
    host.activate(1)
    host.begin()
    host.later(15 * US)
    host.message(0, SWITCH, 0, -1, switched(PARKED, 0, 0))
    host.later(US)
    assert host.iokernel.client_of_uthread[0].waiting
    host.notify(0)
    host.later(US)
    assert [item[:2] for item in host.softirqs(0)] == [(READY, 0)]


def test_m28_who_has_waited_longest_gets_its_runtime_a_core_after_5_us_and_then_it_waits_again() -> None:
    host = WholeHost("priority", cores=3, uthreads=3, service_ps=100 * US)
    start = host.start()
    host.frames([udp_frame(port) for port in range(3)], [start + when * US for when in (1, 10, 11)])
    host.run(start + 40 * US)
    pushed = host.softirq_pushes()
    granted = [time for time, *_ in host.happened(CORE_GRANT)]
    assert len(granted) == 3
    lap = C.iok_loop + 9 * C.poll_clean + C.heap_peek
    late = lap + C.iok_loop + C.heap_peek + 4 * C.heap_fix + C.line_dirty  # the look, a new key, and the grant
    assert 5 * US < granted[1] - pushed[1] < 5 * US + late
    assert 5 * US < granted[2] - granted[1] < 5 * US + late, "uthread 2 waits since a time before that"
    assert host.cores.true_detections == 2


def test_m29_the_wait_counts_from_the_softirq_on_through_the_runqueue() -> None:
    host = WholeHost("priority", uthreads=3, service_ps=3 * US)
    start = host.start()
    host.frames([udp_frame(port) for port in range(3)], [start + US, start + 3_500_000, start + 3_500_000])
    host.run(start + 14 * US)
    pushed = host.softirq_pushes()[2]
    popped = [time for time, queue, _ in host.happened(QUEUE_POP) if queue == host.softirq_queue(0).number][2]
    began = next(time for time, uthread, _ in host.happened(UTHREAD_START) if uthread == 2)
    assert popped - pushed < 5 * US
    assert began - popped < 5 * US
    assert began - pushed > 5 * US
    assert (host.cores.true_detections, host.cores.false_detections) == (1, 0)


def test_m30_queues_of_parked_kthreads_are_scanned_too() -> None:
    host = WholeHost(cores=2, uthreads=2, alone=True)
    host.activate(1)
    parked = host.record().parked[0]
    host.softirq_queue(parked).push((RX, 1, 1, 0, 0))
    host.begin()
    host.later(30 * US)
    assert len(host.ksched.granted) == 1
    assert host.record().active == [0, parked]


def test_m31_the_iokernel_writes_the_uthreads_ring_and_a_softirq_is_a_uthread_that_waits() -> None:
    host = WholeHost("semi-direct", alone=True)
    host.activate(1)
    host.begin()
    host.later(15 * US)
    buffer, client = host.system.servers[0].device.notifications, host.iokernel.client_of_uthread[0]
    host.notify(0)
    host.later(US)
    assert (buffer.rx_tail, buffer.has_notification(), host.softirqs(0)) == (1, True, []), "while it runs"
    client.waiting = True
    host.notify(0)
    host.later(US)
    assert buffer.rx_tail == 2
    assert [item[:2] for item in host.softirqs(0)] == [(READY, 0)]
    assert not client.waiting


def test_m32_one_message_of_each_queue_is_taken_in_an_iteration() -> None:
    host = WholeHost(cores=2, uthreads=2, alone=True)
    for queue in (0, 1):
        for value in range(3):
            host.message(queue, RX_HEAD, queue, value)
    host.begin()
    host.later(20 * US)
    taken = [queue for _, queue, _ in host.happened(QUEUE_POP)]
    assert taken == [0, 1, 1, 0, 0, 1], "one of each, beginning with the next one each time"


def test_m33_softirqs_are_notifications_and_completions_and_kthreads_find_who_waits() -> None:
    host = WholeHost(alone=True)
    host.activate(1)
    host.begin()
    host.later(15 * US)
    host.post(0, 2)
    first = host.own.tx_tail
    host.later(5 * US)
    host.notify(0, 0)
    host.complete(first, first + 1)
    host.later(5 * US)
    assert sorted(item[0] for item in host.softirqs(0)) == [RX, RX, TX_DONE, TX_DONE], "none is merged with another"
    assert not host.system.servers[0].device.notifications.delivered, "the kthread will write its ring"

    host = served("indirect")
    assert all(server.waiting for server in host.system.servers)
    assert sum(server.packets for server in host.system.servers) == 12


def test_m34_indirect_tells_nothing_of_switches_and_scans() -> None:
    host = served("indirect")
    assert sent_messages(host) == {"rx_head", "tx_tail"}
    assert host.system.extra()["scan_interval_ns"]


def test_m35_semi_direct_tells_when_a_uthread_is_out_of_work_and_waits_for_no_answer() -> None:
    host = served("semi-direct")
    assert sent_messages(host) == {"rx_head", "tx_tail", "park"}
    ends = [uthread for _, uthread, _ in host.happened(UTHREAD_END)]
    assert host.system.messages()["park"] == len(ends) + 3, "and each once at the start"
    assert sum(core.times_at(host.time)[ANSWER] for core in host.machine.cores) == 0
    assert host.system.extra()["scan_interval_ns"]


def test_m36_priority_tells_every_switch_and_waits_for_the_answer_before_it_goes_on() -> None:
    host = served("priority")
    assert sent_messages(host) == {"rx_head", "tx_tail", "switch", "create"}
    answers = {queue.number for queue in host.system._answers}
    told = [time for time, queue, _ in host.happened(QUEUE_POP) if queue in answers]
    starts = [time for time, *_ in host.happened(UTHREAD_START)]
    assert set(starts) <= set(told), "each uthread runs once the answer to that is taken"
    assert sum(core.times_at(host.time)[ANSWER] for core in host.machine.cores) > len(told) * C.answer_write
    assert "scan_interval_ns" not in host.system.extra()


def test_m37_kthreads_that_find_who_waits_do_not_go_with_the_heap() -> None:
    host = Host()
    workload = Workload(application=Echo, rings=SMALL)
    with pytest.raises(ValueError, match="kthread tracking does not go with the heap: the IOKernel would learn of"):
        Hermes(host.machine, workload, tracking="kthreads", detection="heap")


def _never_look_beyond_the_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    def parked(self: ToUthreads, client: Client, rx_head: int, tx_head: int) -> int:
        self._client, self._row, self._is_park = client, -1, True
        return 0

    monkeypatch.setattr(ToUthreads, "parked", parked)


def _never_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToUthreads, "_wake", lambda *_: 0)


def _enter_once_handled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries begin with their softIRQ, and end with its handling."""
    build = Hermes.__init__

    def init(self: Hermes, *args: Any, **options: Any) -> None:
        build(self, *args, **options)
        pending = self._detector
        assert isinstance(pending, Pending)
        for runtime, record in zip(self.runtimes, self.iokernel.records, strict=True):
            finish = runtime.handler.finish

            def finish_and_remove(core: Any, item: Any, finish: Any = finish, record: Record = record) -> Any:
                pending.remove(record, item[1])
                return finish(core, item)

            runtime.handler.finish = finish_and_remove  # type: ignore[method-assign]

    monkeypatch.setattr(Hermes, "__init__", init)


def _pass_parked_kthreads(monkeypatch: pytest.MonkeyPatch) -> None:
    look = Scan._look

    def look_at_active(self: Scan, record: Record) -> int:
        record.woken.update(record.parked)
        return look(self, record)

    monkeypatch.setattr(Scan, "_look", look_at_active)


def _always_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    notification = ToUthreads.notification

    def wake(self: ToUthreads, client: Client, pipe: int, tail: int, row: int) -> int:
        client.waiting = True
        return notification(self, client, pipe, tail, row)

    monkeypatch.setattr(ToUthreads, "notification", wake)


def _wait_unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Server._looked

    def unmarked(self: Server, core: Any) -> int:
        outcome = looked(self, core)
        self.waiting = False
        return outcome

    monkeypatch.setattr(Server, "_looked", unmarked)


def _scan_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    build = Hermes.__init__

    def init(self: Hermes, *args: Any, tracking: Any, detection: str) -> None:
        build(self, *args, tracking=tracking, detection="scan")

    monkeypatch.setattr(Hermes, "__init__", init)


DISABLED: dict[Check, Disable] = {
    test_m27_what_came_before_the_message_that_a_uthread_waits_wakes_it_at_once: _never_look_beyond_the_heads,
    test_m27_a_uthread_that_waits_is_woken_by_what_comes: _never_wait,
    test_m28_who_has_waited_longest_gets_its_runtime_a_core_after_5_us_and_then_it_waits_again: (
        lambda monkeypatch: monkeypatch.setattr(Pending, "add", lambda *_: None)
    ),
    test_m29_the_wait_counts_from_the_softirq_on_through_the_runqueue: _enter_once_handled,
    test_m30_queues_of_parked_kthreads_are_scanned_too: _pass_parked_kthreads,
    test_m31_the_iokernel_writes_the_uthreads_ring_and_a_softirq_is_a_uthread_that_waits: _always_wake,
    test_m32_one_message_of_each_queue_is_taken_in_an_iteration: override("messages_per_visit", 64),
    test_m33_softirqs_are_notifications_and_completions_and_kthreads_find_who_waits: _wait_unmarked,
    test_m34_indirect_tells_nothing_of_switches_and_scans: (
        lambda monkeypatch: monkeypatch.setitem(SYSTEMS, "indirect", SemiDirect)
    ),
    test_m35_semi_direct_tells_when_a_uthread_is_out_of_work_and_waits_for_no_answer: (
        lambda monkeypatch: monkeypatch.setitem(SYSTEMS, "semi-direct", Priority)
    ),
    test_m36_priority_tells_every_switch_and_waits_for_the_answer_before_it_goes_on: override("answer_wait", False),
    test_m37_kthreads_that_find_who_waits_do_not_go_with_the_heap: _scan_instead,
}


@pytest.mark.parametrize("check", DISABLED, ids=identifiers(DISABLED))
def test_it_is_missed_when_it_is_disabled(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    require_failure(check, DISABLED[check], monkeypatch)
