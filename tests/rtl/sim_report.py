"""`make sim`: every bench of the NIC, then what was measured of it; build/sim-report.json has the numbers for scripts.

A section runs something, and says what it found, what to print and which limits were missed.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cosim.build import BenchError
from cosim.cache import PROJECT, build_folder
from cosim.measure.files import write_json
from cosim.nic.child import SimulatorError
from cosim.pcie.link import NIC_CYCLE_PS, LinkParameters
from cosim.toolchain import ToolError
from enso_nic.config import FLIT_BYTES
from tests.rtl import line_rate, nic_coverage
from tests.rtl.contract import FOLDER_VARIABLE, Shown, contract_table, read_hits
from tests.rtl.line_rate import Case, Count, Latency
from tests.rtl.mutation import Outcome, Row, mutation_table, run_mutants

REPORT, UNCOVERED = "sim-report.json", "sim-uncovered.txt"
"""In the build folder: the numbers, and what never happened in the tiny NIC."""

WIDTH = 120
"""Columns of what is printed to a file."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Section:
    """What a part of the report found: entries of the JSON object, things to print, and a line per missed limit."""

    numbers: dict[str, Any]
    prints: list[Table | str]
    missed: list[str]


# --- the sections -----------------------------------------------------------------------------------------------------


def benches(scratch: Path, say: Say) -> Section:
    """All tests of the RTL that do not take long, and which clauses of the contract they have shown."""
    say("tests/rtl")
    hits = scratch / "hits"
    hits.mkdir()
    command = [sys.executable, "-m", "pytest", "-n", "2", "-m", "not long", "tests/rtl"]
    environment = {**os.environ, FOLDER_VARIABLE: str(hits)}
    code = subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode
    section = contract_section(read_hits(hits))
    failed = [f"pytest tests/rtl ended with exit code {code}"] if code else []
    return Section(section.numbers, section.prints, failed + section.missed)


def contract_section(shown: list[Shown]) -> Section:
    missing = [each.clause.id for each in shown if not each.hits]
    numbers = {"covered": len(shown) - len(missing), "total": len(shown)}
    missed = [f"no bench has shown {', '.join(missing)}"] if missing else []
    return Section({"contract_cases": numbers}, [contract_table(shown)], missed)


def seeded_bugs(scratch: Path, say: Say) -> Section:
    """Whether the benches notice each bug that is seeded."""
    say("seeded bugs")
    return seeded_bugs_section(run_mutants())


def seeded_bugs_section(rows: list[Row]) -> Section:
    numbers = {"killed": sum(row.outcome is Outcome.KILLED for row in rows), "total": len(rows)}
    missed = [f"{row.outcome.value}: {row.mutant.name}" for row in rows if row.outcome is not Outcome.KILLED]
    return Section({"mutations": numbers}, [mutation_table(rows)], missed)


def rates(scratch: Path, say: Say) -> Section:
    """Every case of the line rate."""
    windows = line_rate.measure(scratch / "line-rate", line_rate.CASES, lambda name: say(f"line rate: {name}"))
    return rates_section(windows)


def rates_section(windows: dict[Case, Count]) -> Section:
    columns = ("case", "", "beats per cycle", "limit", "packets per cycle", "to the wire")
    table = Table(*columns, title="line rate, data waiting: host writes of RX, lines read by TX")
    numbers, missed = {}, []
    for case, window in windows.items():
        found = line_rate.rates(case, window)
        for direction, rate in found.items():
            cells = (f"{number:.4f}" for number in (rate.beats_per_cycle, rate.limit, rate.packets_per_cycle))
            to_wire = f"{window.to_wire / window.cycles:.4f}" if direction == "TX" else ""
            table.add_row(case.name, direction, *cells, to_wire)
        worst = min(found.values(), key=lambda rate: rate.share)
        numbers[case.name] = {name: round(value, 4) for name, value in vars(worst).items()}
        if worst.share < line_rate.LEAST_SHARE:
            missed.append(f"{case.name}: {worst.share:.4f} of the limit; wanted is {line_rate.LEAST_SHARE}")
        if case == line_rate.PACKET_RATE_CASE and worst.packets_per_cycle < line_rate.LEAST_SHARE:
            missed.append(
                f"{case.name}: {worst.packets_per_cycle:.4f} packets per cycle; wanted is {line_rate.LEAST_SHARE}"
            )
    return Section({"line_rate": numbers}, [table, honest_limits()], missed)


def honest_limits() -> str:
    """What no NIC with this clock, and no host behind this link, can do."""
    link = LinkParameters()
    flits_per_s = 10**12 / NIC_CYCLE_PS

    def wire(frame_bytes: int) -> float:
        bits = 8 * (frame_bytes + link.wire_overhead_bytes)
        return line_rate.flits_of(frame_bytes) * link.wire_bits_per_second / bits

    def writes(lines: int) -> float:
        return lines * link.bytes_per_second / (lines * FLIT_BYTES + link.overhead_bytes)

    fast = [size for size in range(60, 1515) if wire(size) > flits_per_s]
    single, combined = writes(1), writes(link.max_payload_bytes // FLIT_BYTES)
    return (
        f"Frames of {fast[0]}-{fast[-1]} bytes at 100 GbE: up to {wire(fast[0]) / 1e6:.0f} M flits/s, "
        f"which is more than {flits_per_s / 1e6:.0f} M.\n"
        f"Gen3 x16: {single / 1e6:.0f} M single 64-byte writes per second, {combined / 1e6:.0f} M combined."
    )


def latencies(scratch: Path, say: Say) -> Section:
    """The first write and the first read of a NIC at rest."""
    say("latency")
    return latencies_section(line_rate.latency(scratch / "latency"))


def latencies_section(found: Latency) -> Section:
    rows = (
        ("first_write_cycles", "last flit in to first host-write beat", found.first_write,
         line_rate.MOST_FIRST_WRITE_CYCLES, str(line_rate.AIM_FIRST_WRITE_CYCLES)),
        ("first_read_cycles", "tail write to first read request", found.first_read,
         line_rate.MOST_FIRST_READ_CYCLES, ""),
    )  # fmt: skip
    table = Table("latency", "cycles", "at most", "aim", title="the NIC at rest")
    for _, what, cycles, most, aim in rows:
        table.add_row(what, str(cycles), str(most), aim)
    missed = [
        f"{what}: {cycles} cycles; wanted are at most {most}" for _, what, cycles, most, _ in rows if cycles > most
    ]
    return Section({name: cycles for name, _, cycles, _, _ in rows}, [table], missed)


def coverage(scratch: Path, say: Say) -> Section:
    """What the benches of the whole NIC reach of it."""
    points, source = nic_coverage.measure(scratch / "coverage", say)
    listing = build_folder() / UNCOVERED
    listing.write_text(nic_coverage.uncovered(points, source))
    numbers = nic_coverage.summary(points)
    table = Table("points", "covered", "total", "", title="coverage of the tiny NIC by the benches of the whole NIC")
    for kind, count in numbers.items():
        table.add_row(kind, str(count["covered"]), str(count["total"]), f"{count['covered'] / count['total']:.1%}")
    return Section({"coverage": numbers}, [table, f"What never happened: {listing}"], [])


SECTIONS: list[Callable[[Path, Say], Section]] = [benches, rates, latencies, coverage, seeded_bugs]
DRAW_THEMSELVES = (benches, seeded_bugs)
"""They show how far they are."""


# --- all of it --------------------------------------------------------------------------------------------------------


def main() -> int:
    """Run, print and write the report; 1 if a limit was missed or something did not run to its end."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    build_folder().mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="hermes-sim-") as scratch:
            sections = [_run(section, Path(scratch), console) for section in SECTIONS]
    except (BenchError, SimulatorError, ToolError) as error:
        console.print(f"[bold red]failed:[/] {error}", highlight=False)
        return 1
    for section in sections:
        for each in section.prints:
            console.print(each, highlight=False)
    numbers = {name: value for section in sections for name, value in section.numbers.items()}
    write_json(build_folder() / REPORT, numbers)
    missed = [line for section in sections for line in section.missed]
    for line in missed:
        console.print(f"[bold red]missed:[/] {line}", highlight=False)
    return 1 if missed else 0


def _run(section: Callable[[Path, Say], Section], scratch: Path, console: Console) -> Section:
    if section in DRAW_THEMSELVES or not console.is_terminal:
        return section(scratch, lambda step: console.print(f"[dim]{step}", highlight=False))
    with console.status("") as status:
        return section(scratch, lambda step: status.update(step))


if __name__ == "__main__":
    sys.exit(main())
