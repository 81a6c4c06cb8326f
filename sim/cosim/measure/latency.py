"""Latencies of requests, and percentiles that have enough samples to be believed."""

import numpy as np
from numpy.typing import NDArray

from cosim.measure.exact import exact_sum

WARM_UP = 10
"""One in so many of the requests, the first to arrive, is not measured."""
SAMPLES_BEYOND = 100
"""A percentile needs so many samples above it."""

PERCENTILES = {"p50": 500, "p99": 990, "p99.9": 999}
"""Those that are told of latencies, in thousandths."""


def order_of_arrival(arrivals_ps: NDArray[np.int64]) -> NDArray[np.int64]:
    """The requests that entered the NIC, by index, the first one first; ``arrivals_ps`` is -1 where one did not."""
    has_arrived = np.flatnonzero(arrivals_ps >= 0)
    return has_arrived[np.argsort(arrivals_ps[has_arrived], kind="stable")]


def behind_warm_up(arrivals_ps: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of each request, whether it is measured: it arrived, and not among the first tenth of those that did."""
    arrived = order_of_arrival(arrivals_ps)
    is_measured = np.zeros(len(arrivals_ps), dtype=np.bool_)
    is_measured[arrived[len(arrived) // WARM_UP :]] = True
    return is_measured


def ends_ps(
    arrivals_ps: NDArray[np.int64],
    answers_ps: NDArray[np.int64],
    may_finish: NDArray[np.bool_],
    unfinished: int,
    end_ps: int,
) -> NDArray[np.int64]:
    """Up to when each request was in the system: its last TX beat, or ``end_ps`` if it is unfinished; else -1.

    The NIC's counters do not tell which of the requests that ``may_finish`` were dropped: the last to arrive count as
    unfinished.

    Parameters
    ----------
    arrivals_ps, answers_ps
        As cosim.measure.accounting has them.
    may_finish
        Requests that the NIC does not refuse at the door.
    unfinished
        How many of those without an answer are.
    end_ps
        When the run ended.
    """
    arrived = order_of_arrival(arrivals_ps)
    without_answer = arrived[may_finish[arrived] & (answers_ps[arrived] < 0)]
    ends = answers_ps.copy()
    ends[without_answer[len(without_answer) - unfinished :]] = end_ps
    return ends


def latencies_ps(
    arrivals_ps: NDArray[np.int64], ends_ps: NDArray[np.int64], is_measured: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """From last RX beat to last TX beat, of every measured request that was answered; unfinished ones have their age.

    Parameters
    ----------
    arrivals_ps
        When each request entered the NIC.
    ends_ps, is_measured
        As ``ends_ps`` and ``behind_warm_up`` give them.
    """
    counts = is_measured & (ends_ps >= 0)
    return ends_ps[counts] - arrivals_ps[counts]


def percentiles_ns(latencies: NDArray[np.int64]) -> dict[str, float | None]:
    """p50, p99 and p99.9 in ns by nearest rank, of latencies in ps; None with fewer than 100 samples beyond."""
    ascending = np.sort(latencies)
    return {name: percentile_ns(ascending, thousandths) for name, thousandths in PERCENTILES.items()}


def percentile_ns(ascending: NDArray[np.int64], thousandths: int) -> float | None:
    """One percentile in ns, by nearest rank, of times in ps; None with fewer than 100 samples beyond it."""
    rank = -(-len(ascending) * thousandths // 1000)
    has_enough = len(ascending) - rank >= SAMPLES_BEYOND
    return int(ascending[rank - 1]) / 1000 if has_enough else None


def mean_ns(times_ps: NDArray[np.int64]) -> float | None:
    """The mean in ns of times in ps; None of none."""
    return exact_sum(times_ps) / (1000 * len(times_ps)) if len(times_ps) else None
