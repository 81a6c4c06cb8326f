"""A uthread: what a kthread runs, and what softIRQs wake."""

from abc import ABC, abstractmethod
from typing import Final

from mypy_extensions import i64

from hermes.messages import PARKED
from hermes.world import Core

RUNNING: Final = 0
SPINNING: Final = 1
LEFT: Final = 2
"""What became of a uthread's step: an action began; it polls in a walk; it gave the core up."""


class Uthread(ABC):
    """A cooperative thread: it has a core until it gives it up, or its kthread is interrupted.

    Attributes
    ----------
    number
        Among all uthreads of a host.
    ended
        What became of it when it gave its core up: hermes.messages.PARKED, RUNNABLE, FINISHED or BLOCKED.
    since
        Picoseconds: when it became runnable last.
    is_computing
        Its action may be cut, now.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.ended = PARKED
        self.since: i64 = 0
        self.is_computing = False

    def heads(self) -> tuple[i64, i64]:
        """RX and TX head of its notification buffer, for the IOKernel; 0 if it has none."""
        return 0, 0

    @abstractmethod
    def start(self, core: Core) -> i64:
        """It has the core, and goes on; its first action begins now. As ``step``."""

    @abstractmethod
    def step(self, core: Core) -> i64:
        """Its action ended, now. RUNNING: the next began. SPINNING: it walks. LEFT: the core is free."""

    def poll(self, core: Core) -> i64:
        """It walks, and looks now at its source, which is 0. As ``step``."""
        raise NotImplementedError(f"uthread {self.number} polls nothing")

    def ready(self, core: Core) -> int:  # noqa: ARG002
        """It walks: 1 if a look would find something."""
        return 0

    @abstractmethod
    def cut(self, left: i64) -> None:
        """Its action, a computation, was interrupted when so many picoseconds of it were left: ``start`` resumes it."""

    @abstractmethod
    def waits_for(self) -> str:
        """What it would need to go on; empty if it has nothing to do."""
