"""Conservation: each law, and each of its violations."""

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from cosim.measure.conservation import check_balances, check_core_times, check_little, check_stamps
from cosim.measure.errors import ConservationError
from cosim.measure.stages import Stamped
from hermes.systems import Balance


def times(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def test_a_queue_balances_if_all_that_came_left_or_is_there() -> None:
    check_balances([])
    check_balances([Balance("softIRQs", 10, 7, 3), Balance("messages", 0, 0, 0)])


@pytest.mark.parametrize(
    ("came", "left", "there"),
    [(10, 7, 2), (10, 7, 4), (9, 10, -1), (-1, -1, 0)],  # lost, from nowhere, taken twice, never counted
)
def test_a_queue_that_does_not_balance_is_an_error(came: int, left: int, there: int) -> None:
    with pytest.raises(ConservationError, match=f"^messages: {came} came, {left} left, {there} are there$"):
        check_balances([Balance("softIRQs", 1, 1, 0), Balance("messages", came, left, there)])


def test_the_time_of_cores_sums_to_what_went_by() -> None:
    check_core_times({"rx": 3, "poll": 7}, {"application": 12, "idle": 18}, 10)
    check_core_times({"rx": 0}, {"idle": 0}, 0)
    check_core_times({"poll": 10}, {}, 10)


@pytest.mark.parametrize(
    ("iokernel", "cores", "told"),
    [
        ({"rx": 3, "poll": 6}, {"idle": 30}, "ps of the IOKernel's core: 10 came, 9 left, 1 are there: rx 3, poll 6"),
        ({"rx": -1, "poll": 11}, {"idle": 30}, "ps of the IOKernel's core: 10 came, 10 left, 0 are there"),
        ({"poll": 10}, {"idle": 31}, "ps of the application cores: 30 came, 31 left, -1 are there: idle 31"),
        ({"poll": 10}, {"idle": -10, "switch": 30}, "ps of the application cores: 20 came, 20 left, 0 are there"),
        ({"poll": 1}, {}, "ps of the IOKernel's core: 0 came, 1 left"),
    ],
)
def test_time_that_is_lost_or_won_is_an_error(iokernel: dict[str, int], cores: dict[str, int], told: str) -> None:
    with pytest.raises(ConservationError, match=f"^{told}"):
        check_core_times(iokernel, cores, 0 if not cores else 10)


def test_littles_law_holds_of_what_came_and_left() -> None:
    check_little("requests", times(), times(), 5, times())
    check_little("requests", times(1, 2), times(4, 8), 9, times(3, 6))
    check_little("requests", times(1, 2), times(8, 4), 9, times(2, 7))  # whichever left first
    check_little("requests", times(1, 2), times(4), 9, times(3, 7))
    check_little("requests", times(4, 4), times(4, 4), 9, times(0, 0))


@pytest.mark.parametrize("seed", range(20))
def test_littles_law_is_the_sum_over_every_instant(seed: int) -> None:
    print(f"seed {seed}")
    draw = random.Random(seed)
    spans = [(came := draw.randrange(100), came + draw.randrange(50)) for _ in range(draw.randrange(30))]
    end = draw.randrange(100, 200)
    left = [until for _, until in spans if until <= end]
    there = sum(sum(came <= instant < until for came, until in spans) for instant in range(end))
    stays = times(*(min(until, end) - came for came, until in spans))
    assert there == stays.sum()
    draw.shuffle(left)
    check_little("requests", times(*(came for came, _ in spans)), times(*left), end, stays)
    with pytest.raises(ConservationError, match=f"over time they add up to {there} ps, .* to {there + 1} ps"):
        check_little("requests", times(*(came for came, _ in spans)), times(*left), end, np.append(stays, 1))


def test_littles_law_holds_beyond_64_bits() -> None:
    count, end = 10_000, 2**61
    check_little("requests", np.zeros(count, np.int64), times(), end, np.full(count, end))


def test_nothing_leaves_that_has_not_come() -> None:
    with pytest.raises(ConservationError, match=r"^requests at 4 ps: 1 came, 2 left, -1 are there$"):
        check_little("requests", times(1, 5), times(3, 4), 9, times(2, 0))
    with pytest.raises(ConservationError, match=r"^requests at 3 ps: 0 came, 1 left, -1 are there$"):
        check_little("requests", times(), times(3), 9, times())


def test_nothing_comes_or_leaves_behind_the_end() -> None:
    with pytest.raises(ConservationError, match="requests: the last one came or left at 10 ps, behind the end at 9 ps"):
        check_little("requests", times(1), times(10), 9, times(9))


GOOD = ([0, 1, 10, 11, 12, 13, 14], [0, 1, 15, 16], [0, 1, 17, 18])


def stamped(kind: int = 0, column: int = 0, value: int = 0) -> Stamped:
    """Rows that can be, but for one column of one kind if it is not 0."""
    rows = [np.array([row, row], dtype=np.int64) for row in GOOD]
    if column:
        rows[kind][1, column] = value
    return Stamped(*rows)


def test_rows_in_order_are_accepted_whole_or_not() -> None:
    check_stamps(stamped())
    check_stamps(stamped(0, 5, -1))  # it needed no softIRQ
    for kind, column in ((0, 6), (2, 3)):  # it still lies in its queue
        check_stamps(stamped(kind, column, -1))


@pytest.mark.parametrize(
    ("kind", "column", "told"),
    [
        *((0, column, "notification 1 of pipe 0 left before it came: ") for column in range(3, 7)),
        (1, 3, r"packet 1 of pipe 0 left before it came: \[15, 0\] ps"),
        (2, 3, r"send 1 of pipe 0 left before it came: \[17, 0\] ps"),
    ],
)
def test_a_row_out_of_order_is_an_error(kind: int, column: int, told: str) -> None:
    with pytest.raises(ConservationError, match=told):
        check_stamps(stamped(kind, column, 0))


def test_what_needed_no_softirq_is_not_taken_before_it_was_delivered() -> None:
    rows = stamped(0, 5, -1)
    rows.notifications[1, 6] = 11
    with pytest.raises(ConservationError, match=r"\[10, 11, 12, -1, 11\] ps"):
        check_stamps(rows)
