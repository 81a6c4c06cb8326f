"""trace.perfetto: what cores, kthreads, uthreads, queues, link and NIC did, and the way of each request.

Perfetto's time is nanoseconds. What is lost by that stands in the arguments: ``begin_ps`` and ``duration_ps`` of each
slice are exact. docs/trace.md tells what the tracks are.
"""

from collections.abc import Mapping
from itertools import compress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.config import ConfigError
from cosim.measure.perfetto_file import Event, PerfettoFile, Text
from cosim.measure.recorded import Recorded
from cosim.measure.request_ways import Requests, write_requests, write_ways
from hermes.world import (
    ACTIVITIES,
    CORE_GRANT,
    CORE_LEFT,
    QUEUE_POP,
    QUEUE_PUSH,
    UTHREAD_END,
    UTHREAD_START,
)

Integers = NDArray[np.int64]

MOST_REQUESTS = 100_000
"""A trace of more is refused: its file would be larger than viewers like."""
MOST_COUNTERS = 64
"""If there are more queues of a kind, one counter has their sum."""

_KTHREAD_BITS = 16
_LINK_BIN_PS = 1_000_000
_LINK_BINS = 50_000


def require_few(requests: int) -> None:
    """See that a trace of so many requests can be looked at.

    Raises
    ------
    ConfigError
        They are too many.
    """
    if requests > MOST_REQUESTS:
        raise ConfigError(f"requests is {requests}; accepted with trace is at most {MOST_REQUESTS}")


def write_trace(path: Path, recorded: Recorded, requests: Requests, link: Mapping[str, Integers]) -> None:
    """Write the trace of a run; the same run gives the same bytes.

    Parameters
    ----------
    path
        The file.
    recorded
        What the simulation kept.
    requests
        What became of the requests.
    link
        By direction: int64 (n, 2), begin and end in ps of the spans in which it was busy, ascending.
    """
    with path.open("wb") as file:
        trace = PerfettoFile(file)
        root = trace.track("Hermes")
        _write_phases(trace, root, recorded)
        cores = _write_cores(trace, root, recorded)
        _write_kthreads(trace, root, recorded)
        uthreads = _write_uthreads(trace, root, recorded)
        _write_queues(trace, root, recorded)
        _write_link(trace, root, recorded, link)
        write_ways(trace, root, requests, iokernel=cores[0], uthreads=uthreads)
        write_requests(trace, root, requests)


def who_has(effects: Integers, end_ps: int) -> Integers:
    """Which kthread had which core when: int64 (n, 4), rows of core, kthread (runtime << 16 | index), begin and end.

    A kthread has its core from the grant on, or from when the one before it left, and until it leaves: ways there and
    back are included. In the order of the ends.
    """
    is_of_core = np.isin(effects[:, 1], (CORE_GRANT, CORE_LEFT))
    having: dict[int, tuple[int, int]] = {}
    granted: dict[int, int] = {}
    rows = []
    for time, kind, core, kthread in effects[is_of_core].tolist():
        if kind == CORE_GRANT:
            if core in having:
                granted[core] = kthread
            else:
                having[core] = kthread, time
        else:
            holder, since = having.pop(core)
            rows.append((core, holder, since, time))
            if core in granted:
                having[core] = granted.pop(core), time
    rows += [(core, kthread, since, end_ps) for core, (kthread, since) in sorted(having.items())]
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _times(begins_ps: Integers, ends_ps: Integers) -> dict[str, Integers | int | Text]:
    """The arguments that tell a slice's times exactly."""
    return {"begin_ps": begins_ps, "duration_ps": ends_ps - begins_ps}


def _kthread(number: int) -> str:
    return f"kthread {number & (1 << _KTHREAD_BITS) - 1} of runtime {number >> _KTHREAD_BITS}"


def _write_phases(trace: PerfettoFile, root: int, recorded: Recorded) -> None:
    track = trace.track("run", root)
    bounds = [recorded.began_ps, recorded.ready_ps, recorded.measured_until_ps, recorded.end_ps]
    begins, ends = np.array(bounds[:-1]), np.array(bounds[1:])
    names = np.array([trace.name(name) for name in ("start", "measured", "drain")])
    trace.rows(
        Event(kind="begin", tracks=track, times_ps=begins, names=names, arguments=_times(begins, ends)),
        Event(kind="end", tracks=track, times_ps=ends),
    )


def _write_cores(trace: PerfettoFile, root: int, recorded: Recorded) -> list[int]:
    """A slice for each activity, cut where the core changes hands; the tracks."""
    group = trace.track("cores", root)
    holders = who_has(recorded.effects, recorded.end_ps)
    activities = np.array([trace.name(name) for name in ACTIVITIES])
    tracks = []
    for core, timeline in enumerate(recorded.timelines):
        track = trace.track(f"core {core}" if core else "core 0: IOKernel", group)
        tracks.append(track)
        its = holders[holders[:, 0] == core]
        ends = recorded.began_ps + np.cumsum(timeline[:, 1])
        cuts = its[:, 2:].ravel()
        bounds = np.unique(np.concatenate((ends, cuts[(cuts > recorded.began_ps) & (cuts < ends[-1])])))
        begins = np.concatenate(([recorded.began_ps], bounds[:-1]))
        activity = timeline[np.searchsorted(ends, begins, side="right"), 0]
        # texts: those of the holders, and of nobody
        texts = [trace.text(_kthread(kthread)) for kthread in its[:, 1].tolist()]
        texts.append(trace.text("nobody" if core else "the IOKernel"))
        at = np.searchsorted(its[:, 2], begins, side="right") - 1
        has_holder = at >= 0
        has_holder[has_holder] = begins[has_holder] < its[at[has_holder], 3]
        who = np.array(texts)[np.where(has_holder, at, len(texts) - 1)]
        arguments = {**_times(begins, bounds), "runs": Text(who)}
        trace.rows(
            Event(kind="begin", tracks=track, times_ps=begins, names=activities[activity], arguments=arguments),
            Event(kind="end", tracks=track, times_ps=bounds),
        )
    return tracks


def _write_on_cores(
    trace: PerfettoFile, tracks: Integers, cores: Integers, begins_ps: Integers, ends_ps: Integers
) -> None:
    """A slice for each time on a core."""
    names = np.array([trace.name(f"on core {core}") for core in range(int(cores.max(initial=0)) + 1)])
    trace.rows(
        Event(
            kind="begin", tracks=tracks, times_ps=begins_ps, names=names[cores], arguments=_times(begins_ps, ends_ps)
        ),
        Event(kind="end", tracks=tracks, times_ps=ends_ps),
    )


def _write_kthreads(trace: PerfettoFile, root: int, recorded: Recorded) -> None:
    group = trace.track("kthreads", root)
    rows = who_has(recorded.effects, recorded.end_ps)
    rows = rows[np.lexsort((rows[:, 2], rows[:, 1]))]
    kthreads, which = np.unique(rows[:, 1], return_inverse=True)
    tracks = np.array([trace.track(_kthread(kthread), group) for kthread in kthreads.tolist()], dtype=np.int64)
    _write_on_cores(trace, tracks[which], rows[:, 0], rows[:, 2], rows[:, 3])


def _write_uthreads(trace: PerfettoFile, root: int, recorded: Recorded) -> dict[int, int]:
    """A slice for each time on a core; the tracks by uthread."""
    group = trace.track("uthreads", root)
    effects = recorded.effects
    rows = effects[np.isin(effects[:, 1], (UTHREAD_START, UTHREAD_END))]
    rows = rows[np.argsort(rows[:, 2], kind="stable")]  # of each uthread start and end, in turn
    begins = np.flatnonzero(rows[:, 1] == UTHREAD_START)
    uthreads = rows[begins, 2]
    following = np.minimum(begins + 1, len(rows) - 1)
    has_end = (following > begins) & (rows[following, 2] == uthreads)
    ends = np.where(has_end, rows[following, 0], recorded.end_ps)
    tracks = {uthread: trace.track(f"uthread {uthread}", group) for uthread in np.unique(uthreads).tolist()}
    of = np.array([tracks[uthread] for uthread in uthreads.tolist()], dtype=np.int64)
    _write_on_cores(trace, of, rows[begins, 3], rows[begins, 0], ends)
    return tracks


def _write_queues(trace: PerfettoFile, root: int, recorded: Recorded) -> None:
    """The length of each queue over time."""
    group = trace.track("queues", root)
    effects = recorded.effects
    rows = effects[np.isin(effects[:, 1], (QUEUE_PUSH, QUEUE_POP))]
    steps = np.where(rows[:, 1] == QUEUE_PUSH, 1, -1)
    kinds: dict[str, dict[int, str]] = {}
    for number, (what, owner) in recorded.queue_names.items():
        kinds.setdefault(what, {})[number] = owner
    for what, owners in kinds.items():
        _write_lengths(trace, group, what, owners, rows[:, 2], rows[:, 0], steps)
    times, kthreads, lengths = recorded.lengths.T
    order = np.argsort(kthreads, kind="stable")
    is_first = np.diff(kthreads[order], prepend=-1) != 0
    changes = np.diff(lengths[order], prepend=0)
    changes[is_first] = lengths[order][is_first]
    steps = np.empty_like(changes)
    steps[order] = changes
    owners = {number: _kthread(number) for number in np.unique(kthreads).tolist()}
    _write_lengths(trace, group, "runnable uthreads", owners, kthreads, times, steps)


def _write_lengths(
    trace: PerfettoFile,
    group: int,
    what: str,
    owners: Mapping[int, str],
    numbers: Integers,
    times_ps: Integers,
    steps: Integers,
) -> None:
    """Counters of the queues of a kind: of each that was used, or of all together."""
    if len(owners) > MOST_COUNTERS:
        is_of_kind = np.isin(numbers, list(owners))
        trace.count(trace.track(what, group, unit=what), times_ps[is_of_kind], np.cumsum(steps[is_of_kind]))
        return
    used = np.isin(list(owners), numbers)
    parent = trace.track(what, group)
    for number, owner in compress(owners.items(), used.tolist()):
        its = numbers == number
        trace.count(trace.track(owner, parent, unit=what), times_ps[its], np.cumsum(steps[its]))


def _write_link(trace: PerfettoFile, root: int, recorded: Recorded, link: Mapping[str, Integers]) -> None:
    """How busy each direction is, in bins of a microsecond, or longer ones in long runs."""
    group = trace.track("PCIe", root)
    span = recorded.end_ps - recorded.began_ps
    width = _LINK_BIN_PS * max(1, -(-span // (_LINK_BIN_PS * _LINK_BINS)))
    bounds = np.arange(recorded.began_ps, recorded.end_ps + width, width)
    for direction, spans in link.items():
        busy = busy_before(np.minimum(spans, recorded.end_ps), bounds)
        percent = np.diff(busy) * 100 // width
        trace.count(trace.track(f"{direction}, busy", group, unit="%"), bounds[:-1], percent)


def busy_before(spans_ps: Integers, times_ps: Integers) -> Integers:
    """Of spans, int64 (n, 2), ascending, how many picoseconds lie before each of these times."""
    if not len(spans_ps):
        return np.zeros_like(times_ps)
    begins, ends = spans_ps.T
    full = np.concatenate(([0], np.cumsum(ends - begins)))
    at = np.searchsorted(begins, times_ps, side="right")  # spans that began
    last = np.maximum(at - 1, 0)
    total: Integers = full[at] - np.where(at > 0, np.maximum(ends[last] - times_ps, 0), 0)
    return total
