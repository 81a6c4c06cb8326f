"""What a core did, one activity after the other, for the trace."""

from array import array


class Timeline:
    """The time of a core without a gap, and without neighbours of the same activity.

    Attributes
    ----------
    rows
        int64: activity and picoseconds, in turn.
    """

    __slots__ = ("rows",)

    def __init__(self, rows: "array[int] | None" = None) -> None:
        self.rows = array("q") if rows is None else array("q", rows)

    def add(self, activity: int, duration: int) -> None:
        """The next ``duration`` picoseconds, 0 or more, went to ``activity``."""
        if not duration:
            return
        rows = self.rows
        if rows and rows[-2] == activity:
            rows[-1] += duration
        else:
            rows.extend((activity, duration))
