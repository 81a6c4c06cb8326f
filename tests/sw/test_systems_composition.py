"""How the three systems are put together: who gets what, and that the fourth combination is refused."""

from typing import Any, Literal

import pytest

from hermes.apps.echo import Echo
from hermes.apps.kv import KeyValue
from hermes.iokernel.pending import Pending
from hermes.iokernel.scan import Scan
from hermes.queues import SpscQueue
from hermes.runtime.server import BY_MESSAGE, BY_SWITCH, UNDER_LOCK
from hermes.runtime.softirq import NotificationHandler, ReadyHandler
from hermes.switches import Switches
from hermes.systems import SYSTEMS, Workload, build
from hermes.systems.composition import Hermes
from hermes.world import BATCH, CORE_GRANT, QUEUE_FULL, QUEUE_POP, QUEUE_PUSH, UTHREAD_END, UTHREAD_START
from tests.tools.host import NS, SMALL, Host, udp_frame
from tests.tools.whole_host import WholeHost

US = 1_000 * NS


def compose(name: str = "indirect", cores: int = 4, switches: Switches | None = None, **options: Any) -> Hermes:
    workload = Workload(
        **{"application": Echo, "uthreads": 6, "rings": SMALL, "switches": switches or Switches(), **options}
    )
    system = build(name, Host(cores).machine, workload)
    assert isinstance(system, Hermes)
    return system


def test_kthread_tracking_with_the_heap_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError) as error:
        Hermes(Host().machine, Workload(application=Echo, rings=SMALL), tracking="kthreads", detection="heap")
    assert str(error.value) == (
        "kthread tracking does not go with the heap: the IOKernel would learn of notifications only, never of uthreads "
        "that wait for a core; accepted are kthreads with scan, iokernel with scan or heap"
    )


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_needs_a_core_beside_the_iokernels(system: str) -> None:
    with pytest.raises(ValueError, match=r"^cores is 0; accepted are 1 and more beside the IOKernel's$"):
        compose(system, cores=0)


@pytest.mark.parametrize(
    ("system", "handler", "waits", "detector", "tells"),
    [
        ("indirect", NotificationHandler, UNDER_LOCK, Scan, False),
        ("semi-direct", ReadyHandler, BY_MESSAGE, Scan, False),
        ("priority", ReadyHandler, BY_SWITCH, Pending, True),
    ],
)
def test_systems_differ_in_who_finds_waiting_uthreads_what_is_congestion_and_what_is_told(
    system: str, handler: type, waits: int, detector: type, tells: bool
) -> None:
    hermes = compose(system)
    (runtime,) = hermes.runtimes
    assert isinstance(runtime.handler, handler)
    assert {server._waits for server in hermes.servers} == {waits}
    assert isinstance(hermes.iokernel.detector, detector)
    assert {kthread.teller.tells for kthread in runtime.kthreads} == {tells}
    assert bool(runtime.create_cost) == tells


def test_a_network_application_has_a_kthread_per_core_but_not_more_than_uthreads() -> None:
    assert [runtime.count for runtime in compose(cores=4, uthreads=6).runtimes] == [4]
    assert [runtime.count for runtime in compose(cores=4, uthreads=3).runtimes] == [3]
    assert [runtime.count for runtime in compose(cores=4, uthreads=7, applications=3).runtimes] == [3, 2, 2]


def test_cores_are_guaranteed_in_equal_shares_unless_told_otherwise() -> None:
    assert [runtime.guaranteed for runtime in compose(cores=4).runtimes] == [4]
    assert [runtime.guaranteed for runtime in compose(cores=4, applications=2).runtimes] == [2, 2]
    assert [runtime.guaranteed for runtime in compose(cores=4, guaranteed=1).runtimes] == [1]
    assert [runtime.guaranteed for runtime in compose(cores=4, uthreads=2, guaranteed=3).runtimes] == [2]


def test_a_batch_application_has_endless_uthreads_one_per_core_and_no_core_guaranteed() -> None:
    network, batch = compose(cores=4, uthreads=3, batch=True).runtimes
    assert (network.parks, network.guaranteed, network.count) == (True, 3, 3)
    assert (batch.parks, batch.guaranteed, batch.count) == (False, 0, 4)


def test_uthread_i_has_pipe_i_and_belongs_to_application_i_modulo_their_number() -> None:
    host = WholeHost(cores=2, uthreads=5, applications=2)
    assert [server.number for server in host.system.servers] == list(range(5))
    assert [list(server.device.pipes) for server in host.system.servers] == [[number] for number in range(5)]
    for number in range(5):
        assert host.iokernel.runtime_of[number] == host.iokernel.shared[number].runtime == number % 2


def test_fallback_covers_the_largest_power_of_two_of_the_pipes() -> None:
    assert WholeHost(uthreads=5).nic.fallback == 3
    assert len(WholeHost(uthreads=5).nic.flows) == 5


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_runtime_registers_and_its_main_uthread_makes_the_others(system: str) -> None:
    host = WholeHost(system, cores=2, uthreads=4, applications=2)
    host.machine.start(host.iokernel, host.time)
    host.system.start()
    while not host.system.is_started():
        host.run(host.time + 100 * NS)
    ended = {uthread for _, uthread, _ in host.happened(UTHREAD_END)}
    assert {4, 5} <= ended, "it has not started before all have been made"
    host.run(host.time + 100 * US)
    grants = [value >> 16 for _, _, value in host.happened(CORE_GRANT)]
    assert grants[:2] == [0, 1]
    starts = [uthread for _, uthread, _ in host.happened(UTHREAD_START)]
    mains = [4, 5]
    assert [uthread for uthread in starts if uthread in mains] == mains
    assert sorted(starts) == [0, 1, 2, 3, 4, 5]
    assert all(host.iokernel.runtime_of[main] == index for index, main in enumerate(mains))


def test_uthreads_of_a_batch_application_run_on_all_cores_that_are_left() -> None:
    host = WholeHost(cores=3, uthreads=2, batch=True)
    begin = host.start()
    before = [core.times_at(begin)[BATCH] for core in host.machine.cores[1:]]
    host.run(begin + 100 * US)
    after = [core.times_at(host.time)[BATCH] for core in host.machine.cores[1:]]
    assert [late - early for early, late in zip(before, after, strict=True)] == [100 * US] * 3


@pytest.mark.parametrize(("kind", "queues"), [("core", 3), ("kthread", 2)])
@pytest.mark.parametrize("system", SYSTEMS)
def test_there_is_a_message_queue_for_each_core_or_for_each_kthread(system: str, kind: str, queues: int) -> None:
    host = WholeHost(system, cores=3, uthreads=2, message_queue=kind)
    assert [queue.number for queue in host.system.queues] == list(range(queues))
    begin = host.start()
    host.frames([udp_frame(number % 2) for number in range(40)], [begin + 3 * US * number for number in range(40)])
    host.run(begin + 300 * US)
    assert len(host.nic.sent) == 40
    popped = {queue for _, queue, _ in host.happened(QUEUE_POP) if queue < queues}
    assert popped <= set(range(queues))
    host.require_balance()


@pytest.mark.parametrize("system", SYSTEMS)
def test_with_a_queue_for_each_kthread_messages_come_through_those_of_their_own_runtime(system: str) -> None:
    host = WholeHost(system, cores=2, uthreads=4, applications=2, message_queue="kthread")
    begin = host.start()
    host.frames([udp_frame(number % 4) for number in range(40)], [begin + 3 * US * number for number in range(40)])
    host.run(begin + 300 * US)
    heads = [(queue, value >> 32) for _, queue, value in host.happened(QUEUE_PUSH) if queue < 4 and value >= 0]
    assert len(heads) >= 2 * 40
    assert all(queue // 2 == uthread % 2 for queue, uthread in heads)


@pytest.mark.parametrize("system", SYSTEMS)
def test_kthreads_that_find_their_queue_full_go_on_when_there_is_room(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hermes.queues.CAPACITY", 3)
    host = WholeHost(system, cores=2, uthreads=4, send="packet")
    begin = host.start()
    host.frames([udp_frame(number % 4) for number in range(120)], [begin + 200 * NS * number for number in range(120)])
    host.run(begin + 400 * US)
    assert len(host.nic.sent) == 120
    assert sum(core.times_at(host.time)[QUEUE_FULL] for core in host.machine.cores[1:]) > 0
    assert host.system.waiting() == []


@pytest.mark.parametrize(("system", "limit"), [("indirect", 3), ("semi-direct", 3), ("priority", 7)])
def test_a_detection_is_false_below_the_limit_of_its_own_way_of_detecting(system: str, limit: int) -> None:
    switches = Switches(scan_ps=3, congestion_ps=7)
    assert compose(system, switches=switches).iokernel.cores._limit == limit


def test_no_two_queues_have_one_number() -> None:
    for system in SYSTEMS:
        for switches in (Switches(message_queue="core"), Switches(message_queue="kthread")):
            hermes = compose(system, applications=2, batch=True, switches=switches)
            queues: list[SpscQueue] = [*hermes.queues, *hermes._answers, hermes.iokernel.registrations]
            queues += [kthread.softirqs for runtime in hermes.runtimes for kthread in runtime.kthreads]
            numbers = [queue.number for queue in queues]
            assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("application", "free_rx", "has_tx_pipe"),
    [(Echo, "completion", False), (Echo, "processing", True), (lambda: KeyValue(0), "completion", True)],
)
def test_answers_go_out_in_place_unless_they_are_others_or_the_space_must_be_free_at_once(
    application: Any, free_rx: Any, has_tx_pipe: bool
) -> None:
    hermes = compose(application=application, switches=Switches(free_rx=free_rx))
    assert {server._tx_pipe is not None for server in hermes.servers} == {has_tx_pipe}


def test_messages_that_are_answered_in_the_set_up_are_not_counted_as_traffic() -> None:
    host = WholeHost("priority")
    assert set(host.system.messages().values()) == {0}
    assert set(host.system.messages()) == {"rx_head", "tx_tail", "pipe_rx_head", "park", "switch", "create"}
    host.start()
    told = {kind: count for kind, count in host.system.messages().items() if count}
    assert set(told) == {"switch", "create"}


def test_exits_end_the_uthreads_that_they_are_about() -> None:
    hermes = compose(exits={2: 5})
    assert [server.ends_after for server in hermes.servers] == [0, 0, 5, 0, 0, 0]


def test_what_it_measured_beside_counts() -> None:
    host = WholeHost("indirect", cores=2, uthreads=2, batch=True)
    begin = host.start()
    host.frames([udp_frame(0)] * 10, [begin + 20 * US * number for number in range(10)])
    host.run(begin + 300 * US)
    extra, counts = host.system.extra(), host.system.counts()
    assert extra["preemptions"] == sum(runtime.preemptions for runtime in host.system.runtimes) > 0
    assert extra["parks"] == sum(runtime.parkings for runtime in host.system.runtimes) > 0
    lengths = extra["run_lengths_ps"]
    assert isinstance(lengths, dict)
    assert set(lengths) == {"application 0", "batch"}
    assert list(lengths["batch"]) == list(host.system.runtimes[1].run_lengths)
    waits = extra["message_wait_ns"]
    assert isinstance(waits, dict)
    assert set(waits) == {"rx_head", "tx_tail"}
    interval = extra["scan_interval_ns"]
    assert isinstance(interval, dict)
    assert 5_000 < interval["mean"] <= interval["max"]
    assert extra["park_time_ns"]["mean"] >= 2000  # type: ignore[index]
    # 10 requests: a line each for notification, completion, messages, softIRQs; two for a request, which is copied
    assert (extra["notifications_taken"], extra["completions_taken"], extra["softirqs"]) == (10, 10, 20)
    told = sum(host.system.messages().values())
    assert extra["iokernel_touched_bytes"] == 64 * (10 + 10 + 20 + 2 * 10 + told)
    assert counts["packets"] == counts["completions"] == 10
    assert counts["grants"] >= 2
    assert len(list(host.happened(UTHREAD_END))) <= counts["runqueue_insertions"] + 1
    assert "scan_interval_ns" not in WholeHost("priority").system.extra()


def test_the_iokernel_touches_the_rings_of_uthreads_only_where_it_writes_them() -> None:
    lines = {}
    for name in ("indirect", "semi-direct"):
        host = WholeHost(name, cores=2, uthreads=2)
        begin = host.start()
        host.frames([udp_frame(0)] * 10, [begin + 20 * US * number for number in range(10)])
        host.run(begin + 300 * US)
        extra, messages = host.system.extra(), host.system.iokernel.mailbox.counts
        assert isinstance(extra["iokernel_touched_bytes"], int)
        passed_on = sum(kthread.softirqs.pushed for runtime in host.system.runtimes for kthread in runtime.kthreads)
        lines[name] = extra["iokernel_touched_bytes"] // 64 - sum(messages.values()) - passed_on
    assert lines == {"indirect": 10 + 10 + 2 * 10, "semi-direct": 2 * (10 + 10) + 2 * 10}


def test_a_kthread_that_works_looks_at_its_softirqs_between_requests() -> None:
    host = WholeHost("indirect", cores=1, uthreads=1)
    begin = host.start()
    host.frames([udp_frame(0)] * 10, [begin + 20 * US * number for number in range(10)])
    host.run(begin + 300 * US)
    interval = host.system.extra()["softirq_check_interval_ns"]
    assert isinstance(interval, dict)
    assert 0 < interval["mean"] < interval["max"] < 50_000


@pytest.mark.parametrize("per", ["core", "kthread"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_queue_has_a_name_by_its_number(system: str, per: Literal["core", "kthread"]) -> None:
    hermes = compose(system, cores=3, applications=2, batch=True, switches=Switches(message_queue=per))
    names = hermes.queue_names()
    kthreads = [(runtime, kthread) for runtime in hermes.runtimes for kthread in runtime.kthreads]
    assert len(kthreads) == 9
    for runtime, kthread in kthreads:
        owner = f"kthread {kthread.index} of runtime {runtime.number}"
        assert names[kthread.softirqs.number] == ("softIRQs", owner)
    assert [names[queue.number] for queue in hermes.queues] == [
        ("messages", f"core {core}" if per == "core" else names[kthread.softirqs.number][1])
        for core, (_, kthread) in zip(range(1, 10), kthreads, strict=True)
        if per == "kthread" or core <= 3
    ]
    answers = [owner for what, owner in names.values() if what == "answers"]
    assert answers == ([names[queue.number][1] for queue in hermes.queues] if system == "priority" else [])
