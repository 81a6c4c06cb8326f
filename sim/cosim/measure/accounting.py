"""Which frame answers which request, and what became of the others: nothing may be missing or too much."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.traffic.frames import Frames
from enso_nic.registers import DROP_CAUSES

_BEHIND_THE_DOOR = ("not_ip", "bad_ip_length", "no_flow", "pipe_full", "pipe_disabled", "tx_error")


class AccountingError(RuntimeError):
    """Frames came back that nobody sent, or were lost without a trace; one line."""


@dataclass(frozen=True, eq=False)
class Fates:
    """What became of the requests that entered the NIC.

    Attributes
    ----------
    offered, completed, unfinished
        Requests that entered the NIC, came back, and are still somewhere in NIC or software.
    not_sent
        Requests that had not entered the NIC when the run ended.
    dropped
        By cause, all causes, as the NIC counts them.
    """

    offered: int
    completed: int
    unfinished: int
    not_sent: int
    dropped: dict[str, int]


def match_answers(
    expected: Sequence[bytes | None],
    arrivals_ps: NDArray[np.int64],
    returned: Frames,
    returned_ps: NDArray[np.int64],
) -> NDArray[np.int64]:
    """When the answer of each request left the NIC: ps of its last beat, -1 where there is none.

    Parameters
    ----------
    expected
        The answer of each request; None where there must be none.
    arrivals_ps
        When each request entered the NIC (its last beat); -1 where it did not.
    returned, returned_ps
        The frames that left the NIC, in order, and when.

    Raises
    ------
    AccountingError
        A frame left that answers no request that had arrived by then. Requests of the same answer are served in order.
    """
    waiting: dict[bytes, deque[int]] = {}
    for index, (answer, arrival) in enumerate(zip(expected, arrivals_ps.tolist(), strict=True)):
        if answer is not None and arrival >= 0:
            waiting.setdefault(answer, deque()).append(index)

    answers_ps = np.full(len(expected), -1, dtype=np.int64)
    for number, (frame, time) in enumerate(zip(returned, returned_ps.tolist(), strict=True), start=1):
        candidates = waiting.get(frame)
        if not candidates or arrivals_ps[candidates[0]] >= time:
            raise AccountingError(
                f"frame {number} that left the NIC, of {len(frame)} bytes at {time} ps, answers no request"
            )
        answers_ps[candidates.popleft()] = time
    return answers_ps


def account(arrivals_ps: NDArray[np.int64], answers_ps: NDArray[np.int64], counters: Mapping[str, int]) -> Fates:
    """The sums, checked against each other: the wires' and the NIC's own.

    Parameters
    ----------
    arrivals_ps, answers_ps
        When each request entered the NIC and its answer left it; -1 where that did not happen.
    counters
        The NIC's counters by name, read when nothing moved any more.

    Raises
    ------
    AccountingError
        offered = completed + dropped + unfinished does not hold.
    """
    dropped = {cause: counters[cause] for cause in DROP_CAUSES}
    fates = Fates(
        offered=int((arrivals_ps >= 0).sum()),
        completed=int((answers_ps >= 0).sum()),
        # what the NIC let in, and neither dropped later nor sent
        unfinished=counters["rx_admitted"] - sum(dropped[cause] for cause in _BEHIND_THE_DOOR) - counters["tx_frames"],
        not_sent=int((arrivals_ps < 0).sum()),
        dropped=dropped,
    )
    if fates.unfinished < 0 or fates.offered != fates.completed + sum(dropped.values()) + fates.unfinished:
        causes = ", ".join(f"{cause} {count}" for cause, count in dropped.items() if count) or "none"
        raise AccountingError(
            f"offered {fates.offered} is not completed {fates.completed} + dropped ({causes}) "
            f"+ unfinished {fates.unfinished}"
        )
    return fates
