"""What an IOKernel finds congestion with."""

from abc import ABC, abstractmethod

from mypy_extensions import i64


class Detector(ABC):
    """Finds runtimes that need another core.

    Attributes
    ----------
    cost, grant_cost
        Picoseconds of a look in each iteration, and that a grant takes beside issuing it.
    checks, checks_ps
        How often it was time so far, and picoseconds that all of that took.
    """

    cost: int
    grant_cost: int
    checks: int
    checks_ps: i64

    @abstractmethod
    def next_time(self) -> i64:
        """Picoseconds: when there is something to do."""

    @abstractmethod
    def begin(self) -> i64:
        """It is time; picoseconds of what there is to do."""

    @abstractmethod
    def finish(self) -> None:
        """Its effects."""
