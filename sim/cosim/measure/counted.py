"""What software counted, as the result tells it."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from cosim.measure.latency import mean_ns, percentile_ns

EXPECTED: Final = (
    "true_detections",
    "parks",
    "preemptions",
    "mmio_writes_per_request",
    "message_wait_ns",
    "scan_interval_ns",
    "run_lengths_ns",
)
"""Always in the result, None where software tells nothing."""


def counted(extra: Mapping[str, object], requests: int, taken: Mapping[str, object]) -> dict[str, Any]:
    """EXPECTED, and whatever else there is.

    Parameters
    ----------
    extra
        By name: plain JSON, or an int64 array of times in ps under a name that ends in ``_ps``, also within a mapping.
        ``mmio_writes`` is a count of the whole run.
    requests
        How many came back, for what is told per request.
    taken
        Names of the result that are not software's to give.

    Raises
    ------
    ValueError
        A name is taken, or an array is not of times.
    """
    result: dict[str, Any] = dict.fromkeys(EXPECTED)
    for name, value in extra.items():
        if name == "mmio_writes" and isinstance(value, int):
            result["mmio_writes_per_request"] = value / requests if requests else None
            continue
        told_as, told = _told(name, value)
        if told_as in taken:
            raise ValueError(f"extra has {name!r}, which the result has already; accepted are other names")
        result[told_as] = told
    return result


def _told(name: str, value: object) -> tuple[str, Any]:
    is_nested = isinstance(value, Mapping) and any(isinstance(part, np.ndarray) for part in value.values())
    if not is_nested and not isinstance(value, np.ndarray):
        return name, dict(value) if isinstance(value, Mapping) else value
    if not name.endswith("_ps"):
        raise ValueError(f"extra has an array under {name!r}; accepted are times in ps under a name that ends in _ps")
    told_as = name.removesuffix("_ps") + "_ns"
    if isinstance(value, Mapping):
        return told_as, {kind: _spread(times) for kind, times in value.items()}
    return told_as, _spread(value)


def _spread(times_ps: Any) -> dict[str, float | None]:  # noqa: ANN401 (an array, which the caller has seen to)
    ascending = np.sort(np.asarray(times_ps, dtype=np.int64))
    return {
        "mean": mean_ns(ascending),
        "max": int(ascending[-1]) / 1000 if len(ascending) else None,
        "p50": percentile_ns(ascending, 500),
        "p99": percentile_ns(ascending, 990),
    }
