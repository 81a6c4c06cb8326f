"""Cache lines that cores share: a copy costs when another core wrote the line since, and nothing otherwise."""

from hermes import world


class CacheLines(world.CacheLines):
    """Owners of slots and holders of polled lines (hermes.world.CacheLines); a transfer costs ``line_dirty``.

    Attributes
    ----------
    stale
        By core: the polled lines of which it has no copy, a bit for each.
    """

    __slots__ = ("_holders", "_line_dirty", "_owners", "stale")

    def __init__(self, line_dirty: int, cores: int) -> None:
        self.stale = [0] * cores
        self._line_dirty = line_dirty
        self._owners = bytearray()  # core, by slot
        self._holders: list[int] = []  # bits of cores, by polled line

    def allocate(self, count: int) -> int:
        """See hermes.world.CacheLines."""
        first = len(self._owners)
        self._owners.extend(bytes(count))
        return first

    def take(self, core: int, slot: int) -> int:
        """See hermes.world.CacheLines."""
        if self._owners[slot] == core:
            return 0
        self._owners[slot] = core
        return self._line_dirty

    def allocate_polled(self, count: int) -> int:
        """See hermes.world.CacheLines."""
        first = len(self._holders)
        self._holders.extend([0] * count)
        self.stale = [lines | (1 << count) - 1 << first for lines in self.stale]
        return first

    def read(self, core: int, line: int) -> int:
        """See hermes.world.CacheLines."""
        if not self.stale[core] >> line & 1:
            return 0
        self.stale[core] ^= 1 << line
        self._holders[line] |= 1 << core
        return self._line_dirty

    def read_cost(self, core: int, line: int) -> int:
        """Picoseconds that a read of a polled line would cost."""
        return self._line_dirty if self.stale[core] >> line & 1 else 0

    def stale_lines(self, core: int, first: int, count: int) -> int:
        """See hermes.world.CacheLines."""
        return self.stale[core] >> first & (1 << count) - 1

    def write_cost(self, core: int, line: int) -> int:
        """See hermes.world.CacheLines."""
        return self._line_dirty if self._holders[line] & ~(1 << core) else 0

    def write(self, core: int, line: int) -> int:
        """See hermes.world.CacheLines."""
        holders, bit = self._holders[line], 1 << core
        self._holders[line] = bit
        self.stale[core] &= ~(1 << line)
        lost = rest = holders & ~bit
        while rest:
            low = rest & -rest
            rest ^= low
            self.stale[low.bit_length() - 1] |= 1 << line
        return lost
