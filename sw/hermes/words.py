"""Arrays of 64-bit integers, for what happens often."""

from collections import deque
from typing import Final, cast

from librt.vecs import vec
from mypy_extensions import i64

IS_COMPILED: Final = not __file__.endswith(".py")


def words(count: int, value: int = 0) -> vec[i64]:
    """``count`` integers. Machine code reaches them without objects; Python gets a list, which is faster there."""
    return vec[i64]([value] * count) if IS_COMPILED else cast(vec[i64], [value] * count)


Five = tuple[i64, i64, i64, i64, i64]


class Fives:
    """A queue of five integers each, in a ring that grows, as much of it as ``collections.deque`` has."""

    __slots__ = ("_count", "_first", "_mask", "_ring")

    def __init__(self) -> None:
        self._ring = vec[i64]([0] * 80)
        self._mask: i64 = 15
        self._first: i64 = 0
        self._count: i64 = 0

    def __len__(self) -> int:
        return self._count

    def __bool__(self) -> bool:
        return self._count != 0

    def __getitem__(self, index: i64) -> Five:
        """Number 0 is the oldest."""
        if not 0 <= index < self._count:
            raise IndexError(index)
        ring, at = self._ring, 5 * (self._first + index & self._mask)
        return ring[at], ring[at + 1], ring[at + 2], ring[at + 3], ring[at + 4]

    def append(self, five: Five) -> None:
        """Behind all others."""
        if self._count > self._mask:
            self._grow()
        ring, at = self._ring, 5 * (self._first + self._count & self._mask)
        ring[at], ring[at + 1], ring[at + 2], ring[at + 3], ring[at + 4] = five
        self._count += 1

    def popleft(self) -> Five:
        """The oldest, which is taken out."""
        five = self[0]
        self._first = self._first + 1 & self._mask
        self._count -= 1
        return five

    def clear(self) -> None:
        """All are taken out."""
        self._count = 0

    def _grow(self) -> None:
        """Room for twice as many."""
        old, count = self._ring, self._count
        self._ring = vec[i64]([0] * (10 * count))
        for at in range(5 * count):
            self._ring[at] = old[(5 * self._first + at) % (5 * count)]
        self._mask = 2 * count - 1
        self._first = 0


def fives() -> Fives:
    """An empty queue of five integers each; as with ``words``, Python proper gets what is faster there."""
    return Fives() if IS_COMPILED else cast(Fives, deque())
