"""What a simulation keeps for the trace."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Recorded:
    """Of a run, from the start of its cores to its end; times are picoseconds of host time.

    Attributes
    ----------
    began_ps, end_ps
        When the cores started, and up to when all was simulated.
    ready_ps, measured_until_ps
        The window over which results split the time of the cores.
    timelines
        Of each core int64 (n, 2): activity and duration, one after the other without a gap.
    effects
        int64 (n, 4): time, kind, subject and value of each effect (hermes.world), in order.
    lengths
        int64 (n, 3): time, kthread and length of its runqueue, at each change (hermes.stamps).
    queue_names
        By number, as effects have it: what lies in a queue, and whose it is.
    """

    began_ps: int
    ready_ps: int
    measured_until_ps: int
    end_ps: int
    timelines: tuple[Integers, ...]
    effects: Integers
    lengths: Integers
    queue_names: Mapping[int, tuple[str, str]]
