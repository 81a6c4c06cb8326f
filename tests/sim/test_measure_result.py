"""The result of a run, from what its simulation left behind."""

from typing import Any

import numpy as np
import pytest
from rich.console import Console

from cosim.measure.errors import AccountingError, ConservationError
from cosim.measure.result import Outcome, measured
from cosim.measure.table import summary
from cosim.simulation import Report
from cosim.traffic.echo import expected_echo
from cosim.traffic.frames import Frames
from cosim.traffic.generate import generate_requests
from cosim.traffic.load import Load
from cosim.traffic.steering import steer
from enso_nic.registers import DROP_CAUSES
from tests.tools.look_alikes import ptp

REPORT = Report(
    iokernel_ps={"rx": 100, "tx_completion": 0, "message": 100, "cores": 0, "detection": 0, "grant": 0, "poll": 800},
    core_ps={"application": 300, "driver": 300, "idle": 400},
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
)
REQUESTS = Frames.pack([*generate_requests(300, connections=4, seed=1), bytes(1515)]).padded()  # the last: too_long
END = 50_000_000
ARRIVALS = np.arange(301, dtype=np.int64) * 100_000
LOAD = Load(REQUESTS, ARRIVALS, steer(REQUESTS, 1514), uthreads=4)


def outcome(answered: int, **counters: int) -> Outcome:
    """The first requests were answered, each after 2 us."""
    returned = Frames.pack(expected_echo(frame) for frame in list(REQUESTS)[:answered])
    counted = dict.fromkeys(DROP_CAUSES, 0) | {"rx_admitted": 300, "tx_frames": answered, "too_long": 1} | counters
    return Outcome(ARRIVALS, returned, ARRIVALS[:answered] + 2_000_000, END, counted, REPORT)


def test_a_run_in_which_all_came_back() -> None:
    result = measured(LOAD, outcome(300))
    assert (result["offered"], result["completed"], result["echoed"]) == (301, 300, 300)
    assert (result["unfinished"], result["not_sent"]) == (0, 0)
    assert result["dropped"] == {**dict.fromkeys(DROP_CAUSES, 0), "too_long": 1}
    assert result["latency_ns"] == {"p50": 2000.0, "p99": None, "p99.9": None}
    assert result["requests_per_s"] == pytest.approx(300 / (299 * 100e-9 + 2e-6))
    assert sum(result["iokernel_share"].values()) == pytest.approx(1)
    assert result["core_time_share"] == {"application": 0.3, "driver": 0.3, "idle": 0.4}
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
    result = measured(load, Outcome(ARRIVALS[:300], returned, left, END, outcome(300, **counters).counters, REPORT))
    assert (result["completed"], result["latency_ns"]["p50"]) == (300, 2000.0)


def test_a_run_without_any_answer_has_no_rates() -> None:
    result = measured(LOAD, outcome(0, no_flow=300))
    assert result["requests_per_s"] is None
    assert set(result["latency_ns"].values()) == {None}


def test_a_run_whose_sums_do_not_agree_has_no_result() -> None:
    with pytest.raises(ConservationError, match="offered 301 is not completed 300"):
        measured(LOAD, outcome(300, pipe_full=1))
    with pytest.raises(AccountingError, match=r"frame 1 that left the NIC, .* at 2000000 ps, answers no request"):
        measured(LOAD, Outcome(ARRIVALS, REQUESTS, ARRIVALS + 2_000_000, END, outcome(300).counters, REPORT))


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
