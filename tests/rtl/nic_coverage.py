"""Which lines of the tiny NIC ran, and which bits of it toggled, in the benches of the whole NIC.

Verilator counts points of three kinds: lines (blocks of them), branches, and toggles, of which each bit has two, up and
down. Left out is what Yosys made up: signals that it named, which repeat what the others say, and the empty branches by
which it has a simulator look at each process once.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cosim.build import cocotb_model, run_cocotb, verilog
from enso_nic.config import TINY
from enso_nic.nic import Nic
from tests.rtl.open_nic import RULES

BENCHES = (",".join(f"tests.rtl.{bench}" for bench in RULES), "tests.rtl.bench_nic_random")
SEED = 2
"""Of the random bench, so that the same points happen each time."""
KINDS = ("line", "branch", "toggle")
ESCAPED = re.compile("__0([0-9A-Fa-f]{2})")
"""A character of a name, as Verilator writes those that C++ has not."""
EMPTY_BRANCH = "dump_module$"


class Point(NamedTuple):
    """Something that may happen: a line or a branch runs, a bit goes up or down."""

    kind: str
    instance: str
    line: int
    what: str


def measure(folder: Path, say: Callable[[str], None]) -> tuple[Counter[Point], list[str]]:
    """How often each point happened in the benches, and the lines of Verilog; ``say`` tells what is being done."""
    say("building the tiny NIC with coverage")
    file = verilog(Nic, replace(TINY, commit_taps=True))
    source = file.read_text().splitlines()
    model = cocotb_model([file], top="enso_nic", coverage=True)
    total: Counter[Point] = Counter()
    for number, benches in enumerate(BENCHES):
        say(f"coverage of {benches}")
        run_cocotb(model, benches, folder=folder / str(number), seed=SEED)
        with (folder / str(number) / "coverage.dat").open() as lines:
            total.update(read(lines, source))
    return total, source


def read(lines: Iterable[str], source: list[str]) -> Counter[Point]:
    r"""The points of a coverage.dat: lines of ``C '<fields>' <count>``, each field ``\1 name \2 value``.

    Raises
    ------
    ValueError
        A line is something else.
    """
    points: Counter[Point] = Counter()
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            continue
        try:
            quoted, count = line.removeprefix("C '").rsplit("' ", 1)
            fields = dict(field.split("\2", 1) for field in quoted.split("\1")[1:])
            what = ESCAPED.sub(lambda escaped: chr(int(escaped[1], 16)), fields["o"])
            point = Point(fields["t"], fields["h"], int(fields["l"]), what)
            happened = int(count)
        except (ValueError, KeyError):
            raise ValueError(f"line {number} of the coverage is {line!r}; accepted are Verilator's points") from None
        if not what.startswith("$") and EMPTY_BRANCH not in source[point.line - 1]:
            points[point] += happened
    return points


def summary(points: Counter[Point]) -> dict[str, dict[str, int]]:
    """Of each kind, how many points there are and how many happened."""
    return {
        kind: {
            "covered": sum(count > 0 for point, count in points.items() if point.kind == kind),
            "total": sum(point.kind == kind for point in points),
        }
        for kind in KINDS
    }


def uncovered(points: Counter[Point], source: list[str]) -> str:
    """What never happened, to be read: places with their line of ``source``, and bits by their signal."""
    text = []
    bits: defaultdict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for point in sorted(point for point, count in points.items() if not count):
        if point.kind == "toggle":
            signal, _, direction = point.what.rpartition(":")
            if not signal.endswith("]"):
                signal += "[0]"
            name, _, bit = signal[:-1].rpartition("[")
            bits[point.instance, name][direction].append(int(bit))
        else:
            text.append(f"{point.kind} {point.instance} {point.line} {point.what}: {source[point.line - 1].strip()}")
    for (instance, name), directions in sorted(bits.items()):
        parts = [f"{direction} of bits {_ranges(which)}" for direction, which in sorted(directions.items())]
        text.append(f"toggle {instance} {name}: {'; '.join(parts)}")
    return "\n".join(text) + "\n"


def _ranges(numbers: list[int]) -> str:
    """Neighbours put together: 0-3, 7."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
