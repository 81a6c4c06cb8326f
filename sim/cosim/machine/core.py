"""A core: runs software action by action, polls for it, and accounts for every picosecond."""

from typing import Final

from cosim.engine import Engine
from cosim.machine.cache import CacheLines
from cosim.machine.effects import Effects
from cosim.machine.walk import Position, WalkTable
from cosim.nic.base import NEVER, Nic
from hermes.world import ACTIVITIES, MMIO_WRITE, Software, Walk

FIRST_CORE_ORDER: Final = 1


class AccountingError(RuntimeError):
    """A core's time does not add up; the message says where and by how much."""


class Core:
    """One core, with its software (hermes.world.Core).

    While its software finds nothing, the core polls: by arithmetic, it goes straight to the first look at a source that
    is ready or becomes so; naively, it executes each look. Both give the same.

    Attributes
    ----------
    times
        Picoseconds by activity, up to ``busy_until``.
    busy_until
        End of the action or look that is under way; where a core polls, it may lie in the past.
    """

    __slots__ = (
        "_began",
        "_effects",
        "_engine",
        "_generation",
        "_is_naive",
        "_lines",
        "_nic",
        "_order",
        "_poll_kind",
        "_poll_lap",
        "_poll_source",
        "_poll_time",
        "_position",
        "_software",
        "_spent",
        "_spinning",
        "_step_kind",
        "_tables",
        "busy_until",
        "index",
        "times",
    )

    def __init__(
        self, index: int, engine: Engine, nic: Nic, effects: Effects, lines: CacheLines, *, is_naive: bool
    ) -> None:
        self.index = index
        self.times = [0] * len(ACTIVITIES)
        self.busy_until = 0
        self._engine = engine
        self._nic = nic
        self._effects = effects
        self._lines = lines
        self._is_naive = is_naive
        self._order = FIRST_CORE_ORDER + index
        self._step_kind = engine.kind(self._step)
        self._poll_kind = engine.kind(self._poll)
        self._generation = 0
        self._began = 0
        self._spent: list[tuple[int, int]] = []  # since the last event: what can still be under way
        self._tables: dict[int, WalkTable] = {}  # by id() of the walk, which its table keeps alive
        self._position = Position()
        self._spinning = False
        self._poll_time = NEVER
        self._poll_source = self._poll_lap = 0

    # --- what software calls ------------------------------------------------------------------------------------------

    def spend(self, activity: int, duration: int) -> None:
        """See hermes.world.Core."""
        self.times[activity] += duration
        self.busy_until += duration
        self._spent.append((activity, duration))

    def walk(self, walk: Walk) -> None:
        """See hermes.world.Core."""
        table = self._tables.get(id(walk))
        if table is None:
            table = self._tables[id(walk)] = WalkTable(walk)
        self._position.begin(table)

    def wake(self, source: int) -> None:
        """See hermes.world.Core."""
        if self._spinning and not self._is_naive:
            # at equal time a look comes after those effects only whose order is lower
            now = self._engine.now if self._engine.order < self._order else self._engine.now + 1
            self._look_at(source, max(now, self.busy_until))

    def mmio_write(self, address: int, value: int) -> None:
        """See hermes.world.Core."""
        self._effects.record(MMIO_WRITE, address, value)
        self._nic.mmio_write(self._engine.now, address, value, 4)

    # --- what the machine calls ---------------------------------------------------------------------------------------

    def start(self, software: Software, time: int) -> None:
        """Run this software from ``time`` on."""
        self._software = software
        self._began = self.busy_until = time
        self._act()

    @property
    def is_quiet(self) -> bool:
        """Whether the core polls and nothing is ready: only others can make it go on."""
        return self._spinning and not self._software.ready()

    def times_at(self, end: int) -> list[int]:
        """Picoseconds by activity from the start to ``end``, behind all events up to then.

        Raises
        ------
        AccountingError
            They do not add up to the time that passed.
        """
        times = list(self.times)
        if self._spinning and end > self.busy_until:
            times[self._position.table.activity] += end - self.busy_until
        beyond = max(0, self.busy_until - end)
        for activity, duration in reversed(self._spent):
            cut = min(beyond, duration)
            times[activity] -= cut
            beyond -= cut
        if sum(times) != end - self._began:
            split = ", ".join(f"{name} {time}" for name, time in zip(ACTIVITIES, times, strict=True) if time)
            raise AccountingError(
                f"core {self.index}: {end - self._began} ps passed, accounted for are {sum(times)} ps: {split}"
            )
        return times

    # --- inside -------------------------------------------------------------------------------------------------------

    def _step(self, generation: int, _: int) -> None:
        """Event: an action ended."""
        if generation != self._generation:
            return
        self._spent.clear()
        if self._software.step():
            self._act()
        else:
            self._spin(self._software.ready())

    def _poll(self, generation: int, _: int) -> None:
        """Event: a look begins."""
        if generation != self._generation:
            return
        position, source, software = self._position, self._poll_source, self._software
        table = position.table
        skipped = position.polled(source, self._poll_lap)
        self.times[table.activity] += skipped
        self.busy_until += skipped
        now = self._engine.now
        if self.busy_until != now:
            raise AccountingError(f"core {self.index} looks at {now} ps, but its time adds up to {self.busy_until} ps")
        self._spinning = False
        self._spent.clear()
        ready = software.ready()
        if ready >> source & 1:
            if software.poll(source):
                self._act()
            else:
                self._spin(software.ready())
            return
        cost = table.costs[source]
        if self._is_naive:
            if table.first_line >= 0:
                cost += self._lines.read_cost(self.index, table.first_line + source)
            if software.poll(source) or self.busy_until - now != cost:
                raise AccountingError(
                    f"core {self.index}: source {source} is not ready, but a look did not cost {cost}"
                )
        else:
            if table.first_line >= 0:
                cost += self._lines.read(self.index, table.first_line + source)
            self.spend(table.activity, cost)
        self._spin(ready)

    def _act(self) -> None:
        self._engine.schedule(self.busy_until, self._order, self._step_kind, self._generation, 0)

    def _spin(self, ready: int) -> None:
        """Nothing to do: poll, from the end of what was spent on; these sources are ready."""
        position, start = self._position, self.busy_until
        table = position.table
        position.start = start - position.offset
        self._spinning = True
        self._poll_time = NEVER
        if self._is_naive:
            ready = -1
        elif table.first_line >= 0:
            ready |= self._lines.stale[self.index] >> table.first_line & table.all
        if ready:
            self._look_at(position.first(ready), start)

    def _look_at(self, source: int, earliest: int) -> None:
        """Make the next look the first one at ``source`` from ``earliest`` on, unless that at another comes before."""
        time, lap = self._position.visit(source, earliest)
        if time < self._poll_time:
            self._poll_time, self._poll_source, self._poll_lap = time, source, lap
            self._generation += 1
            self._engine.schedule(time, self._order, self._poll_kind, self._generation, 0)
