"""What is measured of real runs: stages that add up, a series, a row for each request; always the same bytes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from cosim.measure.stages import STAGES, TIMES
from hermes.systems import SYSTEMS

HERMES = Path(sys.executable).with_name("hermes")
LOAD = ("--workload", "spin", "--service", "exponential:3us", "--rate", "500k", "--requests", "2000", "--cores", "3")
FILES = ("result.json", "series.json", "requests.parquet")


def run(out: Path, *arguments: str) -> Path:
    asked_for = ("--set", "series=1ms", "--set", "requests_file=on")
    ended = subprocess.run(
        [HERMES, "run", "--json", "--batch", "--out", out, *LOAD, *asked_for, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stderr
    return out


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_every_request_went_through_adds_up_in_every_system(tmp_path: Path, system: str) -> None:
    out = run(tmp_path, "--system", system)
    result, series = (json.loads((out / name).read_text()) for name in FILES[:2])
    rows = {name: np.array(values) for name, values in parquet.read_table(out / FILES[2]).to_pydict().items()}
    assert len(rows["request"]) == result["offered"] == sum(series["offered"]) == 2000
    assert series["wide"]["bin_ns"] == 100 * series["bin_ns"]
    assert series["wide"]["offered"] == [2000]
    assert (rows["fate"] == "completed").all()
    times = np.stack([rows[f"{name}_ps"] for name in TIMES])
    assert (np.diff(times, axis=0) >= 0).all()
    assert (rows["latency_ps"] == times[-1] - times[0]).all()
    measured = rows["latency_ps"][200:] / 1000
    assert result["latency_ns"]["p50"] == np.sort(measured)[899]
    assert sum(result["stage_ns"][stage]["mean"] for stage in STAGES) == pytest.approx(measured.mean())
    assert (times[7] - times[6] >= rows["service_ps"]).all()


@pytest.mark.parametrize("how", ["idle_skip=off", "lookahead=1", "polling=naive"])
def test_files_are_the_same_bytes_however_the_run_is_carried_out(tmp_path: Path, how: str) -> None:
    one, other = run(tmp_path / "one"), run(tmp_path / "other", "--set", how)
    for name in FILES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
