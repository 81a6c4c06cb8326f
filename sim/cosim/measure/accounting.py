"""What became of all requests: nothing may be missing or too much."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.measure.errors import ConservationError
from enso_nic.registers import DROP_CAUSES

_BEHIND_THE_DOOR = ("not_ip", "bad_ip_length", "no_flow", "pipe_full", "pipe_disabled", "tx_error")


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
    ConservationError
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
        raise ConservationError(
            f"offered {fates.offered} is not completed {fates.completed} + dropped ({causes}) "
            f"+ unfinished {fates.unfinished}"
        )
    return fates
