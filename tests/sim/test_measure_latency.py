"""Latencies: who counts, and which percentiles have samples enough."""

import numpy as np
from numpy.typing import NDArray

from cosim.measure.latency import behind_warm_up, ends_ps, latencies_ps, mean_ns, percentiles_ns


def times(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def measured(
    arrivals: NDArray[np.int64], answers: NDArray[np.int64], may_finish: list[bool], unfinished: int, end: int
) -> list[int]:
    ends = ends_ps(arrivals, answers, np.array(may_finish), unfinished, end)
    return latencies_ps(arrivals, ends, behind_warm_up(arrivals)).tolist()


def test_the_first_tenth_to_arrive_is_warm_up() -> None:
    arrivals = np.arange(20, dtype=np.int64)
    answers = arrivals + 100 * arrivals
    assert measured(arrivals, answers, [True] * 20, 0, 9999) == list(range(200, 2000, 100))
    assert measured(arrivals[::-1], answers[::-1], [True] * 20, 0, 9999) == list(range(1900, 100, -100))


def test_what_did_not_arrive_is_not_measured_and_warms_nothing_up() -> None:
    arrivals = np.concatenate([np.arange(19), np.full(11, -1)])
    assert behind_warm_up(arrivals).tolist() == [False] + [True] * 18 + [False] * 11


def test_an_unfinished_request_counts_with_its_age() -> None:
    assert measured(times(1, 2), times(5, -1), [True, True], 1, 100) == [4, 98]


def test_a_dropped_request_does_not_count_and_the_last_to_arrive_are_the_unfinished() -> None:
    arrivals, answers = times(1, 2, 3, 4, -1), times(10, -1, -1, -1, -1)
    may_finish = [True, True, True, False, True]
    assert measured(arrivals, answers, may_finish, 1, 100) == [9, 97]
    assert measured(arrivals, answers, may_finish, 0, 100) == [9]
    assert measured(times(3, 2, 1), times(-1, -1, 10), [True] * 3, 1, 100) == [97, 9]


def test_percentiles_are_by_nearest_rank_in_ns() -> None:
    latencies = np.arange(1, 100_001, dtype=np.int64)[::-1] * 10
    assert percentiles_ns(latencies) == {"p50": 500.0, "p99": 990.0, "p99.9": 999.0}
    assert percentiles_ns(np.full(1000, 1234, dtype=np.int64))["p50"] == 1.234


def test_a_percentile_needs_100_samples_beyond_it() -> None:
    def known(count: int) -> list[str]:
        return [name for name, value in percentiles_ns(np.ones(count, dtype=np.int64)).items() if value is not None]

    assert known(0) == []
    assert known(199) == []
    assert known(200) == ["p50"]
    assert known(9_999) == ["p50"]
    assert known(10_000) == ["p50", "p99"]
    assert known(99_999) == ["p50", "p99"]
    assert known(100_000) == ["p50", "p99", "p99.9"]


def test_the_mean_is_of_the_exact_sum() -> None:
    assert mean_ns(times(1000, 2000, 4500)) == 2.5
    assert mean_ns(np.full(1000, 2**62, dtype=np.int64)) == 2**62 / 1000
    assert mean_ns(times()) is None
