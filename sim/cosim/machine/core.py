"""A core: runs software action by action, polls for it, and accounts for every picosecond."""

from typing import Final, cast

from mypy_extensions import i64

from cosim.engine import FIRST_CORE_ORDER, NO_EVENT, ORDER_BITS, Agent, Engine
from cosim.machine.cache import CacheLines
from cosim.machine.effects import Effects
from cosim.machine.errors import AccountingError
from cosim.machine.timeline import Timeline
from cosim.machine.walk import Position, WalkTable
from cosim.nic.base import Nic
from hermes import world
from hermes.words import words
from hermes.world import ACTIVITIES, ENDLESS, IDLE, MMIO_WRITE, Software, Walk

_NEVER: Final = (1 << 63) - 1
_ACTIVITY_BITS: Final = 5
_ACTIVITY: Final = (1 << _ACTIVITY_BITS) - 1
_FEW: Final = 1 << 12
_LOG_WORDS: Final = _FEW + 256  # one event spends on less things than that


class Core(world.Core, Agent):
    """One core, and the software that has it (hermes.world.Core); none at first.

    While its software finds nothing, the core polls: by arithmetic, it goes straight to the first look at a source that
    is ready or becomes so; naively, it executes each look. Both give the same.

    Attributes
    ----------
    busy_until
        End of the action or look that is under way; where a core polls or idles, it may lie in the past.
    laps, woken
        See hermes.world.Core.
    mmio_writes
        Register writes so far.
    """

    __slots__ = (
        "_alarm_laps",
        "_alarm_source",
        "_alarm_time",
        "_began",
        "_copies",
        "_effects",
        "_engine",
        "_has_left",
        "_is_naive",
        "_lines",
        "_log",
        "_logged",
        "_nic",
        "_order",
        "_poll_source",
        "_poll_time",
        "_position",
        "_software",
        "_spinning",
        "_timeline",
        "_times",
        "_try_write",
        "busy_until",
        "index",
        "laps",
        "mmio_writes",
        "woken",
    )

    def __init__(
        self,
        index: int,
        engine: Engine,
        nic: Nic,
        effects: Effects,
        lines: CacheLines,
        *,
        is_naive: bool,
        is_traced: bool = False,
    ) -> None:
        self.index = index
        self.busy_until: i64 = 0
        self.laps: i64 = 0
        self.mmio_writes: i64 = 0
        self.woken = -1
        self._engine = engine
        self._nic = nic
        self._try_write = nic.try_write
        self._effects = effects
        self._lines = lines
        self._copies = lines.copies[index]
        self._is_naive = is_naive
        self._order: i64 = FIRST_CORE_ORDER + index
        self._has_left = False  # during a step
        engine.add_core(self)
        self._began = 0
        self._software: Software | None = None
        self._times = words(len(ACTIVITIES))  # picoseconds by activity, but for the log
        self._log = words(_LOG_WORDS)  # of what was spent: duration << _ACTIVITY_BITS | activity
        self._logged: i64 = 0  # words in the log
        self._timeline = Timeline() if is_traced else None  # but for the log
        self._alarm_source = 0
        self._alarm_time: i64 = _NEVER
        self._alarm_laps: i64 = 0
        self._position = Position()
        self._spinning = False
        self._poll_time: i64 = _NEVER
        self._poll_source = 0

    # --- what software calls ------------------------------------------------------------------------------------------

    def spend(self, activity: i64, duration: i64) -> None:
        """See hermes.world.Core."""
        at = self._logged
        self._log[at] = duration << _ACTIVITY_BITS | activity
        self._logged = at + 1
        self.busy_until += duration

    def walk(self, walk: Walk) -> None:
        """See hermes.world.Core."""
        if walk.table is None:
            walk.table = WalkTable(walk)
        self._position.begin(cast(WalkTable, walk.table))
        self._alarm_time = _NEVER

    def wake(self, source: int) -> None:
        """See hermes.world.Core."""
        self.woken |= 1 << source
        if self._spinning and not self._is_naive:
            engine, earliest = self._engine, self.busy_until
            if earliest <= engine.now:
                # at equal time a look comes after those effects only whose order is lower
                earliest = engine.now if engine.order < self._order else engine.now + 1
            if earliest < self._poll_time:
                self._look_at(source, earliest, 0)

    def alarm(self, source: int, time: i64, laps: i64 = 0) -> None:
        """See hermes.world.Core."""
        self._alarm_source, self._alarm_time, self._alarm_laps = source, time, laps
        if self._spinning and not self._is_naive:
            now = self._engine.now if self._engine.order < self._order else self._engine.now + 1  # as in ``wake``
            self._look_at(source, max(time, now, self.busy_until), laps)

    def cut(self) -> i64:
        """See hermes.world.Core."""
        now = self._engine.now
        if self._spinning and self.busy_until < now:
            self.spend(self._position.table.activity, now - self.busy_until)
        left = self.busy_until - now
        log, rest, at = self._log, left, self._logged
        while rest:
            at -= 1
            part = min(rest, log[at] >> _ACTIVITY_BITS)
            log[at] -= part << _ACTIVITY_BITS
            rest -= part
        self.busy_until = now
        self._spinning = False
        return left

    def mmio_write(self, address: i64, value: i64) -> None:
        """See hermes.world.Core."""
        self.mmio_writes += 1
        self._effects.record(MMIO_WRITE, address, value)
        if not self._try_write(self._engine.now, address, value, 4):
            self._nic.raise_error()

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
            self.spend(IDLE, now - self.busy_until)
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
        self._engine.core_events[self.index] = NO_EVENT

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
        if self._alarm_time != _NEVER:
            ready &= ~(1 << self._alarm_source)
        return not ready

    def times_at(self, end: int) -> list[int]:
        """Picoseconds by activity from the start to ``end``, behind all events up to then.

        Raises
        ------
        AccountingError
            They do not add up to the time that passed.
        """
        times = list(self._times)
        for activity, duration in self._spent_until(end):
            times[activity] += duration
        if sum(times) != end - self._began:
            split = ", ".join(f"{name} {time}" for name, time in zip(ACTIVITIES, times, strict=True) if time)
            raise AccountingError(
                f"core {self.index}: {end - self._began} ps passed, accounted for are {sum(times)} ps: {split}"
            )
        return times

    def timeline_at(self, end: int) -> Timeline:
        """A copy of what it did from the start to ``end``, behind all events up to then, if it is traced."""
        assert self._timeline is not None
        timeline = Timeline(self._timeline.rows)
        for activity, duration in self._spent_until(end):
            timeline.add(activity, duration)
        return timeline

    # --- inside -------------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """All that was spent has passed: make room in the log."""
        if self._timeline is not None:
            for activity, duration in self._in_log():
                self._timeline.add(activity, duration)
        times, log = self._times, self._log
        for at in range(self._logged):
            times[log[at] & _ACTIVITY] += log[at] >> _ACTIVITY_BITS
        self._logged = 0

    def _in_log(self) -> list[tuple[int, int]]:
        """(activity, picoseconds), one after the other."""
        return [(word & _ACTIVITY, word >> _ACTIVITY_BITS) for word in self._log[: self._logged]]

    def _spent_until(self, end: int) -> list[tuple[int, int]]:
        """As in the log, and what follows from it up to ``end``."""
        spent, left = self._in_log(), self.busy_until - end
        while left > 0 and spent:
            activity, duration = spent.pop()
            if duration > left:
                spent.append((activity, duration - left))
            left -= duration
        if left < 0 and end > self.busy_until:
            if self._software is None:
                spent.append((IDLE, end - self.busy_until))
            elif self._spinning:
                spent.append((self._position.table.activity, end - self.busy_until))
        return spent

    def event(self) -> None:
        """A look begins, or an action ended."""
        if self._spinning:
            self._poll()
        else:
            software = self._software
            assert software is not None
            if self._logged >= _FEW:
                self._settle()
            self._has_left = False
            goes_on = software.step()
            if self._has_left:
                return
            if goes_on:
                self._engine.core_events[self.index] = self.busy_until << ORDER_BITS | self._order
                return
            self._spin(software.ready())
        engine = self._engine
        while self._poll_time == engine.now and self._spinning:  # nobody else comes before that look
            engine.core_events[self.index] = NO_EVENT
            engine.events += 1
            self._poll()

    def _poll(self) -> None:
        """A look begins."""
        position, source, software = self._position, self._poll_source, self._software
        assert software is not None
        table = position.table
        self.spend(table.activity, position.polled(source, self.laps))
        now = self._engine.now
        if self.busy_until != now:
            raise AccountingError(f"core {self.index} looks at {now} ps, but its time adds up to {self.busy_until} ps")
        self._spinning = False
        if self._logged >= _FEW:
            self._settle()
        if self._is_naive and not (software.ready() >> source & 1 or self._is_due(source)):
            cost = table.costs[source]
            for first in table.lines:
                cost += self._lines.read_cost(self.index, first + source)
            if software.poll(source) or self.busy_until - now != cost:
                raise AccountingError(
                    f"core {self.index}: source {source} is not ready, but a look did not cost {cost}"
                )
            self._spin(software.ready())
        elif software.poll(source):
            self._engine.core_events[self.index] = self.busy_until << ORDER_BITS | self._order
        else:
            self._spin(software.ready())

    def _is_due(self, source: int) -> bool:
        if source != self._alarm_source:
            return False
        return self._alarm_time <= self._engine.now and self._alarm_laps <= self.laps

    def _act(self) -> None:
        self._engine.core_events[self.index] = self.busy_until << ORDER_BITS | self._order

    def _spin(self, ready: int) -> None:
        """Nothing to do: poll, from the end of what was spent on; these sources are ready."""
        position, start = self._position, self.busy_until
        table = position.table
        position.start = start - position.offset
        self._spinning = True
        self._poll_time = _NEVER
        if self._is_naive:
            ready = -1
        else:
            if table.lines:
                stale = self._copies.stale
                for first in table.lines:
                    ready |= stale >> first & table.all
        if ready:
            self._look_at(position.first(ready), start, 0)
        alarm = self._alarm_time
        if alarm < self._poll_time and self._spinning and not self._is_naive:
            self._look_at(self._alarm_source, max(alarm, start), self._alarm_laps)

    def _look_at(self, source: int, earliest: i64, laps: i64) -> None:
        """Make the next look the first one at ``source`` from ``earliest`` on, unless that at another comes before."""
        position = self._position
        time = position.visit(source, earliest, laps)
        if position.table.is_certain and not self._is_naive:
            self._find(source, time)
        elif time < self._poll_time:
            self._poll_time, self._poll_source, self.laps = time, source, position.visited_lap
            self._engine.core_events[self.index] = time << ORDER_BITS | self._order

    def _find(self, source: int, time: i64) -> None:
        """A look at ``time`` is certain to find something: what it begins can begin without an event of its own."""
        software = self._software
        assert software is not None
        self._spinning = False
        self.spend(self._position.table.activity, time - self.busy_until)
        if not software.poll(source):
            raise AccountingError(f"core {self.index}: source {source} is certain, but found nothing at {time} ps")
        self._act()
