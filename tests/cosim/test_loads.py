"""Whole runs of loads of many shapes."""

import json
from pathlib import Path

import numpy as np
import pytest

from cosim.traffic.pcap import read_timed_capture
from cosim.traffic.spin import carried_ps
from tests.cosim.test_run import dropped, files, run

STEP_PS = 100_000_000


def test_spin_computes_for_as_long_as_its_requests_say(tmp_path: Path) -> None:
    result = run(tmp_path, "--workload", "spin", "--service", "exponential:8us", "--requests", "1500", "--rate", "300k")
    frames, _ = read_timed_capture(tmp_path / "sent.pcap")
    assert result["completed"] == 1500
    asked_ns = carried_ps(frames).mean() / 1000
    assert asked_ns == pytest.approx(8000, rel=0.1)
    assert result["stage_ns"]["service"]["mean"] >= 0.9 * asked_ns
    assert result["latency_ns"]["p50"] > 5_000


def test_what_was_sent_can_be_played_again_at_the_same_times(tmp_path: Path) -> None:
    spin = ("--workload", "spin")
    run(tmp_path / "one", *spin, "--service", "bimodal:4us", "--requests", "300", "--set", "arrivals=bursts:10")
    again = run(tmp_path / "other", *spin, "--pcap", tmp_path / "one" / "sent.pcap", "--set", "arrivals=capture")
    assert again["completed"] == 300
    (first, times), (second, again_times) = (
        read_timed_capture(tmp_path / name / "sent.pcap") for name in ("one", "other")
    )
    assert list(first) == list(second)
    assert np.abs(times - again_times).max() <= 2 * 4000  # to whole edges once more


def test_arrivals_in_steps_come_so(tmp_path: Path) -> None:
    run(tmp_path, "--workload", "spin", "--requests", "600", "--set", "arrivals=steps:1M@100us,4M@100us")
    _, times = read_timed_capture(tmp_path / "sent.pcap")
    per_step = np.bincount(times // STEP_PS)
    assert per_step[0] == pytest.approx(100, abs=35)
    assert per_step[1] == pytest.approx(400, abs=70)


@pytest.mark.parametrize("system", ["indirect", "priority"])
def test_a_store_answers_as_it_must_also_if_requests_were_dropped(tmp_path: Path, system: str) -> None:
    # values are sent faster than one core takes them, so that the pipes get full and later gets find older values
    what = ("--set=kv_keys=30", "--set=kv_get_share=0.5", "--set=kv_value_bytes=1400", "--set=drain=30ms")
    machine = ("--cores", "1", "--uthreads", "2", "--flows", "3", "--system", system)
    arguments = ("--workload", "kv", "--service", "constant:500ns", "--rate", "line", "--requests", "8000")
    result = run(tmp_path, *arguments, *machine, *what)
    assert set(dropped(result)) == {"pipe_full"}
    assert result["unfinished"] == 0
    assert result["completed"] > 3000


def test_a_file_of_service_times_counts_by_its_content(tmp_path: Path) -> None:
    times = tmp_path / "times"

    def played(content: str, out: Path) -> dict[str, bytes]:
        times.write_text(content)
        run(out, "--workload", "spin", "--service", f"file:{times}", "--requests", "50")
        return files(out)

    one, same, other = (
        played(content, tmp_path / name) for content, name in (("1us\n", "a"), ("1us\n", "b"), ("2us\n", "c"))
    )
    assert one == same
    assert [name for name in one if one[name] == other[name]] == []
    assert json.loads(one["config.json"])["service"]["path"] == str(times)
