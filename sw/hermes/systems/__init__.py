"""The systems that can be evaluated, each a composition of the same parts, found by name."""

from collections.abc import Callable

from hermes.systems.indirect import Indirect
from hermes.systems.priority import Priority
from hermes.systems.semi_direct import SemiDirect
from hermes.systems.system import Balance, System, Workload
from hermes.world import World

__all__ = ["SYSTEMS", "Balance", "System", "Workload", "build"]

SYSTEMS: dict[str, Callable[[World, Workload], System]] = {
    "indirect": Indirect,
    "semi-direct": SemiDirect,
    "priority": Priority,
}
"""A system is added by adding its module and its line here."""


def build(name: str, world: World, workload: Workload) -> System:
    """The system with this name, in a world, for a workload.

    Raises
    ------
    ValueError
        There is none; the message lists those that there are.
    """
    if name not in SYSTEMS:
        raise ValueError(f"system is {name!r}; accepted are {', '.join(SYSTEMS)}")
    return SYSTEMS[name](world, workload)
