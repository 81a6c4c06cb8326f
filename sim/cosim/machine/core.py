"""A core: runs software action by action, polls for it, and accounts for every picosecond."""

from cosim.engine import FIRST_CORE_ORDER, MOST_CORES, NO_EVENT, Engine
from cosim.machine.cache import CacheLines
from cosim.machine.effects import Effects
from cosim.machine.errors import AccountingError
from cosim.machine.walk import Position, WalkTable
from cosim.nic.base import NEVER, Nic
from hermes import world
from hermes.world import ACTIVITIES, ENDLESS, IDLE, MMIO_WRITE, Software, Walk


class Core(world.Core):
    """One core, and the software that has it (hermes.world.Core); none at first.

    While its software finds nothing, the core polls: by arithmetic, it goes straight to the first look at a source that
    is ready or becomes so; naively, it executes each look. Both give the same.

    Attributes
    ----------
    times
        Picoseconds by activity, up to ``busy_until``.
    busy_until
        End of the action or look that is under way; where a core polls or idles, it may lie in the past.
    laps, woken
        See hermes.world.Core.
    mmio_writes
        Register writes so far.
    """

    __slots__ = (
        "_alarms",
        "_began",
        "_effects",
        "_engine",
        "_events",
        "_has_left",
        "_is_naive",
        "_lines",
        "_nic",
        "_order",
        "_poll_source",
        "_poll_time",
        "_position",
        "_software",
        "_spent",
        "_spinning",
        "_tables",
        "busy_until",
        "index",
        "laps",
        "mmio_writes",
        "times",
        "woken",
    )

    def __init__(
        self, index: int, engine: Engine, nic: Nic, effects: Effects, lines: CacheLines, *, is_naive: bool
    ) -> None:
        self.index = index
        self.times = [0] * len(ACTIVITIES)
        self.busy_until = 0
        self.laps = self.mmio_writes = 0
        self.woken = -1
        self._engine = engine
        self._nic = nic
        self._effects = effects
        self._lines = lines
        self._is_naive = is_naive
        self._order = FIRST_CORE_ORDER + index
        self._events = engine.core_events
        self._has_left = False  # during a step
        engine.add_core(self._event)
        self._began = 0
        self._software: Software | None = None
        self._spent: list[tuple[int, int]] = []  # since the last event: what can still be under way
        self._tables: dict[int, WalkTable] = {}  # by id() of the walk, which its table keeps alive
        self._alarms: dict[int, tuple[int, int]] = {}  # by source: time, laps
        self._position = Position()
        self._spinning = False
        self._poll_time = NEVER
        self._poll_source = 0

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
        self._alarms.clear()

    def wake(self, source: int) -> None:
        """See hermes.world.Core."""
        self.woken |= 1 << source
        if self._spinning and not self._is_naive:
            # at equal time a look comes after those effects only whose order is lower
            now = self._engine.now if self._engine.order < self._order else self._engine.now + 1
            self._look_at(source, max(now, self.busy_until), 0)

    def alarm(self, source: int, time: int, laps: int = 0) -> None:
        """See hermes.world.Core."""
        self._alarms[source] = time, laps
        if self._spinning and not self._is_naive:
            now = self._engine.now if self._engine.order < self._order else self._engine.now + 1
            self._look_at(source, max(time, now, self.busy_until), laps)

    def cut(self) -> int:
        """See hermes.world.Core."""
        now = self._engine.now
        if self._spinning and self.busy_until < now:
            self.times[self._position.table.activity] += now - self.busy_until
            self.busy_until = now
        left = self.busy_until - now
        self._give_back(left, self.times)
        self._spent.clear()
        self.busy_until = now
        self._spinning = False
        return left

    def mmio_write(self, address: int, value: int) -> None:
        """See hermes.world.Core."""
        self.mmio_writes += 1
        self._effects.record(MMIO_WRITE, address, value)
        self._nic.mmio_write(self._engine.now, address, value, 4)

    # --- what the machine calls ---------------------------------------------------------------------------------------

    def start(self, software: Software | None, time: int) -> None:
        """Run this software from ``time`` on; None: idle from then on."""
        self._began = self.busy_until = time
        self._software = software
        if software is not None:
            software.begin(self)
            self._act()

    def run(self, software: Software, activity: int, duration: int) -> None:
        """The core is idle, or was left: software gets it now, and takes its first step after ``duration``."""
        now = self._engine.now
        if self._software is None:
            self.times[IDLE] += now - self.busy_until
            self.busy_until = now
            self._spent.clear()
        self._spinning = False
        self._has_left = True
        self._software = software
        software.begin(self)
        self.spend(activity, duration)
        self._act()

    def leave(self) -> None:
        """Nobody has the core, from now on."""
        self._spinning = False
        self._has_left = True
        self._software = None
        self._events[self.index] = NO_EVENT

    def interrupt(self) -> None:
        """An interrupt lands, now."""
        assert self._software is not None
        if self._software.interrupt():
            self._act()

    @property
    def is_quiet(self) -> bool:
        """Whether only others, or the time, can make the core go on."""
        if self._software is None or self.busy_until - self._engine.now > ENDLESS // 2:
            return True
        if not self._spinning:
            return False
        ready = self._software.ready()
        for source in self._alarms:
            ready &= ~(1 << source)
        return not ready

    def times_at(self, end: int) -> list[int]:
        """Picoseconds by activity from the start to ``end``, behind all events up to then.

        Raises
        ------
        AccountingError
            They do not add up to the time that passed.
        """
        times = list(self.times)
        if end > self.busy_until:
            if self._software is None:
                times[IDLE] += end - self.busy_until
            elif self._spinning:
                times[self._position.table.activity] += end - self.busy_until
        self._give_back(max(0, self.busy_until - end), times)
        if sum(times) != end - self._began:
            split = ", ".join(f"{name} {time}" for name, time in zip(ACTIVITIES, times, strict=True) if time)
            raise AccountingError(
                f"core {self.index}: {end - self._began} ps passed, accounted for are {sum(times)} ps: {split}"
            )
        return times

    # --- inside -------------------------------------------------------------------------------------------------------

    def _give_back(self, duration: int, times: list[int]) -> None:
        """Of what was spent since the last event, take the last ``duration`` picoseconds out of these times."""
        for activity, spent in reversed(self._spent):
            if not duration:
                return
            part = min(duration, spent)
            times[activity] -= part
            duration -= part

    def _event(self) -> None:
        """A look begins, or an action ended."""
        if self._spinning:
            self._poll()
            return
        software = self._software
        assert software is not None
        self._spent.clear()
        self._has_left = False
        goes_on = software.step()
        if self._has_left:
            return
        if goes_on:
            self._act()
        else:
            self._spin(software.ready())

    def _poll(self) -> None:
        """A look begins."""
        position, source, software = self._position, self._poll_source, self._software
        assert software is not None
        table = position.table
        skipped = position.polled(source, self.laps)
        self.times[table.activity] += skipped
        self.busy_until += skipped
        now = self._engine.now
        if self.busy_until != now:
            raise AccountingError(f"core {self.index} looks at {now} ps, but its time adds up to {self.busy_until} ps")
        self._spinning = False
        self._spent.clear()
        ready = software.ready()
        if ready >> source & 1 or self._is_due(source):
            if software.poll(source):
                self._act()
            else:
                self._spin(software.ready())
            return
        cost = table.costs[source]
        if self._is_naive:
            for first in table.lines:
                cost += self._lines.read_cost(self.index, first + source)
            if software.poll(source) or self.busy_until - now != cost:
                raise AccountingError(
                    f"core {self.index}: source {source} is not ready, but a look did not cost {cost}"
                )
        else:
            for first in table.lines:
                cost += self._lines.read(self.index, first + source)
            self.spend(table.activity, cost)
        self._spin(ready)

    def _is_due(self, source: int) -> bool:
        alarm = self._alarms.get(source)
        return alarm is not None and alarm[0] <= self._engine.now and alarm[1] <= self.laps

    def _act(self) -> None:
        self._events[self.index] = self.busy_until * MOST_CORES + self.index

    def _spin(self, ready: int) -> None:
        """Nothing to do: poll, from the end of what was spent on; these sources are ready."""
        position, start = self._position, self.busy_until
        table = position.table
        position.start = start - position.offset
        self._spinning = True
        self._poll_time = NEVER
        if self._is_naive:
            ready = -1
        else:
            stale = self._lines.stale[self.index]
            for first in table.lines:
                ready |= stale >> first & table.all
            for source, (time, laps) in self._alarms.items():
                self._look_at(source, max(time, start), laps)
        if ready:
            self._look_at(position.first(ready), start, 0)

    def _look_at(self, source: int, earliest: int, laps: int) -> None:
        """Make the next look the first one at ``source`` from ``earliest`` on, unless that at another comes before."""
        time, lap = self._position.visit(source, earliest, laps)
        if self._position.table.is_certain and not self._is_naive:
            self._find(source, time)
        elif time < self._poll_time:
            self._poll_time, self._poll_source, self.laps = time, source, lap
            self._events[self.index] = time * MOST_CORES + self.index

    def _find(self, source: int, time: int) -> None:
        """A look at ``time`` is certain to find something: what it begins can begin without an event of its own."""
        software = self._software
        assert software is not None
        self._spinning = False
        self.spend(self._position.table.activity, time - self.busy_until)
        if not software.poll(source):
            raise AccountingError(f"core {self.index}: source {source} is certain, but found nothing at {time} ps")
        self._act()
