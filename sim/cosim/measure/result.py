"""From what a simulation leaves behind to the result that is written and shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.measure.accounting import account, match_answers
from cosim.measure.latency import latencies_ps, percentiles_ns
from cosim.simulation import Report
from cosim.traffic.frames import Frames
from cosim.traffic.load import Load


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a simulation leaves behind.

    Attributes
    ----------
    arrivals_ps
        int64, when the last beat of each request entered the NIC; -1 where it did not.
    returned, returned_ps
        The frames that left the NIC, in order, and the time of the last beat of each.
    end_ps
        Host time up to which all was simulated.
    counters
        The NIC's counters by name, read then.
    report
        What software and machine counted.
    """

    arrivals_ps: NDArray[np.int64]
    returned: Frames
    returned_ps: NDArray[np.int64]
    end_ps: int
    counters: dict[str, int]
    report: Report


def measured(load: Load, outcome: Outcome) -> dict[str, Any]:
    """The result of a run, as result.json holds it (DESIGN: the names are fixed).

    Raises
    ------
    AccountingError
        A frame answers no request, or the sums do not agree.
    """
    load = load.answered_by(outcome.returned)
    may_finish = load.is_admitted
    expected = [
        answer if is_admitted else None for answer, is_admitted in zip(load.expected, may_finish.tolist(), strict=True)
    ]
    arrivals = outcome.arrivals_ps
    answers = match_answers(expected, arrivals, outcome.returned, outcome.returned_ps)
    fates = account(arrivals, answers, outcome.counters)
    report = outcome.report
    latencies = latencies_ps(arrivals, answers, may_finish, fates.unfinished, outcome.end_ps)
    core_ps = report.core_ps
    held_ps = sum(core_ps.values()) - core_ps["idle"]
    busy_ps = int(answers.max() - arrivals[arrivals >= 0].min()) if fates.completed else 0
    return {
        "offered": fates.offered,
        "completed": fates.completed,
        "echoed": fates.completed,
        "unfinished": fates.unfinished,
        "not_sent": fates.not_sent,
        "dropped": fates.dropped,
        "latency_ns": percentiles_ns(latencies),
        "packets_per_notification": report.packets_per_notification,
        "iokernel_share": _shares(report.iokernel_ps),
        "core_time_share": _shares(core_ps),
        "runtime_efficiency": core_ps["application"] / held_ps if held_ps else None,
        "requests_per_s": fates.completed * 10**12 / busy_ps if busy_ps else None,
        "messages": dict(report.messages),
        "grants": report.grants,
        "false_detections": report.false_detections,
        "runqueue_insertions": report.runqueue_insertions,
        "simulated_ns": outcome.end_ps / 1000,
        "costs_sha256": report.costs_sha256,
        "event_hash": report.event_hash,
    }


def _shares(parts_ps: Mapping[str, int]) -> dict[str, float]:
    total = sum(parts_ps.values())
    return {name: part / total if total else 0.0 for name, part in parts_ps.items()}
