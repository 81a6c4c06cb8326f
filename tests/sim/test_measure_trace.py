"""The trace, read back: cores' slices are their time, to the picosecond; nobody is in two places; nothing changes."""

import itertools
import shutil
from collections import defaultdict
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from perfetto.trace_processor import TraceProcessor, TraceProcessorConfig

from cosim.config import ConfigError
from cosim.machine.machine import Machine
from cosim.machine.timeline import Timeline
from cosim.measure import trace
from cosim.measure.recorded import Recorded
from cosim.measure.result import Measurement, measure
from cosim.measure.stages import STAGES
from cosim.measure.trace import busy_before, require_few, who_has
from cosim.simulation import Report
from hermes.systems import SYSTEMS
from hermes.world import (
    ACTIVITIES,
    CORE_ACTIVITIES,
    CORE_GRANT,
    CORE_LEFT,
    IOKERNEL_ACTIVITIES,
    QUEUE_POP,
    QUEUE_PUSH,
    UTHREAD_END,
    UTHREAD_START,
)
from tests.tools.perfetto_reader import Read, Slice, read
from tests.tools.reference_run import US, outcome_of, spinning

every_system = pytest.mark.parametrize("system", SYSTEMS)
CORES = 3


def traced(system: str, **options: Any) -> Measurement:
    """A run in which cores change hands, uthreads are interrupted and stolen, and requests wait."""
    service = np.random.default_rng(1).exponential(6 * US, 250).astype(np.int64) + 1
    load = spinning(service, 300_000, uthreads=6)
    options = {"cores": CORES, "batch": True, "trace": True, **options}
    return measure(load, outcome_of(load, system=system, **options))


def written(measurement: Measurement, folder: Path) -> bytes:
    measurement.write_trace(folder / "trace.perfetto")
    return (folder / "trace.perfetto").read_bytes()


@cache
def example(system: str) -> tuple[Measurement, list[list[int]]]:
    """A run, and the whole time of each core by activity."""
    times: list[list[int]] = []
    original = Machine.timelines_at

    def and_times(machine: Machine, time: int) -> list[Timeline]:
        times.extend(machine.times_at(time))
        return original(machine, time)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Machine, "timelines_at", and_times)
        return traced(system), times


@pytest.fixture
def measurement(system: str) -> Measurement:
    return example(system)[0]


@pytest.fixture
def found(system: str, tmp_path: Path) -> Read:
    return read(written(example(system)[0], tmp_path))


def recorded(measurement: Measurement) -> Recorded:
    result = measurement.outcome.report.recorded
    assert result is not None
    return result


def begin(one: Slice) -> int:
    return int(one.arguments["begin_ps"])


def end(one: Slice) -> int:
    return begin(one) + int(one.arguments["duration_ps"])


def core_track(core: int) -> str:
    return f"Hermes/cores/core {core}" + (": IOKernel" if core == 0 else "")


def split(slices: list[Slice], since: int, until: int) -> dict[str, int]:
    """Picoseconds by activity within a window."""
    times: dict[str, int] = defaultdict(int)
    for one in slices:
        times[one.name] += max(0, min(end(one), until) - max(begin(one), since))
    return times


@every_system
def test_the_slices_of_each_core_are_its_time_to_the_picosecond(
    system: str, measurement: Measurement, found: Read
) -> None:
    report, run = measurement.outcome.report, recorded(measurement)
    slices = [found.of(core_track(core)) for core in range(CORES + 1)]
    for its, times in zip(slices, example(system)[1], strict=True):
        assert (begin(its[0]), end(its[-1])) == (run.began_ps, run.end_ps)
        assert [begin(one) for one in its[1:]] == [end(one) for one in its[:-1]], "without a gap"
        assert all(one.begin_ns == begin(one) // 1000 and one.end_ns == end(one) // 1000 for one in its)
        assert all(one.arguments["duration_ps"] for one in its)
        whole = split(its, run.began_ps, run.end_ps)
        assert {name: time for name, time in zip(ACTIVITIES, times, strict=True) if time} == whole
    windows = [split(its, run.ready_ps, run.measured_until_ps) for its in slices]
    assert {ACTIVITIES[a]: windows[0][ACTIVITIES[a]] for a in IOKERNEL_ACTIVITIES} == report.iokernel_ps
    assert {
        ACTIVITIES[a]: sum(window[ACTIVITIES[a]] for window in windows[1:]) for a in CORE_ACTIVITIES
    } == report.core_ps
    assert report.core_ps["application"] > 100 * US


@every_system
def test_neighbours_of_the_same_activity_are_one_slice_unless_the_core_changed_hands(system: str, found: Read) -> None:
    for core in range(CORES + 1):
        what = [(one.name, one.arguments["runs"]) for one in found.of(core_track(core))]
        assert all(before != after for before, after in itertools.pairwise(what))


@every_system
def test_the_window_of_the_result_is_in_the_trace(system: str, measurement: Measurement, found: Read) -> None:
    run = recorded(measurement)
    assert [(one.name, begin(one), end(one)) for one in found.of("Hermes/run")] == [
        ("start", run.began_ps, run.ready_ps),
        ("measured", run.ready_ps, run.measured_until_ps),
        ("drain", run.measured_until_ps, run.end_ps),
    ]


@every_system
def test_a_core_runs_the_kthread_that_has_it_and_every_kthread_is_in_one_place(system: str, found: Read) -> None:
    has: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    kthreads = [path for path in found.slices if path.startswith("Hermes/kthreads/")]
    for path in kthreads:
        its = found.of(path)
        assert all(end(one) <= begin(after) for one, after in itertools.pairwise(its))
        for one in its:
            has[int(one.name.removeprefix("on core "))].append((begin(one), end(one), path.rsplit("/", 1)[1]))
    assert len(kthreads) == 2 * CORES, "the batch application has as many"
    for core in range(1, CORES + 1):
        its = found.of(core_track(core))
        for since, until, kthread in has[core]:
            inside = [one for one in its if one.arguments["runs"] == kthread and since <= begin(one) < until]
            assert sum(int(one.arguments["duration_ps"]) for one in inside) == until - since
        others = [one for one in its if one.arguments["runs"] == "nobody"]
        assert sum(until - since for since, until, _ in has[core]) == sum(
            int(one.arguments["duration_ps"]) for one in its if one not in others
        )
        assert {one.name for one in others} <= {"idle"}


@every_system
def test_a_uthread_is_on_one_core_and_a_core_runs_one_uthread(
    system: str, measurement: Measurement, found: Read
) -> None:
    effects = recorded(measurement).effects.tolist()
    on: dict[int, list[tuple[int, int]]] = defaultdict(list)
    paths = [path for path in found.slices if path.startswith("Hermes/uthreads/")]
    assert {f"Hermes/uthreads/uthread {number}" for number in range(6)} < set(paths)
    for path in paths:
        its = found.of(path)
        assert all(end(one) <= begin(after) for one, after in itertools.pairwise(its))
        for one in its:
            on[int(one.name.removeprefix("on core "))].append((begin(one), end(one)))
        number = int(path.rsplit(" ", 1)[1])
        times = [time for time, kind, of, _ in effects if kind in (UTHREAD_START, UTHREAD_END) and of == number]
        if len(times) % 2:
            times.append(recorded(measurement).end_ps)
        assert [time for one in its for time in (begin(one), end(one))] == times
    for core, spans in on.items():
        spans.sort()
        assert all(until <= after for (_, until), (after, _) in itertools.pairwise(spans))
        useful = [one for one in found.of(core_track(core)) if one.name in ("application", "driver", "batch")]
        total = sum(end(one) - begin(one) for one in useful)
        assert total == sum(
            max(0, min(until, end(one)) - max(since, begin(one)))
            for one in useful
            for since, until in spans
            if since < end(one) and begin(one) < until
        ), "it is a uthread that computes"


@every_system
def test_arrows_lead_from_wire_to_wire_through_all_that_happened(
    system: str, measurement: Measurement, found: Read
) -> None:
    assert measurement.stages is not None
    assert len(found.flows) == len(measurement.stages.requests) == 250
    stages = measurement.stages
    for request, times in zip(stages.requests.tolist(), stages.times_ps.T.tolist(), strict=True):
        steps = found.flows[request + 1]
        uthread = f"Hermes/uthreads/uthread {measurement.load.steering.flow[request] % 6}"
        iokernel = core_track(0)
        assert [(one.name, one.track) for one in steps] == [
            ("arrival", "Hermes/NIC/wire in"),
            ("nic_rx", "Hermes/requests/completed"),
            ("visible", "Hermes/NIC/notifications"),
            ("read", iokernel),
            ("delivered", iokernel),
            *((name, uthread) for name in ("runnable", "taken", "begun", "done", "posted")),
            ("forwarded", iokernel),
            ("answer", "Hermes/NIC/wire out"),
        ]
        instants = [one for one in steps if one.is_instant]
        assert [one.begin_ns for one in instants] == [time // 1000 for time in times]
        assert [one.ends_flows for one in steps] == [False] * 11 + [True]
        assert all(one.arguments["request"] == request for one in instants)


@every_system
def test_each_request_has_a_slice_and_its_stages_in_it(system: str, measurement: Measurement, found: Read) -> None:
    stages = measurement.stages
    assert stages is not None
    track = "Hermes/requests/completed"
    assert 1 < list(found.paths.values()).count(track) < 60, "lanes"
    by_times = {(begin(one), end(one)): one for one in found.of(track)}
    for request, times in zip(stages.requests.tolist(), stages.times_ps.T.tolist(), strict=True):
        one = by_times[times[0], times[-1]]
        assert (one.name, one.arguments["request"]) == ("request", request)
        assert one.arguments["connection"] == measurement.load.connections[request]
    parts = [one for one in found.slices[track] if one.depth == 1]
    for index, name in enumerate(STAGES):
        its = sorted((begin(one), end(one)) for one in parts if one.name == name)
        assert its == sorted(zip(*stages.times_ps[index : index + 2].tolist(), strict=True)), name
    assert len(parts) == 10 * len(stages.requests)


@every_system
def test_counters_end_with_what_lies_in_the_queues_and_never_are_below_zero(
    system: str, measurement: Measurement, found: Read
) -> None:
    there = {balance.what: balance.there for balance in measurement.outcome.report.balances}
    for path, values in found.counters.items():
        assert all(value >= 0 for _, value in values), path
        owner = path.rsplit("/", 1)[1]
        if "/softIRQs/" in path:
            assert values[-1][1] == there[f"softIRQ queue of {owner}"]
        elif "/runnable uthreads/" in path:
            assert values[-1][1] == there[f"runqueue of {owner}"]
    kinds = {path.split("/")[2] for path in found.counters if path.startswith("Hermes/queues/")}
    assert kinds == {"messages", "softIRQs", "runnable uthreads"} | ({"answers"} if system == "priority" else set())
    run = recorded(measurement)
    lengths = run.lengths[run.lengths[:, 1] == 0][:, 2]
    assert max(v for _, v in found.counters["Hermes/queues/runnable uthreads/kthread 0 of runtime 0"]) == lengths.max()
    for path in ("NIC/from wire to notification", "NIC/from doorbell to wire", "requests/in the system"):
        assert found.counters[f"Hermes/{path}"][-1][1] == 0, path
        assert max(value for _, value in found.counters[f"Hermes/{path}"]) > 1, path


def replayed(steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """A counter's values after changes at times in ps: the last of each nanosecond, where it is another."""
    values: dict[int, int] = {}
    value = 0
    for time, step in steps:
        value += step
        values[time // 1000] = value
    told = list(values.items())
    return [one for before, one in zip([(0, -1), *told], told, strict=False) if one[1] != before[1]]


@every_system
def test_counters_are_what_the_queues_did(system: str, measurement: Measurement, tmp_path: Path) -> None:
    run = recorded(measurement)
    draw = np.random.default_rng(3)
    lengths = np.stack((np.sort(draw.integers(0, 10**6, 90)), draw.integers(0, 3, 90), draw.integers(0, 4, 90)), axis=1)
    report = replace(measurement.outcome.report, recorded=replace(run, lengths=lengths))
    run_with = replace(measurement, outcome=replace(measurement.outcome, report=report))
    counters = read(written(run_with, tmp_path)).counters
    for number, (what, owner) in run.queue_names.items():
        steps = [
            (time, 1 if kind == QUEUE_PUSH else -1)
            for time, kind, queue, _ in run.effects.tolist()
            if kind in (QUEUE_PUSH, QUEUE_POP) and queue == number
        ]
        assert counters[f"Hermes/queues/{what}/{owner}"] == replayed(steps)
    for kthread in range(3):
        its = [(time, length) for time, number, length in lengths.tolist() if number == kthread]
        steps = [(time, length - before) for (_, before), (time, length) in zip([(0, 0), *its], its, strict=False)]
        assert counters[f"Hermes/queues/runnable uthreads/kthread {kthread} of runtime 0"] == replayed(steps)


@every_system
def test_the_link_is_as_busy_as_it_was(system: str, measurement: Measurement, found: Read) -> None:
    run = recorded(measurement)
    assert found.counters["Hermes/PCIe/down, busy"] == [(run.began_ps // 1000, 0)]
    since, percents = run.began_ps, []
    while since < run.end_ps:
        until = min(since + US, run.end_ps)
        # the reference NIC's way up is busy in every other microsecond
        first, second = since // (2 * US) * 2 * US, (since // (2 * US) + 1) * 2 * US
        busy = sum(max(0, min(until, begins + US) - max(since, begins)) for begins in (first, second))
        percents.append((since, busy * 100 // US))
        since += US
    values = found.counters["Hermes/PCIe/up, busy"]
    assert values == [
        (time // 1000, percent)
        for (time, percent), (_, before) in zip(percents, [(0, -1), *percents], strict=False)
        if percent != before
    ]
    assert len(values) > 100


@every_system
def test_a_trace_is_the_same_bytes_however_polling_is_simulated(
    system: str, measurement: Measurement, tmp_path: Path
) -> None:
    assert written(traced(system, polling="naive"), tmp_path) == written(measurement, tmp_path)


@every_system
def test_tracing_changes_no_result(system: str, measurement: Measurement) -> None:
    plain = traced(system, trace=False)
    assert plain.result() == measurement.result()
    assert plain.outcome.report.recorded is None
    for field in fields(Report):
        if field.name != "recorded":
            one, other = (getattr(run.outcome.report, field.name) for run in (plain, measurement))
            assert np.array_equal(one, other) if isinstance(one, np.ndarray) else repr(one) == repr(other), field.name
    with pytest.raises(ValueError, match="that was not traced"):
        plain.write_trace(Path("nowhere"))


SHELL = shutil.which("trace_processor_shell")


@pytest.mark.skipif(SHELL is None, reason="Perfetto's trace_processor_shell is not on the path: no package has it")
@every_system
def test_perfetto_itself_reads_the_same_and_finds_nothing_wrong(
    system: str, measurement: Measurement, found: Read, tmp_path: Path
) -> None:
    written(measurement, tmp_path)
    config = TraceProcessorConfig(bin_path=SHELL)
    with TraceProcessor(trace=str(tmp_path / "trace.perfetto"), config=config) as processor:
        wrong = processor.query("select name, value from stats where severity = 'error' and value > 0")
        assert [(row.name, row.value) for row in wrong] == []
        (slices,) = processor.query("select count(*) as n from slice where dur >= 0")
        assert slices.n == sum(len(its) for its in found.slices.values())
        (arrows,) = processor.query("select count(*) as n from flow")
        assert arrows.n == sum(len(steps) - 1 for steps in found.flows.values())


def test_unfinished_and_dropped_requests_are_told_too(tmp_path: Path) -> None:
    load = spinning(np.full(300, 40 * US, dtype=np.int64), 5_000_000, uthreads=2)
    run = measure(load, outcome_of(load, drain_us=1_000, cores=1, trace=True))
    assert min(run.fates.dropped["pipe_full"], run.fates.unfinished, run.fates.completed) > 0
    found = read(written(run, tmp_path))
    counts = {
        path.rsplit("/", 1)[1]: len(found.of(path)) for path in found.slices if path.startswith("Hermes/requests/")
    }
    dropped = run.fates.dropped["pipe_full"]
    assert counts == {"completed": run.fates.completed, "unfinished": run.fates.unfinished, "dropped": dropped}
    for one in found.of("Hermes/requests/unfinished"):
        assert end(one) == run.ends_ps[int(one.arguments["request"])]


def test_without_stages_arrows_lead_from_wire_to_wire(tmp_path: Path) -> None:
    whole = example("indirect")[0]
    run = Measurement(whole.load, whole.outcome, whole.fates, whole.answers_ps, whole.ends_ps, None)
    found = read(written(run, tmp_path))
    assert {tuple(one.name for one in steps) for steps in found.flows.values()} == {("arrival", "answer")}
    assert len(found.flows) == len(found.slices["Hermes/requests/completed"]) == 250


def test_of_many_queues_one_counter_has_the_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = example("indirect")[0]
    each = read(written(run, tmp_path)).counters
    monkeypatch.setattr(trace, "MOST_COUNTERS", 1)
    together = read(written(run, tmp_path)).counters
    effects = recorded(run).effects
    names = recorded(run).queue_names
    for what in ("messages", "softIRQs", "runnable uthreads"):
        its = {path: values for path, values in each.items() if path.startswith(f"Hermes/queues/{what}/")}
        assert len(its) > 1
        assert f"Hermes/queues/{what}" in together
        assert not any(path.startswith(f"Hermes/queues/{what}/") for path in together)
        assert together[f"Hermes/queues/{what}"][-1][1] == sum(values[-1][1] for values in its.values())
        assert max(v for _, v in together[f"Hermes/queues/{what}"]) >= max(v for vs in its.values() for _, v in vs)
    pushed = {names[number][0] for number in effects[effects[:, 1] == QUEUE_PUSH, 2].tolist() if number in names}
    assert pushed == {"messages", "softIRQs"}


def test_who_is_granted_a_busy_core_has_it_when_the_one_before_left() -> None:
    a, b, c = 1 << 16, 1 << 16 | 3, 2 << 16
    rows = [
        (10, CORE_GRANT, 1, a),
        (12, CORE_GRANT, 2, b),
        (20, CORE_GRANT, 1, c),  # interrupts a
        (25, CORE_LEFT, 1, a),
        (30, CORE_LEFT, 2, b),
        (40, CORE_LEFT, 1, c),
        (41, QUEUE_PUSH, 1, 7),
        (50, CORE_GRANT, 1, b),
    ]
    assert who_has(np.array(rows), 60).tolist() == [
        [1, a, 10, 25],
        [2, b, 12, 30],
        [1, c, 25, 40],
        [1, b, 50, 60],
    ]
    assert who_has(np.zeros((0, 4), dtype=np.int64), 60).shape == (0, 4)


@pytest.mark.parametrize("seed", range(3))
def test_busy_before_counts_picosecond_by_picosecond(seed: int) -> None:
    print(f"seed {seed}")
    bounds = np.sort(np.random.default_rng(seed).choice(100, 20, replace=False))
    spans = bounds.reshape(-1, 2)
    is_busy = np.zeros(120, dtype=np.int64)
    for since, until in spans.tolist():
        is_busy[since:until] = 1
    assert busy_before(spans, np.arange(120)).tolist() == [int(is_busy[:time].sum()) for time in range(120)]
    assert busy_before(np.zeros((0, 2), dtype=np.int64), np.arange(3)).tolist() == [0, 0, 0]


def test_a_trace_that_no_viewer_takes_is_refused() -> None:
    require_few(100_000)
    with pytest.raises(ConfigError, match=r"^requests is 100001; accepted with trace is at most 100000$"):
        require_few(100_001)
