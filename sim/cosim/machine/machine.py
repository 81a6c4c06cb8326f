"""The host around its software: cores, cache lines, memory, the NIC's effects (hermes.world.World)."""

from cosim.engine import LAST_ORDER, Engine
from cosim.machine.cache import CacheLines
from cosim.machine.core import Core
from cosim.machine.effects import Effects
from cosim.machine.ksched import Ksched
from cosim.machine.timeline import Timeline
from cosim.nic.base import Nic
from hermes.costs import Costs
from hermes.stamps import Stamps
from hermes.world import NIC_WRITE, Software, World


class Machine(World):
    """A host with one core for the IOKernel and others for applications.

    Parameters
    ----------
    application_cores
        How many; their indices are 1 on.
    is_naive
        Execute every look of a polling core, instead of arithmetic. The results are the same.
    is_traced
        Keep what every core did, all effects and the lengths of runqueues. The results are the same.

    Attributes
    ----------
    nic_effect
        Kind of the events (source, address) by which the NIC's writes to watched memory are told.
    marked
        The time of each core by activity up to each mark, by the time of the mark.
    """

    def __init__(
        self,
        nic: Nic,
        engine: Engine,
        costs: Costs,
        application_cores: int,
        *,
        is_naive: bool,
        is_traced: bool = False,
    ) -> None:
        self.clock = engine
        self.costs = costs
        self._effects = Effects(engine, keeps=is_traced)
        self.memory = nic.memory
        self._lines = CacheLines(costs.line_dirty, application_cores + 1)
        self._cores = [
            Core(index, engine, nic, self._effects, self._lines, is_naive=is_naive, is_traced=is_traced)
            for index in range(application_cores + 1)
        ]
        self._ksched = Ksched(engine, costs, self._cores)
        self.stamps = Stamps(keeps_lengths=is_traced)
        self.marked: dict[int, list[list[int]]] = {}
        self._nic = nic
        self._engine = engine
        self._watched: list[tuple[Core, int]] = []  # by source of the NIC's effects: who is woken
        self.nic_effect = engine.kind(self._nic_wrote)
        self._mark_kind = engine.kind(self._mark)

    @property
    def cores(self) -> list[Core]:
        """See hermes.world.World."""
        return self._cores

    @property
    def effects(self) -> Effects:
        """See hermes.world.World."""
        return self._effects

    @property
    def lines(self) -> CacheLines:
        """See hermes.world.World."""
        return self._lines

    @property
    def ksched(self) -> Ksched:
        """See hermes.world.World."""
        return self._ksched

    def watch(self, address: int, length: int, core: int, source: int) -> None:
        """See hermes.world.World."""
        self._nic.watch(address, length, len(self._watched))
        self._watched.append((self._cores[core], source))

    def start(self, iokernel: Software, time: int) -> None:
        """Run the IOKernel on core 0 from ``time`` on; the others idle until it grants them."""
        for core in self._cores:
            core.start(iokernel if core.index == 0 else None, time)

    def mark(self, time: int) -> None:
        """Note the time of each core by activity at ``time``, behind all that happens then."""
        self._engine.schedule(time, LAST_ORDER, self._mark_kind, 0, 0)

    def times_at(self, time: int) -> list[list[int]]:
        """The time of each core by activity, up to ``time``: the present or later."""
        return [core.times_at(time) for core in self._cores]

    def timelines_at(self, time: int) -> list[Timeline]:
        """What each core did up to ``time``, the present or later, if it is traced."""
        return [core.timeline_at(time) for core in self._cores]

    def mmio_writes(self) -> int:
        """Register writes of all cores so far."""
        return sum(core.mmio_writes for core in self._cores)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing goes on without the NIC."""
        return all(core.is_quiet for core in self._cores)

    def _nic_wrote(self, source: int, address: int) -> None:
        self._effects.record(NIC_WRITE, source, address)
        self.stamps.visible[address] = self._engine.now
        core, walk_source = self._watched[source]
        core.wake(walk_source)

    def _mark(self, a: int, b: int) -> None:  # noqa: ARG002  (all handlers take two)
        self.marked[self._engine.now] = self.times_at(self._engine.now)
