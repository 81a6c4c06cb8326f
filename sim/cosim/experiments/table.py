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

from cosim.experiments.definition import Setting
from cosim.experiments.points import Point, code_sha256, rtl_sha256
from cosim.values import parse_duration, parse_rate

Row = dict[str, Any]

SCHEMA_NAME = b"hermes"
_UNITS = ("gbit_per_s", "per_s", "ns", "share", "bytes", "percent")
_PS_PER_NS = 1000


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
        "rate_per_s": config.rate if isinstance(config.rate, int) else None,
        "rtt_ns": config.rtt_ps / _PS_PER_NS,
    }
    columns |= flat(result) | _derived(result, config.cores) | flat(outcome["extra"])
    columns |= {
        "wall_s": outcome["run"]["wall_s"],
        "key": point.key,
        "code_sha256": code_sha256(),
        "rtl_sha256": rtl_sha256(),
        "version": version("hermes-lab"),
        "config": json.dumps(config.what()),
    }
    return columns


def _varied(name: str, value: Setting) -> tuple[str, Setting]:
    """A setting as a column: a number in the unit of its name, if it is one."""
    if isinstance(value, str):
        if name in ("rate",):
            return ("rate_per_s", parse_rate(value)) if value != "line" else ("rate", value)
        try:
            return f"{name}_ns", parse_duration(value) / _PS_PER_NS
        except ValueError:
            return name, value
    return ("rate_per_s", value) if name == "rate" else (name, value)


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


def _derived(result: Mapping[str, Any], cores: int) -> Row:
    """What follows from the result, under names of its own."""
    simulated_s = result["simulated_ns"] / 1e9
    completed = result["completed"]
    shares = result["core_time_share"]
    waits = result["message_wait_ns"] or {}
    return {
        "grants_per_s": result["grants"] / simulated_s,
        "dropped": sum(result["dropped"].values()),
        "iokernel_busy_share": 1 - result["iokernel_share"]["poll"],
        "cores_held": cores * (1 - shares["idle"] - shares["batch"]),
        "uthread_on_core_share": _ratio(shares["application"] + shares["driver"], 1 - shares["idle"] - shares["batch"]),
        "runqueue_insertions_per_request": _ratio(result["runqueue_insertions"], completed),
        "notifications_per_request": _ratio(1, result["packets_per_notification"]),
        **{f"messages_{kind}_per_request": _ratio(count, completed) for kind, count in result["messages"].items()},
        # Little: how many are in the queues on the mean is how many come per second times how long each waits
        **{
            f"messages_{kind}_queued_mean": result["messages"].get(kind, 0) / simulated_s * wait / 1e9
            for kind, wait in waits.items()
        },
    }


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
