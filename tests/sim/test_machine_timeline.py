"""What a core did: without a gap, and neighbours of the same activity are one."""

from cosim.machine.timeline import Timeline
from hermes.world import APPLICATION, POLL, RX


def test_neighbours_of_the_same_activity_are_one() -> None:
    timeline = Timeline()
    timeline.add(POLL, 10)
    timeline.add(POLL, 5)
    timeline.add(RX, 7)
    timeline.add(RX, 1)
    timeline.add(APPLICATION, 0)
    timeline.add(POLL, 2)
    assert list(timeline.rows) == [POLL, 15, RX, 8, POLL, 2]


def test_a_copy_goes_its_own_way() -> None:
    timeline = Timeline()
    timeline.add(POLL, 3)
    Timeline(timeline.rows).add(POLL, 4)
    assert list(timeline.rows) == [POLL, 3]
