"""Which kthread learns of a notification or a completion."""

from hermes.runtime.runtime import Runtime


class LastDelivery:
    """The kthread that the uthread's softIRQs went to last; for its first, round robin over the active ones.

    All kthreads are active from the start on, each on a core of its own.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._last = [-1] * len(runtime.uthreads)
        self._count = runtime.count
        self._next = 0

    def kthread(self, uthread: int) -> int:
        """Index of the kthread for a uthread's softIRQ."""
        index = self._last[uthread]
        if index < 0:
            index = self._last[uthread] = self._next
            self._next = (index + 1) % self._count
        return index
