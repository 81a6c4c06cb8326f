"""Mechanisms M-12 to M-22, between the NIC and the runtimes: each at work, and each missed when it is disabled."""

import pytest

from cosim.traffic.echo import expected_echo
from hermes.enso.client import Client
from hermes.enso.owner import Owner
from hermes.enso.registers import (
    NOTIFICATION_BUFFERS,
    RX_MEM_LOW,
    notification_buffer_register,
    pipe_register,
)
from hermes.iokernel.clients import Record
from hermes.iokernel.cores import Cores
from hermes.iokernel.iokernel import IOKernel
from hermes.iokernel.mailbox import Mailbox
from hermes.messages import ALLOCATE_NOTIFICATION_BUFFER
from hermes.runtime.kthread import Kthread
from hermes.world import CORE_GRANT, CORE_LEFT, QUEUE_PUSH, UTHREAD_END, UTHREAD_START, Control
from tests.tools.host import COSTS as C
from tests.tools.host import udp_frame
from tests.tools.mechanisms import Check, Disable, identifiers, override, require_failure
from tests.tools.whole_host import US, WholeHost


def test_m12_the_iokernel_alone_has_a_notification_buffer_in_the_nic_and_passes_both_ways() -> None:
    host = WholeHost(uthreads=2)
    opened = [
        buffer
        for buffer in range(NOTIFICATION_BUFFERS)
        if host.nic.word(notification_buffer_register(buffer, RX_MEM_LOW))
    ]
    assert opened == [host.own.number]
    start = host.start()
    host.frames([udp_frame(1)], [start + US])
    host.run(start + 50 * US)
    client = host.iokernel.client_of_uthread[1]
    assert (client.notified, client.forwarded, client.completed) == (1, 1, 1)
    assert [frame for _, frame in host.nic.sent] == [expected_echo(udp_frame(1))]


def test_m13_messages_go_through_the_queue_of_the_core_whoever_runs_there() -> None:
    host = WholeHost(cores=2, uthreads=4, applications=2, guaranteed=2, service_ps=20 * US)
    assert len(host.system.queues) == 2, "and not as many as kthreads"
    start = host.start()
    host.frames([udp_frame(port) for port in (0, 2, 1, 3)], [start + when * US for when in (0, 0, 100, 100)])
    host.run(start + 200 * US)
    running: dict[int, int] = {}  # uthread by core
    told: set[tuple[int, int]] = set()
    for _, kind, subject, value in host.effects:
        if kind == UTHREAD_START:
            running[value] = subject
        elif kind == UTHREAD_END:
            del running[value]
        elif kind == QUEUE_PUSH and subject in (0, 1):
            assert running[subject + 1] == value >> 32, "its notification buffer has the number of the uthread"
            told.add((subject, value >> 32 & 1))
    assert told == {(0, 0), (0, 1), (1, 0), (1, 1)}, "messages of both applications went through both queues"


def test_m14_notification_buffers_are_counted_and_no_number_comes_twice() -> None:
    host = WholeHost(uthreads=3)
    assert [server.device.notifications.number for server in host.system.servers] == [0, 1, 2]
    client = Client(host.machine.clock, host.own.number)
    host.carry_out(client.close_notification_buffer(host.system.servers[1].device.notifications), host.tell)
    host.carry_out(client.open_notification_buffer(host.system.servers[1].device.notifications, 1), host.tell)
    assert host.system.servers[1].device.notifications.number == 3


def test_m15_heads_of_pipes_go_straight_to_the_nic_and_notification_buffers_by_message() -> None:
    host = WholeHost(uthreads=1)
    start = host.start()
    host.frames([udp_frame(0)], [start + US])
    host.run(start + 50 * US)
    assert host.nic.register(pipe_register(0, 4)) == 1
    assert [core.mmio_writes for core in host.machine.cores] == [2, 1]
    messages = host.system.messages()
    assert {kind: count for kind, count in messages.items() if count} == {"rx_head": 1, "tx_tail": 1}


def test_m16_settings_of_all_are_asked_for_and_set_by_message() -> None:
    host = WholeHost(uthreads=4)
    client = Client(host.machine.clock, host.own.number)
    assert host.carry_out(client.fallback(), host.tell) == 4
    host.carry_out(client.set_fallback(2), host.tell)
    assert (host.nic.fallback, host.nic.round_robin) == (1, False)
    host.carry_out(client.set_round_robin(on=True), host.tell)
    assert (host.nic.fallback, host.nic.round_robin) == (1, True)
    assert host.carry_out(client.fallback(), host.tell) == 2
    assert host.carry_out(client.round_robin(), host.tell) is True


def test_m17_each_kthread_has_a_softirq_queue_of_its_own() -> None:
    host = WholeHost(cores=3, uthreads=3, alone=True)
    host.activate(3)
    host.notify(0, 1, 2)
    host.begin()
    host.later(20 * US)
    assert [[item[1] for item in host.softirqs(kthread)] for kthread in range(3)] == [[0], [1], [2]]


def test_m18_softirqs_of_a_uthread_go_where_its_last_one_went_and_without_a_kthread_one_gets_a_core() -> None:
    host = WholeHost(cores=2, uthreads=3, alone=True)
    assert host.record().active == []
    host.notify(0)
    begin = host.begin()
    host.later(15 * US)
    assert host.record().active == [0]
    assert [core for _, core in host.ksched.granted] == [1]
    assert host.ksched.granted[0][0] < begin + US
    host.cores.congested(host.record())
    for _ in range(4):
        host.notify(0, 1, 2)
        host.later(US)
    assert [item[1] for item in host.softirqs(0)] == [0, *[0, 1] * 4]
    assert [item[1] for item in host.softirqs(1)] == [2] * 4


def test_m19_who_gets_a_core_is_decided_first_which_core_then_and_the_kernel_brings_it_there() -> None:
    host = WholeHost(cores=2, uthreads=2, applications=2, guaranteed=1)
    start = host.start()  # application 0 ran on core 1, application 1 on core 2
    host.frames([udp_frame(1)], [start + US])
    host.run(start + 10 * US)
    granted, core, who = next(host.happened(CORE_GRANT))
    assert (core, who) == (2, 1 << 16), "both are idle: that where it ran last"
    began = next(host.happened(UTHREAD_START))[0]
    assert began > granted + C.ksched_idle_wake


def test_m20_a_notification_for_a_runtime_without_a_core_gets_it_one() -> None:
    host = WholeHost()
    start = host.start()
    assert host.record().active == []
    host.frames([udp_frame(0)], [start + US])
    host.run(start + 50 * US)
    pushed, granted = host.softirq_pushes()[0], next(host.happened(CORE_GRANT))[0]
    lap = C.iok_loop + 6 * C.poll_clean
    assert granted - pushed == C.mmio_issue + lap + C.line_dirty, "at the start of the next iteration"


def test_m20_a_core_that_is_left_goes_to_who_waits_for_one() -> None:
    host = WholeHost(uthreads=2, applications=2, guaranteed=1, service_ps=20 * US)
    start = host.start()
    host.frames([udp_frame(0), udp_frame(1)], [start + US, start + 10 * US])
    host.run(start + 100 * US)
    granted = [(time, who >> 16) for time, _, who in host.happened(CORE_GRANT)]
    left = [(time, who >> 16) for time, _, who in host.happened(CORE_LEFT)]
    assert [who for _, who in granted[:2]] == [0, 1]
    assert left[0][0] < granted[1][0] < left[0][0] + US
    assert host.system.runtimes[0].preemptions == 0


def test_m20_congestion_gets_a_runtime_another_core() -> None:
    host = WholeHost(cores=2, uthreads=2, service_ps=50 * US)
    start = host.start()
    host.frames([udp_frame(0), udp_frame(1)], [start + US, start + 10 * US])
    host.run(start + 40 * US)
    granted = [time for time, *_ in host.happened(CORE_GRANT)]
    pushed = host.softirq_pushes()
    assert len(granted) == 2
    assert 5 * US < granted[1] - pushed[1] < 11 * US, "it stood in two scans"
    assert host.cores.true_detections == 1


def test_m21_the_oldest_overloaded_runtime_is_first_and_a_core_without_any_idles() -> None:
    host = WholeHost(uthreads=3, applications=3, guaranteed=1, service_ps=30 * US)
    start = host.start()
    host.frames([udp_frame(port) for port in (0, 2, 1)], [start + US, start + 10 * US, start + 20 * US])
    host.run(start + 300 * US)
    order = [who >> 16 for _, _, who in host.happened(CORE_GRANT)]
    assert order[:4] == [0, 2, 1, 0], "and 0, for a completion, since before 2 was through"
    assert host.cores.held() == [None, None]
    assert host.machine.cores[1].is_quiet


def test_m22_who_is_preempted_works_until_the_interrupt_lands_yields_cleanly_and_then_the_next_runs() -> None:
    host = WholeHost(batch=True)
    start = host.start()
    host.frames([udp_frame(0)], [start + US])
    host.run(start + 50 * US)
    granted = next(host.happened(CORE_GRANT))[0]
    ended, uthread, _ = next(host.happened(UTHREAD_END))
    left, _, who = next(host.happened(CORE_LEFT))
    assert ended == left == granted + C.ipi_flight + C.clean_yield
    assert who == 1 << 16
    begun, server, _ = next(host.happened(UTHREAD_START))
    assert server == 0
    assert begun > left + C.park_switch
    assert uthread in [number for _, number, _ in host.happened(UTHREAD_START)], "it was left where others find it"


def _reuse_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    control = IOKernel.control

    def lowest(self: IOKernel, message: tuple[int, int, int, int, int]) -> Control[int]:
        number = yield from control(self, message)
        return message[1] if message[0] == ALLOCATE_NOTIFICATION_BUFFER else number

    monkeypatch.setattr(IOKernel, "control", lowest)


def _answer_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(self: Owner, message: object) -> Control[int]:
        yield from ()
        return 0

    monkeypatch.setattr(Owner, "answer", nothing)


def _overload_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(self: Cores, record: Record) -> bool:
        self._overload(record)
        return False

    monkeypatch.setattr(Cores, "_at_once", at_once)
    monkeypatch.setattr(Cores, "register", lambda self, record: self._grant(record, self._idle[0]))


def _drop_who_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: Kthread) -> bool:
        self.core.cut()
        self._current = None
        return self._leave()

    monkeypatch.setattr(Kthread, "interrupt", interrupt)


DISABLED: dict[Check, Disable] = {
    test_m12_the_iokernel_alone_has_a_notification_buffer_in_the_nic_and_passes_both_ways: (
        lambda monkeypatch: monkeypatch.setattr(Mailbox, "_finish_tx_tail", lambda *_: None)
    ),
    test_m13_messages_go_through_the_queue_of_the_core_whoever_runs_there: override("message_queue", "kthread"),
    test_m14_notification_buffers_are_counted_and_no_number_comes_twice: _reuse_numbers,
    test_m15_heads_of_pipes_go_straight_to_the_nic_and_notification_buffers_by_message: override("backend", "software"),
    test_m16_settings_of_all_are_asked_for_and_set_by_message: _answer_nothing,
    test_m17_each_kthread_has_a_softirq_queue_of_its_own: (
        lambda monkeypatch: monkeypatch.setattr(Record, "kthread", lambda self, _: self.runtime.kthreads[0])
    ),
    test_m18_softirqs_of_a_uthread_go_where_its_last_one_went_and_without_a_kthread_one_gets_a_core: override(
        "affinity", "round_robin"
    ),
    test_m19_who_gets_a_core_is_decided_first_which_core_then_and_the_kernel_brings_it_there: (
        lambda monkeypatch: monkeypatch.setattr(
            Cores, "_choose_core", lambda self, _: self._idle[0] if self._idle else 0
        )
    ),
    test_m20_a_notification_for_a_runtime_without_a_core_gets_it_one: _overload_at_once,
    test_m20_a_core_that_is_left_goes_to_who_waits_for_one: (
        lambda monkeypatch: monkeypatch.setattr(Cores, "serve_overloaded", lambda _: None)
    ),
    test_m20_congestion_gets_a_runtime_another_core: (
        lambda monkeypatch: monkeypatch.setattr(Cores, "congested", lambda *_: None)
    ),
    test_m21_the_oldest_overloaded_runtime_is_first_and_a_core_without_any_idles: override("overloaded", "newest"),
    test_m22_who_is_preempted_works_until_the_interrupt_lands_yields_cleanly_and_then_the_next_runs: (
        _drop_who_is_interrupted
    ),
}


@pytest.mark.parametrize("check", DISABLED, ids=identifiers(DISABLED))
def test_it_is_missed_when_it_is_disabled(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    require_failure(check, DISABLED[check], monkeypatch)
