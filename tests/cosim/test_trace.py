"""``hermes run --trace`` on the RTL: the trace is what the run was, and the run is what it is without."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hermes.systems import SYSTEMS
from hermes.world import ACTIVITIES, CORE_ACTIVITIES, IOKERNEL_ACTIVITIES
from tests.tools.perfetto_reader import read

HERMES = Path(sys.executable).with_name("hermes")
LOAD = ("--workload", "spin", "--service", "exponential:3us", "--rate", "500k", "--requests", "400", "--cores", "3")
RESULTS = ("config.json", "result.json", "sent.pcap", "echo.pcap")


def run(out: Path, *arguments: str, expected: int = 0) -> str:
    """What ``hermes run`` complains of."""
    command: list[str | Path] = [HERMES, "run", "--json", "--batch", "--out", out, *LOAD, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert ended.returncode == expected, ended.stderr
    return ended.stderr


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_slices_of_the_cores_are_the_shares_of_the_result_and_the_result_is_the_same(
    tmp_path: Path, system: str
) -> None:
    run(tmp_path / "plain", "--system", system)
    run(tmp_path / "traced", "--system", system, "--trace")
    for name in RESULTS:
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "traced" / name).read_bytes(), name
    assert not (tmp_path / "plain" / "trace.perfetto").exists()
    result = json.loads((tmp_path / "traced" / "result.json").read_text())
    found = read((tmp_path / "traced" / "trace.perfetto").read_bytes())
    _, measured, _ = found.of("Hermes/run")
    since, window = (int(measured.arguments[name]) for name in ("begin_ps", "duration_ps"))
    for tracks, activities, shares in (
        (["core 0: IOKernel"], IOKERNEL_ACTIVITIES, "iokernel_share"),
        (["core 1", "core 2", "core 3"], CORE_ACTIVITIES, "core_time_share"),
    ):
        times = dict.fromkeys((ACTIVITIES[activity] for activity in activities), 0)
        for track in tracks:
            for one in found.of(f"Hermes/cores/{track}"):
                begin, duration = (int(one.arguments[name]) for name in ("begin_ps", "duration_ps"))
                times[one.name] += max(0, min(begin + duration, since + window) - max(begin, since))
        assert {name: time / (len(tracks) * window) for name, time in times.items()} == result[shares]
    assert len(found.flows) == result["completed"] == 400
    for steps in found.flows.values():
        assert (steps[0].track, steps[-1].track) == ("Hermes/NIC/wire in", "Hermes/NIC/wire out")
    for direction in ("up", "down"):
        values = [value for _, value in found.counters[f"Hermes/PCIe/{direction}, busy"]]
        assert 0 == min(values) < max(values) < 100


@pytest.mark.parametrize("how", ["idle_skip=off", "lookahead=1", "polling=naive", "compiled=off"])
def test_a_trace_is_the_same_bytes_however_the_run_is_carried_out(tmp_path: Path, how: str) -> None:
    run(tmp_path / "one", "--trace")
    run(tmp_path / "other", "--trace", "--set", how)
    for name in (*RESULTS, "trace.perfetto"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes(), name


def test_a_trace_of_too_many_requests_is_refused_in_one_line(tmp_path: Path) -> None:
    said = run(tmp_path / "out", "--trace", "--requests", "100001", expected=2)
    assert said == "hermes: requests is 100001; accepted with trace is at most 100000\n"
    assert not (tmp_path / "out").exists()
