"""Where a polling core is in its walk, and when it will look at what."""

from typing import Final

from mypy_extensions import i64

from hermes.words import words
from hermes.world import Table, Walk

_WORD_BITS: Final = 63


class WalkTable(Table):
    """When each source has its turn, as prefix sums over each order of a walk.

    Attributes
    ----------
    count
        Of sources.
    orders, offsets, places
        From ``count * (lap % laps)`` on: the sources in order; by source the picoseconds from the start of the lap to
        the look; and by source where it stands in the order.
    costs, activity, lines, is_certain
        As the walk has them.
    all
        A bit for each source.
    length
        Picoseconds of a lap that finds nothing.
    laps
        After so many the orders repeat.
    """

    __slots__ = (
        *("activity", "all", "costs", "count", "is_certain", "laps"),
        *("length", "lines", "offsets", "orders", "places"),
    )

    def __init__(self, walk: Walk) -> None:
        count = len(walk.costs)
        self.count: i64 = count
        self.laps: i64 = len(walk.orders)
        self.orders = words(count * len(walk.orders))
        self.offsets = words(count * len(walk.orders))
        self.places = words(count * len(walk.orders))
        self.costs = words(count)
        self.activity: i64 = walk.activity
        self.lines = walk.lines
        self.is_certain = walk.is_certain
        self.length: i64 = sum(walk.costs)
        self.all = (1 << count) - 1
        for source, cost in enumerate(walk.costs):
            self.costs[source] = cost
        for lap, order in enumerate(walk.orders):
            if sorted(order) != list(range(count)) or min(walk.costs) < 1:
                raise ValueError(f"walk {walk}: accepted is an order of all sources, each with a cost of 1 ps or more")
            offset = 0
            for place, source in enumerate(order):
                self.orders[lap * count + place] = source
                self.offsets[lap * count + source] = offset
                self.places[lap * count + source] = place
                offset += walk.costs[source]


class Position:
    """A place in a walk: the next look is at ``offset`` within ``lap``, which began at ``start``.

    Where looks took longer than a clean one, ``start`` is when the lap would have begun without them, so that times
    within a lap are always ``start`` plus offset.

    Attributes
    ----------
    visited_lap
        That of the last answer of ``visit``.
    """

    __slots__ = ("_place", "lap", "offset", "start", "table", "visited_lap")

    def __init__(self) -> None:
        self.lap: i64 = 0
        self.start: i64 = 0
        self.offset: i64 = 0
        self._place: i64 = 0  # in the order of the lap, of the next look
        self.visited_lap: i64 = 0

    def begin(self, table: WalkTable) -> None:
        """At the first look of the first lap of a walk."""
        self.table = table
        self.lap = self.start = self.offset = self._place = 0

    def visit(self, source: i64, earliest: i64, laps: i64 = 0) -> i64:
        """Time of the first look at a source that begins at ``earliest`` or later, if all before are clean.

        ``earliest`` is not before the next look; the look is not in a lap before ``laps``.
        """
        table = self.table
        length = table.length
        start, lap = self.start, self.lap
        if earliest - start >= length:
            passed = (earliest - start) // length
            lap += passed
            start += passed * length
        if lap < laps:
            start += (laps - lap) * length
            lap = laps
        time = start + table.offsets[lap % table.laps * table.count + source]
        if time < earliest:
            lap += 1
            time = start + length + table.offsets[lap % table.laps * table.count + source]
        self.visited_lap = lap
        return time

    def first(self, sources: int) -> int:
        """Which of a set of sources, not empty, has its turn first: a bit for each."""
        if not sources & sources - 1:
            return sources.bit_length() - 1
        table = self.table
        orders, row = table.orders, self.lap % table.laps * table.count
        if table.count < _WORD_BITS:
            word: i64 = sources  # machine code is faster with that
            for place in range(row + self._place, row + table.count):
                if word >> orders[place] & 1:
                    return orders[place]
        else:
            for place in range(row + self._place, row + table.count):
                if sources >> int(orders[place]) & 1:
                    return orders[place]
        row = (self.lap + 1) % table.laps * table.count
        for place in range(row, row + table.count):
            if sources >> int(orders[place]) & 1:
                return orders[place]
        raise ValueError("no source")

    def polled(self, source: i64, lap: i64) -> i64:
        """Go on to behind the look at ``source`` in ``lap``; picoseconds of the clean looks before that one."""
        table = self.table
        at = lap % table.laps * table.count + source
        offset, place = table.offsets[at], table.places[at] + 1
        skipped = (lap - self.lap) * table.length + offset - self.offset
        if place == table.count:
            self.lap = lap + 1
            self.offset = self._place = 0
        else:
            self.lap = lap
            self.offset = offset + table.costs[source]
            self._place = place
        return skipped
