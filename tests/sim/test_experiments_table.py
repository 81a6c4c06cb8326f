"""Tables of results: names with units, values as they are, the same bytes for the same rows."""

from pathlib import Path
from typing import Any

import pytest

from cosim.experiments.definition import Experiment, Sweep
from cosim.experiments.points import Choice, points
from cosim.experiments.table import flat, read, row, write

RESULT: dict[str, Any] = {
    "completed": 100,
    "dropped": {"no_flow": 1, "pipe_full": 2},
    "latency_ns": {"p50": 2000.0, "p99": None, "p99.9": None},
    "stage_ns": {name: {"mean": 10.0} for name in ("iokernel", "softirq_wait", "runqueue_wait")},
    "packets_per_notification": 2.0,
    "iokernel_share": {"poll": 0.25, "detection": 0.5},
    "core_time_share": {"application": 0.2, "driver": 0.1, "softirq": 0.05, "idle": 0.25, "batch": 0.25},
    "messages": {"tx_tail": 50},
    "message_wait_ns": {"tx_tail": 400.0},
    "grants": 3,
    "scan_interval_ns": {"mean": 5100.0, "max": 6000.0},
    "detection_check_ns": {"mean": 400.0},
    "runqueue_insertions": 150,
    "simulated_ns": 1e6,
    "window_ns": 1e6,
    "costs_sha256": "c",
}
EXPERIMENT = Experiment(
    id="X",
    title="X",
    question="?",
    hold={"workload": "spin", "frame_bytes": 60, "cores": 4, "uthreads": 8},
    sweep=[Sweep(name="s", vary={"scan": ["10us"], "rate": ["line"], "prefetch": [True]})],
)


def made(
    extra: dict[str, Any] | None = None, run: dict[str, Any] | None = None, result: dict[str, Any] | None = None
) -> dict[str, Any]:
    outcome = {"result": {**RESULT, **(result or {})}, "extra": extra or {}, "run": {"wall_s": 1.5, **(run or {})}}
    return row(points(EXPERIMENT, Choice())[0], outcome, "quick")


def test_units_of_outer_names_go_to_the_end() -> None:
    nested = {"a_ns": {"p50": 1, "b c": {"mean": 2}}, "dropped": {"x": 3}, "plain": 4}
    assert flat(nested) == {"a_p50_ns": 1, "a_b_c_mean_ns": 2, "dropped_x": 3, "plain": 4}


def test_what_was_varied_is_a_number_in_the_unit_of_its_name() -> None:
    columns = made()
    assert (columns["scan_ns"], columns["prefetch"]) == (10_000, "on")
    assert columns["rate_per_s"] == pytest.approx(100e9 / (84 * 8))


def test_what_follows_from_the_result() -> None:
    columns = made()
    assert columns["dropped"] == 3
    assert columns["iokernel_busy_share"] == 0.75
    assert columns["cores_held"] == 2
    assert columns["uthread_on_core_share"] == pytest.approx(0.6)
    assert (columns["scan_per_kthread_ns"], columns["heap_check_ns"]) == (400 / 4, None)
    assert columns["notification_to_uthread_mean_ns"] == 30
    assert columns["softirq_per_request_ns"] == pytest.approx(0.05 * 4 * 1e6 / 100)
    # 50 in a millisecond, each waits 400 ns: 0.02 on the mean
    assert columns["messages_tx_tail_queued_mean"] == pytest.approx(0.02)


def test_bytes_of_the_link_and_the_ideal_queue() -> None:
    counted = {"bridge": {"bytes_up": 20_000, "bytes_down": 10_000}}
    columns = made({"ideal_latency_ns": {"p50": 1000.0, "p99": None, "p99.9": None}}, counted)
    assert (columns["pcie_up_per_request_bytes"], columns["pcie_down_per_request_bytes"]) == (200, 100)
    assert columns["pcie_metadata_share"] == pytest.approx(1 - 120 / 300)
    assert columns["pcie_limit_per_s"] == 15_750_000_000 / 200
    assert (columns["latency_p50_over_ideal"], columns["latency_p99_over_ideal"]) == (2, None)


def test_bytes_of_the_link_by_kind() -> None:
    beats = {"bytes_up": 20_000, "bytes_down": 10_000, "read_request_beats": 20, "mmio_request_beats": 30}
    counts = {"notifications_taken": 50, "completions_taken": 40}
    columns = made(run={"bridge": beats}, result=counts)
    up = {name: columns[f"pcie_up_{name}_per_request_bytes"] for name in ("notifications", "completions", "reads")}
    assert up == {"notifications": 50 * 88 / 100, "completions": 40 * 88 / 100, "reads": 20 * 24 / 100}
    assert columns["pcie_up_packets_per_request_bytes"] == pytest.approx(200 - sum(up.values()))
    assert columns["pcie_down_registers_per_request_bytes"] == 30 * 28 / 100
    assert columns["pcie_down_reads_per_request_bytes"] == pytest.approx(100 - 8.4)


def test_what_a_check_of_the_heap_costs_and_what_was_in_vain() -> None:
    columns = made(result={"scan_interval_ns": None, "notifications_taken": 50, "wasted_notifications": 5})
    assert (columns["scan_per_kthread_ns"], columns["heap_check_ns"]) == (None, 400)
    assert columns["wasted_notifications_share"] == 0.1


def test_a_step_settles_when_no_bin_is_above_the_phase_s_end_by_half() -> None:
    experiment = EXPERIMENT.model_copy(
        update={"hold": {"workload": "spin", "arrivals": "steps:1M@4us,2M@4us"}, "sweep": [Sweep(name="s")]}
    )
    series = {
        "series_start_ns": [float(start) for start in range(0, 16_000, 1000)],
        "series_latency_mean_ns": [10.0] * 4 + [90, 50, 20, 20] + [30, 10, 10, 10] + [20.0] * 4,
        "series_latency_max_ns": [100.0] * 16,
    }
    outcome = {"result": RESULT, "extra": series, "run": {"wall_s": 1.0}}
    columns = row(points(experiment, Choice())[0], outcome, "quick")
    assert columns["peak_latency_mean_ns"] == 90
    assert columns["settles_up_ns"] == 2000  # the last step is not over, and does not count
    assert columns["settles_down_ns"] == 1000


def test_a_table_reads_as_it_was_written_and_has_the_same_bytes(tmp_path: Path) -> None:
    rows = [{"key": "a", "n": 1, "list": [1.0, None]}, {"key": "b", "n": 2.5, "extra": "x"}]
    write(tmp_path / "one.parquet", rows, {"scale": "quick"})
    write(tmp_path / "two.parquet", rows, {"scale": "quick"})
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert read(tmp_path / "one.parquet") == (
        [
            {"key": "a", "n": 1.0, "list": [1.0, None], "extra": None},
            {"key": "b", "n": 2.5, "list": None, "extra": "x"},
        ],
        {"scale": "quick"},
    )
