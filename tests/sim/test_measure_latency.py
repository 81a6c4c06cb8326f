"""Latencies: who counts, and which percentiles have samples enough."""

import numpy as np

from cosim.measure.latency import latencies_ps, percentiles_ns


def times(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


ALL_20 = np.ones(20, dtype=np.bool_)


def test_the_first_tenth_to_arrive_is_warm_up() -> None:
    arrivals = np.arange(20, dtype=np.int64)
    assert latencies_ps(arrivals, arrivals + 100 * arrivals, ALL_20, 0, 9999).tolist() == list(range(200, 2000, 100))


def test_an_unfinished_request_counts_with_its_age() -> None:
    assert latencies_ps(times(1, 2), times(5, -1), ALL_20[:2], 1, 100).tolist() == [4, 98]


def test_a_dropped_request_does_not_count_and_the_last_to_arrive_are_the_unfinished() -> None:
    arrivals, answers = times(1, 2, 3, 4, -1), times(10, -1, -1, -1, -1)
    may_finish = np.array([True, True, True, False, True])
    assert latencies_ps(arrivals, answers, may_finish, 1, 100).tolist() == [9, 97]
    assert latencies_ps(arrivals, answers, may_finish, 0, 100).tolist() == [9]


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
