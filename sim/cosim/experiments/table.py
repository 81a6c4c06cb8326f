"""Tables of results: a row for each point, columns named with their units, in a Parquet file.

A name ends in its unit: ``_ns``, ``_per_s``, ``_share`` (of 1), ``_bytes``, ``_gbit_per_s``, ``_percent``; what has
none is a count or a ratio. ``config`` is the whole configuration as JSON; ``key``, ``code_sha256``, ``rtl_sha256``,
``costs_sha256`` and ``event_hash`` tell where a row comes from.
"""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from cosim.config import RunConfig
from cosim.experiments.definition import Setting
from cosim.experiments.points import Point, code_sha256, rtl_sha256
from cosim.traffic.arrivals import Steps
from cosim.values import parse_duration
from hermes.enso.registers import SLOT_BYTES

Row = dict[str, Any]

SCHEMA_NAME = b"hermes"
_UNITS = ("gbit_per_s", "per_s", "ns", "share", "bytes", "percent")
_PS_PER_NS = 1000
_REGISTER_BYTES = 4
SETTLED = 1.5
"""A step has settled where no bin's mean latency is above that of the phase's last quarter by this factor."""


def row(point: Point, outcome: Mapping[str, Any], scale: str) -> Row:
    """The row of a finished point."""
    config, result = point.config, outcome["result"]
    columns: Row = {
        "experiment": point.experiment,
        "sweep": point.sweep,
        "system": config.system,
        "nic": config.nic,
        "case": point.case,
        "seed": config.seed,
        "scale": scale,
    }
    columns |= dict(_varied(name, value) for name, value in point.varied.items())
    columns |= {
        "workload": config.workload,
        "cores": config.cores,
        "uthreads": config.uthreads,
        "flows": config.flows,
        "applications": config.applications,
        "batch": config.batch,
        "requests": config.requests,
        "rate_per_s": _rate(config),
        "frame_bytes": config.frame_bytes if isinstance(config.frame_bytes, int) else None,
        "rtt_ns": config.rtt_ps / _PS_PER_NS,
    }
    extra = outcome["extra"]
    columns |= flat(extra)
    if result is None:
        columns["costs_sha256"] = config.costs.profile().sha256
    else:
        columns |= flat(result) | _derived(config, result) | _bytes(config, result, outcome["run"])
        columns |= _against_ideal(result, extra) | _steps(config, extra)
    columns |= _link(config, columns)
    columns |= {
        "wall_s": outcome["run"]["wall_s"],
        "key": point.key,
        "code_sha256": code_sha256(),
        "rtl_sha256": rtl_sha256(),
        "version": version("hermes-lab"),
        "config": json.dumps(config.what()),
    }
    return columns


def _rate(config: RunConfig) -> float | None:
    """Frames per second; of ``line``, as many as the wire carries if all are equally long."""
    if config.rate != "line":
        return config.rate
    if not isinstance(config.frame_bytes, int):
        return None
    bits = (config.frame_bytes + config.link.wire_overhead_bytes) * 8
    return config.link.wire_bits_per_second / bits


def _varied(name: str, value: Setting) -> tuple[str, Setting]:
    """A setting as a column: a number in the unit of its name, if it is one."""
    if isinstance(value, bool):
        return name, "on" if value else "off"
    if isinstance(value, str):
        if name == "rate":
            return "rate", value
        try:
            return f"{name}_ns", parse_duration(value) / _PS_PER_NS
        except ValueError:
            return name, value
    return name, value


def flat(values: Mapping[str, Any]) -> Row:
    """Nested mappings as columns; the unit of an outer name goes to the end.

    So ``stage_ns.service.mean`` becomes ``stage_service_mean_ns``.
    """
    columns: Row = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            unit = next((unit for unit in _UNITS if name.endswith(f"_{unit}")), None)
            stem = name.removesuffix(f"_{unit}") if unit else name
            for inner, part in flat(value).items():
                plain = inner.replace(" ", "_")
                columns[f"{stem}_{plain}_{unit}" if unit else f"{stem}_{plain}"] = part
        else:
            columns[name] = value
    return columns


def _derived(config: RunConfig, result: Mapping[str, Any]) -> Row:
    """What follows from the result, under names of its own."""
    simulated_s, window_ns = result["simulated_ns"] / 1e9, result["window_ns"]
    completed = result["completed"]
    shares, stages = result["core_time_share"], result["stage_ns"]
    waits = result["message_wait_ns"] or {}
    held = 1 - shares["idle"] - shares["batch"]
    kthreads = config.applications * min(config.cores, config.uthreads // config.applications)
    scans, check_ns = result.get("scan_interval_ns") is not None, result.get("detection_check_ns", {}).get("mean")
    way = ("iokernel", "softirq_wait", "runqueue_wait")
    means = [stages[name]["mean"] for name in way] if stages else [None]
    return {
        "grants_per_s": result["grants"] / simulated_s,
        "dropped": sum(result["dropped"].values()),
        "iokernel_busy_share": 1 - result["iokernel_share"]["poll"],
        "cores_held": config.cores * held,
        "uthread_on_core_share": _ratio(shares["application"] + shares["driver"], held),
        "kthreads": kthreads,
        "heap_check_ns": None if scans else check_ns,
        "wasted_notifications_share": _ratio(result.get("wasted_notifications"), result.get("notifications_taken")),
        "iokernel_touched_per_request_bytes": _ratio(result.get("iokernel_touched_bytes"), completed),
        "scan_per_kthread_ns": _ratio(check_ns, kthreads + config.batch * config.cores) if scans else None,
        "runqueue_insertions_per_request": _ratio(result["runqueue_insertions"], completed),
        "notifications_per_request": _ratio(1, result["packets_per_notification"]),
        "softirq_per_request_ns": _ratio(shares["softirq"] * config.cores * window_ns, completed),
        "notification_to_uthread_mean_ns": None if None in means else sum(means),
        **{f"messages_{kind}_per_request": _ratio(count, completed) for kind, count in result["messages"].items()},
        # Little: how many are in the queues on the mean is how many come per second times how long each waits
        **{
            f"messages_{kind}_queued_mean": result["messages"].get(kind, 0) / simulated_s * wait / 1e9
            for kind, wait in waits.items()
        },
    }


def _link(config: RunConfig, columns: Mapping[str, Any]) -> Row:
    """What of the link is metadata, and how many requests per second it could carry, its busier direction alone."""
    up, down = columns.get("pcie_up_per_request_bytes"), columns.get("pcie_down_per_request_bytes")
    if not up or not down or not isinstance(config.frame_bytes, int):
        return {}
    return {
        "pcie_metadata_share": 1 - 2 * config.frame_bytes / (up + down),
        "pcie_limit_per_s": config.link.bytes_per_second / max(up, down),
    }


def _bytes(config: RunConfig, result: Mapping[str, Any], how_it_went: Mapping[str, Any]) -> Row:
    """Bytes on the link, overhead included, of the whole run: in all, and by kind.

    Every notification and completion is a write of a line, and a register write has 4 bytes. What is left of the bytes
    to the host is packets (and answers of registers, when the run is set up and checked); of those to the NIC, what it
    read: requests and packets.
    """
    counted, completed = how_it_went.get("bridge", {}), result["completed"]
    up, down = counted.get("bytes_up"), counted.get("bytes_down")
    columns = {"up": up, "down": down}
    if "notifications_taken" in result and "read_request_beats" in counted:
        overhead = config.link.overhead_bytes
        line = SLOT_BYTES + overhead
        kinds = {
            "up_notifications": result["notifications_taken"] * line,
            "up_completions": result["completions_taken"] * line,
            "up_reads": counted["read_request_beats"] * overhead,
        }
        columns |= kinds | {"up_packets": up - sum(kinds.values())}
        registers = counted["mmio_request_beats"] * (_REGISTER_BYTES + overhead)
        columns |= {"down_registers": registers, "down_reads": down - registers}
    return {f"pcie_{kind}_per_request_bytes": _ratio(count, completed) for kind, count in columns.items()}


def _against_ideal(result: Mapping[str, Any], extra: Mapping[str, Any]) -> Row:
    """Latencies as multiples of those of the ideal queue."""
    ideal = extra.get("ideal_latency_ns", {})
    return {f"latency_{name}_over_ideal": _ratio(result["latency_ns"][name], ideal[name]) for name in ideal}


def _steps(config: RunConfig, extra: Mapping[str, Any]) -> Row:
    """Of a load with steps and a series: the highest mean latency of a bin, and how long each step takes to settle."""
    if not isinstance(config.arrivals, Steps) or "series_latency_mean_ns" not in extra:
        return {}
    starts, means = extra["series_start_ns"], extra["series_latency_mean_ns"]
    known = [(start, mean) for start, mean in zip(starts, means, strict=True) if mean is not None]
    columns: Row = {"peak_latency_mean_ns": max((mean for _, mean in known), default=None)}
    columns["peak_latency_max_ns"] = max((peak for peak in extra["series_latency_max_ns"] if peak), default=None)
    begin, before = 0.0, None
    settled: dict[str, list[float]] = {"up": [], "down": []}
    last = known[-1][0] if known else 0.0
    while begin < last:
        for phase in config.arrivals.phases:
            end = begin + phase.time_ps / _PS_PER_NS
            inside = [(start, mean) for start, mean in known if begin <= start < end]
            if before is not None and inside and end <= last:
                settled["up" if phase.rate > before else "down"].append(_settles(inside, begin, end))
            begin, before = end, phase.rate
    columns |= {f"settles_{way}_ns": sum(times) / len(times) if times else None for way, times in settled.items()}
    return columns


def _settles(inside: Sequence[tuple[float, float]], begin: float, end: float) -> float:
    """From the step at ``begin`` until no bin's mean is above that of the phase's last quarter by SETTLED any more."""
    late = [mean for start, mean in inside if start >= end - (end - begin) / 4] or [inside[-1][1]]
    limit = SETTLED * sum(late) / len(late)
    above = [start for start, mean in inside if mean > limit]
    after = [start for start, _ in inside if not above or start > above[-1]]
    return (after[0] if after else end) - begin


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def write(path: Path, rows: Sequence[Row], about: Mapping[str, str]) -> None:
    """Write a table; ``about`` goes into its metadata. The same rows give the same bytes."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: _column(name, rows) for name in names})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    parquet.write_table(table.replace_schema_metadata({SCHEMA_NAME: json.dumps(about)}), partial, compression="zstd")
    partial.replace(path)


def _column(name: str, rows: Sequence[Row]) -> pa.Array:
    values = [row.get(name) for row in rows]
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        values = [None if value is None else float(value) for value in values]
    elif len(kinds) > 1:
        values = [None if value is None else str(value) for value in values]
    return pa.array(values)


def read(path: Path) -> tuple[list[Row], dict[str, str]]:
    """The rows of a table, and what was written about it."""
    table = parquet.read_table(path)
    about = json.loads(table.schema.metadata[SCHEMA_NAME])
    return table.to_pylist(), about
