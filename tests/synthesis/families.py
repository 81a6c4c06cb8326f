"""The FPGAs that blocks are mapped to: how Yosys is asked, and what its primitives count."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Primitives of one family of FPGAs, as Yosys names them.

    Attributes
    ----------
    title
        For people.
    command
        The pass of Yosys that maps to it, for a block that is no whole chip.
    luts
        Look-up tables that a primitive takes.
    flip_flops
        Primitives that are one.
    memories
        Block memories of 18 kbit that a primitive takes.
    levels
        Levels of LUTs that a path through a primitive counts: multiplexers belong to their LUTs.
    carries
        Parts of carry chains, each with the input that the part before it drives: a chain counts one level.
    clocked_inputs
        Of primitives in ``levels``: inputs of which no path goes on to an output within a cycle.
    """

    title: str
    command: str
    luts: Mapping[str, int]
    flip_flops: frozenset[str]
    memories: Mapping[str, int]
    levels: Mapping[str, int]
    carries: Mapping[str, str]
    clocked_inputs: Mapping[str, tuple[str, ...]]


ECP5 = Family(
    title="ECP5",
    # LUTs widened by multiplexers take more of them, and must lie side by side
    command="synth_ecp5 -nowidelut",
    # of a distributed memory two more make its write port
    luts={"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4},
    flip_flops=frozenset({"TRELLIS_FF"}),
    memories={"DP16KD": 1},
    levels={"LUT4": 1, "PFUMX": 0, "L6MUX21": 0, "CCU2C": 0, "TRELLIS_DPR16X4": 1},
    carries={"CCU2C": "CIN"},
    clocked_inputs={"TRELLIS_DPR16X4": ("DI", "WAD", "WRE", "WCK")},
)
_XILINX_LUTS = {f"LUT{inputs}": 1 for inputs in range(1, 7)}
_XILINX_RAMS = {"RAM32X1D": 2, "RAM64X1D": 2, "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8}
_RAM_INPUTS = ("D", *(f"DI{port}" for port in "ABCDEFGH"), "WCLK", "WE")
_WRITE_ADDRESSES = {"RAM32M": "ADDRD", "RAM64M": "ADDRD", "RAM32M16": "ADDRH", "RAM64M8": "ADDRH"}
_SHIFTERS = {"SRL16E": 1, "SRLC32E": 1}
XCUP = Family(
    title="UltraScale+",
    command="synth_xilinx -family xcup -flatten -noiopad -noclkbuf",
    luts={**_XILINX_LUTS, **_XILINX_RAMS, **_SHIFTERS},
    flip_flops=frozenset({"FDRE", "FDSE", "FDCE", "FDPE"}),
    memories={"RAMB18E2": 1, "RAMB36E2": 2},
    levels={
        **_XILINX_LUTS,
        **dict.fromkeys((*_XILINX_RAMS, *_SHIFTERS), 1),
        **dict.fromkeys(("INV", "MUXF7", "MUXF8", "MUXF9", "CARRY4", "CARRY8"), 0),
    },
    carries={"CARRY4": "CI", "CARRY8": "CI"},
    clocked_inputs={
        **{ram: (*_RAM_INPUTS, _WRITE_ADDRESSES.get(ram, "WCLK")) for ram in _XILINX_RAMS},
        **dict.fromkeys(_SHIFTERS, ("D", "CE", "CLK")),
    },
)
FAMILIES = {"ecp5": ECP5, "xcup": XCUP}
