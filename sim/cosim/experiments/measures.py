"""How one point is measured, in whatever process: by a run, or by a search of several runs."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.config import RunConfig
from cosim.measure.latency import behind_warm_up, percentiles_ns
from cosim.measure.queueing import waiting_ps
from cosim.nic.packetised import echoed
from cosim.run import run
from cosim.traffic.from_config import load

Integers = NDArray[np.int64]
Tell = Callable[[str, int, int], None]
"""As cosim.run.Tell."""

LINE_GBIT = 100
SEARCH_S = 2e-3
"""A search's runs have requests for so long at least: with 100 uthreads, queues fill for 1 ms at any rate."""
_RISE, _SLACK = 1.1, 32
"""Requests inside may grow by this factor and number from the third to the last quarter of a run without a trend."""


def measure(config: RunConfig, how: str, tell: Tell) -> dict[str, Any]:
    """What a point gives: ``result`` and ``run`` as result.json and run-info.json have them, and ``extra``, columns.

    Parameters
    ----------
    config
        The run.
    how
        ``run``, or ``zero_loss:STEP``: the highest rate, to STEP Gb/s of the wire, without a drop or a rising number of
        requests inside; the result is that of the highest such rate. Or ``packetised``: nothing runs, there is no
        result, and what a packetised interface would move for the same frames is counted.
    tell
        Told of progress.
    """
    if how == "packetised":
        return {"run": {"wall_s": 0.0}, "result": None, "extra": _packetised(config)}
    with tempfile.TemporaryDirectory(prefix="hermes-point-") as folder:
        kind, _, step = how.partition(":")
        if kind == "zero_loss":
            return _zero_loss(config, float(step), Path(folder), tell)
        result = run(config, Path(folder), tell, has_captures=False)
        extra = {**_ideal(config), **_series(Path(folder))}
    return {"run": result.pop("run"), "result": result, "extra": extra}


def _packetised(config: RunConfig) -> dict[str, Any]:
    """What a packetised interface moves for an echo of the same frames."""
    count, length = int(config.requests or 0), int(config.frame_bytes or 0)
    nic = echoed(config.link, length, count)
    up, down = nic.up.total / count, nic.down.total / count
    return {"pcie_up_per_request_bytes": up, "pcie_down_per_request_bytes": down}


def _ideal(config: RunConfig) -> dict[str, Any]:
    """Latencies if one queue in front of all cores served the same requests, first come first served, at no cost."""
    if config.workload != "spin" or config.clients is not None or config.pcap is not None:
        return {}
    requests = load(config)
    latencies = waiting_ps(requests.deliver_ps, requests.service_ps, config.cores) + requests.service_ps
    return {"ideal_latency_ns": percentiles_ns(latencies[behind_warm_up(requests.deliver_ps)])}


def _series(folder: Path) -> dict[str, Any]:
    """The run over time, if that was asked for: lists, one element for each bin, and for each wide one."""
    file = folder / "series.json"
    if not file.exists():
        return {}
    series = json.loads(file.read_text())
    return _bins("series", series) | _bins("wide", series["wide"])


def _bins(name: str, series: dict[str, Any]) -> dict[str, Any]:
    bin_s = series["bin_ns"] / 1e9
    return {
        f"{name}_bin_ns": series["bin_ns"],
        f"{name}_start_ns": series["start_ns"],
        f"{name}_load_per_s": [count / bin_s for count in series["offered"]],
        **{f"{name}_latency_{which}_ns": values for which, values in series["latency_ns"].items()},
    }


def most_requests(config: RunConfig) -> float:
    """Of a search's run, at line rate."""
    return SEARCH_S * LINE_GBIT * 1e9 / _frame_bits(config)


def _frame_bits(config: RunConfig) -> int:
    """On the wire."""
    return (int(config.frame_bytes or 0) + config.link.wire_overhead_bytes) * 8


def _zero_loss(config: RunConfig, step: float, folder: Path, tell: Tell) -> dict[str, Any]:
    """The result of the run at the highest rate, in steps of so many Gb/s, at which it holds."""
    frame_bits = _frame_bits(config)
    best: dict[str, Any] = {}
    runs = 0

    def holds(steps: int) -> bool:
        nonlocal best, runs
        rate = int(steps * step * 1e9 / frame_bits)
        count = max(int(config.requests or 0), int(rate * SEARCH_S))
        settings = config.model_dump(mode="python") | {"rate": rate, "requests": count, "requests_file": True}
        runs += 1
        result = run(
            RunConfig.model_validate(settings),
            folder,
            lambda what, done, total: tell(f"{what} at {steps * step:g} Gb/s", done, total),
            has_captures=False,
        )
        if not _holds(result, folder / "requests.parquet"):
            return False
        best = result
        return True

    found = highest(round(LINE_GBIT / step), holds)
    if not found:
        raise ValueError(f"no rate of {step:g} Gb/s or more is without loss or a rising number of requests inside")
    info = best.pop("run")
    gbit = round(found * step, 6)
    extra = {"zero_loss_gbit_per_s": gbit, "zero_loss_rate_per_s": gbit * 1e9 / frame_bits, "search_runs": runs}
    return {"run": info, "result": best, "extra": extra}


def highest(top: int, holds: Callable[[int], bool]) -> int:
    """The highest of 1 to ``top`` that holds, 0 if none does: ``top`` itself, which many do, or else by halving.

    All below one that holds are taken to hold.
    """
    good, bad = 0, top + 1
    while bad - good > 1:
        middle = top if bad > top else (good + bad) // 2
        if holds(middle):
            good = middle
        else:
            bad = middle
    return good


def _holds(result: dict[str, Any], requests: Path) -> bool:
    """No drop, and not more and more requests inside."""
    from pyarrow import parquet

    if sum(result["dropped"].values()) or result["unfinished"] or result["not_sent"]:
        return False
    table = parquet.read_table(requests, columns=["arrival_ps", "answer_ps"])
    arrivals = np.sort(table["arrival_ps"].to_numpy())
    return not rises(arrivals, np.sort(table["answer_ps"].to_numpy()))


def rises(arrivals_ps: Integers, answers_ps: Integers) -> bool:
    """Whether the number of requests inside still grows in the last quarter of the arrivals.

    Parameters
    ----------
    arrivals_ps, answers_ps
        int64, ascending each.
    """
    inside = np.arange(1, len(arrivals_ps) + 1) - np.searchsorted(answers_ps, arrivals_ps, side="right")
    third, last = np.array_split(inside, 4)[2:]
    return bool(last.mean() > _RISE * third.mean() + _SLACK)
