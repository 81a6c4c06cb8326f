"""Where a polling core is in its walk, and when it will look at what."""

from hermes.world import Walk


class WalkTable:
    """When each source has its turn, as prefix sums over each order of a walk.

    Attributes
    ----------
    orders, offsets
        By ``lap % laps``: the sources in order, and by source the picoseconds from the start of the lap to the look.
    costs, activity, lines, is_certain
        As the walk has them.
    all
        A bit for each source.
    length
        Picoseconds of a lap that finds nothing.
    laps
        After so many the orders repeat.
    """

    __slots__ = ("activity", "all", "costs", "is_certain", "laps", "length", "lines", "offsets", "orders", "walk")

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.orders = walk.orders
        self.costs = walk.costs
        self.activity = walk.activity
        self.lines = walk.lines
        self.is_certain = walk.is_certain
        self.length = sum(walk.costs)
        self.laps = len(walk.orders)
        self.all = (1 << len(walk.costs)) - 1
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

    def visit(self, source: int, earliest: int, laps: int = 0) -> tuple[int, int]:
        """(time, lap) of the first look at a source that begins at ``earliest`` or later, if all before are clean.

        ``earliest`` is not before the next look; the look is not in a lap before ``laps``.
        """
        table = self.table
        passed = (earliest - self.start) // table.length
        lap = self.lap + passed
        if lap < laps:
            passed += laps - lap
            lap = laps
        time = self.start + passed * table.length + table.offsets[lap % table.laps][source]
        if time < earliest:
            lap += 1
            time = self.start + (passed + 1) * table.length + table.offsets[lap % table.laps][source]
        return time, lap

    def first(self, sources: int) -> int:
        """Which of a set of sources, not empty, has its turn first: a bit for each."""
        if not sources & sources - 1:
            return sources.bit_length() - 1
        table = self.table
        order, row = table.orders[self.lap % table.laps], table.offsets[self.lap % table.laps]
        for source in order:
            if sources >> source & 1 and row[source] >= self.offset:
                return source
        return next(source for source in table.orders[(self.lap + 1) % table.laps] if sources >> source & 1)

    def polled(self, source: int, lap: int) -> int:
        """Go on to behind the look at ``source`` in ``lap``; picoseconds of the clean looks before that one."""
        table = self.table
        place = table.offsets[lap % table.laps][source]
        skipped = (lap - self.lap) * table.length + place - self.offset
        self.lap = lap
        self.offset = place + table.costs[source]
        if self.offset == table.length:
            self.lap += 1
            self.offset = 0
        return skipped
