"""Sleeping uthreads: each kthread has its own, and hands them over when it gives its core up."""

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

if TYPE_CHECKING:
    from hermes.runtime.uthread import Uthread

NEVER: Final = (1 << 63) - 1
"""Picoseconds: later than all times."""


class Timers:
    """The timers of a runtime, by kthread; who expires first comes first, at equal times who was set first.

    Parameters
    ----------
    kthreads
        How many.
    """

    def __init__(self, kthreads: int) -> None:
        self._heaps: list[list[tuple[int, int, Uthread]]] = [[] for _ in range(kthreads)]
        self._set = 0

    def next_time(self, kthread: int) -> i64:
        """Picoseconds: when the first timer of a kthread expires; NEVER if it has none."""
        heap = self._heaps[kthread]
        return heap[0][0] if heap else NEVER

    def set(self, kthread: int, time: int, uthread: "Uthread") -> None:
        """A uthread sleeps until ``time``."""
        heappush(self._heaps[kthread], (time, self._set, uthread))
        self._set += 1

    def expired(self, kthread: int, now: int) -> list["Uthread"]:
        """Who has slept long enough; they are taken out."""
        heap, uthreads = self._heaps[kthread], []
        while heap and heap[0][0] <= now:
            uthreads.append(heappop(heap)[2])
        return uthreads

    def hand_over(self, kthread: int, heir: int) -> None:
        """All timers of one kthread become those of another, or stay if that is itself."""
        if kthread == heir:
            return
        for timer in self._heaps[kthread]:
            heappush(self._heaps[heir], timer)
        self._heaps[kthread].clear()
