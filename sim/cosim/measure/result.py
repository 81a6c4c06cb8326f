"""From what a simulation leaves behind to the result that is written and shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.measure.accounting import Fates, account
from cosim.measure.answers import match_answers
from cosim.measure.conservation import check_balances, check_core_times, check_little, check_stamps
from cosim.measure.counted import counted
from cosim.measure.latency import behind_warm_up, ends_ps, latencies_ps, order_of_arrival, percentiles_ns
from cosim.measure.request_ways import Requests
from cosim.measure.requests_file import request_columns, write_requests
from cosim.measure.series import series
from cosim.measure.stages import Stages, Stamped, stage_ns, stages
from cosim.measure.trace import write_trace
from cosim.simulation import Report
from cosim.simulator import Outcome
from cosim.traffic.load import Load


@dataclass(frozen=True, eq=False)
class Measurement:
    """What became of each request of a run whose sums agree.

    Attributes
    ----------
    load, outcome
        The run.
    fates
        The sums.
    answers_ps
        int64, when the answer of each request left the NIC; -1 where there is none.
    ends_ps
        int64, up to when each request was in the system: as cosim.measure.latency.ends_ps gives it.
    stages
        Of the completed requests; None if software handled packets that were dropped later.
    """

    load: Load
    outcome: Outcome
    fates: Fates
    answers_ps: NDArray[np.int64]
    ends_ps: NDArray[np.int64]
    stages: Stages | None

    @property
    def drops_are_known(self) -> bool:
        """Whether it is certain which requests were dropped and which are unfinished."""
        without_answer = (self.outcome.arrivals_ps >= 0) & (self.answers_ps < 0) & self.load.is_admitted
        return self.fates.unfinished in (0, int(without_answer.sum()))

    def series(self, bin_ps: int) -> dict[str, Any]:
        """How the run went over time, in bins of this width from the start of the load on; see cosim.measure.series."""
        arrivals_ps = self.outcome.arrivals_ps
        first = order_of_arrival(arrivals_ps)[:1]
        origin_ps = int((arrivals_ps - self.load.deliver_ps)[first].sum())  # of one, or of none
        return series(
            arrivals_ps,
            self.answers_ps,
            self.ends_ps,
            drops_are_known=self.drops_are_known,
            origin_ps=origin_ps,
            bin_ps=bin_ps,
        )

    def write_requests(self, path: Path) -> None:
        """Write requests.parquet."""
        load, count = self.load, len(self.answers_ps)
        columns = {
            "request": np.arange(count),
            "connection": load.connections,
            "pipe": _pipes(load),
            "service_ps": load.service_ps,
        }
        columns |= request_columns(self.outcome.arrivals_ps, self.answers_ps, self.ends_ps, self.stages)
        write_requests(path, columns)

    def write_trace(self, path: Path) -> None:
        """Write trace.perfetto, of a run that was traced."""
        recorded = self.outcome.report.recorded
        if recorded is None:
            raise ValueError("a trace of a run that was not traced; accepted is one with trace in its options")
        load = self.load
        requests = Requests(
            self.outcome.arrivals_ps, self.answers_ps, self.ends_ps, load.connections, _pipes(load), self.stages
        )
        write_trace(path, recorded, requests, self.outcome.link)

    def result(self) -> dict[str, Any]:
        """The result of the run, as result.json holds it (DESIGN: the names are fixed).

        What software counts beside that comes from ``report.extra`` under the names that it has there, so that one more
        counter needs no change here; see cosim.measure.counted.
        """
        fates, report = self.fates, self.outcome.report
        arrivals, answers = self.outcome.arrivals_ps, self.answers_ps
        is_measured = behind_warm_up(arrivals)
        core_ps = report.core_ps
        held_ps = sum(core_ps.values()) - core_ps["idle"] - core_ps["batch"]
        busy_ps = int(answers.max() - arrivals[arrivals >= 0].min()) if fates.completed else 0
        result = {
            "offered": fates.offered,
            "completed": fates.completed,
            "echoed": fates.completed,
            "unfinished": fates.unfinished,
            "not_sent": fates.not_sent,
            "dropped": fates.dropped,
            "latency_ns": percentiles_ns(latencies_ps(arrivals, self.ends_ps, is_measured)),
            "stage_ns": None if self.stages is None else stage_ns(self.stages, is_measured),
            "packets_per_notification": report.packets_per_notification,
            "wasted_notifications": None if self.stages is None else self.stages.wasted_notifications,
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
            "window_ns": report.window_ps / 1000,
            "simulated_ns": self.outcome.end_ps / 1000,
            "costs_sha256": report.costs_sha256,
            "event_hash": report.event_hash,
        }
        return result | counted(report.extra, fates.completed, taken=result)


def measure(load: Load, outcome: Outcome) -> Measurement:
    """Find out what became of each request, and see that nothing appeared and nothing was lost.

    Raises
    ------
    AccountingError
        A frame answers no request.
    ConservationError
        The sums do not agree.
    StageError
        What software wrote down about requests cannot be.
    """
    load = load.answered_by(outcome.returned)
    arrivals, returned_ps, report = outcome.arrivals_ps, outcome.returned_ps, outcome.report
    has_answer = load.is_admitted
    answers = match_answers(load.answers, has_answer, arrivals, outcome.returned, returned_ps)
    fates = account(arrivals, answers, outcome.counters)
    # time goes on while the counters are read
    end_ps = max(outcome.end_ps, int(arrivals.max(initial=0)), int(returned_ps.max(initial=0)))
    ends = ends_ps(arrivals, answers, has_answer, fates.unfinished, end_ps)

    stayed = ends >= 0
    check_little("requests", arrivals[stayed], returned_ps, end_ps, (ends - arrivals)[stayed])
    check_core_times(report.iokernel_ps, report.core_ps, report.window_ps)
    check_balances(report.balances)
    stamped = Stamped(report.notification_rows, report.packet_rows, report.send_rows)
    check_stamps(stamped)
    found = None
    if not fates.dropped["tx_error"]:  # such packets were handled and have no answer
        found = stages(arrivals, answers, _pipes(load), stamped, outcome.pipe_flits)
    return Measurement(load, outcome, fates, answers, ends, found)


def measured(load: Load, outcome: Outcome) -> dict[str, Any]:
    """The result of a run; see ``measure`` and ``Measurement.result``."""
    return measure(load, outcome).result()


def _pipes(load: Load) -> NDArray[np.int64]:
    """The pipe of each request; -1 of one that the door refuses."""
    flow = load.steering.flow
    return np.where(flow < 0, -1, flow % load.uthreads)


def _batch_ops_per_s(report: Report) -> float | None:
    """Operations of 1 us that the batch application did; None without one."""
    if not report.has_batch or not report.window_ps:
        return None
    return report.core_ps["batch"] * 10**6 / report.window_ps


def _shares(parts_ps: Mapping[str, int]) -> dict[str, float]:
    total = sum(parts_ps.values())
    return {name: part / total if total else 0.0 for name, part in parts_ps.items()}
