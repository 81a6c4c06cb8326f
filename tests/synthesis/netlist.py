"""What a netlist of ECP5 primitives, as Yosys writes it in JSON, holds, and its longest path."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LUTS = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4}
"""Look-up tables that a primitive takes; of a distributed memory two more make its write port."""
DELAYS = {"LUT4": 1, "PFUMX": 0, "L6MUX21": 0, "CCU2C": 0, "TRELLIS_DPR16X4": 1}
"""Levels that a path through a primitive counts: multiplexers belong to their LUTs, a carry chain counts once."""
CARRY = "CCU2C"
CLOCKED_INPUTS = {"TRELLIS_DPR16X4": ("DI", "WAD", "WRE", "WCK")}
"""Inputs of which no path goes on to an output within a cycle."""


@dataclass(frozen=True)
class Path:
    """The longest path between registers or ports: its levels of LUTs, and the names of its ends."""

    levels: int
    begin: str
    end: str


@dataclass(frozen=True)
class Netlist:
    """Cells of one block: LUTs, flip-flops and block memories of 18 kbit; and its longest path."""

    luts: int
    ffs: int
    brams: int
    path: Path


def read_netlist(module: Mapping[str, Any]) -> Netlist:
    """Count and measure one flat module of Yosys' JSON."""
    kinds = Counter(cell["type"] for cell in module["cells"].values())
    luts = sum(number * kinds[kind] for kind, number in LUTS.items())
    return Netlist(luts, kinds["TRELLIS_FF"], kinds["DP16KD"], _longest(module))


def _longest(module: Mapping[str, Any]) -> Path:
    """The path with most levels, found from the ends of paths backwards."""
    names = {bit: f"{name}[{i}]" if len(net["bits"]) > 1 else name
             for name, net in module["netnames"].items() for i, bit in enumerate(net["bits"])}  # fmt: skip
    drivers: dict[Any, Mapping[str, Any]] = {}
    ends: list[Any] = []
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) == "output":
                drivers.update((bit, cell) for bit in bits)
            elif cell["type"] not in DELAYS or port in CLOCKED_INPUTS.get(cell["type"], ()):
                ends.extend(bits)
    for port in module["ports"].values():
        if port["direction"] == "output":
            ends.extend(port["bits"])

    # levels up to a net, and the net that the path begins with
    known: dict[Any, tuple[int, Any]] = {}
    waiting = [bit for bit in ends if not isinstance(bit, str)]
    while waiting:
        bit = waiting[-1]
        cell = drivers.get(bit)
        if bit in known or cell is None or cell["type"] not in DELAYS:
            known.setdefault(bit, (0, bit))
            waiting.pop()
            continue
        sources = [
            source
            for port, bits in cell["connections"].items()
            if cell["port_directions"].get(port) == "input" and port not in CLOCKED_INPUTS.get(cell["type"], ())
            for source in bits
            if not isinstance(source, str)
        ]
        missing = [source for source in sources if source not in known]
        if missing:
            waiting.extend(missing)
            continue
        carried = set(cell["connections"].get("CIN", ())) if cell["type"] == CARRY else set()
        delay = DELAYS[cell["type"]]
        known[bit] = max(
            (
                (known[s][0] + (0 if s in carried else max(delay, int(cell["type"] == CARRY))), known[s][1])
                for s in sources
            ),
            key=lambda each: each[0],
            default=(0, bit),
        )
        waiting.pop()
    if not known:
        return Path(0, "", "")
    end = max((bit for bit in ends if bit in known), key=lambda bit: known[bit][0])
    levels, begin = known[end]
    return Path(levels, names.get(begin, "?"), names.get(end, "?"))
