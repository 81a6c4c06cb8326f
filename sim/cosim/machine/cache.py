"""Cache lines that cores share: a copy costs when another core wrote the line since, and nothing otherwise."""

from typing import Final

from mypy_extensions import i64

from hermes import world


class Copies:
    """Of a core.

    Attributes
    ----------
    stale
        The polled lines of which it has no copy, a bit for each.
    """

    __slots__ = ("stale",)

    def __init__(self) -> None:
        self.stale = 0


class _Polled:
    """A polled line: bits of the cores that hold it."""

    __slots__ = ("holders",)

    def __init__(self) -> None:
        self.holders = 0


class CacheLines(world.CacheLines):
    """Owners of slots and holders of polled lines (hermes.world.CacheLines); a transfer costs ``line_dirty``.

    Attributes
    ----------
    copies
        By core.
    """

    __slots__ = ("_line_dirty", "_owners", "_polled", "copies")

    def __init__(self, line_dirty: int, cores: int) -> None:
        self.copies: Final = [Copies() for _ in range(cores)]
        self._line_dirty: i64 = line_dirty
        self._owners: Final[list[int]] = []  # core, by slot
        self._polled: Final[list[_Polled]] = []

    def allocate(self, count: int) -> int:
        """See hermes.world.CacheLines."""
        first = len(self._owners)
        self._owners.extend([0] * count)
        return first

    def take(self, core: int, slot: int) -> i64:
        """See hermes.world.CacheLines."""
        if self._owners[slot] == core:
            return 0
        self._owners[slot] = core
        return self._line_dirty

    def allocate_polled(self, count: int) -> int:
        """See hermes.world.CacheLines."""
        first = len(self._polled)
        self._polled.extend([_Polled() for _ in range(count)])
        for copies in self.copies:
            copies.stale |= (1 << count) - 1 << first
        return first

    def read(self, core: int, line: int) -> i64:
        """See hermes.world.CacheLines."""
        copies, bit = self.copies[core], 1 << line
        if not copies.stale & bit:
            return 0
        copies.stale ^= bit
        self._polled[line].holders |= 1 << core
        return self._line_dirty

    def read_cost(self, core: int, line: int) -> i64:
        """Picoseconds that a read of a polled line would cost."""
        return self._line_dirty if self.copies[core].stale >> line & 1 else 0

    def stale_lines(self, core: int, first: int, count: int) -> int:
        """See hermes.world.CacheLines."""
        return self.copies[core].stale >> first & (1 << count) - 1

    def write_cost(self, core: int, line: int) -> i64:
        """See hermes.world.CacheLines."""
        return self._line_dirty if self._polled[line].holders & ~(1 << core) else 0

    def write(self, core: int, line: int) -> int:
        """See hermes.world.CacheLines."""
        polled, bit = self._polled[line], 1 << line
        holders, own = polled.holders, 1 << core
        polled.holders = own
        copies = self.copies[core]
        copies.stale &= ~bit
        lost = holders & ~own
        if lost:
            number = 0
            rest = lost
            while rest:
                if rest & 1:
                    self.copies[number].stale |= bit
                rest >>= 1
                number += 1
        return lost
