"""The result of a run, from what its simulation left behind."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet
from rich.console import Console

from cosim.measure.errors import AccountingError, ConservationError, StageError
from cosim.measure.result import measure, measured
from cosim.measure.stages import STAGES
from cosim.measure.table import summary
from cosim.simulation import Report
from cosim.simulator import Outcome
from cosim.traffic.echo import expected_echo
from cosim.traffic.frames import Frames
from cosim.traffic.generate import generate_requests
from cosim.traffic.load import Load
from cosim.traffic.steering import steer
from enso_nic.registers import DROP_CAUSES
from hermes.stamps import BEGUN, NOTIFICATION_COLUMNS, PACKET_COLUMNS, SEND_COLUMNS
from hermes.systems import Balance
from tests.tools.look_alikes import ptp

REPORT = Report(
    iokernel_ps={"rx": 100, "tx_completion": 0, "message": 100, "cores": 0, "detection": 0, "grant": 0, "poll": 800},
    core_ps={"application": 300, "driver": 300, "batch": 0, "idle": 400},
    window_ps=1000,
    end_ps=40_000_000,
    messages={"rx_head": 7},
    notifications=2,
    packets=3,
    batches=1,
    completions=1,
    request_errors=0,
    grants=0,
    false_detections=0,
    runqueue_insertions=9,
    steals=0,
    event_hash="abc",
    costs_sha256="def",
    has_batch=False,
    balances=(),
    extra={},
    notification_rows=np.zeros((0, NOTIFICATION_COLUMNS), dtype=np.int64),
    packet_rows=np.zeros((0, PACKET_COLUMNS), dtype=np.int64),
    send_rows=np.zeros((0, SEND_COLUMNS), dtype=np.int64),
)
REQUESTS = Frames.pack([*generate_requests(300, connections=4, seed=1), bytes(1515)]).padded()  # the last: too_long
END = 50_000_000
ARRIVALS = np.arange(301, dtype=np.int64) * 100_000
LOAD = Load(REQUESTS, ARRIVALS, steer(REQUESTS, 1514), uthreads=4)


def rows_of(load: Load, later_ps: int = 0) -> dict[str, Any]:
    """What software writes down if each request has a flit, a notification and a send, and each stage takes 200 ns."""
    pipes = load.steering.flow % load.uthreads
    at = [ARRIVALS[: len(pipes)] + later_ps + 200_000 * stage for stage in range(10)]
    ends = np.array([(pipes[: index + 1] == pipe).sum() for index, pipe in enumerate(pipes.tolist())])
    rows = {
        "notification_rows": np.stack([pipes, ends, *at[1:6]], axis=1),
        "packet_rows": np.stack([pipes, ends, at[6], at[7]], axis=1),
        "send_rows": np.stack([pipes, ends, at[8], at[9]], axis=1),
    }
    return {name: kind[load.is_admitted] for name, kind in rows.items()}


def outcome(answered: int, **counters: int) -> Outcome:
    """The first requests were answered, each after 2 us."""
    returned = Frames.pack(expected_echo(frame) for frame in list(REQUESTS)[:answered])
    counted = dict.fromkeys(DROP_CAUSES, 0) | {"rx_admitted": 300, "tx_frames": answered, "too_long": 1} | counters
    return Outcome(ARRIVALS, returned, ARRIVALS[:answered] + 2_000_000, END, counted, full_report())


def test_a_run_in_which_all_came_back() -> None:
    result = measured(LOAD, outcome(300))
    assert (result["offered"], result["completed"], result["echoed"]) == (301, 300, 300)
    assert (result["unfinished"], result["not_sent"]) == (0, 0)
    assert result["dropped"] == {**dict.fromkeys(DROP_CAUSES, 0), "too_long": 1}
    assert result["latency_ns"] == {"p50": 2000.0, "p99": None, "p99.9": None}
    assert result["requests_per_s"] == pytest.approx(300 / (299 * 100e-9 + 2e-6))
    assert sum(result["iokernel_share"].values()) == pytest.approx(1)
    assert result["core_time_share"] == {"application": 0.3, "driver": 0.3, "batch": 0.0, "idle": 0.4}
    assert result["runtime_efficiency"] == 0.5
    assert result["packets_per_notification"] == 1.5
    assert result["simulated_ns"] == 50_000.0


def test_a_run_that_dropped_and_did_not_finish() -> None:
    result = measured(LOAD, outcome(200, pipe_full=60))
    assert (result["offered"], result["completed"], result["unfinished"]) == (301, 200, 40)
    assert result["latency_ns"]["p50"] == 2000.0
    assert result["offered"] == result["completed"] + sum(result["dropped"].values()) + result["unfinished"]


def test_frames_in_header_mode_of_which_many_are_equal_are_measured_one_by_one() -> None:
    with_trailer = bytes(next(iter(REQUESTS))) + b"trailer" * 10
    frames = Frames.pack([ptp()[0]] * 299 + [with_trailer])
    load = Load(frames, ARRIVALS[:300], steer(frames, 1514), uthreads=1)
    returned = Frames.pack(expected_echo(frame, in_header_mode=True) for frame in frames)
    left = ARRIVALS[:300] + 2_000_000
    counters = {"rx_admitted": 300, "tx_frames": 300, "too_long": 0}
    report = replace(REPORT, **rows_of(load))
    result = measured(load, Outcome(ARRIVALS[:300], returned, left, END, outcome(300, **counters).counters, report))
    assert (result["completed"], result["latency_ns"]["p50"]) == (300, 2000.0)


def test_a_run_without_any_answer_has_no_rates() -> None:
    result = measured(LOAD, outcome(0, no_flow=300))
    assert result["requests_per_s"] is None
    assert set(result["latency_ns"].values()) == {None}


def test_a_run_whose_sums_do_not_agree_has_no_result() -> None:
    with pytest.raises(ConservationError, match="offered 301 is not completed 300"):
        measured(LOAD, outcome(300, pipe_full=1))
    with pytest.raises(AccountingError, match=r"frame 1 that left the NIC, .* at 2000000 ps, answers no request"):
        measured(LOAD, Outcome(ARRIVALS, REQUESTS, ARRIVALS + 2_000_000, END, outcome(300).counters, full_report()))


# --- what software wrote down and counted -----------------------------------------------------------------------------


def full_report(**changed: Any) -> Report:
    return replace(REPORT, **{**rows_of(LOAD), **changed})


def told_by(report: Report, answered: int = 300, **counters: int) -> dict[str, Any]:
    return measured(LOAD, replace(outcome(answered, **counters), report=report))


def test_stages_are_told_of_the_requests_behind_the_warm_up() -> None:
    report = full_report()
    report.packet_rows[:30, BEGUN] += 50_000
    result = told_by(report)
    stage = {"mean": 200.0, "p50": 200.0, "p99": None}
    assert result["stage_ns"] == dict.fromkeys(STAGES, stage)
    assert sum(stage["mean"] for stage in result["stage_ns"].values()) == result["latency_ns"]["p50"]
    assert list(result["stage_ns"]) == list(STAGES)


def test_packets_that_were_handled_and_dropped_leave_no_stages() -> None:
    assert told_by(full_report(), 299, tx_error=1)["stage_ns"] is None


def test_rows_that_cannot_be_are_an_error() -> None:
    report = full_report()
    report.packet_rows[7, 2] = 0
    with pytest.raises(StageError, match="request 7: stage batch_wait"):
        told_by(report)
    report = full_report()
    report.send_rows[7, 3] = 0
    with pytest.raises(ConservationError, match="send 7 of pipe"):
        told_by(report)


def test_what_software_counts_is_in_the_result() -> None:
    extra = {"parks": 5, "mmio_writes": 600, "run_lengths_ps": np.full(200, 3000)}
    core_ps = {"application": 500, "batch": 250, "idle": 1250}
    result = told_by(full_report(extra=extra, has_batch=True, core_ps=core_ps))
    assert (result["parks"], result["mmio_writes_per_request"], result["preemptions"]) == (5, 2.0, None)
    assert result["run_lengths_ns"]["p50"] == 3.0
    assert result["batch_ops_per_s"] == 250_000.0  # a quarter of a core
    assert result["runtime_efficiency"] == 1.0
    assert told_by(full_report())["batch_ops_per_s"] is None
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    with pytest.raises(ValueError, match="extra has 'offered', which the result has already"):
        told_by(full_report(extra={"offered": 1}))


def test_a_run_that_conserves_nothing_has_no_result() -> None:
    with pytest.raises(ConservationError, match="softIRQs: 3 came, 1 left, 1 are there"):
        told_by(full_report(balances=(Balance("softIRQs", 3, 1, 1),)))
    with pytest.raises(ConservationError, match="the IOKernel's core"):
        told_by(full_report(iokernel_ps={"poll": 999}))
    with pytest.raises(ConservationError, match="the application cores"):
        told_by(full_report(core_ps={"application": 1, "idle": 1000}))


def test_times_of_requests_that_the_wire_has_not_seen_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosim.measure.result.match_answers", lambda *_: ARRIVALS + 2_000_001)
    complete = replace(outcome(301, too_long=0, rx_admitted=301), returned_ps=ARRIVALS + 2_000_000)
    with pytest.raises(ConservationError, match=r"requests: 301 came, 301 left, 0 are there; over time"):
        measured(LOAD, complete)


def test_unfinished_requests_are_in_the_system_up_to_the_last_thing_that_happened() -> None:
    """Frames come and leave while the counters are read."""
    late = replace(outcome(200, pipe_full=60), end_ps=1_000_000)
    measurement = measure(LOAD, late)
    assert set(measurement.ends_ps[260:300].tolist()) == {int(ARRIVALS[300])}


def test_the_series_begins_with_the_load() -> None:
    at = ARRIVALS + 7_000_000
    returned_ps, report = at[:300] + 2_000_000, replace(REPORT, **rows_of(LOAD, 7_000_000))
    moved = replace(outcome(300), arrivals_ps=at, returned_ps=returned_ps, end_ps=END + 7_000_000, report=report)
    told = measure(LOAD, moved).series(10_000_000)
    assert told["start_ns"] == [0.0, 10_000.0, 20_000.0, 30_000.0]
    assert told["offered"] == [100, 100, 100, 1]
    assert told["dropped"] == [0, 0, 0, 1]
    assert measure(LOAD, outcome(200, pipe_full=60)).series(10**9)["dropped"] is None
    assert measure(LOAD, outcome(200, pipe_full=100)).series(10**9)["dropped"] == [101]
    assert measure(LOAD, outcome(200)).series(10**9)["dropped"] == [1]


def test_the_file_of_requests_tells_whose_each_was(tmp_path: Path) -> None:
    measure(LOAD, replace(outcome(300), report=full_report())).write_requests(tmp_path / "requests.parquet")
    told = parquet.read_table(tmp_path / "requests.parquet").to_pydict()
    assert list(told)[:5] == ["request", "connection", "pipe", "service_ps", "fate"]
    assert told["request"] == list(range(301))
    assert told["pipe"][:300] == (LOAD.steering.flow[:300] % 4).tolist()
    assert told["pipe"][300] is None
    assert told["fate"] == ["completed"] * 300 + ["dropped"]
    assert told["taken_ps"] == [*(ARRIVALS[:300] + 1_000_000).tolist(), None]


def shown(result: dict[str, Any]) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(summary({**result, "run": {"wall_s": 1.5}}))
    return capture.get()


def test_the_table_says_beside_every_percentile_what_a_reader_must_know() -> None:
    clean = shown(measured(LOAD, outcome(300)))
    assert "latency p50" in clean
    assert "2.000 us" in clean
    assert "n/a" in clean
    lines = shown(measured(LOAD, outcome(200, pipe_full=60))).splitlines()
    assert all("61 dropped, 40 unfinished" in line for line in lines if "latency" in line)
    assert any("too_long 1, pipe_full 60" in line for line in lines)
