"""Verilog of a component, small and readable: memories without initial contents, port names ``path__member``."""

from unittest.mock import patch

from amaranth.back import rtlil, verilog
from amaranth.hdl import Const, Value, _nir
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring


def _refuse_contents(emitter: rtlil.ModuleEmitter, index: int, memory: _nir.Memory) -> None:
    if any(memory.init):
        raise ValueError(f"memory {memory.name} has initial contents, which the export drops; clear it in hardware")


def _ports(component: wiring.Component) -> dict[str, tuple[Value, PortDirection]]:
    """Every port but the constant ``ready`` of streams that are always ready."""
    directions = {wiring.In: PortDirection.Input, wiring.Out: PortDirection.Output}
    ports = {}
    for path, member, each in component.signature.flatten(component):
        value = Value.cast(each)
        if not isinstance(value, Const):
            ports["__".join(map(str, path))] = (value, directions[member.flow])
    return ports


def verilog_text(component: wiring.Component, name: str) -> str:
    """Verilog of ``component`` as the module ``name``; submodules are named after it.

    The design clears its tables itself. Initial contents, written out a line per word, would make 100 MB of text and a
    minute of work out of the packet buffer's zeros, so Amaranth's step that emits them is left out.

    Raises
    ------
    ValueError
        A memory has initial contents other than zero: they would be lost.
    """
    with patch.object(rtlil.ModuleEmitter, "emit_memory", _refuse_contents):
        return verilog.convert(component, name=name, ports=_ports(component), emit_src=False, strip_internal_attrs=True)
