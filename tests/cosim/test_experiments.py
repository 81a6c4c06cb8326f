"""Experiments from end to end: sweeps that resume, points that fail, interrupts, clusters, tables and the report."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from cosim.experiments.definition import load
from cosim.experiments.points import Choice, points
from cosim.experiments.sweep import Finished, Store, sweep
from cosim.experiments.table import read
from tests.tools.command import HERMES, hermes

MINE = """
id = "mine"
title = "A small one"
question = "Does it work?"
hold = { workload = "spin", service = "constant:1us", cores = 2, uthreads = 4, requests = 60 }
trace = { }
[[sweep]]
name = "load"
systems = ["indirect"]
vary = { rate = ["200k", "400k"] }
[[figure]]
id = "latency"
sweep = "load"
title = "Latency under load"
x = "rate_per_s"
y = ["latency_p50_ns", "iokernel_busy_share"]
"""

pytestmark = pytest.mark.long


def mine(folder: Path, text: str = MINE) -> Path:
    file = folder / "mine.toml"
    file.write_text(text)
    return file


def swept(file: Path, store: Path, choice: Choice, *, workers: int = 2, cluster: str | None = None) -> list[Finished]:
    todo = points(load(file), choice)
    return list(sweep(todo, Store(store), workers=workers, cluster=cluster, heard=lambda *_: None))


def outcomes(found: Sequence[Finished]) -> dict[str, object]:
    return {one.point.key: one.outcome and one.outcome["result"] for one in found}


def test_an_experiment_of_one_s_own_gives_a_table_figures_a_trace_and_a_page(tmp_path: Path) -> None:
    mine(tmp_path)
    ended = hermes(tmp_path, "experiment", "mine.toml", "--out", "report")
    assert ended.returncode == 0, ended.stderr
    assert "mine: 2 points, 2 runs made now, 0 failed" in ended.stderr
    rows, about = read(tmp_path / "report" / "mine.parquet")
    assert [(row["rate_per_s"], row["system"], row["offered"]) for row in rows] == [
        (200_000, "indirect", 60),
        (400_000, "indirect", 60),
    ]
    assert about["scale"] == "quick"
    page = (tmp_path / "report" / "index.html").read_text()
    assert "Does it work?" in page
    for file in ("figures/mine-latency.png", "figures/mine-latency.pdf", "traces/mine.perfetto"):
        assert (tmp_path / "report" / file).stat().st_size > 1000
        assert file in page
    again = hermes(tmp_path, "experiment", "mine.toml", "--out", "report")
    assert "mine: 2 points, 0 runs made now, 0 failed" in again.stderr
    assert (tmp_path / "report" / "index.html").read_text() == page


def test_a_failed_point_is_told_of_and_stops_no_other(tmp_path: Path) -> None:
    slow_wire = '{ label = "bad", set = { "link.wire_bits_per_second" = 10000000 } }'
    mine(tmp_path, MINE.replace('"400k"] }', f'"400k"] }}\ncases = [{slow_wire}, {{ label = "good" }}]'))
    ended = hermes(tmp_path, "experiment", "mine.toml", "--out", "report")
    assert ended.returncode == 1
    assert "mine: 2 points, 2 runs made now, 2 failed" in ended.stderr
    assert "failed: load, indirect, model, bad, rate 200k, seed 1: ConfigError: rate is 200000" in ended.stderr
    assert "hermes: 2 points failed, the first: load, indirect, model, bad, rate 200k, seed 1" in ended.stderr
    rows, about = read(tmp_path / "report" / "mine.parquet")
    assert [row["case"] for row in rows] == ["good", "good"]
    assert "bad, rate 400k" in about["failed"]
    assert "Missing, because they failed: load, indirect" in (tmp_path / "report" / "index.html").read_text()


def test_results_do_not_depend_on_how_many_workers_there_are(tmp_path: Path) -> None:
    file = mine(tmp_path)
    one = swept(file, tmp_path / "one", Choice(), workers=1)
    two = swept(file, tmp_path / "two", Choice(), workers=2)
    assert outcomes(one) == outcomes(two)
    kept = swept(file, tmp_path / "two", Choice(), workers=2)
    assert all(finished.was_kept for finished in kept)
    assert outcomes(kept) == outcomes(two)


@contextmanager
def dask(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    program = Path(sys.executable).with_name("dask")
    process = subprocess.Popen([program, *arguments], stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_a_scheduler_elsewhere_does_the_same_by_its_address(tmp_path: Path) -> None:
    file = mine(tmp_path)
    with dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard") as scheduler:
        assert scheduler.stderr is not None
        address = next(match[0] for line in scheduler.stderr if (match := re.search(r"tcp://127\.0\.0\.1:\d+", line)))
        with dask("worker", address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp_path)):
            there = swept(file, tmp_path / "there", Choice(), cluster=address)
    assert outcomes(there) == outcomes(swept(file, tmp_path / "here", Choice()))


def test_a_cluster_that_is_not_there_is_refused(tmp_path: Path) -> None:
    mine(tmp_path)
    ended = hermes(tmp_path, "experiment", "mine.toml", "--cluster", "tcp://127.0.0.1:9")
    assert ended.returncode == 2
    assert "hermes: cluster is 'tcp://127.0.0.1:9'" in ended.stderr
    assert "accepted is the address of a Dask scheduler" in ended.stderr


def test_an_interrupted_sweep_says_so_and_goes_on_where_it_was(tmp_path: Path) -> None:
    mine(tmp_path, MINE.replace('["200k", "400k"]', '["100k", "200k", "300k", "400k", "500k", "600k"]'))
    command = [str(HERMES), "experiment", "mine.toml", "--out", "report", "--workers", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    store, end = tmp_path / "report" / "points", time.monotonic() + 300
    while len(list(store.glob("*.json"))) < 3 and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    told = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    kept = len(list(store.glob("*.json")))
    assert 3 <= kept < 6
    assert told.splitlines() == [
        f"interrupted: {kept} of 6 points of mine are kept in report/points; the same command runs the rest",
        "hermes: interrupted",
    ]
    again = hermes(tmp_path, "experiment", "mine.toml", "--out", "report")
    assert f"mine: 6 points, {6 - kept} runs made now, 0 failed" in again.stderr


def test_two_configurations_are_compared_on_the_same_requests(tmp_path: Path) -> None:
    common = ["workload=spin", "service=constant:1us", "cores=2", "requests=2000", "rate=300k"]
    settings = [part for setting in common for part in ("--set", setting)]
    ended = hermes(tmp_path, "compare", "cost_scale=1", "cost_scale=2", "--seeds", "3", *settings)
    assert ended.returncode == 0, ended.stderr
    median = next(line for line in ended.stdout.splitlines() if "median latency" in line)
    a, b, change = map(float, re.findall(r"[+-]?\d+\.\d+", median)[:3])
    assert b > a
    assert abs(b - a - change) < 0.002
    assert "3 seeds, the same requests for both" in ended.stdout
    assert "more than any other stage" in " ".join(ended.stdout.split())


def test_the_slowest_requests_of_a_run_are_explained(tmp_path: Path) -> None:
    hermes(tmp_path, "run", "--workload", "spin", "--requests", "2000", "--service", "constant:2us", "--rate", "300k")
    result = (tmp_path / "out" / "result.json").read_bytes()
    ended = hermes(tmp_path, "explain", "out")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "out" / "result.json").read_bytes() == result
    assert re.search(
        r"The slowest 1 of 1,800 requests took [\d.e+]+ µs more than the median ones; \d+% of that is \w+", ended.stdout
    )
    assert re.search(
        r"The slowest is request \d+, from [\d,]+ to [\d,]+ ns\. Meanwhile, longest first:\n  core \d", ended.stdout
    )


def test_what_is_no_result_cannot_be_explained(tmp_path: Path) -> None:
    ended = hermes(tmp_path, "explain", "nothing")
    assert ended.returncode == 2
    assert "hermes: result is 'nothing'" in ended.stderr
