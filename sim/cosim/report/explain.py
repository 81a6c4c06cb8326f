"""Where the slowest requests of a run spent their time, and what the cores did around the slowest of all."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet
from rich.console import Console
from rich.table import Table

from cosim.config import RunConfig
from cosim.measure.errors import MeasureError
from cosim.measure.latency import behind_warm_up
from cosim.measure.stages import STAGES, TIMES
from cosim.measure.trace import MOST_REQUESTS
from cosim.run import Tell, run
from cosim.values import ConfigError

Integers = NDArray[np.int64]

SLOWEST = 1000
"""One in so many requests is among the slowest."""
_MEDIAN = (0.45, 0.55)
"""Ranks, as shares, of those that stand for the median ones."""
_EVENTS = 12
"""Slices of cores that are named, at most."""
VIEWER = "https://ui.perfetto.dev/#!/"
PORT = 9001
"""The only one from which the viewer takes a trace of this machine."""


@dataclass(frozen=True)
class CoreSlice:
    """A span in which a core did one thing; picoseconds of host time."""

    core: str
    what: str
    begin_ps: int
    duration_ps: int


@dataclass(frozen=True)
class Explanation:
    """What makes the slowest requests slow.

    Attributes
    ----------
    requests
        How many were measured.
    slow, median
        How many are in each group.
    stages_ns
        By stage: the means of the median ones and of the slowest, in ns.
    slowest
        The slowest request: its index, and when it came and was answered, in ps.
    slowest_stages_ns
        By stage: its own.
    """

    requests: int
    slow: int
    median: int
    stages_ns: Mapping[str, tuple[float, float]]
    slowest: tuple[int, int, int]
    slowest_stages_ns: Mapping[str, float]

    @property
    def cause(self) -> str:
        """The stage in which the slowest requests lose most against the median ones."""
        return max(self.stages_ns, key=lambda stage: self.stages_ns[stage][1] - self.stages_ns[stage][0])


def with_files(folder: Path, tell: Tell) -> Path:
    """The run's folder, with requests.parquet and, if there are not too many requests, a trace: run again if need be.

    Raises
    ------
    ConfigError
        It is no folder of a run.
    RunError
        It failed now.
    """
    try:
        kept = json.loads((folder / "config.json").read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ConfigError(f"result is {str(folder)!r} ({error}); accepted is the folder of a run") from None
    config = RunConfig.model_validate(kept)
    may_trace = config.requests is not None and config.requests <= MOST_REQUESTS
    has_all = (folder / "requests.parquet").exists() and ((folder / "trace.perfetto").exists() or not may_trace)
    if not has_all:
        again = RunConfig.model_validate({**kept, "requests_file": True, "trace": may_trace})
        run(again, folder, tell)
    return folder


def explain(requests: Path) -> Explanation:
    """Compare the slowest completed requests with the median ones.

    Raises
    ------
    MeasureError
        No request has stages.
    """
    names = [f"{time}_ps" for time in TIMES]
    table = parquet.read_table(requests)
    if not set(names) <= set(table.column_names):
        raise MeasureError(f"{requests.name} has no stages, because packets were lost behind the software")
    times = np.stack([table[name].to_numpy(zero_copy_only=False) for name in names])
    numbers = table["request"].to_numpy()
    arrivals = np.nan_to_num(times[0].astype(np.float64), nan=-1).astype(np.int64)
    is_told = behind_warm_up(arrivals) & ~np.isnan(times.astype(np.float64)).any(axis=0)
    if not is_told.any():
        raise MeasureError(f"{requests.name} has no completed request behind the warm-up")
    whole: Integers = times[:, is_told].astype(np.int64)
    numbers = numbers[is_told]
    order = np.argsort(whole[-1] - whole[0], kind="stable")
    count = len(order)
    slow = order[-max(1, count // SLOWEST) :]
    median = order[int(count * _MEDIAN[0]) : max(int(count * _MEDIAN[1]), int(count * _MEDIAN[0]) + 1)]
    durations = (whole[1:] - whole[:-1]) / 1000
    last = order[-1]
    return Explanation(
        requests=count,
        slow=len(slow),
        median=len(median),
        stages_ns={
            stage: (float(durations[row, median].mean()), float(durations[row, slow].mean()))
            for row, stage in enumerate(STAGES)
        },
        slowest=(int(numbers[last]), int(whole[0, last]), int(whole[-1, last])),
        slowest_stages_ns={stage: float(durations[row, last]) for row, stage in enumerate(STAGES)},
    )


def core_slices(trace: Path, begin_ps: int, end_ps: int) -> list[CoreSlice]:
    """What cores did in this time, longest first; idle cores and batch work are left out."""
    from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as messages  # an extra, and heavy

    tracks: dict[int, str] = {}
    names: dict[str, dict[int, str]] = {"event": {}, "annotation": {}}
    found = []
    for packet in messages.Trace.FromString(trace.read_bytes()).packet:
        if packet.HasField("track_descriptor"):
            tracks[packet.track_descriptor.uuid] = packet.track_descriptor.name
        for name in packet.interned_data.event_names:
            names["event"][name.iid] = name.name
        for name in packet.interned_data.debug_annotation_names:
            names["annotation"][name.iid] = name.name
        event = packet.track_event
        core = tracks.get(event.track_uuid, "")
        if not core.startswith("core ") or event.type != messages.TrackEvent.TYPE_SLICE_BEGIN:
            continue
        numbers = {
            names["annotation"][part.name_iid]: part.uint_value or part.int_value for part in event.debug_annotations
        }
        what = names["event"][event.name_iid]
        begin, duration = numbers.get("begin_ps", 0), numbers.get("duration_ps", 0)
        if what not in ("idle", "batch", "poll") and begin < end_ps and begin + duration > begin_ps:
            found.append(CoreSlice(core, what, begin, duration))
    return sorted(found, key=lambda one: -one.duration_ps)


def link(begin_ps: int, end_ps: int) -> str:
    """Opens the viewer at this time, while ``serve`` offers the trace."""
    margin = max(1000, (end_ps - begin_ps) // 4000)
    start, end = begin_ps // 1000 - margin, end_ps // 1000 + margin
    return f"{VIEWER}?url=http://127.0.0.1:{PORT}/trace.perfetto&visStart={start}&visEnd={end}"


def tell(found: Explanation, slices: Sequence[CoreSlice], console: Console) -> None:
    """Print it."""
    table = Table()
    heads = ("stage, mean in µs", f"median ({found.median:,})", f"slowest ({found.slow:,})", "more", "the slowest")
    for name in heads:
        table.add_column(name, justify="left" if name == heads[0] else "right")
    rows = sorted(found.stages_ns.items(), key=lambda item: item[1][0] - item[1][1])
    for stage, (median, slow) in rows:
        own = found.slowest_stages_ns[stage]
        table.add_row(stage, *(f"{value / 1000:.3f}" for value in (median, slow, slow - median, own)))
    total = [sum(pair[column] for pair in found.stages_ns.values()) for column in (0, 1)]
    table.add_section()
    own = sum(found.slowest_stages_ns.values())
    table.add_row("all", *(f"{value / 1000:.3f}" for value in (*total, total[1] - total[0], own)))
    console.print(table)
    median, slow = found.stages_ns[found.cause]
    share = (slow - median) / (total[1] - total[0]) if total[1] > total[0] else 0.0
    console.print(
        f"The slowest {found.slow:,} of {found.requests:,} requests took {(total[1] - total[0]) / 1000:.3g} µs more "
        f"than the median ones; {share:.0%} of that is {found.cause}.",
        markup=False,
    )
    number, begin, end = found.slowest
    console.print(
        f"The slowest is request {number}, from {begin / 1000:,.0f} to {end / 1000:,.0f} ns. Meanwhile, longest first:",
        markup=False,
    )
    for one in slices[:_EVENTS]:
        console.print(
            f"  {one.core}: {one.what} for {one.duration_ps / 1e6:.3f} µs, from {(one.begin_ps - begin) / 1e6:+.3f} µs",
            markup=False,
        )


def serve(trace: Path, opened: Any) -> None:  # noqa: ANN401 (a callable without arguments)
    """Offer the trace to the viewer of this machine until it was fetched; ``opened`` is called when it can be."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = trace.read_bytes()
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", VIEWER.split("/#")[0])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.server.was_fetched = True  # type: ignore[attr-defined]

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", PORT), Handler) as server:
        server.was_fetched = False  # type: ignore[attr-defined]
        opened()
        while not server.was_fetched:  # type: ignore[attr-defined]
            server.handle_request()
