"""Accounting: each frame that left answers one request, and every request has a fate."""

import numpy as np
import pytest

from cosim.measure.accounting import AccountingError, account, match_answers
from cosim.traffic.frames import Frames
from enso_nic.registers import DROP_CAUSES


def times(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def counters(**values: int) -> dict[str, int]:
    return {**dict.fromkeys(("rx_admitted", "tx_frames", *DROP_CAUSES), 0), **values}


def test_requests_get_their_answers_in_whatever_order_they_left() -> None:
    answers = match_answers([b"a", b"b"], times(1, 2), Frames.pack([b"b", b"a"]), times(10, 20))
    assert answers.tolist() == [20, 10]


def test_equal_answers_go_to_the_requests_in_order_of_arrival() -> None:
    answers = match_answers([b"a", b"b", b"a"], times(1, 2, 3), Frames.pack([b"a", b"a"]), times(10, 20))
    assert answers.tolist() == [10, -1, 20]


@pytest.mark.parametrize(
    ("expected", "arrivals", "returned", "left"),
    [
        ([b"a"], times(1), [b"x"], times(10)),  # other bytes
        ([b"a"], times(1), [b"a", b"a"], times(10, 20)),  # twice
        ([None], times(1), [b"a"], times(10)),  # of a request that the door refuses
        ([b"a"], times(-1), [b"a"], times(10)),  # of a request that never came
        ([b"a"], times(10), [b"a"], times(10)),  # before it came
    ],
)
def test_a_frame_that_answers_nothing_is_an_error(
    expected: list[bytes | None],
    arrivals: np.ndarray[tuple[int], np.dtype[np.int64]],
    returned: list[bytes],
    left: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> None:
    number = len(returned)
    with pytest.raises(
        AccountingError, match=rf"frame {number} that left the NIC, of 1 bytes at {number}0 ps, answers no"
    ):
        match_answers(expected, arrivals, Frames.pack(returned), left)


def test_every_request_has_a_fate() -> None:
    arrivals, answers = times(1, 2, 3, 4, 5, -1), times(9, -1, -1, -1, 9, -1)
    fates = account(arrivals, answers, counters(too_long=1, pipe_full=1, rx_admitted=4, tx_frames=2))
    assert (fates.offered, fates.completed, fates.unfinished, fates.not_sent) == (5, 2, 1, 1)
    assert fates.dropped == {**dict.fromkeys(DROP_CAUSES, 0), "too_long": 1, "pipe_full": 1}


AT_THE_DOOR = ("in_reset", "bad_frame", "too_long", "packet_buffer_full")


@pytest.mark.parametrize("cause", DROP_CAUSES)
def test_a_frame_counts_as_let_in_if_it_was_dropped_behind_the_door(cause: str) -> None:
    let_in = 1 if cause in AT_THE_DOOR else 2
    fates = account(times(1, 2), times(9, -1), counters(rx_admitted=let_in, tx_frames=1, **{cause: 1}))
    assert (fates.completed, fates.unfinished, fates.dropped[cause]) == (1, 0, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        counters(rx_admitted=1, tx_frames=1),  # a frame vanished at the door
        counters(rx_admitted=2, tx_frames=2),  # sent by the NIC, not seen on the wire
        counters(rx_admitted=3, tx_frames=1),  # came in twice
        counters(rx_admitted=2, tx_frames=1, too_long=1),  # dropped at the door and let in
        counters(rx_admitted=2, tx_frames=1, tx_error=2),  # more dropped than there were
    ],
)
def test_sums_that_do_not_agree_are_an_error(wrong: dict[str, int]) -> None:
    arrivals, answers = times(1, 2), times(9, -1)
    assert account(arrivals, answers, counters(rx_admitted=2, tx_frames=1)).unfinished == 1
    with pytest.raises(AccountingError, match="offered 2 is not completed 1"):
        account(arrivals, answers, wrong)
