"""Cache lines that cores share: a copy costs when another core wrote the line since, and nothing otherwise."""


class CacheLines:
    """Owners of slots and holders of polled lines (hermes.world.CacheLines); a transfer costs ``line_dirty``."""

    __slots__ = ("_holders", "_line_dirty", "_owners")

    def __init__(self, line_dirty: int) -> None:
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

    def allocate_polled(self) -> int:
        """See hermes.world.CacheLines."""
        self._holders.append(0)
        return len(self._holders) - 1

    def read(self, core_bit: int, line: int) -> int:
        """See hermes.world.CacheLines."""
        holders = self._holders[line]
        if holders & core_bit:
            return 0
        self._holders[line] = holders | core_bit
        return self._line_dirty

    def write_cost(self, core_bit: int, line: int) -> int:
        """See hermes.world.CacheLines."""
        return self._line_dirty if self._holders[line] & ~core_bit else 0

    def write(self, core_bit: int, line: int) -> int:
        """See hermes.world.CacheLines."""
        lost = self._holders[line] & ~core_bit
        self._holders[line] = core_bit
        return lost
