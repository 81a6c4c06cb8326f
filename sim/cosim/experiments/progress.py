"""What a sweep shows while it runs: a bar with the time left, and a live line for each running point."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from cosim.experiments.points import Point
from cosim.experiments.sweep import Finished

DEFAULT_REQUESTS = 20_000
"""How much a point counts of which nobody knows how many requests it has."""


class SweepProgress:
    """The bars, on a terminal; elsewhere a line for each point that failed only.

    The whole bar moves with the requests that are done, so that long points count for more.
    """

    def __init__(self, title: str, points: Sequence[Point], console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._labels = {point.key: point.label for point in points}
        self._sizes = {point.key: point.config.requests or DEFAULT_REQUESTS for point in points}
        self._whole = self._progress.add_task(f"[bold]{title}", total=sum(self._sizes.values()))
        self._lines: dict[str, TaskID] = {}
        self._shares: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def heard(self, key: str, what: str, done: int, total: int) -> None:
        """As cosim.experiments.sweep.Heard."""
        if key not in self._labels or self._shares.get(key) == 1:
            return
        if key not in self._lines:
            self._lines[key] = self._progress.add_task("", total=None)
        self._progress.update(
            self._lines[key], description=f"  {self._labels[key]}: {what}", completed=done, total=total or None
        )
        if what.startswith("simulating"):
            self._share(key, min(0.99, done / total if total else 0))

    def finished(self, finished: Finished) -> None:
        """A point is."""
        key = finished.point.key
        if key in self._lines:
            self._progress.remove_task(self._lines.pop(key))
        self._share(key, 1)
        if finished.error is not None:
            self._progress.console.print(f"failed: {finished.point.label}: {finished.error}", markup=False)

    def _share(self, key: str, share: float) -> None:
        before = self._shares.get(key, 0.0)
        if share > before:  # a search begins anew with each of its runs
            self._shares[key] = share
            self._progress.advance(self._whole, (share - before) * self._sizes[key])
