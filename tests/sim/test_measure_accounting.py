"""Accounting: every request has a fate."""

import numpy as np
import pytest

from cosim.measure.accounting import account
from cosim.measure.errors import ConservationError
from enso_nic.registers import DROP_CAUSES


def times(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def counters(**values: int) -> dict[str, int]:
    return {**dict.fromkeys(("rx_admitted", "tx_frames", *DROP_CAUSES), 0), **values}


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
    with pytest.raises(ConservationError, match="offered 2 is not completed 1"):
        account(arrivals, answers, wrong)
