"""What software on the simulated host can reach of a NIC, whichever NIC it is.

Times are integer picoseconds of *host time*: the time at which host memory and cores see something. The rules of time
are in docs/design.md.
"""

from typing import Protocol

HOST_MEMORY_BASE = 0x1_0000_0000
"""Bus address of the first byte of host memory."""

PAGE_BYTES = 4096
"""Granularity of ``watch``."""

NEVER = (1 << 63) - 1
"""A host time later than all others."""

Effect = tuple[int, int, int]
"""(host time in ps, source, address of a watched write or value of an MMIO read)"""


class HostMemory:
    """Memory of the simulated host, seen by software and, from ``base`` on, by the NIC.

    Parameters
    ----------
    buffer
        Writable bytes, a whole number of pages, initially 0; kept, not copied.

    Attributes
    ----------
    base, size
        Bus address of the first byte; bytes.
    bytes, words
        The memory as bytes and as 64-bit words in host order: index = offset from ``base``, divided by 8 for words.
    """

    def __init__(self, buffer: memoryview | bytearray) -> None:
        self.base = HOST_MEMORY_BASE
        self.bytes = memoryview(buffer).cast("B")
        self.words = self.bytes.cast("Q")
        self.size = len(self.bytes)
        self._used = 0
        self._owners: list[tuple[int, int, str]] = []

    def allocate(self, size: int, align: int, owner: str) -> int:
        """Bus address of ``size`` bytes that nobody has yet, a multiple of ``align`` (a power of two).

        Raises
        ------
        MemoryError
            Less is left; the message names the owner and what would be enough.
        """
        start = -(-(self.base + self._used) // align) * align - self.base
        if start + size > self.size:
            raise MemoryError(
                f"host memory for {owner}: {size} bytes wanted, {self.size - self._used} of {self.size} left; "
                f"a host memory of {start + size} bytes would hold it"
            )
        self._used = start + size
        self._owners.append((start, start + size, owner))
        return self.base + start

    def owner(self, address: int) -> str:
        """Whose allocation holds the bus address, for error messages."""
        offset = address - self.base
        for start, end, owner in self._owners:
            if start <= offset < end:
                return f"{owner} + {offset - start:#x}"
        return "nobody"


class Nic(Protocol):
    """A NIC behind its link. ``now`` is the host time of the software event that calls; it never goes back.

    The caller promises, by ``run(bound)``, to do nothing before host time ``bound``, unless an effect comes earlier.
    """

    memory: HostMemory

    @property
    def next_change(self) -> int:
        """Host time of the NIC's first access to host memory that is not yet applied; NEVER if there is none."""

    def mmio_write(self, now: int, address: int, value: int, size: int) -> None:
        """Posted write of 4 or 8 bytes, aligned to its size; ``address`` is a byte offset within BAR2."""

    def mmio_read(self, now: int, address: int, source: int) -> None:
        """Read an aligned 8-byte word; its value arrives as an effect of ``source``."""

    def watch(self, address: int, length: int, source: int) -> None:
        """From now on a NIC write to these whole pages is an effect of ``source`` (0 to 2^31 - 1)."""

    def advance(self, now: int) -> None:
        """Make host memory what it is at ``now``, the NIC's accesses at ``now`` itself included."""

    async def run(self, bound: int) -> int:
        """Let the NIC run; gives the host time up to which software may now run.

        Less than ``bound`` if an effect comes earlier, or if the NIC stopped to let others look: then run again.
        """

    def take_effects(self) -> list[Effect]:
        """Effects that ``run`` found, in the order of time; each once. Some may lie beyond what ``run`` returned."""
