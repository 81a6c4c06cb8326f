"""The rules of streams, for all those of a block: assumed of what comes in, promised of what goes out.

1. What is valid stays so until it is taken.
2. Its payload stays meanwhile.
3. Neither valid nor payload waits for ready: no path leads from a stream's ready to them within a cycle.
4. A block has one clock.

The first two are promises; the other two are read off the netlist.
"""

from collections.abc import Iterator

from amaranth.hdl import Cat, Const, Fragment, Value, ValueLike, _nir
from amaranth.hdl._ir import PortDirection, build_netlist
from amaranth.lib import stream, wiring

from tests.formal.specification import Specification


def streams(component: wiring.Component) -> Iterator[tuple[str, wiring.Flow, stream.Interface]]:
    """Name, direction and interface of each stream that knows back-pressure."""
    for name, member in component.signature.members.items():
        if not member.is_port and isinstance(member.signature, stream.Signature) and not member.signature.always_ready:
            yield name, member.flow, getattr(component, name)


def obey(spec: Specification, *, but: tuple[str, ...] = ()) -> None:
    """Assume the rules of the block's inputs."""
    for name, flow, each in streams(spec.dut):
        if flow == wiring.In and name not in but:
            spec.assume(f"{name} keeps the stream rules", _keeps(spec, each))


def promise_rules(spec: Specification, *, unless: dict[str, ValueLike] | None = None) -> None:
    """Promise the rules of the block's outputs; ``unless`` in a cycle frees the stream that it names in the next."""
    for name, flow, each in streams(spec.dut):
        if flow == wiring.Out:
            waited = spec.before(each.valid & ~each.ready & ~Value.cast((unless or {}).get(name, 0)).bool())
            payload = Value.cast(each.payload)
            spec.promise(f"{name}: what is valid stays until it is taken", when=waited, then=each.valid)
            spec.promise(f"{name}: its payload stays", when=waited, then=payload == spec.before(payload))


def promise_rest(spec: Specification, idle: ValueLike, *, busy: ValueLike = 0) -> None:
    """Promise that an idle block stays so, and offers nothing new, while nothing is transferred and ``busy`` is 0."""
    ports = list(streams(spec.dut))
    comes = Cat(*(each.valid for _, flow, each in ports if flow == wiring.In), busy).any()
    shown = Cat(*(each.valid for _, flow, each in ports if flow == wiring.Out))
    leaves = Cat(*(each.valid & each.ready for _, flow, each in ports if flow == wiring.Out)).any()
    spec.promise(
        "idle and without input it offers nothing new and stays idle",
        when=spec.before(Value.cast(idle) & ~comes & ~leaves) & ~comes,
        then=Value.cast(idle) & (shown == spec.before(shown)),
    )


def _keeps(spec: Specification, each: stream.Interface) -> Value:
    waited, payload = spec.before(each.valid & ~each.ready), Value.cast(each.payload)
    return ~waited | (each.valid & (payload == spec.before(payload)))


# --- what the netlist shows -------------------------------------------------------------------------------------------


def waits_for_ready(component: wiring.Component) -> list[str]:
    """Names of the outgoing streams whose valid or payload depends on their own ready within a cycle."""
    netlist, places = _netlist(component)
    found = []
    for name, flow, _ in streams(component):
        if flow == wiring.Out:
            shown = {*places[f"{name}__valid"], *places[f"{name}__payload"]}
            if _sources(netlist, shown) & set(places[f"{name}__ready"]):
                found.append(name)
    return found


def clocks(component: wiring.Component) -> int:
    """How many different clock nets and edges the block's registers and memories have."""
    netlist, _ = _netlist(component)
    kinds = (_nir.FlipFlop, _nir.SyncReadPort, _nir.SyncWritePort)
    return len({(cell.clk, cell.clk_edge) for cell in netlist.cells if isinstance(cell, kinds)})


def _netlist(component: wiring.Component) -> tuple[_nir.Netlist, dict[str, tuple[_nir.Net, ...]]]:
    """The netlist, and the nets of each port by its name."""
    ports = {}
    directions = {wiring.In: PortDirection.Input, wiring.Out: PortDirection.Output}
    for path, member, each in component.signature.flatten(component):
        value = Value.cast(each)
        if not isinstance(value, Const):
            ports["__".join(map(str, path))] = (value, directions[member.flow])
    netlist = build_netlist(Fragment.get(component, None), ports, name="block")
    top = netlist.top
    places = {name: tuple(nets) for name, nets in top.ports_o.items()}
    for name, (start, width) in top.ports_i.items():
        places[name] = tuple(_nir.Net.from_cell(0, start + bit) for bit in range(width))
    return netlist, places


def _sources(netlist: _nir.Netlist, nets: set[_nir.Net]) -> set[_nir.Net]:
    """All nets on which these depend within a cycle."""
    seen: set[_nir.Net] = set()
    waiting = list(nets)
    while waiting:
        net = waiting.pop()
        if net in seen or net.is_const:
            continue
        seen.add(net)
        waiting.extend(source for source, _ in netlist.cells[net.cell].comb_edges_to(net.bit))
    return seen
