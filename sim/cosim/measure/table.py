"""The table that a run ends with."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def summary(result: Mapping[str, Any]) -> Table:
    """What a reader wants to know first of a result."""
    dropped = {cause: count for cause, count in result["dropped"].items() if count}
    drops = sum(dropped.values())
    caveats = {"dropped": drops, "unfinished": result["unfinished"], "not sent": result["not_sent"]}
    caveat = ", ".join(f"{count:,} {fate}" for fate, count in caveats.items() if count)
    rows = [
        [
            ("requests that entered the NIC", f"{result['offered']:,}", ""),
            ("echoed", f"{result['echoed']:,}", ""),
            ("dropped", f"{drops:,}", ", ".join(f"{cause} {count:,}" for cause, count in dropped.items())),
            ("unfinished", f"{result['unfinished']:,}", ""),
            ("not sent", f"{result['not_sent']:,}", ""),
        ],
        [
            (f"latency {name}", "n/a" if value is None else f"{value / 1000:,.3f} us", caveat)
            for name, value in result["latency_ns"].items()
        ],
        [
            ("requests per simulated second", _number(result["requests_per_s"], ",.0f"), ""),
            ("packets per notification", _number(result["packets_per_notification"], ".2f"), ""),
            ("IOKernel busy", f"{1 - result['iokernel_share']['poll']:.1%}", ""),
            ("application cores in application code", f"{result['core_time_share']['application']:.1%}", ""),
            ("simulated time", f"{result['simulated_ns'] / 1e6:,.3f} ms", ""),
            ("wall time", f"{result['run']['wall_s']:,.1f} s", ""),
        ],
    ]
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right", style="bold")
    if caveat:
        table.add_column(style="yellow")
    for section in rows:
        for row in section:
            table.add_row(*row[: len(table.columns)])
        table.add_section()
    return table


def _number(value: float | None, form: str) -> str:
    return "n/a" if value is None else format(value, form)
