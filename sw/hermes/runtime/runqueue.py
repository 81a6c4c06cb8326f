"""The runnable uthreads of a kthread, oldest first."""

from collections import deque
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

if TYPE_CHECKING:
    from hermes.runtime.uthread import Uthread

RING_SLOTS: Final = 32


class Runqueue:
    """A ring of 32 and, behind it, an overflow list of any length. Thieves see the ring.

    Attributes
    ----------
    pushed, popped
        Uthreads so far; who was stolen was popped.
    """

    __slots__ = ("_overflow", "_ring", "popped", "pushed")

    def __init__(self) -> None:
        self.pushed: i64 = 0
        self.popped: i64 = 0
        self._ring: deque[Uthread] = deque()
        self._overflow: deque[Uthread] = deque()

    def __len__(self) -> int:
        return len(self._ring) + len(self._overflow)

    def __bool__(self) -> bool:
        return bool(self._ring)

    def count(self) -> int:
        """Uthreads that stand there."""
        return len(self)

    def uthreads(self) -> "list[Uthread]":
        """Those that stand there, oldest first."""
        return [*self._ring, *self._overflow]

    def has_runnable_since(self, before: i64) -> bool:
        """Whether one of its uthreads has been runnable since a time before this one, in picoseconds.

        Not always the next one: it may have been stolen, or come by a softIRQ that waited.
        """
        for uthreads in (self._ring, self._overflow):
            for uthread in uthreads:
                if uthread.since < before:
                    return True
        return False

    def push(self, uthread: "Uthread") -> None:
        """Behind all others."""
        self.pushed += 1
        if len(self._ring) < RING_SLOTS:
            self._ring.append(uthread)
        else:
            self._overflow.append(uthread)

    def pop(self) -> "Uthread":
        """The oldest."""
        self.popped += 1
        uthread = self._ring.popleft()
        if self._overflow:
            self._refill()
        return uthread

    def stealable(self) -> int:
        """How many a thief takes: half the ring, rounded up."""
        return (len(self._ring) + 1) // 2

    def steal(self, count: int) -> list["Uthread"]:
        """The oldest ``count``, in order."""
        self.popped += count
        stolen = [self._ring.popleft() for _ in range(count)]
        self._refill()
        return stolen

    def _refill(self) -> None:
        while self._overflow and len(self._ring) < RING_SLOTS:
            self._ring.append(self._overflow.popleft())
