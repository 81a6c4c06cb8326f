"""Where a polling core is in its walk, and when it will look at what."""

from hermes.world import Walk


class WalkTable:
    """When each source has its turn, as prefix sums over each order of a walk.

    Attributes
    ----------
    walk
        As software gave it.
    offsets
        ``offsets[lap % laps][source]``: picoseconds from the start of the lap to the look at the source.
    length
        Picoseconds of a lap that finds nothing.
    laps
        After so many the orders repeat.
    """

    __slots__ = ("laps", "length", "offsets", "walk")

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.length = sum(walk.costs)
        self.laps = len(walk.orders)
        self.offsets: list[list[int]] = []
        for order in walk.orders:
            if sorted(order) != list(range(len(walk.costs))) or min(walk.costs) < 1:
                raise ValueError(f"walk {walk}: accepted is an order of all sources, each with a cost of 1 ps or more")
            row = [0] * len(order)
            offset = 0
            for source in order:
                row[source] = offset
                offset += walk.costs[source]
            self.offsets.append(row)


class Position:
    """A place in a walk: the next look is at ``offset`` within ``lap``, which began at ``start``.

    Where looks took longer than a clean one, ``start`` is when the lap would have begun without them, so that times
    within a lap are always ``start`` plus offset.
    """

    __slots__ = ("lap", "offset", "start", "table")

    def __init__(self) -> None:
        self.lap = self.start = self.offset = 0

    def begin(self, table: WalkTable) -> None:
        """At the first look of the first lap of a walk."""
        self.table = table
        self.lap = self.start = self.offset = 0

    def visit(self, source: int, earliest: int) -> tuple[int, int]:
        """(time, lap) of the first look at a source that begins at ``earliest`` or later, if all before are clean."""
        table = self.table
        lap, start, offset = self.lap, self.start, self.offset
        passed = (earliest - start) // table.length
        if passed > 0:
            lap += passed
            start += passed * table.length
            offset = 0
        place = table.offsets[lap % table.laps][source]
        if place >= offset and start + place >= earliest:
            return start + place, lap
        return start + table.length + table.offsets[(lap + 1) % table.laps][source], lap + 1

    def following(self) -> int:
        """The source that the next look is at."""
        order = self.table.walk.orders[self.lap % self.table.laps]
        row = self.table.offsets[self.lap % self.table.laps]
        return next(source for source in order if row[source] >= self.offset)

    def polled(self, source: int, lap: int) -> int:
        """Go on to behind the look at ``source`` in ``lap``; picoseconds of the clean looks before that one."""
        table = self.table
        place = table.offsets[lap % table.laps][source]
        skipped = (lap - self.lap) * table.length + place - self.offset
        self.lap = lap
        self.offset = place + table.walk.costs[source]
        if self.offset == table.length:
            self.lap += 1
            self.offset = 0
        return skipped

    def resume(self, now: int) -> None:
        """The next look begins now."""
        self.start = now - self.offset
