"""Requests in lanes: none lies over another one, and there are no more lanes than needed; and their stages."""

import io

import numpy as np
import pytest

from cosim.measure.perfetto_file import PerfettoFile
from cosim.measure.request_ways import Requests, lanes, write_requests
from cosim.measure.stages import STAGES, Stages
from tests.tools.perfetto_reader import read


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


def test_requests_have_their_own_stages_in_whatever_order_they_came() -> None:
    arrivals = np.array([9_000, -1, 4_000, 50_000, 1_000])  # the last came first; one never; one was dropped
    its = np.array([0, 2, 4])
    times = arrivals[its] + np.cumsum([[0, 0, 0], *([[1_000, 2_000, 3_000]] * 10)], axis=0)
    answers = np.array([times[-1, 0], -1, times[-1, 1], -1, times[-1, 2]])
    file = io.BytesIO()
    trace = PerfettoFile(file)
    connections, pipes = np.array([5, 6, 7, 8, 9]), np.zeros(5, dtype=np.int64)
    requests = Requests(arrivals, answers, answers, connections, pipes, Stages(its, times))
    write_requests(trace, trace.track("run"), requests)
    found = read(file.getvalue())
    came = sorted(found.slices["run/requests/completed"], key=lambda one: one.depth)[:3]
    assert sorted((one.arguments["request"], one.arguments["connection"]) for one in came) == [(0, 5), (2, 7), (4, 9)]
    for one in came:
        number = int(one.arguments["request"])
        steps = {0: 1_000, 2: 2_000, 4: 3_000}[number]
        assert (one.begin_ns, one.end_ns) == (arrivals[number] // 1000, answers[number] // 1000)
        stages = [
            (part.name, part.begin_ns)
            for part in found.slices["run/requests/completed"]
            if part.depth == 1 and part.arguments["duration_ps"] == steps
        ]
        assert stages == [(name, (int(arrivals[number]) + k * steps) // 1000) for k, name in enumerate(STAGES)]
    assert [one.arguments["request"] for one in found.of("run/requests/dropped")] == [3]
    assert found.counters["run/requests/in the system"][-1][1] == 0
