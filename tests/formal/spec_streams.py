"""The stream rules of the blocks that have no other proofs."""

from collections.abc import Callable

from amaranth.hdl import Cat, Value
from amaranth.lib import wiring

from enso_nic.config import TINY
from enso_nic.configurator import Configurator
from enso_nic.flow_director import FlowDirector
from enso_nic.flow_updater import FlowUpdater
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rules

STEERING_CYCLES = 6


def _rules(block: str, component: wiring.Component) -> Specification:
    spec = Specification(block, component)
    obey(spec)
    spec.lemmas_of_queues()
    promise_rules(spec)
    return spec


def _flow_director() -> Specification:
    dut = FlowDirector(TINY)
    spec = _rules("flow_director", dut)
    came: Value = Cat(dut.frame.valid, dut.frame.payload.length)
    for _ in range(STEERING_CYCLES):
        came = spec.before(came)
    spec.promise("each frame leaves once, six cycles after it came", then=dut.steered.valid == came[0])
    spec.promise("it keeps its place and its length", when=came[0], then=dut.steered.payload.length == came[1:])
    return spec


OTHERS: dict[str, Callable[[], Specification]] = {
    "configurator": lambda: _rules("configurator", Configurator()),
    "flow_director": _flow_director,
    "flow_updater": lambda: _rules("flow_updater", FlowUpdater()),
}
