"""What software on the simulated host can reach of a NIC, whichever NIC it is.

Times are integer picoseconds of *host time*: the time at which host memory and cores see something. The rules of time
are in docs/design.md.
"""

import ctypes
import mmap
import os
import weakref
from collections.abc import Callable
from typing import NoReturn, Protocol, Self

HOST_MEMORY_BASE = 0x1_0000_0000
"""Bus address of the first byte of host memory."""

PAGE_BYTES = 4096
"""Granularity of ``watch`` and of rings."""

NEVER = (1 << 63) - 1
"""A host time later than all others."""

_MAP_FIXED = 0x10  # in place of what is mapped there, here the memory's own pages
_map = ctypes.CDLL(None, use_errno=True).mmap
_map.restype = ctypes.c_void_p
_map.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64)

Effect = tuple[int, int, int]
"""(host time in ps, source, address of a watched write or value of an MMIO read)"""


class HostMemory:
    """Memory of the simulated host, seen by software and, from ``base`` on, by the NIC.

    Parameters
    ----------
    buffer
        Writable bytes, a whole number of pages, initially 0; kept, not copied.
    file
        Descriptor of the file in memory of which ``buffer`` is a shared mapping, from its start.

    Attributes
    ----------
    base, size
        Bus address of the first byte; bytes.
    bytes, words
        The memory as bytes and as 64-bit words in host order: index = offset from ``base``, divided by 8 for words.
    """

    def __init__(self, buffer: memoryview, file: int) -> None:
        self.base = HOST_MEMORY_BASE
        self.bytes = memoryview(buffer).cast("B")
        self.words = self.bytes.cast("Q")
        self.size = len(self.bytes)
        self._file = file
        self._used = 0
        self._owners: list[tuple[int, int, str]] = []

    @classmethod
    def create(cls, size: int) -> Self:
        """A memory of ``size`` bytes, a multiple of a page; pages cost nothing before they are touched."""
        file = os.memfd_create("host memory")
        os.ftruncate(file, size)
        memory = cls(memoryview(mmap.mmap(file, size)), file)
        weakref.finalize(memory, os.close, file)
        return memory

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

    def allocate_ring(self, size: int, owner: str) -> int:
        """Bus address of a ring of ``size`` bytes, a multiple of ``size``, behind which software sees the ring again.

        So what goes on over the ring's end is in one piece for software. The NIC must not be told of the second view.

        Raises
        ------
        ValueError
            ``size`` is not a power of two of at least a page.
        MemoryError
            See ``allocate``.
        """
        if size < PAGE_BYTES or size & (size - 1):
            raise ValueError(f"ring for {owner}: {size} bytes; accepted are powers of two from {PAGE_BYTES} on")
        address = self.allocate(2 * size, size, owner)
        start = address - self.base
        first = ctypes.addressof(ctypes.c_char.from_buffer(self.bytes, start))
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        if _map(first + size, size, protection, mmap.MAP_SHARED | _MAP_FIXED, self._file, start) != first + size:
            raise MemoryError(f"ring for {owner}: its second view failed: {os.strerror(ctypes.get_errno())}")
        return address

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

    # for who does it often, and then asks for the error:

    @property
    def try_write(self) -> Callable[[int, int, int, int], bool]:
        """As ``mmio_write``, but gives False where that would raise."""

    @property
    def try_advance(self) -> Callable[[int], int]:
        """As ``advance``, but gives ``next_change`` then, or -1 where that would raise."""

    @property
    def try_run(self) -> Callable[[int], int]:
        """As ``run``, but gives -1 where that would wait, or raise."""

    def raise_error(self) -> NoReturn:
        """Raise what made the last ``try_write`` or ``try_advance`` fail."""

    async def run(self, bound: int) -> int:
        """Let the NIC run; gives the host time up to which software may now run.

        Less than ``bound`` if an effect comes earlier, or if the NIC stopped to let others look: then run again.
        """

    @property
    def take_effects(self) -> Callable[[], list[Effect]]:
        """Effects that ``run`` found, in the order of time; each once. Some may lie beyond what ``run`` returned."""
