"""What a core did: without a gap, and neighbours of the same activity are one."""

import random

import pytest

from cosim.machine.timeline import Timeline
from hermes.world import APPLICATION, POLL, RX


def test_neighbours_of_the_same_activity_are_one() -> None:
    timeline = Timeline()
    timeline.add(POLL, 10)
    timeline.add_spent([(POLL, 5), (RX, 7)], 0)
    timeline.add(RX, 1)
    timeline.add(APPLICATION, 0)
    timeline.add(POLL, 2)
    assert list(timeline.rows) == [POLL, 15, RX, 8, POLL, 2]


@pytest.mark.parametrize("seed", range(5))
def test_what_was_cut_is_left_out_wherever_the_cut_is(seed: int) -> None:
    print(f"seed {seed}")
    draw = random.Random(seed)
    spent = [(draw.choice((RX, POLL)), draw.randrange(4)) for _ in range(6)]
    each = [activity for activity, duration in spent for _ in range(duration)]  # one for each picosecond
    for left in range(len(each) + 1):
        timeline = Timeline()
        timeline.add_spent(spent, left)
        rows = list(timeline.rows)
        assert [a for a, d in zip(rows[::2], rows[1::2], strict=True) for _ in range(d)] == each[: len(each) - left]


def test_a_copy_goes_its_own_way() -> None:
    timeline = Timeline()
    timeline.add(POLL, 3)
    Timeline(timeline.rows).add(POLL, 4)
    assert list(timeline.rows) == [POLL, 3]
