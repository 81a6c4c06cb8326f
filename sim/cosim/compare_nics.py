"""The fast NIC against the RTL: the same stimulus, event by event, and the same run from end to end."""

import hashlib
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from cosim.config import RunConfig
from cosim.measure.latency import PERCENTILES, SAMPLES_BEYOND, behind_warm_up
from cosim.nic.replay import replay
from cosim.nic.transfers import Difference, differences
from cosim.run import Tell, run
from cosim.simulator import PINS, TRANSFERS
from cosim.traffic.pcap import read_capture

MOST_NS = 8
"""How much earlier or later than in the RTL an event of the fast NIC may be."""
MOST_PERCENT = 3
"""By how much p50 and p99 of whole runs may differ."""
_CONFIDENCE = 1.96  # standard deviations on either side of 95 %
_FLOW = slice(23, 38)  # of a frame: protocol, addresses and ports


@dataclass(frozen=True)
class Percentile:
    """A percentile of latencies, with its confidence interval of 95 % by order statistics, in ns."""

    ns: float
    low_ns: float
    high_ns: float

    def __str__(self) -> str:
        return f"{self.ns / 1000:,.3f} us ({self.low_ns / 1000:,.3f} to {self.high_ns / 1000:,.3f})"


@dataclass(frozen=True)
class NicComparison:
    """How the fast NIC differs from the RTL in one configuration.

    Attributes
    ----------
    events
        With the RTL's stimulus: by kind of event.
    percentiles
        Of whole runs with the same seed: of the RTL and of the fast NIC, by name; those that have enough samples.
    same_flows
        Whether each flow's answers are the same bytes in the same order.
    same_hash
        Whether all effects are the same to the picosecond.
    """

    events: list[Difference]
    percentiles: dict[str, tuple[Percentile, Percentile]]
    same_flows: bool
    same_hash: bool

    def __str__(self) -> str:
        events = sum(each.events for each in self.events)
        worst = max((each.worst_ns for each in self.events), default=0)
        parts = [f"{events:,} events, {sum(each.unmatched for each in self.events)} unmatched, worst {worst} ns"]
        parts += [f"{name} {(fast.ns - rtl.ns) / rtl.ns:+.2%}" for name, (rtl, fast) in self.percentiles.items()]
        return ", ".join([*parts, f"effects {'the same' if self.same_hash else 'differ'}"])

    def is_fine(self) -> bool:
        """Whether it keeps within what is promised of it."""
        pairs = self.percentiles.values()
        inner = [pair for name, pair in self.percentiles.items() if name != "p99.9"]
        return (
            self.same_flows
            and all(not each.unmatched and each.worst_ns <= MOST_NS for each in self.events)
            and all(abs(fast.ns - rtl.ns) <= rtl.ns * MOST_PERCENT / 100 for rtl, fast in inner)
            and all(rtl.low_ns <= fast.high_ns and fast.low_ns <= rtl.high_ns for rtl, fast in pairs)
        )


def compare_nics(config: RunConfig, tell: Tell, *, replays: bool = True) -> NicComparison:
    """Run ``config`` with both NICs, and let the fast one replay what the RTL got.

    What is replayed takes about 11 kB of disk per request; without ``replays`` there are no events to compare.

    Raises
    ------
    ConfigError, CaptureError, RunError
        As ``cosim.run.run``.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results: dict[str, dict[str, Any]] = {}
        for nic in ("rtl", "model"):
            own = config.model_copy(update={"nic": nic, "requests_file": True})
            results[nic] = run(own, folder / nic, tell, record=folder if replays and nic == "rtl" else None)
        latencies = [_latencies_ns(folder / nic / "requests.parquet") for nic in results]
        flows = [_flows(folder / nic / "echo.pcap") for nic in results]
        events = []
        if replays:
            tell("replaying", 0, 0)
            replay(folder / PINS, folder / "replayed.bin", config.link, folder)
            events = differences(folder / TRANSFERS, folder / "replayed.bin")
        return NicComparison(
            events,
            _percentiles(*latencies),
            flows[0] == flows[1],
            results["rtl"]["event_hash"] == results["model"]["event_hash"],
        )


def table(comparison: NicComparison) -> Table:
    """What a reader wants to know of it."""
    rows = Table("with the RTL's stimulus", "RTL", "fast NIC", "difference")
    for each in comparison.events:
        worst = f"at most {each.worst_ns} ns" if not each.unmatched else f"{each.unmatched:,} unmatched"
        rows.add_row(each.kind, f"{each.events:,}", f"{len(each.late_ns):,} same", worst)
    rows.add_section()
    rows.add_row("whole runs", style="bold")
    for name, (rtl, fast) in comparison.percentiles.items():
        rows.add_row(f"latency {name}, 95 %", str(rtl), str(fast), f"{(fast.ns - rtl.ns) / rtl.ns:+.2%}")
    rows.add_row("bytes of each flow", "", "", "none" if comparison.same_flows else "they differ")
    rows.add_row("effects, to the picosecond", "", "", "none" if comparison.same_hash else "they differ")
    return rows


def _latencies_ns(path: Path) -> NDArray[np.float64]:
    """Of the requests that are measured, sorted."""
    from pyarrow import parquet  # an extra, and heavy

    columns = parquet.read_table(path, columns=["arrival_ps", "latency_ps"])
    arrivals, latencies = (columns[name].fill_null(-1).to_numpy() for name in ("arrival_ps", "latency_ps"))
    found: NDArray[np.float64] = np.sort(latencies[behind_warm_up(arrivals) & (latencies >= 0)]) / 1000
    return found


def _percentiles(rtl_ns: NDArray[np.float64], fast_ns: NDArray[np.float64]) -> dict[str, tuple[Percentile, Percentile]]:
    found = {}
    for name, thousandths in PERCENTILES.items():
        if min(len(rtl_ns), len(fast_ns)) * (1000 - thousandths) >= 1000 * SAMPLES_BEYOND:
            found[name] = (_percentile(rtl_ns, thousandths), _percentile(fast_ns, thousandths))
    return found


def _percentile(sorted_ns: NDArray[np.float64], thousandths: int) -> Percentile:
    count, share = len(sorted_ns), thousandths / 1000
    middle, spread = count * share, _CONFIDENCE * math.sqrt(count * share * (1 - share))
    ranks = (math.ceil(middle) - 1, math.floor(middle - spread), math.ceil(middle + spread))
    return Percentile(*(float(sorted_ns[min(max(rank, 0), count - 1)]) for rank in ranks))


def _flows(path: Path) -> dict[bytes, bytes]:
    """Of each flow, a hash of its frames in their order."""
    hashes: dict[bytes, Any] = {}
    frames = read_capture(path)
    for offset, length in zip(frames.offsets.tolist(), frames.lengths.tolist(), strict=True):
        frame = frames.blob[offset : offset + length].tobytes()
        hashes.setdefault(frame[_FLOW], hashlib.sha256()).update(length.to_bytes(4, "little") + frame)
    return {flow: each.digest() for flow, each in hashes.items()}
