"""The walk by prefix sums, against a walk that takes each step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.machine.walk import Position, WalkTable
from hermes.world import POLL, Walk


def steps(walk: Walk, lap: int, skip: int, start: int, count: int) -> list[tuple[int, int, int]]:
    """(time, source, lap) of each look, the first ``skip`` of the first lap left out."""
    looks: list[tuple[int, int, int]] = []
    time = start
    while len(looks) < count:
        for source in walk.orders[lap % len(walk.orders)][skip:]:
            looks.append((time, source, lap))
            time += walk.costs[source]
        lap, skip = lap + 1, 0
    return looks


@st.composite
def walks(draw: st.DrawFn) -> Walk:
    count = draw(st.integers(1, 6))
    costs = tuple(draw(st.lists(st.integers(1, 20), min_size=count, max_size=count)))
    orders = draw(st.lists(st.permutations(range(count)), min_size=1, max_size=4))
    return Walk(costs, tuple(tuple(order) for order in orders), POLL)


@given(walks(), st.data())
def test_visits_and_skips_are_those_of_a_walk_step_by_step(walk: Walk, data: st.DataObject) -> None:
    position = Position()
    position.begin(WalkTable(walk))
    time, lap, skip = data.draw(st.integers(0, 1000)), 0, 0
    for _ in range(8):
        position.start = time - position.offset
        looks = steps(walk, lap, skip, time, 100)
        source = data.draw(st.sampled_from(range(len(walk.costs))))
        earliest = time + data.draw(st.integers(0, 3 * sum(walk.costs)))
        laps = data.draw(st.integers(0, lap + 4))
        expected = next(look for look in looks if look[1] == source and look[0] >= earliest and look[2] >= laps)
        assert (position.visit(source, earliest, laps), position.visited_lap) == (expected[0], expected[2])

        index = looks.index(expected)
        assert position.polled(source, expected[2]) == sum(walk.costs[look[1]] for look in looks[:index])
        following = looks[index + 1]
        lap, skip = following[2], walk.orders[following[2] % len(walk.orders)].index(following[1])
        assert (position.lap, position.offset) == (
            lap,
            sum(walk.costs[s] for s in walk.orders[lap % len(walk.orders)][:skip]),
        )
        time = expected[0] + data.draw(st.integers(walk.costs[source], 50))


@given(walks(), st.data())
def test_the_first_of_several_sources_is_that_which_a_walk_meets_first(walk: Walk, data: st.DataObject) -> None:
    position = Position()
    position.begin(WalkTable(walk))
    source = data.draw(st.sampled_from(range(len(walk.costs))))
    position.polled(source, data.draw(st.integers(0, 5)))
    sources = data.draw(st.integers(1, (1 << len(walk.costs)) - 1))
    skip = 0
    if position.offset:
        order = walk.orders[position.lap % len(walk.orders)]
        skip = order.index(source) + 1
    looks = steps(walk, position.lap, skip, 0, 20)
    assert position.first(sources) == next(look[1] for look in looks if sources >> look[1] & 1)


@pytest.mark.parametrize(
    ("costs", "orders"), [((1, 0), ((0, 1),)), ((1, 2), ((0, 0),)), ((1, 2), ((0,),)), ((1, 2), ((0, 1), (0, 2)))]
)
def test_a_walk_that_is_none_is_refused(costs: tuple[int, ...], orders: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match="accepted is an order of all sources, each with a cost of 1 ps or more"):
        WalkTable(Walk(costs, orders, POLL))
