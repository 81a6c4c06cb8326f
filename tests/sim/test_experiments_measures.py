"""When the number of requests inside counts as rising: what a search for zero loss goes by."""

import numpy as np

from cosim.experiments.measures import highest, rises

ARRIVALS = np.arange(8000, dtype=np.int64) * 1000


def test_a_constant_delay_is_no_trend() -> None:
    assert not rises(ARRIVALS, ARRIVALS + 50_000)


def test_a_server_that_is_too_slow_has_more_and_more_inside() -> None:
    assert rises(ARRIVALS, np.arange(8000, dtype=np.int64) * 1200)


def test_a_burst_that_is_over_by_half_is_no_trend() -> None:
    answers = ARRIVALS + 5000
    answers[1000:2000] += np.arange(1000, 0, -1) * 400
    assert not rises(ARRIVALS, np.sort(answers))


def test_a_search_finds_the_highest_that_holds_and_needs_one_look_at_the_top() -> None:
    for limit in (0, 1, 2, 499, 500, 501, 999, 1000):
        asked: list[int] = []

        def holds(value: int, limit: int = limit, asked: list[int] = asked) -> bool:
            asked.append(value)
            return value <= limit

        assert highest(1000, holds) == limit
        assert asked == [1000] if limit == 1000 else 10 <= len(asked) <= 11
