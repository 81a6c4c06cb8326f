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
    """A queue of five integers each. Machine code has them in a ring that grows; Python in tuples, faster there."""

    __slots__ = ("_count", "_first", "_mask", "_ring", "_tuples")

    def __init__(self) -> None:
        self._tuples: deque[Five] = deque()
        self._ring = words(5 * 16)
        self._mask: i64 = 15
        self._first: i64 = 0
        self._count: i64 = 0

    def __len__(self) -> int:
        return self._count if IS_COMPILED else len(self._tuples)

    def __bool__(self) -> bool:
        return self._count != 0 if IS_COMPILED else bool(self._tuples)

    def __getitem__(self, index: i64) -> Five:
        """Number 0 is the oldest."""
        if not IS_COMPILED:
            return self._tuples[index]
        if not 0 <= index < self._count:
            raise IndexError(index)
        ring, at = self._ring, 5 * (self._first + index & self._mask)
        return ring[at], ring[at + 1], ring[at + 2], ring[at + 3], ring[at + 4]

    def append(self, five: Five) -> None:
        """Behind all others."""
        if not IS_COMPILED:
            self._tuples.append(five)
            return
        if self._count > self._mask:
            self._grow()
        ring, at = self._ring, 5 * (self._first + self._count & self._mask)
        ring[at], ring[at + 1], ring[at + 2], ring[at + 3], ring[at + 4] = five
        self._count += 1

    def clear(self) -> None:
        """All are taken out."""
        self._tuples.clear()
        self._count = 0

    def popleft(self) -> Five:
        """The oldest, which is taken out."""
        if not IS_COMPILED:
            return self._tuples.popleft()
        five = self[0]
        self._first = self._first + 1 & self._mask
        self._count -= 1
        return five

    def _grow(self) -> None:
        """Room for twice as many."""
        old, count = self._ring, self._count
        self._ring = words(10 * count)
        for at in range(5 * count):
            self._ring[at] = old[(5 * self._first + at) % (5 * count)]
        self._mask = 2 * count - 1
        self._first = 0
