"""The kernel's part of giving cores to kthreads (hermes.world.Ksched): idle wake, pre-emption, park, switch.

    idle:  grant -- idle wake --> the program's first step
    busy:  grant -- interrupt in flight, the victim works on --> lands --> the victim yields and parks -- switch --> the
           program's first step

A victim that leaves by itself before the interrupt lands switches at once; the interrupt then finds nothing to do.
"""

from collections.abc import Sequence

from cosim.engine import FIRST_CORE_ORDER, Engine
from cosim.machine.core import Core
from hermes import world
from hermes.costs import Costs
from hermes.world import SWITCH, Software


class Ksched(world.Ksched):
    """Who runs on which core, and who is to. The IOKernel's core is not its business."""

    def __init__(self, engine: Engine, costs: Costs, cores: Sequence[Core]) -> None:
        self._engine = engine
        self._costs = costs
        self._cores = cores
        self._is_taken = [False] * len(cores)
        self._next: list[Software | None] = [None] * len(cores)
        self._grants = [0] * len(cores)  # that interrupted: an interrupt of an older one lands too late
        self._is_switching = [False] * len(cores)
        self.left = 0
        self._changes = [0] * len(cores)
        self._watcher = cores[0]
        self._first_source = 0
        self._interrupt_kind = engine.kind(self._interrupt)

    def grant(self, core: int, program: Software) -> None:
        """See hermes.world.Ksched."""
        if self._next[core] is not None:
            raise ValueError(f"core {core} is granted twice at {self._engine.now} ps; it switches already")
        if not self._is_taken[core]:
            self._is_taken[core] = True
            self._cores[core].run(program, SWITCH, self._costs.ksched_idle_wake)
            return
        self._next[core] = program
        self._grants[core] += 1
        landing = self._engine.now + self._costs.ipi_flight
        self._engine.schedule(landing, FIRST_CORE_ORDER + core, self._interrupt_kind, core, self._grants[core])

    def park(self, core: int) -> None:
        """See hermes.world.Ksched."""
        program = self._next[core]
        if program is None:
            self._is_taken[core] = False
            self._cores[core].leave()
            self._changed(core)
            return
        self._next[core] = None
        self._is_switching[core] = True
        self._cores[core].run(program, SWITCH, self._costs.park_switch)

    def arrived(self, core: int) -> None:
        """See hermes.world.Ksched."""
        if self._is_switching[core]:
            self._is_switching[core] = False
            self._changed(core)

    def watch(self, core: int, first_source: int) -> None:
        """See hermes.world.Ksched."""
        self._watcher, self._first_source = self._cores[core], first_source

    def take(self, core: int) -> int:
        """See hermes.world.Ksched."""
        changes, self._changes[core] = self._changes[core], 0
        self.left &= ~(1 << core)
        return changes

    def _changed(self, core: int) -> None:
        self._changes[core] += 1
        self.left |= 1 << core
        self._watcher.wake(self._first_source + core - 1)

    def _interrupt(self, core: int, grant: int) -> None:
        """Event: an interrupt lands."""
        if self._next[core] is not None and grant == self._grants[core]:
            self._cores[core].interrupt()
