"""A spinlock, as far as it decides who waits for whom."""

from mypy_extensions import i64


class Spinlock:
    """Held from when an action takes it to the action's end, which is known when it is taken.

    Takers that find it held queue up: each knows how long those before it will hold it.

    Attributes
    ----------
    held
        Whether somebody holds it, or waits for it.
    until
        Picoseconds: end of the last action in line.
    """

    __slots__ = ("_last", "held", "until")

    def __init__(self) -> None:
        self.held = False
        self.until: i64 = 0
        self._last: i64 = -1

    def wait(self, at: i64, contended: i64) -> i64:
        """What a taker who comes at ``at`` waits; ``contended`` is what taking a lock that was held costs more."""
        return self.until - at + contended if self.held and self.until > at else 0

    def take(self, taker: i64, until: i64) -> None:
        """``taker`` is last in line now; its action ends at ``until``, which is not before that of the others."""
        self.held = True
        self.until = until
        self._last = taker

    def release(self, taker: i64) -> None:
        """The taker's action ended; whoever is behind it in line has the lock."""
        if self._last == taker:
            self.held = False
