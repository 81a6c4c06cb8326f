"""What a netlist of an FPGA's primitives, as Yosys writes it in JSON, holds, and its longest path."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.synthesis.families import ECP5, Family


@dataclass(frozen=True)
class Path:
    """The longest path between registers or ports: its levels of LUTs, and the names of its ends, if they have any."""

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


def read_netlist(module: Mapping[str, Any], family: Family = ECP5) -> Netlist:
    """Count and measure one flat module of Yosys' JSON."""
    kinds = Counter(cell["type"] for cell in module["cells"].values())

    def count(weights: Mapping[str, int]) -> int:
        return sum(number * kinds[kind] for kind, number in weights.items())

    ffs = sum(kinds[kind] for kind in family.flip_flops)
    return Netlist(count(family.luts), ffs, count(family.memories), _longest(module, family))


def _longest(module: Mapping[str, Any], family: Family) -> Path:
    """The path with most levels, found from the ends of paths backwards."""
    # names that Yosys made up come first, so that others replace them
    nets = sorted(module["netnames"].items(), key=lambda net: not net[0].startswith("$"))
    names = {bit: f"{name}[{i}]" if len(net["bits"]) > 1 else name
             for name, net in nets for i, bit in enumerate(net["bits"])}  # fmt: skip
    labels: dict[Any, str] = {}  # of ends: what the register there is called
    drivers: dict[Any, Mapping[str, Any]] = {}
    ends: list[Any] = []
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) == "output":
                drivers.update((bit, cell) for bit in bits)
            elif cell["type"] not in family.levels or port in family.clocked_inputs.get(cell["type"], ()):
                ends.extend(bits)
                label = next((names[out] for out in _outputs(cell) if out in names), "")
                labels.update(dict.fromkeys(bits, label))
    for port in module["ports"].values():
        if port["direction"] == "output":
            ends.extend(port["bits"])

    # levels up to a net, and the net that the path begins with
    known: dict[Any, tuple[int, Any]] = {}
    waiting = [bit for bit in ends if not isinstance(bit, str)]
    while waiting:
        bit = waiting[-1]
        cell = drivers.get(bit)
        if bit in known or cell is None or cell["type"] not in family.levels:
            known.setdefault(bit, (0, bit))
            waiting.pop()
            continue
        sources = [
            source
            for port, bits in cell["connections"].items()
            if cell["port_directions"].get(port) == "input" and port not in family.clocked_inputs.get(cell["type"], ())
            for source in bits
            if not isinstance(source, str)
        ]
        missing = [source for source in sources if source not in known]
        if missing:
            waiting.extend(missing)
            continue
        is_carry = cell["type"] in family.carries
        carried = set(cell["connections"].get(family.carries[cell["type"]], ())) if is_carry else set()
        delay = family.levels[cell["type"]]
        known[bit] = max(
            ((known[s][0] + (0 if s in carried else max(delay, int(is_carry))), known[s][1]) for s in sources),
            key=lambda each: each[0],
            default=(0, bit),
        )
        waiting.pop()
    if not known:
        return Path(0, "", "")
    end = max((bit for bit in ends if bit in known), key=lambda bit: known[bit][0])
    levels, begin = known[end]
    return Path(levels, names.get(begin, "?"), labels.get(end) or names.get(end, "?"))


def _outputs(cell: Mapping[str, Any]) -> list[Any]:
    """Bits that a cell drives."""
    ports = cell["connections"].items()
    return [bit for port, bits in ports if cell["port_directions"].get(port) == "output" for bit in bits]
