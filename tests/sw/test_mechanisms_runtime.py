"""Mechanisms M-23 to M-26, M-38 and M-39, within a runtime: each at work, and each missed when it is disabled."""

from collections.abc import Callable
from typing import Any

import pytest

from cosim.traffic.echo import expected_echo
from hermes.enso import control
from hermes.enso.client import Client
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.pipe import RxPipe
from hermes.enso.registers import RX_MEM_LOW, pipe_register
from hermes.runtime.kthread import Kthread
from hermes.runtime.runtime import Runtime
from hermes.systems.composition import Hermes
from hermes.world import QUEUE_POP, STEAL, UTHREAD_END, UTHREAD_START, Control
from tests.tools.host import COSTS as C
from tests.tools.host import udp_frame
from tests.tools.mechanisms import Check, Disable, identifiers, override, require_failure
from tests.tools.whole_host import US, WholeHost


def runs(host: WholeHost) -> list[int]:
    """Who got a core, in order."""
    return [uthread for _, uthread, _ in host.happened(UTHREAD_START)]


def test_m23_a_runtime_registers_has_a_kthread_for_each_core_and_its_main_uthread_makes_the_others() -> None:
    host = WholeHost(cores=3, uthreads=5)
    runtime = host.system.runtimes[0]
    assert runtime.count == len(host.machine.cores) - 1
    assert runtime.kthreads[0].runqueue.count() == 0
    begin = host.time + 10 * US
    host.machine.start(host.iokernel, begin)
    host.system.start()
    host.run(begin + 100 * US)
    assert host.system.is_started()
    main, *others = runs(host)
    assert main == 5, "the first number behind those of the servers"
    assert sorted(others) == [0, 1, 2, 3, 4]


def test_m24_a_uthread_has_its_core_until_it_gives_it_up() -> None:
    host = WholeHost(uthreads=2, service_ps=100 * US)
    start = host.start()
    host.frames([udp_frame(0), udp_frame(1)], [start + US, start + 10 * US])
    host.run(start + 250 * US)
    order = [(kind, uthread) for _, kind, uthread, _ in host.effects if kind in (UTHREAD_START, UTHREAD_END)]
    assert order[:4] == [(UTHREAD_START, 0), (UTHREAD_END, 0), (UTHREAD_START, 1), (UTHREAD_END, 1)]


def popped_and_started(service_ps: int) -> tuple[int, int]:
    """0 and 1 are runnable and 0 runs when a softIRQ for 2 comes: when it is taken, and when 1 runs."""
    host = WholeHost(uthreads=3, service_ps=service_ps)
    start = host.start()
    host.frames([udp_frame(port) for port in (0, 1, 2)], [start + when for when in (US, US, 8 * US)])
    host.run(start + 3 * service_ps + 50 * US)
    queue = host.softirq_queue(0).number
    popped = [time for time, subject, value in host.happened(QUEUE_POP) if subject == queue and value >> 32 == 2]
    started = [time for time, uthread, _ in host.happened(UTHREAD_START) if uthread == 1]
    return popped[0], started[0]


def test_m25_first_the_own_runqueue_and_then_softirqs() -> None:
    popped, started = popped_and_started(20 * US)
    assert started < popped


def test_m25_softirqs_that_were_not_looked_at_for_50_us_come_before_the_runqueue() -> None:
    popped, started = popped_and_started(51 * US)
    assert popped < started


def test_m25_who_has_nothing_steals_from_the_runqueues_of_others() -> None:
    host = WholeHost(cores=2, uthreads=3, service_ps=30 * US)
    start = host.start()
    host.frames([udp_frame(port) for port in (0, 1, 2)], [start + US] * 3)
    host.run(start + 25 * US)
    assert host.system.runtimes[0].steals > 0
    began = {uthread: core for _, uthread, core in host.happened(UTHREAD_START)}
    assert set(began.values()) == {1, 2}


def test_m25_who_has_nothing_handles_the_softirqs_of_others() -> None:
    host = WholeHost(cores=2, uthreads=2, service_ps=30 * US)
    start = host.start()
    host.frames([udp_frame(0), udp_frame(1)], [start + US, start + 8 * US])
    host.run(start + 30 * US)
    queue = host.softirq_queue(0).number
    assert [value >> 32 for _, subject, value in host.happened(QUEUE_POP) if subject == queue] == [0, 1]
    assert [(uthread, core) for _, uthread, core in host.happened(UTHREAD_START)] == [(0, 1), (1, 2)]
    assert host.system.runtimes[0].steals == 0


def test_m26_pipes_are_the_nics_and_name_the_iokernels_buffer_so_that_nobody_copies() -> None:
    host = WholeHost(uthreads=2)
    pipe = host.system.servers[1].device.pipes[1]
    assert host.nic.word(pipe_register(1, RX_MEM_LOW)) == pipe.address + host.own.number
    start = host.start()
    frame = udp_frame(1, 200)
    host.frames([frame], [start + US])
    host.run(start + 50 * US)
    at = pipe.address - host.memory.base
    assert host.memory.bytes[at : at + len(frame)] == expected_echo(frame), "answered where the NIC put it"
    assert [sent for _, sent in host.nic.sent] == [expected_echo(frame)]
    assert host.nic.register(pipe_register(1, 4)) == 4


@pytest.mark.parametrize("backend", ["hybrid", "software"])
def test_m26_all_backends_bring_every_packet_back(backend: str) -> None:
    host = WholeHost(uthreads=2, backend=backend)
    start = host.start()
    host.frames([udp_frame(i % 2) for i in range(100)], [start + i * US for i in range(100)])
    host.run(start + 200 * US)
    assert len(host.nic.sent) == 100
    assert host.nic.drops == {}
    assert (host.system.messages()["pipe_rx_head"] > 0) == (backend == "software")
    host.require_balance()


def test_m38_a_completion_makes_its_uthread_runnable_which_reaps_without_a_lock() -> None:
    host = WholeHost()
    start = host.start()
    host.frames([udp_frame(0)], [start + US])
    host.run(start + 50 * US)
    assert runs(host) == [0, 0], "once to serve, once to reap"
    assert host.system.servers[0].device.unsent == 0
    assert host.system.servers[0].packets == 1


def test_m39_a_completion_is_reaped_by_the_kthread_under_a_lock_on_the_device() -> None:
    host = WholeHost(completion="reap")
    start = host.start()
    host.frames([udp_frame(0)], [start + US])
    host.run(start + 50 * US)
    assert runs(host) == [0], "once to serve"
    server = host.system.servers[0]
    assert (server.device.unsent, server.device.notifications.reaped) == (0, 1)
    assert server.waiting
    assert not server.lock.held
    assert host.nic.register(pipe_register(0, 4)) == 1, "its space is the NIC's again"


def _interrupt_at_each_softirq(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = Runtime.queue_changed

    def interrupt(self: Runtime, queue: int) -> None:
        changed(self, queue)
        for kthread in list(self._on_core.values()):
            if kthread._current is not None and kthread._current.is_computing:
                kthread.core.interrupt()  # type: ignore[attr-defined]

    monkeypatch.setattr(Runtime, "queue_changed", interrupt)


def _name_the_own_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_pipe(self: Client, pipe: RxPipe, buffer: NotificationBuffer) -> Control[None]:
        yield from control.open_pipe(pipe, buffer.number)

    monkeypatch.setattr(Client, "open_pipe", open_pipe)


def _start_unregistered(self: Hermes) -> None:
    for runtime, main in zip(self.runtimes, self._mains, strict=True):
        runtime.kthreads[0].push(main)


def _find_nothing(self: Kthread, victim: Kthread) -> bool:
    self.core.spend(STEAL, C.steal_probe + 2 * C.poll_clean + self._read(victim))
    return False


def _take(owner: type, name: str, instead: Callable[..., Any]) -> Disable:
    return lambda monkeypatch: monkeypatch.setattr(owner, name, instead)


DISABLED: dict[Check, Disable] = {
    test_m23_a_runtime_registers_has_a_kthread_for_each_core_and_its_main_uthread_makes_the_others: _take(
        Hermes, "start", _start_unregistered
    ),
    test_m24_a_uthread_has_its_core_until_it_gives_it_up: _interrupt_at_each_softirq,
    test_m25_first_the_own_runqueue_and_then_softirqs: override("watchdog_ps", 1),
    test_m25_softirqs_that_were_not_looked_at_for_50_us_come_before_the_runqueue: override("watchdog_ps", 10**15),
    test_m25_who_has_nothing_steals_from_the_runqueues_of_others: _take(Kthread, "_probe", _find_nothing),
    test_m25_who_has_nothing_handles_the_softirqs_of_others: _take(Kthread, "_probe", _find_nothing),
    test_m26_pipes_are_the_nics_and_name_the_iokernels_buffer_so_that_nobody_copies: _name_the_own_buffer,
    test_m38_a_completion_makes_its_uthread_runnable_which_reaps_without_a_lock: override("completion", "reap"),
    test_m39_a_completion_is_reaped_by_the_kthread_under_a_lock_on_the_device: override("completion", "readd"),
}


@pytest.mark.parametrize("check", DISABLED, ids=identifiers(DISABLED))
def test_it_is_missed_when_it_is_disabled(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    require_failure(check, DISABLED[check], monkeypatch)
