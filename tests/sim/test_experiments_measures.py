"""When the number of requests inside counts as rising: what a search for zero loss goes by."""

import numpy as np

from cosim.experiments.measures import rises

ARRIVALS = np.arange(8000, dtype=np.int64) * 1000


def test_a_constant_delay_is_no_trend() -> None:
    assert not rises(ARRIVALS, ARRIVALS + 50_000)


def test_a_server_that_is_too_slow_has_more_and_more_inside() -> None:
    assert rises(ARRIVALS, np.arange(8000, dtype=np.int64) * 1200)


def test_a_burst_that_is_over_by_half_is_no_trend() -> None:
    answers = ARRIVALS + 5000
    answers[1000:2000] += np.arange(1000, 0, -1) * 400
    assert not rises(ARRIVALS, np.sort(answers))
