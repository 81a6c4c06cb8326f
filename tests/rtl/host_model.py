"""The host of the NIC's benches: memory, and answers to reads in any order, late, in pieces, or failed."""

import random
from dataclasses import dataclass

FLIT_BYTES = 64
BASE = 0x1_0000_0000
"""Address of the first byte of host memory."""


@dataclass(frozen=True)
class Answer:
    """A line of an answer; ``line`` None: an error. ``last``: no more lines of this tag.

    ``is_stray``: of a read from before a reset.
    """

    tag: int
    index: int
    line: bytes | None
    last: bool
    is_stray: bool = False


class _Read:
    def __init__(self, address: int, flits: int, tag: int, due: int) -> None:
        self.address, self.flits, self.tag, self.due = address, flits, tag, due
        self.index = 0
        self.is_stray = False


class HostModel:
    """Host memory from BASE on, and the reads that wait for their answers.

    Reads outside of it are answered by one error. A line is sampled when it is answered.

    Parameters
    ----------
    size
        Bytes of memory.
    draw
        Decides about delays and order.
    longest_delay
        Cycles from a read to when it may be answered, at most.
    shuffled
        Answer any read that is due, a line at a time; else the oldest first.
    """

    def __init__(self, size: int, draw: random.Random, *, longest_delay: int = 0, shuffled: bool = False) -> None:
        self.memory = bytearray(size)
        self.poisoned: set[int] = set()
        """Addresses of lines that cannot be read."""
        self._draw, self._longest_delay, self._shuffled = draw, longest_delay, shuffled
        self._reads: list[_Read] = []
        self._free = BASE

    def allocate(self, size: int, align: int = 4096) -> int:
        """Address of ``size`` bytes that nothing else uses."""
        address = -(-self._free // align) * align
        self._free = address + size
        assert self._free <= BASE + len(self.memory), f"{size} bytes more do not fit into host memory"
        return address

    def contains(self, address: int, size: int = FLIT_BYTES) -> bool:
        return address >= BASE and address + size <= BASE + len(self.memory)

    def load(self, address: int, size: int = FLIT_BYTES) -> bytes:
        assert self.contains(address, size), f"no host memory at {address:#x}"
        return bytes(self.memory[address - BASE : address - BASE + size])

    def store(self, address: int, content: bytes) -> None:
        assert self.contains(address, len(content)), f"no host memory at {address:#x}"
        self.memory[address - BASE : address - BASE + len(content)] = content

    def lose(self) -> list[int]:
        """Never answer the reads under way; their tags."""
        tags = [read.tag for read in self._reads]
        self._reads.clear()
        return tags

    def forget(self, *, answers: bool) -> None:
        """The NIC was reset: nobody waits for answers. They may come all the same, or never."""
        for read in self._reads:
            read.is_stray = True
        if not answers:
            self._reads.clear()

    @property
    def unanswered(self) -> int:
        """Reads whose answers have not ended."""
        return len(self._reads)

    def read(self, now: int, address: int, flits: int, tag: int) -> None:
        """The NIC asks, in cycle ``now``, for ``flits`` lines at ``address``."""
        delay = self._draw.randint(0, self._longest_delay) if self._longest_delay else 0
        self._reads.append(_Read(address, flits, tag, now + delay))

    def answer(self, now: int) -> Answer | None:
        """The next line to be answered in cycle ``now``, if one is due."""
        due = [read for read in self._reads if read.due <= now] if self._shuffled else self._reads[:1]
        if not due or due[0].due > now:
            return None
        read = self._draw.choice(due) if self._shuffled else due[0]
        address, index = read.address + FLIT_BYTES * read.index, read.index
        if not self.contains(address):
            self._reads.remove(read)
            return Answer(read.tag, index, None, True, read.is_stray)
        read.index += 1
        last = read.index == read.flits
        if last:
            self._reads.remove(read)
        line = None if address in self.poisoned else self.load(address)
        return Answer(read.tag, index, line, last, read.is_stray)
