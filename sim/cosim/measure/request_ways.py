"""The part of the trace that is about requests: their stages, and arrows from wire to wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from cosim.measure.perfetto_file import Event, PerfettoFile
from cosim.measure.stages import STAGES, TIMES, Stages

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Requests:
    """What became of the requests of a run.

    Attributes
    ----------
    arrivals_ps, answers_ps
        int64, when each entered the NIC and its answer left it; -1 where that did not happen.
    ends_ps
        As cosim.measure.latency.ends_ps gives it, with its convention of which requests are unfinished.
    connections, pipes
        int64, of each; -1 for no pipe. Uthread i owns pipe i.
    stages
        Of all completed requests; None: they are not known.
    """

    arrivals_ps: Integers
    answers_ps: Integers
    ends_ps: Integers
    connections: Integers
    pipes: Integers
    stages: Stages | None


def lanes(begins_ps: Integers, ends_ps: Integers) -> Integers:
    """A lane for each span, begins ascending, so that no two in a lane overlap: the lowest that is free."""
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    result = []
    count = 0
    for begin, end in zip(begins_ps.tolist(), ends_ps.tolist(), strict=True):
        while busy and busy[0][0] <= begin:
            heappush(free, heappop(busy)[1])
        if free:
            lane = heappop(free)
        else:
            lane = count
            count += 1
        heappush(busy, (end, lane))
        result.append(lane)
    return np.array(result, dtype=np.int64)


def write_ways(
    trace: PerfettoFile, root: int, requests: Requests, *, iokernel: int, uthreads: Mapping[int, int]
) -> None:
    """An instant where each thing happens to a request, and arrows from one to the next; and how many are in the NIC.

    Parameters
    ----------
    trace, root
        Where to, and the track below which new ones come.
    requests
        Of which only completed ones are shown.
    iokernel, uthreads
        Tracks of the IOKernel's core, and of each uthread.
    """
    group = trace.track("NIC", root)
    wire_in, wire_out = trace.track("wire in", group), trace.track("wire out", group)
    notified = trace.track("notifications", group)
    found = requests.stages
    if found is None:
        its = np.flatnonzero(requests.answers_ps >= 0)
        times = {"arrival": requests.arrivals_ps[its], "answer": requests.answers_ps[its]}
    else:
        its = found.requests
        times = dict(zip(TIMES, found.times_ps, strict=True))
    of_pipe = np.zeros(max(uthreads, default=-1) + 2, dtype=np.int64)
    of_pipe[list(uthreads)] = list(uthreads.values())
    uthread = of_pipe[requests.pipes[its]]
    places: dict[str, Integers | int] = dict.fromkeys(TIMES, uthread)
    places |= {"arrival": wire_in, "visible": notified, "answer": wire_out}
    places |= dict.fromkeys(("read", "delivered", "forwarded"), iokernel)
    for name, times_ps in times.items():
        trace.rows(
            Event(
                kind="instant",
                tracks=places[name],
                times_ps=times_ps,
                names=trace.name(name),
                arguments={"request": its},
                flows=its + 1,
                ends_flows=name == "answer",
            )
        )
    if found is not None:
        inside = (("from wire to notification", "arrival", "visible"), ("from doorbell to wire", "forwarded", "answer"))
        for what, begin, end in inside:
            _write_count(trace, trace.track(what, group, unit="requests"), times[begin], times[end])


def write_requests(trace: PerfettoFile, root: int, requests: Requests) -> None:
    """A slice for each request, with one for each of its stages in it; and how many there are at a time.

    Who draws arrows from wire to wire does so before: the first stage takes them up.
    """
    group = trace.track("requests", root)
    arrivals, ends = requests.arrivals_ps, requests.ends_ps
    is_there = (arrivals >= 0) & (ends >= 0)
    _write_count(trace, trace.track("in the system", group, unit="requests"), arrivals[is_there], ends[is_there])
    is_completed = requests.answers_ps >= 0
    fates = (
        ("completed", "request", is_completed),
        ("unfinished", "unfinished request", is_there & ~is_completed),
        ("dropped", "dropped request", (arrivals >= 0) & (ends < 0)),
    )
    for fate, name, is_meant in fates:
        its = np.flatnonzero(is_meant)
        its = its[np.argsort(arrivals[its], kind="stable")]
        begins, until = arrivals[its], np.maximum(ends, arrivals)[its]
        lane = lanes(begins, until)
        lane_tracks = [trace.track(fate, group) for _ in range(int(lane.max(initial=-1)) + 1)]
        tracks = np.array(lane_tracks, dtype=np.int64)[lane]
        arguments = {
            "request": its,
            "connection": requests.connections[its],
            "begin_ps": begins,
            "duration_ps": until - begins,
        }
        first = Event(kind="begin", tracks=tracks, times_ps=begins, names=trace.name(name), arguments=arguments)
        last = Event(kind="end", tracks=tracks, times_ps=until)
        stages = [] if requests.stages is None or fate != "completed" else _stages(trace, requests.stages, its, tracks)
        trace.rows(first, *stages, last)


def _stages(trace: PerfettoFile, found: Stages, its: Integers, tracks: Integers) -> list[Event]:
    """Begin and end of each stage of these requests."""
    times = found.times_ps[:, np.searchsorted(found.requests, its)]
    events = []
    for index, name in enumerate(STAGES):
        begins, ends = times[index], times[index + 1]
        arguments = {"begin_ps": begins, "duration_ps": ends - begins}
        flows = its + 1 if index == 0 else None
        events += [
            Event(
                kind="begin",
                tracks=tracks,
                times_ps=begins,
                names=trace.name(name),
                arguments=arguments,
                flows=flows,
            ),
            Event(kind="end", tracks=tracks, times_ps=ends),
        ]
    return events


def _write_count(trace: PerfettoFile, track: int, begins_ps: Integers, ends_ps: Integers) -> None:
    """A counter of how many spans there are at a time."""
    times = np.concatenate((begins_ps, ends_ps))
    steps = np.concatenate((np.ones_like(begins_ps), -np.ones_like(ends_ps)))
    order = np.argsort(times, kind="stable")
    trace.count(track, times[order], np.cumsum(steps[order]))
