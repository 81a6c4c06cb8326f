"""`make prove`: what is promised of the blocks. By hand: ``python -m tests.formal.prove [SPECIFICATION ...]``."""

import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from amaranth.hdl import Const
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cosim.cache import build_folder
from cosim.measure.files import write_json
from tests.formal.catalogue import SPECIFICATIONS
from tests.formal.engine import Circuit, Finding, ProofError, Verdict
from tests.formal.seeded import Noticed, notice_all, seeded_table
from tests.formal.specification import Specification
from tests.formal.stream_rules import clocks, waits_for_ready

SECONDS = 60
"""Longest that an engine may take for one promise."""
COVER_DEPTH = 64
"""Cycles within which what a promise speaks of must happen: more than a block takes to clear its tables."""
BOUND = 48
"""Cycles that are searched where there is no proof: more than twice what any block takes from input to output."""
CHAIN_FACTOR = 10
"""By how much longer a search through several blocks may take: room for slow machines, it ends at its depth anyway."""
BEYOND = 4
"""At least so many cycles behind the first one in which what it speaks of happens."""
AT_ONCE = 2
"""Specifications at a time."""
WIDTH = 150
"""Columns of what is printed to a file."""


@dataclass(frozen=True)
class Row:
    """What became of one promise; ``reached`` is the cycle in which what it speaks of was seen, or None."""

    name: str
    block: str
    text: str
    is_lemma: bool
    finding: Finding
    reached: int | None
    search_to: int = 0  # the cycle that a search must get to

    @property
    def is_proven(self) -> bool:
        """In every cycle; and what it speaks of happens."""
        return self.finding.verdict is Verdict.PROVEN and (self.is_lemma or self.reached is not None)


@dataclass(frozen=True)
class Proof:
    """A specification, and what became of its promises."""

    spec: Specification
    rows: list[Row]


def prove(name: str, folder: Path, seconds: int = SECONDS) -> Proof:
    """Prove all promises of the specification with this name. A helper that fails takes all others with it."""
    began = time.monotonic()
    spec = SPECIFICATIONS[name]()
    circuit = Circuit(spec, folder)
    rows = []
    for number, promise in enumerate(spec.promises):
        finding, reached = Finding(Verdict.UNKNOWN, 0, 0, "none"), None
        if isinstance(promise.when, Const):
            reached = 0
        elif not promise.is_lemma:
            cover = circuit.reach(number, COVER_DEPTH, seconds)
            reached = cover.depth if cover.verdict is Verdict.REFUTED else None
        search_to = max(spec.search_to, (reached or 0) + BEYOND) if spec.search_to else 0
        if not promise.is_bounded:
            finding = circuit.prove(number, seconds)
        if finding.verdict is Verdict.UNKNOWN:
            depth, longest = (search_to + 1, CHAIN_FACTOR * seconds) if search_to else (BOUND, seconds)
            bounded = circuit.search(number, depth, longest)
            finding = dataclasses.replace(bounded, seconds=bounded.seconds + finding.seconds)
            if bounded.verdict is not Verdict.REFUTED:
                finding = dataclasses.replace(finding, verdict=Verdict.UNKNOWN)
        rows.append(Row(name, spec.block, promise.text, promise.is_lemma, finding, reached, search_to))
    helpers = [row for row, promise in zip(rows, spec.promises, strict=True) if promise.helps and not row.is_proven]
    if helpers:
        void = Finding(Verdict.UNKNOWN, 0, 0, f"needs: {helpers[0].text}")
        rows = [row if row in helpers else dataclasses.replace(row, finding=void) for row in rows]
    sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    return Proof(spec, rows + _structure(name, spec))


def _structure(name: str, spec: Specification) -> list[Row]:
    """What the netlist shows of the stream rules 3 and 4."""
    began = time.monotonic()
    texts = {
        "no valid and no payload of a stream depends on its ready within a cycle": not waits_for_ready(spec.dut),
        "it has one clock": clocks(spec.dut) <= 1,
    }
    took = time.monotonic() - began
    return [
        Row(name, spec.block, text, False, Finding(Verdict.PROVEN if holds else Verdict.REFUTED, 0, took, "netlist"), 0)
        for text, holds in texts.items()
    ]


def proof_table(proofs: Sequence[Proof]) -> Table:
    """A line for each property: lemmas only if they fail."""
    table = Table(title="what is promised of the blocks")
    for column in ("block", "property", "engine", "result", "seen in cycle"):
        table.add_column(column)
    table.add_column("s", justify="right")
    for row in (row for proof in proofs for row in proof.rows):
        if row.is_lemma and row.is_proven:
            continue
        finding = row.finding
        if row.is_proven:
            result = "[green]unbounded"
        elif finding.verdict is Verdict.REFUTED:
            result = f"[red]broken in cycle {finding.depth}"
        elif finding.verdict is Verdict.PROVEN:
            result = "[red]not seen to happen"
        else:
            result = f"[yellow]none up to cycle {finding.depth}"
        engine = finding.engine + (f", {finding.depth}" if finding.engine == "induction" else "")
        seen = "" if row.reached is None or finding.engine == "netlist" else str(row.reached)
        table.add_row(row.block, escape(row.text), engine, result, seen, f"{finding.seconds:.1f}")
    return table


def assumption_table(proofs: Sequence[Proof]) -> Table:
    """What the proofs take for granted, and who sees to it."""
    table = Table("block", "assumed", "smaller than tiny", title="assumptions")
    for spec in (proof.spec for proof in proofs):
        for text in spec.assumptions or ["nothing"]:
            table.add_row(spec.block, escape(text), spec.sizes)
    return table


def main(names: Sequence[str]) -> int:
    """Prove, print and write the report; 1 if a property is not proven or a seeded bug not noticed."""
    unknown = [name for name in names if name not in SPECIFICATIONS]
    if unknown:
        sys.stderr.write(f"prove: no specification {unknown[0]}; accepted are {', '.join(SPECIFICATIONS)}\n")
        return 2
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    began = time.monotonic()
    folder = build_folder() / "formal"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch, ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            proofs = list(pool.map(lambda name: prove(name, Path(scratch) / name), names or SPECIFICATIONS))
            noticed = notice_all(Path(scratch), names or SPECIFICATIONS)
        except ProofError as error:
            console.print(f"[bold red]failed:[/] {error}", highlight=False)
            return 1
    for table in (proof_table(proofs), assumption_table(proofs), seeded_table(noticed)):
        console.print(table, highlight=False)
    properties = [row for proof in proofs for row in proof.rows if not row.is_lemma]
    proven = sum(row.is_proven for row in properties)
    lemmas = sum(row.is_lemma for proof in proofs for row in proof.rows)
    rest = [row for row in properties if row.finding.verdict is Verdict.UNKNOWN]
    depth = min((row.finding.depth for row in rest), default=0)
    others = f"; {len(rest)} searched, to cycle {depth} at least" if rest else ""
    console.print(f"{proven} of {len(properties)} properties proven without bound, with {lemmas} lemmas{others}; "
                  f"in {time.monotonic() - began:.0f} s", highlight=False)  # fmt: skip
    if not names:
        _report({"properties": {"proven": proven, "total": len(properties)}})
    return 0 if _good(proofs, noticed) else 1


def _good(proofs: Sequence[Proof], noticed: Sequence[Noticed]) -> bool:
    """Nothing is broken, empty or searched too little, and no bug escapes; the table says what is only searched."""
    rows = [row for proof in proofs for row in proof.rows]
    broken = any(row.finding.verdict is Verdict.REFUTED for row in rows)
    empty = any(row.finding.verdict is Verdict.PROVEN and not row.is_proven for row in rows)
    shallow = any(row.finding.verdict is Verdict.UNKNOWN and row.finding.depth < row.search_to for row in rows)
    return not broken and not empty and not shallow and all(each.promise for each in noticed)


def _report(numbers: dict[str, object]) -> None:
    """Add to the report of the last `make sim`, or begin one."""
    path = build_folder() / "sim-report.json"
    write_json(path, {**(json.loads(path.read_text()) if path.exists() else {}), **numbers})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
