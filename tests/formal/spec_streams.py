"""The stream rules of the blocks that have no other proofs."""

from collections.abc import Callable

from amaranth.lib import wiring

from enso_nic.config import TINY
from enso_nic.configurator import Configurator
from enso_nic.flow_director import FlowDirector
from enso_nic.flow_updater import FlowUpdater
from enso_nic.packetiser import Packetiser
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rules


def _rules(block: str, component: wiring.Component) -> Specification:
    spec = Specification(block, component)
    obey(spec)
    spec.lemmas_of_queues()
    promise_rules(spec)
    return spec


OTHERS: dict[str, Callable[[], Specification]] = {
    "configurator": lambda: _rules("configurator", Configurator()),
    "flow_director": lambda: _rules("flow_director", FlowDirector(TINY)),
    "flow_updater": lambda: _rules("flow_updater", FlowUpdater()),
    "packetiser": lambda: _rules("packetiser", Packetiser(TINY)),
}
