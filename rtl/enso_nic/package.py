"""The NIC as files for another project: Verilog, a wrapper with AXI-Stream names, constraints and documentation."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from amaranth.hdl import Const, Shape, Value
from amaranth.lib import data, wiring

from enso_nic.config import FULL, TINY, NicConfig
from enso_nic.export import verilog_text
from enso_nic.nic import Nic
from enso_nic.ports import NicSignature

CONFIGS: dict[str, NicConfig] = {"full": FULL, "tiny": TINY}
CORE, WRAPPER = "enso_nic", "enso_nic_axis"
CLOCK_NS = 4.0
PREFIXES = {
    "ethernet_rx": "s_axis_rx",
    "ethernet_tx": "m_axis_tx",
    "host.to_host": "m_axis_write",
    "host.read_request": "m_axis_read",
    "host.read_completion": "s_axis_read",
    "host.mmio_request": "s_axis_mmio",
}
"""Of the wrapper's streams."""
AXIS_NAMES = {"data": "tdata", "keep": "tkeep", "last": "tlast", "tag": "tid"}
"""Of fields of a payload; all others lie in ``tuser``, the first one at bit 0."""
CLOCK_INPUTS = ("clk", "rst")


@dataclass(frozen=True)
class Port:
    """One port of a module, as Verilog has it."""

    name: str
    width: int
    is_input: bool

    def __str__(self) -> str:
        direction = "input  wire" if self.is_input else "output wire"
        return f"{direction} {f'[{self.width - 1}:0] ' if self.width > 1 else ''}{self.name}"


@dataclass(frozen=True)
class _Stream:
    """A stream of the core, and what the wrapper makes of it."""

    path: str
    is_input: bool
    layout: data.Layout
    has_ready: bool

    @property
    def core(self) -> str:
        return self.path.replace(".", "__")

    @property
    def user(self) -> list[tuple[str, int]]:
        """Names and widths of the fields in ``tuser``."""
        return [(name, field.width) for name, field in self.layout if name not in AXIS_NAMES]

    def ports(self) -> Iterator[Port]:
        prefix = PREFIXES[self.path]
        for name, axis in AXIS_NAMES.items():
            for field_name, field in self.layout:
                if field_name == name:
                    yield Port(f"{prefix}_{axis}", field.width, self.is_input)
        if self.user:
            yield Port(f"{prefix}_tuser", sum(width for _, width in self.user), self.is_input)
        yield Port(f"{prefix}_tvalid", 1, self.is_input)
        if self.has_ready:
            yield Port(f"{prefix}_tready", 1, not self.is_input)

    def parts(self) -> Iterator[tuple[str, int, str]]:
        """Of the payload from bit 0 up: the field, its bit, and what it is in the wrapper."""
        prefix, bit, used = PREFIXES[self.path], 0, 0
        for name, field in self.layout:
            axis = f"{prefix}_{AXIS_NAMES.get(name, 'tuser')}"
            if name not in AXIS_NAMES:
                if sum(width for _, width in self.user) > 1:
                    axis += f"[{used + field.width - 1}:{used}]" if field.width > 1 else f"[{used}]"
                used += field.width
            yield name, bit, axis
            bit += field.width


def _streams() -> list[_Stream]:
    found = []
    signature = NicSignature()
    inner = [(f"host.{name}", member) for name, member in signature.members["host"].signature.members.items()]
    for path, member in [*signature.members.items(), *inner]:
        if path in PREFIXES:
            layout = data.Layout.cast(member.signature.members["payload"].shape)
            found.append(_Stream(path, member.flow == wiring.In, layout, not member.signature.always_ready))
    assert {each.path for each in found} == set(PREFIXES), "each stream of the NIC has a name in the wrapper"
    return found


def core_ports() -> list[Port]:
    """Ports of the core, which are those of every configuration."""
    ports = [Port(name, 1, is_input=True) for name in CLOCK_INPUTS]
    interface = NicSignature().create()
    for path, member, each in NicSignature().flatten(interface):
        if not isinstance(Value.cast(each), Const):
            width = Shape.cast(Value.cast(each).shape()).width
            ports.append(Port("__".join(map(str, path)), width, member.flow == wiring.In))
    return ports


def wrapper_ports() -> list[Port]:
    """Ports of the wrapper: AXI-Stream names for streams, and the core's other ports."""
    streams = _streams()
    cores = {f"{each.core}__{end}" for each in streams for end in ("payload", "valid", "ready")}
    others = [_plain(port) for port in core_ports() if port.name not in cores]
    return [*others, *(port for each in streams for port in each.ports())]


def _plain(port: Port) -> Port:
    """A port that is no stream's, as the wrapper has it."""
    name = "host_reset" if port.name == "host__reset" else port.name.removeprefix("host__")
    return replace(port, name=name)


def write_package(name: str, folder: Path) -> list[Path]:
    """Write the files of the configuration ``name`` of CONFIGS; the same sources give the same bytes.

    Returns
    -------
    list[Path]
        The files, the manifest last.
    """
    config = CONFIGS[name]
    texts = {
        f"{CORE}.v": verilog_text(Nic(config), CORE),
        f"{WRAPPER}.sv": wrapper_text(),
        f"{CORE}.f": f"{CORE}.v\n{WRAPPER}.sv\n",
        f"{CORE}.sdc": _constraints(),
        f"{CORE}.xdc": _constraints(),
        "INTERFACE.md": _documentation(name, config),
    }
    identity = {
        "core": CORE,
        "configuration": name,
        "sizes": asdict(config),
        "clock_ns": CLOCK_NS,
        "version": version("hermes-lab"),
        "amaranth": version("amaranth"),
        "sha256": {file: hashlib.sha256(text.encode()).hexdigest() for file, text in texts.items()},
    }
    texts["build.json"] = json.dumps(identity, indent=2) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return [folder / file for file in texts]


def wrapper_text() -> str:
    """The wrapper around the core, which both configurations share."""
    streams = _streams()
    declared = ",\n".join(f"    {port}" for port in wrapper_ports())
    lines = [f"// {CORE} with AXI-Stream names. Made with it; INTERFACE.md tells what lies in each tuser.",
             "`default_nettype none", f"module {WRAPPER} (", declared, ");"]  # fmt: skip
    connections = []
    for each in streams:
        prefix, size = PREFIXES[each.path], each.layout.size
        lines.append(f"    wire [{size - 1}:0] {each.core}__payload;")
        parts = list(each.parts())
        if each.is_input:
            packed = ", ".join(axis for _, _, axis in reversed(parts))
            lines.append(f"    assign {each.core}__payload = {{{packed}}};")
        else:
            for (name, bit, axis), (_, field) in zip(parts, each.layout, strict=True):
                lines.append(f"    assign {axis} = {each.core}__payload[{bit + field.width - 1}:{bit}];  // {name}")
        connections.append((f"{each.core}__payload", f"{each.core}__payload"))
        connections.append((f"{each.core}__valid", f"{prefix}_tvalid"))
        if each.has_ready:
            connections.append((f"{each.core}__ready", f"{prefix}_tready"))
    connected = dict(connections)
    inner = [(port.name, connected.get(port.name, _plain(port).name)) for port in core_ports()]
    lines.append(f"    {CORE} core (")
    lines.append(",\n".join(f"        .{port}({wire})" for port, wire in inner))
    lines += ["    );", "endmodule", "`default_nettype wire", ""]
    return "\n".join(lines)


def _constraints() -> str:
    return (
        f"# One clock; every port is synchronous to it. Its period is that of 250 MHz.\n"
        f"create_clock -name clk -period {CLOCK_NS:.3f} [get_ports clk]\n"
        "# add set_input_delay and set_output_delay for what you connect; inside an FPGA nothing is needed\n"
    )


def _documentation(name: str, config: NicConfig) -> str:
    lines = [
        f"# {CORE}, configuration `{name}`",
        "",
        f"`{CORE}.v` is the NIC, `{WRAPPER}.sv` the same with AXI-Stream names; `{CORE}.f` lists them in their order.",
        f"`{CORE}.sdc` and `{CORE}.xdc` give the clock. `build.json` says what this was made from.",
        "",
        f"One clock, `clk`, meant for {1000 / CLOCK_NS:.0f} MHz, and a synchronous reset, `rst`, active high.",
        "After a reset `ready` stays low while tables are cleared; memories need no initial contents.",
        "",
        "A transfer happens at a rising edge at which valid and ready are 1. What is valid stays, with its payload,",
        "until it is taken. `s_axis_rx` has no ready: frames for which there is no room are dropped and counted.",
        "",
        "## Ports of the core",
        "",
        "| port | bits | direction |",
        "|---|---|---|",
        *(f"| `{port.name}` | {port.width} | {'in' if port.is_input else 'out'} |" for port in core_ports()),
        "",
        f"## Ports of {WRAPPER}",
        "",
        "| port | bits | direction |",
        "|---|---|---|",
        *(f"| `{port.name}` | {port.width} | {'in' if port.is_input else 'out'} |" for port in wrapper_ports()),
        "",
        "## What lies where in a stream",
        "",
        "| stream of the core | field | bits of its payload | in the wrapper |",
        "|---|---|---|---|",
    ]
    for each in _streams():
        for (field_name, bit, axis), (_, field) in zip(each.parts(), each.layout, strict=True):
            lines.append(f"| `{each.core}` | {field_name} | {bit + field.width - 1}:{bit} | `{axis}` |")
    lines += [
        "",
        "## Sizes",
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in asdict(config).items()),
        "",
    ]
    return "\n".join(lines)
