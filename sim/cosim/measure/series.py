"""How a run went over time: requests by the bin of time in which they arrived."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.measure.latency import PERCENTILES, mean_ns, order_of_arrival, percentiles_ns

Integers = NDArray[np.int64]


def series(
    arrivals_ps: Integers,
    answers_ps: Integers,
    ends_ps: Integers,
    *,
    drops_are_known: bool,
    origin_ps: int,
    bin_ps: int,
) -> dict[str, Any]:
    """One column for each thing that is told, one row for each bin in which requests arrived, all of them told of.

    Columns are ``start_ns``, from ``origin_ps`` on; ``offered``, ``completed`` and ``dropped`` (None if it is not
    known of which requests), whenever that was; and ``latency_ns``, in which unfinished requests have their age: the
    percentiles, None without samples enough, and ``mean`` and ``max``, None without any. ``bin_ns`` is the width.

    Parameters
    ----------
    arrivals_ps, answers_ps
        When each request entered the NIC and its answer left it; -1 where that did not happen.
    ends_ps
        As cosim.measure.latency.ends_ps gives it.
    drops_are_known
        Whether every request that arrived and has no end was dropped.
    origin_ps
        Where the first bin begins, not behind the first arrival.
    bin_ps
        Width of a bin, 1 or more.
    """
    arrived = order_of_arrival(arrivals_ps)
    bins, first = np.unique((arrivals_ps[arrived] - origin_ps) // bin_ps, return_index=True)
    bounds = [*first.tolist(), len(arrived)]
    has_end = ends_ps[arrived] >= 0
    latencies = (ends_ps - arrivals_ps)[arrived]
    in_bins = [latencies[begin:end][has_end[begin:end]] for begin, end in pairwise(bounds)]
    percentiles = [percentiles_ns(those) for those in in_bins]

    def count(is_one: NDArray[np.bool_]) -> list[int]:
        return np.add.reduceat(is_one, first, dtype=np.int64).tolist() if len(first) else []

    return {
        "bin_ns": bin_ps / 1000,
        "start_ns": [start * bin_ps / 1000 for start in bins.tolist()],
        "offered": np.diff(bounds).tolist(),
        "completed": count(answers_ps[arrived] >= 0),
        "dropped": count(~has_end) if drops_are_known else None,
        "latency_ns": {
            **{name: [row[name] for row in percentiles] for name in PERCENTILES},
            "mean": [mean_ns(those) for those in in_bins],
            "max": [int(those.max()) / 1000 if len(those) else None for those in in_bins],
        },
    }
