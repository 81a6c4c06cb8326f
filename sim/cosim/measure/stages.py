"""Where the time of a request went: the rows of hermes.stamps, spread over the requests.

The frames of a pipe leave in the order in which they were handled, so the k-th answered request of a pipe is its k-th
packet; a packet is known to software by the first notification taken whose tail lies behind it, and the NIC of its
answer by the first send forwarded that does.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cosim.mapped import let_go, scratch
from cosim.measure.errors import StageError
from cosim.measure.latency import mean_ns, percentile_ns
from hermes.enso.registers import UPSTREAM
from hermes.stamps import (
    BEGUN,
    DELIVERED,
    DONE,
    END,
    FORWARDED,
    NOTIFICATION_COLUMNS,
    PACKET_COLUMNS,
    PIPE,
    POSTED,
    READ,
    RUNNABLE,
    SEND_COLUMNS,
    TAIL,
    TAKEN,
    VISIBLE,
)

Integers = NDArray[np.int64]

TIMES: Final = (
    "arrival",  # last RX beat
    "visible",
    "read",
    "delivered",
    "runnable",
    "taken",
    "begun",
    "done",
    "posted",
    "forwarded",
    "answer",  # last TX beat
)
"""What happens to a request, in order; see hermes.stamps."""
STAGES: Final = (
    "nic_rx",
    "iokernel_wait",
    "iokernel",
    "softirq_wait",
    "runqueue_wait",
    "batch_wait",
    "service",
    "send_wait",
    "message_wait",
    "nic_tx",
)
"""From one of TIMES to the next."""

_NEVER = np.iinfo(np.int64).max
_PIPES = 1 << 16  # more than any NIC has
_COUNT_BITS = 47  # of a key: a count of flits that does not wrap, below the pipe


@dataclass(frozen=True, eq=False)
class Stamped:
    """The rows of hermes.stamps.Stamps, each kind as int64 of (rows, columns); rows of a pipe in their order."""

    notifications: Integers
    packets: Integers
    sends: Integers

    def __post_init__(self) -> None:
        shapes = (self.notifications.shape[1:], self.packets.shape[1:], self.sends.shape[1:])
        if shapes != ((NOTIFICATION_COLUMNS,), (PACKET_COLUMNS,), (SEND_COLUMNS,)):
            raise ValueError(
                f"stamps have rows of {shapes}; accepted are {NOTIFICATION_COLUMNS}, {PACKET_COLUMNS}, {SEND_COLUMNS}"
            )


@dataclass(frozen=True, eq=False)
class Stages:
    """The completed requests, and when each thing happened to them.

    Attributes
    ----------
    requests
        int64 (n,), their indices, ascending.
    times_ps
        int64 (11, n), one row for each of TIMES.
    wasted_notifications
        Notifications that told their uthread nothing, because it had taken a later one of the pipe before, or took one
        with it.
    """

    requests: Integers
    times_ps: Integers
    wasted_notifications: int = 0

    @property
    def durations_ps(self) -> Integers:
        """int64 (10, n), one row for each of STAGES; they add up to the latency."""
        return self.times_ps[1:] - self.times_ps[:-1]


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of one kind, pipe after pipe.

    Attributes
    ----------
    rows
        As they were written.
    order
        int64, the row at each place; within a pipe they keep their order. Everything else goes by place.
    begins
        int64, the first place of each pipe, and behind the last pipe.
    keys
        int64, ascending: the pipe, then the tail or end in flits since the pipe was opened.
    """

    rows: Integers
    order: Integers
    begins: Integers
    keys: Integers

    def column(self, places: Integers, column: int) -> Integers:
        """What this column of the rows at ``places`` holds."""
        values: Integers = self.rows[self.order[places], column]
        let_go(self.rows)
        return values


def stages(
    arrivals_ps: Integers,
    answers_ps: Integers,
    pipes: Integers,
    stamped: Stamped,
    pipe_flits: int = UPSTREAM.pipe_flits,
) -> Stages:
    """When what happened to each completed request.

    Parameters
    ----------
    arrivals_ps, answers_ps
        When each request entered the NIC and its answer left it; -1 where that did not happen.
    pipes
        Each request's pipe; of requests without an answer anything.
    stamped
        What software wrote down. Of the packets that it handled only the last ones of a pipe may not have left.
    pipe_flits
        Size of a pipe, at which tails and ends wrap.

    Raises
    ------
    StageError
        A packet, notification or send is missing, or a stage is negative.
    """
    requests = np.flatnonzero(answers_ps >= 0)
    left = np.argsort(answers_ps[requests], kind="stable")
    left = left[_argsort_by_pipe(pipes[requests[left]])]  # the completed requests, pipe after pipe
    of = requests[left]
    times = scratch((len(TIMES), len(requests)))
    times[0], times[-1] = arrivals_ps[requests], answers_ps[requests]

    packets = _by_pipe(stamped.packets, np.arange(len(stamped.packets)), END, pipe_flits)
    at = _packets_of(packets, pipes[of], of)
    ends = packets.keys[at]
    for time, column in ((6, BEGUN), (7, DONE)):
        times[time, left] = packets.column(at, column)
        let_go(times)
    del packets

    # the NIC's tails never go back, and a full ring is a flit short: in the NIC's order each is an advance
    in_order = np.argsort(stamped.notifications[:, VISIBLE], kind="stable")
    notifications = _by_pipe(stamped.notifications, in_order, TAIL, pipe_flits)
    del in_order
    at = _covering(notifications, ends, of, "notification")
    # notifications overtake each other between softIRQ queues, and sends between message queues: the one that comes
    # first tells all that those before it would have told
    wasted = _wasted(notifications)
    at = _first_of_those_behind(notifications, TAKEN)[at]
    for time, column in ((1, VISIBLE), (2, READ), (3, DELIVERED), (4, RUNNABLE), (5, TAKEN)):
        times[time, left] = notifications.column(at, column)
        let_go(times)
    del notifications
    needed_none = times[4] < 0
    times[4, needed_none] = times[3, needed_none]
    let_go(times)

    sends = _by_pipe(stamped.sends, np.arange(len(stamped.sends)), END, pipe_flits)
    at = _covering(sends, ends, of, "send")
    times[8, left] = sends.column(at, POSTED)
    times[9, left] = sends.column(_first_of_those_behind(sends, FORWARDED)[at], FORWARDED)

    found = Stages(requests, times, wasted)
    _require_ascending(found)
    return found


def stage_ns(found: Stages, is_measured: NDArray[np.bool_]) -> dict[str, dict[str, float | None]]:
    """Mean, p50 and p99 of each stage in ns, None without enough samples.

    Parameters
    ----------
    found
        The stages of all completed requests.
    is_measured
        Of every request of the run, whether it counts.
    """
    counts = is_measured[found.requests]
    result: dict[str, dict[str, float | None]] = {}
    for name, begins, ends in zip(STAGES, found.times_ps, found.times_ps[1:], strict=False):
        ascending = (ends - begins)[counts]
        ascending.sort()
        let_go(found.times_ps)
        result[name] = {
            "mean": mean_ns(ascending),
            "p50": percentile_ns(ascending, 500),
            "p99": percentile_ns(ascending, 990),
        }
    return result


def _argsort_by_pipe(pipes: Integers) -> Integers:
    return np.argsort(pipes.astype(np.uint16), kind="stable")  # 16 bits: a radix sort


def _begins(pipes: Integers) -> Integers:
    """Where in ``pipes``, ascending, each pipe begins."""
    return np.searchsorted(pipes, np.arange(_PIPES + 1))


def _by_pipe(rows: Integers, order: Integers, column: int, pipe_flits: int) -> _Rows:
    """Rows in this order, pipe after pipe; ``column`` has their tails or ends."""
    order = order[_argsort_by_pipe(rows[order, PIPE])]
    pipes, positions = rows[order, PIPE], rows[order, column]
    let_go(rows)
    begins = _begins(pipes)
    steps = np.diff(positions, prepend=0)
    first = begins[:-1][np.diff(begins) > 0]
    steps[first] = positions[first]
    del positions
    steps %= pipe_flits
    from_first = steps[first]
    counts = np.cumsum(steps, out=steps)
    counts -= np.repeat(counts[first] - from_first, np.diff(begins)[pipes[first]])
    pipes <<= _COUNT_BITS
    pipes |= counts
    return _Rows(rows, order, begins, pipes)


def _packets_of(packets: _Rows, pipes: Integers, of: Integers) -> Integers:
    """The place of each request's packet: the requests ``of``, in the order in which they left ``pipes``."""
    places = packets.begins[pipes] + np.arange(len(pipes)) - _begins(pipes)[pipes]
    _require(places < packets.begins[pipes + 1], of, pipes, "packet")
    return places


def _covering(rows: _Rows, ends: Integers, of: Integers, what: str) -> Integers:
    """The place of the first row that lies not before each packet's end."""
    places = np.searchsorted(rows.keys, ends)
    pipes = ends >> _COUNT_BITS
    _require(places < rows.begins[pipes + 1], of, pipes, what)
    return places


def _first_of_those_behind(rows: _Rows, column: int) -> Integers:
    """Of each row and those behind it in its pipe, the place of the one whose ``column`` is the earliest time."""
    times, earliest = _earliest_behind(rows, column)
    places = np.arange(len(times))
    places[times != earliest] = len(times)  # an earlier one lies behind it
    return np.minimum.accumulate(places[::-1])[::-1]


def _wasted(notifications: _Rows) -> int:
    """How many were taken when one behind them in their pipe had been, or was taken with them."""
    times, earliest = _earliest_behind(notifications, TAKEN)
    behind = np.append(earliest[1:], _NEVER)
    behind[notifications.begins[1:] - 1] = _NEVER  # of a pipe's last one nothing lies behind; of an empty pipe, neither
    return int(((times < _NEVER) & (behind <= times)).sum())


def _earliest_behind(rows: _Rows, column: int) -> tuple[Integers, Integers]:
    """Each row's time in this column, and the earliest of it and those behind it in its pipe."""
    times = rows.rows[rows.order, column]
    let_go(rows.rows)
    times[times < 0] = _NEVER
    earliest = times.copy()
    bounds = np.unique(rows.begins)
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        backwards = earliest[begin:end][::-1]
        np.minimum.accumulate(backwards, out=backwards)
    return times, earliest


def _require(is_there: NDArray[np.bool_], of: Integers, pipes: Integers, what: str) -> None:
    if not is_there.all():
        missing = np.flatnonzero(~is_there)
        at = missing[np.argmin(of[missing])]
        raise StageError(f"request {of[at]}: pipe {pipes[at]} has no {what} for it, nor for {len(missing) - 1} others")


def _require_ascending(found: Stages) -> None:
    for index, name in enumerate(STAGES):
        is_negative = found.times_ps[index + 1] < found.times_ps[index]
        let_go(found.times_ps)
        if is_negative.any():
            at = int(np.argmax(is_negative))
            times = found.times_ps[:, at].tolist()
            told = ", ".join(f"{time} {value}" for time, value in zip(TIMES, times, strict=True))
            raise StageError(
                f"request {found.requests[at]}: stage {name} takes {times[index + 1] - times[index]} ps; "
                f"its times in ps are {told}"
            )
