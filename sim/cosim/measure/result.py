"""From what a simulation leaves behind to the result that is written and shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.measure.accounting import account
from cosim.measure.answers import match_answers
from cosim.measure.conservation import check_balances, check_core_times, check_little, check_stamps
from cosim.measure.counted import counted
from cosim.measure.latency import behind_warm_up, ends_ps, latencies_ps, percentiles_ns
from cosim.measure.stages import Stamped, stage_ns, stages
from cosim.simulation import Report
from cosim.traffic.echo import expected_echo
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

    What software counts beside that comes from ``outcome.report.extra`` under the names that it has there, so that one
    more counter needs no change here. A value is plain JSON, or an int64 array of times under a name that ends in
    ``_ps`` (also within a mapping), of which mean, max, p50 and p99 are told under the same name with ``_ns``.
    ``mmio_writes`` comes out per request.

    Raises
    ------
    AccountingError
        A frame answers no request.
    ConservationError
        The sums do not agree.
    StageError
        What software wrote down about requests cannot be.
    """
    arrivals, returned_ps, report = outcome.arrivals_ps, outcome.returned_ps, outcome.report
    expected, has_answer = _expected(load)
    answers = match_answers(expected, has_answer, arrivals, outcome.returned, returned_ps)
    fates = account(arrivals, answers, outcome.counters)
    # time goes on while the counters are read
    end_ps = max(outcome.end_ps, int(arrivals.max(initial=0)), int(returned_ps.max(initial=0)))
    ends = ends_ps(arrivals, answers, load.is_admitted, fates.unfinished, end_ps)
    is_measured = behind_warm_up(arrivals)

    is_counted = ends >= 0
    check_little("requests", arrivals[is_counted], returned_ps, end_ps, (ends - arrivals)[is_counted])
    check_core_times(report.iokernel_ps, report.core_ps, report.window_ps)
    check_balances(getattr(report, "balances", ()))

    stamped = _stamped(report)
    found = None
    if stamped is not None:
        check_stamps(stamped)
        if not fates.dropped["tx_error"]:  # such packets were handled and have no answer
            found = stages(arrivals, answers, load.steering.flow % load.uthreads, stamped)

    core_ps = report.core_ps
    held_ps = sum(core_ps.values()) - core_ps["idle"]
    busy_ps = int(answers.max() - arrivals[arrivals >= 0].min()) if fates.completed else 0
    result = {
        "offered": fates.offered,
        "completed": fates.completed,
        "echoed": fates.completed,
        "unfinished": fates.unfinished,
        "not_sent": fates.not_sent,
        "dropped": fates.dropped,
        "latency_ns": percentiles_ns(latencies_ps(arrivals, ends, is_measured)),
        "stage_ns": None if found is None else stage_ns(found, is_measured),
        "packets_per_notification": report.packets_per_notification,
        "iokernel_share": _shares(report.iokernel_ps),
        "core_time_share": _shares(core_ps),
        "runtime_efficiency": core_ps["application"] / held_ps if held_ps else None,
        "requests_per_s": fates.completed * 10**12 / busy_ps if busy_ps else None,
        "batch_ops_per_s": _batch_ops_per_s(report),
        "messages": dict(report.messages),
        "grants": report.grants,
        "false_detections": report.false_detections,
        "runqueue_insertions": report.runqueue_insertions,
        "steals": report.steals,
        "simulated_ns": outcome.end_ps / 1000,
        "costs_sha256": report.costs_sha256,
        "event_hash": report.event_hash,
    }
    return result | counted(getattr(report, "extra", {}), fates.completed, taken=result)


def _expected(load: Load) -> tuple[Frames, NDArray[np.bool_]]:
    """The answer of each request, and which must have one."""
    has_answer = load.is_admitted
    answers = [
        expected_echo(frame, in_header_mode=has_header) if is_admitted else b""
        for frame, is_admitted, has_header in zip(
            load.requests, has_answer.tolist(), load.in_header_mode.tolist(), strict=True
        )
    ]
    return Frames.pack(answers), has_answer


def _stamped(report: Report) -> Stamped | None:
    """What software wrote down about requests, if it did."""
    rows = [getattr(report, kind, None) for kind in ("notifications", "packets", "sends")]
    arrays = [kind for kind in rows if isinstance(kind, np.ndarray)]
    return Stamped(*arrays) if len(arrays) == len(rows) else None


def _batch_ops_per_s(report: Report) -> float | None:
    """Operations of 1 us that batch applications did; None without one."""
    batch_ps: int | None = getattr(report, "batch_ps", None)
    return None if batch_ps is None or not report.window_ps else batch_ps * 10**6 / report.window_ps


def _shares(parts_ps: Mapping[str, int]) -> dict[str, float]:
    total = sum(parts_ps.values())
    return {name: part / total if total else 0.0 for name, part in parts_ps.items()}
