"""``hermes experiments`` and ``hermes experiment``: what there is, and carrying it out."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from math import log2
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cosim.experiments.definition import Experiment, catalogue, find
from cosim.experiments.measures import LINE_GBIT, most_requests
from cosim.experiments.points import FAST_NIC, NICS, SCALES, Choice, Point, configuration, points
from cosim.experiments.progress import SweepProgress
from cosim.experiments.sweep import Finished, Store, sweep
from cosim.experiments.table import row, write
from cosim.report.page import TRACES, write_report
from cosim.run import RunError, run
from cosim.values import ConfigError
from hermes.systems import SYSTEMS

WORKERS = os.cpu_count() or 1
TRACED_REQUESTS = 1000
_REQUESTS_PER_S = {"rtl": 1500, "model": 15000}
_START_S = 1.0
_SLOWER = 1.3
_SHORT_OF_LINE = 0.25
"""What a worker does in a second, what each run costs besides, how much slower all is if every core works, and the part
of all searches that go on behind their first run, about: for the estimate only."""


@dataclass(frozen=True)
class Where:
    """Where an experiment runs, and where its results go.

    Attributes
    ----------
    out
        The folder of the report.
    workers
        Processes on this machine.
    cluster
        Or the address of a Dask scheduler.
    """

    out: Path
    workers: int
    cluster: str | None = None


def estimate_s(todo: Sequence[Point], workers: int) -> float:
    """Wall time in s that these points take, roughly."""
    total = 0.0
    for point in todo:
        runs, requests = 1.0, point.config.requests or 0
        kind, _, step = point.measure.partition(":")
        if kind == "zero_loss":
            runs = 1 + _SHORT_OF_LINE * log2(LINE_GBIT / float(step))
            requests = max(requests, int(most_requests(point.config) / 4))
        total += runs * (_START_S + requests / _REQUESTS_PER_S[point.config.nic])
    return _SLOWER * total / workers


def list_experiments(console: Console) -> None:
    """Print each experiment's question, and how long it takes about."""
    table = Table(title="hermes experiment ID [--quick|--full]", expand=True)
    table.add_column("id")
    table.add_column("question", ratio=1)
    for name in ("quick, points", "about", "full, points", "about"):
        table.add_column(name, justify="right")
    for experiment in catalogue().values():
        cells = []
        for scale in SCALES:
            todo = points(experiment, Choice(scale=scale))
            cells += [str(len(todo)), _about(estimate_s(todo, WORKERS))]
        table.add_row(experiment.id, experiment.question, *cells)
    console.print(table)


def _about(seconds: float) -> str:
    if seconds < 90:
        return f"{max(10, round(seconds, -1)):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def check(choice: Choice) -> None:
    """ConfigError if a system or NIC is unknown."""
    for system in choice.systems or ():
        if system not in SYSTEMS:
            raise ConfigError(f"system is {system!r}; accepted is {', '.join(SYSTEMS)}")
    if choice.nic is not None and choice.nic not in NICS:
        raise ConfigError(f"nic is {choice.nic!r}; accepted is {' or '.join(NICS)}")


def conduct(names: Sequence[str], choice: Choice, where: Where, console: Console) -> None:
    """Carry out experiments: measure what is not there yet, write tables, figures and the report.

    Raises
    ------
    ConfigError
        One of them, or the choice, cannot be: nothing was run.
    RunError
        Points failed; all others are in the tables and in the report.
    KeyboardInterrupt
        The user had enough; what was finished is kept, and a message says how to go on.
    """
    check(choice)
    if list(names) == ["all"]:
        names = list(catalogue())
    experiments = [find(name) for name in names]
    todo = [points(experiment, choice) for experiment in experiments]
    store = Store(where.out / "points")
    failed: list[Finished] = []
    for experiment, its_points in zip(experiments, todo, strict=True):
        failed += _conduct(experiment, its_points, choice, where, store, console)
        _trace(experiment, choice, where.out, console)
    write_report(where.out)
    console.print(f"The report is {where.out / 'index.html'}", markup=False)
    if failed:
        raise RunError(f"{len(failed)} points failed, the first: {failed[0].point.label}: {failed[0].error}")


def _conduct(
    experiment: Experiment, todo: Sequence[Point], choice: Choice, where: Where, store: Store, console: Console
) -> list[Finished]:
    """One experiment; gives the points that failed."""
    done: dict[str, Finished] = {}
    with SweepProgress(f"{experiment.id} {experiment.title}", todo, console) as progress:
        try:
            for finished in sweep(todo, store, workers=where.workers, cluster=where.cluster, heard=progress.heard):
                done[finished.point.key] = finished
                progress.finished(finished)
        except KeyboardInterrupt:
            kept = sum(finished.error is None for finished in done.values())
            console.print(
                f"interrupted: {kept} of {len(todo)} points of {experiment.id} are kept in {where.out / 'points'}; "
                "the same command runs the rest",
                markup=False,
            )
            raise
    # points of several sweeps may be the same run
    finished_ones = [replace(done[point.key], point=point) for point in todo]
    rows = [row(one.point, one.outcome, choice.scale) for one in finished_ones if one.outcome is not None]
    failed = [one for one in finished_ones if one.error is not None]
    fresh = sum(not one.was_kept and one.error is None for one in done.values())
    console.print(f"{experiment.id}: {len(rows)} points, {fresh} runs made now, {len(failed)} failed", markup=False)
    if rows:
        about = {
            "definition": experiment.model_dump_json(),
            "scale": choice.scale,
            "settings": " ".join(choice.settings),
            "failed": "; ".join(f"{one.point.label}: {one.error}" for one in failed),
        }
        write(where.out / f"{experiment.id}.parquet", rows, about)
    return failed


def _trace(experiment: Experiment, choice: Choice, out: Path, console: Console) -> None:
    """The trace of a short run of the experiment, for a look at what happens; made once for each configuration."""
    if experiment.trace is None or find_spec("perfetto") is None:
        return
    short = {"nic": choice.nic or FAST_NIC, **experiment.hold, "requests": TRACED_REQUESTS, **experiment.trace}
    config = configuration({**short, "trace": True}, choice.settings)
    point = Point(experiment.id, "trace", "", {}, "run", config)
    folder = out / TRACES
    named = folder / f"{experiment.id}.key"
    if named.exists() and named.read_text() == point.key:
        return
    with tempfile.TemporaryDirectory(prefix="hermes-trace-") as scratch:
        try:
            run(config, Path(scratch), lambda *_: None)
        except RunError as error:
            console.print(f"failed: the trace of {experiment.id}: {error}", markup=False)
            return
        folder.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(scratch) / "trace.perfetto", folder / f"{experiment.id}.perfetto")
        named.write_text(point.key)
