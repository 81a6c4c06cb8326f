"""Verilog of a component: small, readable, and exact in its widths, so that no tool has anything to warn of.

Memories have no initial contents, ports are named ``path__member``, and every operand is as wide as its operator says.
"""

import re
from unittest.mock import patch

from amaranth._toolchain.yosys import find_yosys
from amaranth.back import rtlil
from amaranth.hdl import Const, Fragment, Value, _nir
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

INTERNAL_ATTRIBUTES = ("generator", "top", "src", "amaranth.hierarchy", "amaranth.decoding")


def _refuse_contents(emitter: rtlil.ModuleEmitter, index: int, memory: _nir.Memory) -> None:
    if any(memory.init):
        raise ValueError(f"memory {memory.name} has initial contents, which the export drops; clear it in hardware")


def _whole_operand(emitter: rtlil.ModuleEmitter, value: _nir.Value, *, signed: bool) -> _nir.Value:
    """Amaranth drops leading zeros of operands; Verilog then extends them, and tools warn of it."""
    return value


def _emit_whole_part(emitter: rtlil.ModuleEmitter, index: int, part: _nir.Part) -> None:
    """A shift as wide as what is shifted, then its lowest bits: Verilog would cut it off, and tools warn of it."""
    wide, result = emitter.builder.wire(len(part.value)), emitter.cell_wires[index]
    stride_bits = part.stride.bit_length() if part.stride != 1 else 0
    offset = _nir.Value([*part.offset, *[_nir.Net.from_const(0)] * stride_bits])
    shift = emitter.sigspec(offset)
    if part.stride != 1:
        product = emitter.builder.wire(len(offset))
        widths = dict.fromkeys(("A_WIDTH", "B_WIDTH", "Y_WIDTH"), len(offset))
        ports = {"A": shift, "B": rtlil._const(Const(part.stride, len(offset))), "Y": product.name}
        emitter.builder.cell("$mul", ports=ports, parameters={"A_SIGNED": False, "B_SIGNED": False, **widths})
        shift = product.name
    widths = {"A_WIDTH": len(part.value), "B_WIDTH": len(offset), "Y_WIDTH": len(part.value)}
    ports = {"A": emitter.sigspec(part.value), "B": shift, "Y": wide.name}
    emitter.builder.cell("$shift", ports=ports, parameters={"A_SIGNED": part.value_signed, "B_SIGNED": False, **widths})
    emitter.builder.connect(result.name, f"{wide.name} [{part.width - 1}:0]")


def _ports(component: wiring.Component) -> dict[str, tuple[Value, PortDirection]]:
    """Every port but the constant ``ready`` of streams that are always ready."""
    directions = {wiring.In: PortDirection.Input, wiring.Out: PortDirection.Output}
    ports = {}
    for path, member, each in component.signature.flatten(component):
        value = Value.cast(each)
        if not isinstance(value, Const):
            ports["__".join(map(str, path))] = (value, directions[member.flow])
    return ports


def _with_defaults(verilog: str) -> str:
    """Each case with a default, which does nothing: what it assigns was assigned before."""
    has_default: list[bool] = []
    lines = []
    for line in verilog.splitlines(keepends=True):
        word = line.split(maxsplit=1)[0] if line.strip() else ""
        if word == "casez":
            has_default.append(False)
        elif word == "default:":
            has_default[-1] = True
        elif word == "endcase" and not has_default.pop():
            lines.append(re.sub("endcase", "  default: ;", line))
        lines.append(line)
    return "".join(lines)


def verilog_text(component: wiring.Component, name: str) -> str:
    """Verilog of ``component`` as the module ``name``; submodules are named after it.

    The design clears its tables itself. Initial contents, written out a line per word, would make 100 MB of text and a
    minute of work out of the packet buffer's zeros, so Amaranth's step that emits them is left out.

    Raises
    ------
    ValueError
        A memory has initial contents other than zero: they would be lost.
    """
    emitter = patch.multiple(
        rtlil.ModuleEmitter, emit_memory=_refuse_contents, shorten_operand=_whole_operand, emit_part=_emit_whole_part
    )
    with emitter:
        text, _ = rtlil.convert_fragment(Fragment.get(component, None), _ports(component), name, emit_src=False)
    removed = " ".join(f"-remove {attribute}" for attribute in INTERNAL_ATTRIBUTES)
    script = [
        f"read_rtlil <<rtlil\n{text}\nrtlil",
        # optimisations would write comparisons with 0 as !x
        "proc -nomux -norom -noopt",
        "memory_collect",
        f"attrmap {removed}",
        f"attrmap -modattr {removed}",
        "write_verilog -norename",
    ]
    # Yosys always warns that not all processes can be written as Verilog: Amaranth's can
    verilog = find_yosys(lambda version: version >= (0, 40)).run(["-q", "-"], "\n".join(script), ignore_warnings=True)
    return _with_defaults(verilog)
