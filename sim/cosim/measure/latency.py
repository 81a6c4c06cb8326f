"""Latencies of requests, and percentiles that have enough samples to be believed."""

import numpy as np
from numpy.typing import NDArray

WARM_UP = 10
"""One in so many of the requests, the first to arrive, is not measured."""
SAMPLES_BEYOND = 100
"""A percentile needs so many samples above it."""

_PERCENTILES = {"p50": 500, "p99": 990, "p99.9": 999}  # in thousandths


def latencies_ps(
    arrivals_ps: NDArray[np.int64],
    answers_ps: NDArray[np.int64],
    may_finish: NDArray[np.bool_],
    unfinished: int,
    end_ps: int,
) -> NDArray[np.int64]:
    """From last RX beat to last TX beat, of every request behind the warm-up that was answered or is unfinished.

    An unfinished request counts with its age at ``end_ps``. The NIC's counters do not tell which of the requests that
    ``may_finish`` were dropped: the last to arrive count as unfinished.

    Parameters
    ----------
    arrivals_ps, answers_ps
        As cosim.measure.accounting has them, requests in the order of their arrival.
    may_finish
        Requests that the NIC does not refuse at the door.
    unfinished
        How many of those without an answer are.
    """
    has_arrived, is_answered = arrivals_ps >= 0, answers_ps >= 0
    without_answer = np.flatnonzero(has_arrived & may_finish & ~is_answered)
    ends_ps = answers_ps.copy()
    ends_ps[without_answer[len(without_answer) - unfinished :]] = end_ps
    first = int(has_arrived.sum()) // WARM_UP
    counts = np.flatnonzero(ends_ps >= 0)
    counts = counts[counts >= first]
    return ends_ps[counts] - arrivals_ps[counts]


def percentiles_ns(latencies: NDArray[np.int64]) -> dict[str, float | None]:
    """p50, p99 and p99.9 in ns by nearest rank, of latencies in ps; None with fewer than 100 samples beyond."""
    ascending = np.sort(latencies)
    result: dict[str, float | None] = {}
    for name, thousandths in _PERCENTILES.items():
        rank = -(-len(ascending) * thousandths // 1000)
        has_enough = len(ascending) - rank >= SAMPLES_BEYOND
        result[name] = int(ascending[rank - 1]) / 1000 if has_enough else None
    return result
