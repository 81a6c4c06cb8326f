"""Time series: requests by the bin in which they arrived."""

import numpy as np
from numpy.typing import NDArray

from cosim.measure.series import series


def times(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def test_requests_count_in_the_bin_in_which_they_arrived_and_empty_bins_are_left_out() -> None:
    arrivals = times(1000, 1999, 2000, 5500, -1)
    answers = times(9000, -1, 2001, -1, -1)
    ends = times(9000, -1, 2001, 9999, -1)
    assert series(arrivals, answers, ends, drops_are_known=True, origin_ps=0, bin_ps=1000) == {
        "bin_ns": 1.0,
        "start_ns": [1.0, 2.0, 5.0],
        "offered": [2, 1, 1],
        "completed": [1, 1, 0],
        "dropped": [1, 0, 0],
        "latency_ns": {
            **dict.fromkeys(("p50", "p99", "p99.9"), [None] * 3),
            "mean": [8.0, 0.001, 4.499],
            "max": [8.0, 0.001, 4.499],
        },
    }


def test_bins_begin_at_the_origin_and_requests_may_arrive_in_any_order() -> None:
    told = series(times(1500, 700), times(1600, 900), times(1600, 900), drops_are_known=True, origin_ps=600, bin_ps=500)
    assert (told["start_ns"], told["offered"]) == ([0.0, 0.5], [1, 1])


def test_what_cannot_be_known_is_not_told() -> None:
    told = series(times(1, 2), times(-1, -1), times(-1, 9), drops_are_known=False, origin_ps=0, bin_ps=10)
    assert (told["offered"], told["dropped"]) == ([2], None)


def test_percentiles_are_those_of_each_bin_if_it_has_samples_enough() -> None:
    """In the first bin 100 requests were answered, 100 are unfinished, 250 were dropped; the second has 199."""
    arrivals = np.concatenate([np.arange(450), 1000 + np.arange(199)])
    answers = arrivals + np.where(arrivals < 1000, 3000, 7000)
    answers[100:450] = -1
    ends = np.where(answers < 0, 100_000, answers)
    ends[200:450] = -1
    told = series(arrivals, answers, ends, drops_are_known=True, origin_ps=0, bin_ps=1000)
    assert told["completed"] == [100, 199]
    latency_ns = told["latency_ns"]
    assert [latency_ns[name] for name in ("p50", "p99", "p99.9")] == [[3.0, None], [None, None], [None, None]]
    assert latency_ns["max"] == [99.9, 7.0]  # the first one has waited from 100 on


def test_a_run_without_arrivals_has_no_bins() -> None:
    told = series(times(-1), times(-1), times(-1), drops_are_known=True, origin_ps=0, bin_ps=1000)
    assert told["start_ns"] == told["offered"] == told["completed"] == told["latency_ns"]["p50"] == []
