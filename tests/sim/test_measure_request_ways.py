"""Requests in lanes: none lies over another one, and there are no more lanes than needed."""

import numpy as np
import pytest

from cosim.measure.request_ways import lanes


@pytest.mark.parametrize("seed", range(5))
def test_no_two_of_a_lane_overlap_and_there_are_as_few_lanes_as_can_be(seed: int) -> None:
    print(f"seed {seed}")
    draw = np.random.default_rng(seed)
    begins = np.sort(draw.integers(0, 300, 100))
    ends = begins + draw.integers(0, 30, 100)
    lane = lanes(begins, ends)
    for number in range(int(lane.max()) + 1):
        its = lane == number
        assert (ends[its][:-1] <= begins[its][1:]).all()
    most = max(int(((begins <= time) & (ends > time)).sum()) for time in range(330))
    assert int(lane.max()) + 1 <= most + 1, "one that takes no time needs a lane too"


def test_the_lowest_free_lane_is_taken() -> None:
    assert lanes(np.array([0, 1, 2, 5, 6]), np.array([5, 9, 4, 6, 7])).tolist() == [0, 1, 2, 0, 0]
    assert lanes(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)).tolist() == []
