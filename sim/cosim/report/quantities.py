"""What the columns of a table are called where people read of them, and the units in which they are shown."""

WORDS = {
    "rate_per_s": "load",
    "latency_p50_ns": "median latency",
    "latency_p99_ns": "p99 latency",
    "latency_p99.9_ns": "p99.9 latency",
    "batch_ops_per_s": "batch throughput",
    "iokernel_busy_share": "IOKernel busy",
    "grants_per_s": "core grants",
    "uthreads": "uthreads",
    "cores": "application cores",
    "runtime_efficiency": "application time of held cores",
    "uthread_on_core_share": "a uthread is on the held core",
    "zero_loss_gbit_per_s": "zero-loss throughput",
    "packets_per_notification": "packets per notification",
    "frame_bytes": "frame",
    "rtt_ns": "PCIe propagation, both ways",
    "mmio_writes_per_request": "MMIO writes per request",
    "series_start_ns": "time",
    "series_load_per_s": "load",
    "series_latency_p50_ns": "median latency",
    "series_latency_p99_ns": "p99 latency",
    "series_latency_p99.9_ns": "p99.9 latency",
    "cost_scale": "scale of all costs",
    "series_latency_mean_ns": "mean latency",
    "series_latency_max_ns": "highest latency",
    "peak_latency_mean_ns": "peak of the mean latency",
    "settles_up_ns": "settles after a step up",
    "settles_down_ns": "settles after a step down",
    "scan_per_kthread_ns": "scan, per kthread",
    "iokernel_detection_share": "IOKernel's time for detection",
    "notification_to_uthread_mean_ns": "notification to uthread, mean",
    "message_wait_tx_tail_ns": "waiting time of tx_tail, mean",
    "message_wait_rx_head_ns": "waiting time of rx_head, mean",
    "messages_tx_tail_queued_mean": "tx_tail messages waiting",
    "zero_loss_rate_per_s": "zero-loss rate",
    "pcie_up_per_request_bytes": "traffic to the host, per request",
    "latency_p99_over_ideal": "p99 latency over the ideal's",
    "softirq_per_request_ns": "handling softIRQs, per request",
    "stage_softirq_wait_mean_ns": "softIRQ waits, mean",
    "stage_runqueue_wait_mean_ns": "waits in runqueue, mean",
    "wide_start_ns": "time",
    "wide_latency_p50_ns": "median latency",
    "wide_latency_p99_ns": "p99 latency",
    "wide_latency_p99.9_ns": "p99.9 latency",
    "heap_check_ns": "check of the heap",
    "wasted_notifications_share": "notifications that told nothing",
    "iokernel_touched_per_request_bytes": "IOKernel touches, per request",
    "pcie_down_registers_per_request_bytes": "writes of registers, per request",
    "softirq_check_interval_mean_ns": "time between looks, mean",
    "softirq_check_interval_max_ns": "time between looks, longest",
    "park_time_mean_ns": "search to parking, mean",
    "run_lengths_application_0_p50_ns": "time on a core, median",
    "run_lengths_application_0_mean_ns": "time on a core, mean",
    "run_lengths_application_0_max_ns": "time on a core, longest",
    "cores_held": "cores held",
    "pcie_metadata_share": "metadata",
    "pcie_limit_per_s": "limit of the link",
    "requests_per_s": "requests done",
    "scan_interval_mean_ns": "time between scans, mean",
    "scan_interval_max_ns": "time between scans, longest",
}
"""What columns are called, where their names do not say it well."""
_UNITS = {
    "gbit_per_s": (1.0, "Gb/s"),
    "per_s": (1e-6, "million/s"),
    "ns": (1e-3, "µs"),
    "share": (100.0, "%"),
    "percent": (1.0, "%"),
    "bytes": (1.0, "bytes"),
}
_SPECIAL = {
    "rate_per_s": (1e-6, "Mrps"),
    "series_load_per_s": (1e-6, "Mrps"),
    "series_start_ns": (1e-6, "ms"),
    "wide_start_ns": (1e-6, "ms"),
    "grants_per_s": (1e-3, "thousand/s"),
    "scan_per_kthread_ns": (1.0, "ns"),
    "heap_check_ns": (1.0, "ns"),
}
_WHOLE = 100
"""From here on, what is behind the point is left out at an axis."""


def unit(column: str) -> tuple[float, str]:
    """The factor from a column's values to the shown ones, and their unit."""
    if column in _SPECIAL:
        return _SPECIAL[column]
    found = next((name for name in _UNITS if column.endswith(f"_{name}")), None)
    return _UNITS[found] if found else (1.0, "")


def words(column: str) -> str:
    """What a column is called."""
    return WORDS[column] if column in WORDS else stem(column)


def stem(column: str) -> str:
    """A column's name without its unit."""
    name = next((column.removesuffix(f"_{unit}") for unit in _UNITS if column.endswith(f"_{unit}")), column)
    return name.replace("_", " ")


def label(column: str) -> str:
    """What an axis says."""
    name = unit(column)[1]
    return f"{words(column)} ({name})" if name else words(column)


def tick(value: float) -> str:
    """As it stands at an axis."""
    return f"{value:.0f}" if abs(value) >= _WHOLE else f"{value:g}"


def brief(value: float) -> str:
    """As it stands on a bar, where there is little room."""
    return tick(value if abs(value) >= _WHOLE else float(f"{value:.2g}"))


def shown(column: str, value: float) -> float:
    """A value in the unit in which it is shown."""
    return value * unit(column)[0]
