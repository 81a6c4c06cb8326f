"""Nothing appears and nothing is lost: what must add up at the end of each run, or the run has no result.

Requests have the identity of cosim.measure.accounting and, against the frames on the wire, Little's law in its exact
form: the time integral of how many are in the system is the sum of the times that each was in it. Queues of the
software balance, and the time of each core is split into parts that sum to the time that went by.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from cosim.mapped import let_go
from cosim.measure.errors import ConservationError
from cosim.measure.exact import exact_sum
from cosim.measure.stages import Stamped
from hermes.stamps import BEGUN, PIPE, POSTED, VISIBLE
from hermes.systems import Balance

Integers = NDArray[np.int64]


def check_balances(balances: Iterable[Balance]) -> None:
    """Whatever came left or is there.

    Raises
    ------
    ConservationError
        Of the first of ``balances`` for which that is not so, or of which a count is negative.
    """
    for balance in balances:
        if balance.came != balance.left + balance.there or min(balance.left, balance.there) < 0:
            raise ConservationError(_told(balance.what, balance.came, balance.left, balance.there))


def check_little(what: str, came_ps: Integers, left_ps: Integers, end_ps: int, times_ps: Integers) -> None:
    """Little's law: the integral of how many are there, up to ``end_ps``, is the sum of the times that each was there.

    Parameters
    ----------
    what
        Of what this is told, for an error's text.
    came_ps, left_ps
        When one came and when one left, in any order, whichever it was; none behind ``end_ps``.
    times_ps
        How long each one was there, up to ``end_ps`` for those that did not leave, in any order.

    Raises
    ------
    ConservationError
        The two differ, or more left up to some time than had come.
    """
    count = len(came_ps)
    came_ps, left_ps = np.sort(came_ps), np.sort(left_ps)
    # at the same time one comes before one leaves
    is_missing = np.searchsorted(came_ps, left_ps, side="right") < np.arange(1, len(left_ps) + 1)
    if is_missing.any():
        at = int(np.argmax(is_missing))
        raise ConservationError(_told(f"{what} at {left_ps[at]} ps", at, at + 1, -1))
    last_ps = max(int(moments[-1]) for moments in (came_ps, left_ps) if len(moments)) if count else end_ps
    if last_ps > end_ps:
        raise ConservationError(f"{what}: the last one came or left at {last_ps} ps, behind the end at {end_ps} ps")
    # each adds one from when it came, and takes it away again from when it left
    integral, total = exact_sum(end_ps - came_ps) - exact_sum(end_ps - left_ps), exact_sum(times_ps)
    if integral != total:
        raise ConservationError(
            f"{_told(what, count, len(left_ps), count - len(left_ps))}; over time they add up to {integral} ps, "
            f"and the times that each was there to {total} ps"
        )


def check_core_times(iokernel_ps: Mapping[str, int], core_ps: Mapping[str, int], window_ps: int) -> None:
    """The time of the IOKernel's core, and that of the other cores together, is split without a remainder.

    Parameters
    ----------
    iokernel_ps, core_ps
        By activity.
    window_ps
        What went by on each core.

    Raises
    ------
    ConservationError
        A part is negative, or the sum is not the window, or not a whole number of them.
    """
    cores = (sum(core_ps.values()) + window_ps // 2) // window_ps if window_ps else 0
    for what, parts_ps, came in (
        ("the IOKernel's core", iokernel_ps, window_ps),
        ("the application cores", core_ps, cores * window_ps),
    ):
        left = sum(parts_ps.values())
        if left != came or min(parts_ps.values(), default=0) < 0:
            parts = ", ".join(f"{name} {part}" for name, part in parts_ps.items() if part)
            raise ConservationError(f"{_told(f'ps of {what}', came, left, came - left)}: {parts}")


def check_stamps(stamped: Stamped) -> None:
    """What happened to each notification, packet and send happened in that order, as far as it did.

    So every item left its queue, if it did, no earlier than it came: for the software's queues Little's law then
    follows, and their balances say the rest.

    Raises
    ------
    ConservationError
        It is not so.
    """
    for what, rows, first in (
        ("notification", stamped.notifications, VISIBLE),
        ("packet", stamped.packets, BEGUN),
        ("send", stamped.sends, POSTED),
    ):
        latest = rows[:, first].copy()
        for column in range(first + 1, rows.shape[1]):
            is_known = rows[:, column] >= 0
            is_early = is_known & (rows[:, column] < latest)
            if is_early.any():
                row = int(np.argmax(is_early))
                times = rows[row, first:].tolist()
                raise ConservationError(f"{what} {row} of pipe {rows[row, PIPE]} left before it came: {times} ps")
            latest = np.where(is_known, rows[:, column], latest)
            let_go(rows)


def _told(what: str, came: int, left: int, there: int) -> str:
    return f"{what}: {came} came, {left} left, {there} are there"
