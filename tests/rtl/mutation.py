"""Runs the benches against each seeded bug: those that they do not notice are holes in them.

By hand: ``python -m tests.rtl.mutation [PART-OF-A-NAME]``.
"""

import enum
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from cosim.cache import PROJECT, build_folder
from tests.rtl.mutant import RTL, Mutant
from tests.rtl.mutants import MUTANTS

SECONDS = 300
"""Longest that a bench may take; a mutant that makes it hang is killed by that."""
AT_ONCE = 2
"""Benches that run at a time."""
_PASSED, _FAILED, _TIMED_OUT = 0, 1, -1  # pytest's exit codes, and ours
_NOT_BUILT = re.compile(r"^E +(\S*(ToolError|YosysError):.*)", re.MULTILINE)
"""In the output of a run: its failure is none of the bench."""


class Outcome(enum.Enum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    BROKEN = "broken"
    """Says nothing: the replacement does not apply or elaborate, or the bench does not pass without it either."""


@dataclass(frozen=True)
class Row:
    """The result of one mutant; ``detail`` is the test that killed it, or says why it is broken."""

    mutant: Mutant
    outcome: Outcome
    detail: str
    seconds: float


@dataclass(frozen=True)
class _Run:
    code: int
    output: str


def run_mutants(mutants: Sequence[Mutant] = MUTANTS) -> list[Row]:
    """Run the bench of each mutant, AT_ONCE at a time, and show how far it is; rows in the order of the mutants.

    Each bench runs without a mutant first: one that fails then cannot kill any.
    """
    benches = list(dict.fromkeys(mutant.tests for mutant in mutants))
    with Progress(console=Console(stderr=True)) as progress, ThreadPoolExecutor(AT_ONCE) as pool:
        task = progress.add_task("mutants", total=len(benches) + len(mutants))

        def without_mutant(bench: str) -> _Run:
            run = _run(bench, RTL.parent, {})
            progress.advance(task)
            return run

        def with_mutant(mutant: Mutant) -> Row:
            row = _judged(mutant, unmutated[mutant.tests])
            progress.advance(task)
            return row

        unmutated = dict(zip(benches, pool.map(without_mutant, benches), strict=True))
        return list(pool.map(with_mutant, mutants))


def mutation_table(rows: Sequence[Row]) -> Table:
    """A line per mutant, and how many of them were killed."""
    killed = sum(row.outcome == Outcome.KILLED for row in rows)
    table = Table(title=f"{killed} of {len(rows)} seeded bugs killed")
    for column in ("seeded bug", "file", "bench, and the test that noticed it", "result"):
        table.add_column(column)
    table.add_column("s", justify="right")
    colours = {Outcome.KILLED: "green", Outcome.SURVIVED: "red", Outcome.BROKEN: "yellow"}
    for row in rows:
        bench = row.detail if row.outcome == Outcome.KILLED else f"{row.mutant.tests} {row.detail}"
        result = f"[{colours[row.outcome]}]{row.outcome.value}"
        bench = escape(bench.replace("tests/rtl/", ""))
        table.add_row(row.mutant.name, row.mutant.file, bench, result, f"{row.seconds:.0f}")
    return table


def _judged(mutant: Mutant, unmutated: _Run) -> Row:
    """Run the bench of a mutant, if it passes without it."""
    if unmutated.code != _PASSED:
        return Row(mutant, Outcome.BROKEN, f"does not pass without the bug: {_reason(unmutated)}", 0)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        rtl, build = Path(scratch) / "rtl", Path(scratch) / "build"
        shutil.copytree(RTL, rtl / "enso_nic", ignore=shutil.ignore_patterns("__pycache__"))
        try:
            (rtl / "enso_nic" / mutant.file).write_text(mutant.mutated())
        except ValueError as error:
            return Row(mutant, Outcome.BROKEN, str(error), 0)
        _share_runtime(build)
        run = _run(mutant.tests, rtl, {"HERMES_BUILD": str(build)})
    seconds = time.monotonic() - began
    if run.code == _PASSED:
        return Row(mutant, Outcome.SURVIVED, "", seconds)
    if run.code == _TIMED_OUT:
        return Row(mutant, Outcome.KILLED, f"{mutant.tests} took over {SECONDS} s", seconds)
    if not_built := _NOT_BUILT.search(run.output):
        return Row(mutant, Outcome.BROKEN, not_built[1], seconds)
    if run.code == _FAILED:
        failed = re.search(r"^FAILED (\S+)", run.output, re.MULTILINE)
        return Row(mutant, Outcome.KILLED, failed[1] if failed else mutant.tests, seconds)
    return Row(mutant, Outcome.BROKEN, _reason(run), seconds)


def _share_runtime(build: Path) -> None:
    """Make a cache for one mutant, as its keys do not tell mutants apart, with Verilator's code of the common one."""
    (build / "cache").mkdir(parents=True)
    for folder in (build_folder() / "cache").glob("runtime-*"):
        if folder.is_dir() and not folder.suffix:
            (build / "cache" / folder.name).symlink_to(folder)


def _run(bench: str, rtl: Path, environment: dict[str, str]) -> _Run:
    """Run a pytest node in a process that imports ``enso_nic`` from the folder ``rtl``."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.rtl.mutated_rtl",
        bench,
    ]
    path = os.pathsep.join([str(rtl), *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = {**os.environ, **environment, "PYTHONPATH": path, "MUTATED_RTL": str(rtl)}
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=variables, stdout=output, stderr=output, start_new_session=True
        )
        try:
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            code = _TIMED_OUT
        finally:
            if process.poll() is None:  # with what it started
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        return _Run(code, output.read())


def _reason(run: _Run) -> str:
    """Why a run did not come to its tests: the plugin's or pytest's line, else the last that was printed."""
    lines = [line for line in run.output.splitlines() if line.strip()] or [f"exit code {run.code}"]
    return next((line for line in lines if line.startswith(("Exit:", "ERROR", "FAILED"))), lines[-1])


def main(part: str = typer.Argument("", help="only mutants whose name or file contains this")) -> None:
    """Run the mutants; exit code 1 unless all are killed."""
    rows = run_mutants([mutant for mutant in MUTANTS if part in mutant.name or part in mutant.file])
    Console().print(mutation_table(rows))
    raise typer.Exit(any(row.outcome != Outcome.KILLED for row in rows))


if __name__ == "__main__":
    typer.run(main)
