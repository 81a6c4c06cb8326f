"""The table that a run ends with."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def summary(result: Mapping[str, Any], title: str) -> Table:
    """What a reader wants to know first of a result."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="yellow")

    dropped = {cause: count for cause, count in result["dropped"].items() if count}
    table.add_row("requests that entered the NIC", f"{result['offered']:,}")
    table.add_row("echoed", f"{result['echoed']:,}")
    table.add_row("dropped", f"{sum(dropped.values()):,}", ", ".join(f"{cause} {n:,}" for cause, n in dropped.items()))
    table.add_row("unfinished", f"{result['unfinished']:,}")
    if result["not_sent"]:
        table.add_row("not sent", f"{result['not_sent']:,}", "the run ended before")
    table.add_section()

    caveats = [
        f"{sum(dropped.values()):,} dropped" if dropped else "",
        f"{result['unfinished']:,} unfinished" if result["unfinished"] else "",
        f"{result['not_sent']:,} not sent" if result["not_sent"] else "",
    ]
    caveat = ", ".join(filter(None, caveats))
    for name, value in result["latency_ns"].items():
        table.add_row(f"latency {name}", "n/a" if value is None else f"{value / 1000:,.3f} us", caveat)
    table.add_section()

    table.add_row("requests per simulated second", _number(result["requests_per_s"], ",.0f"))
    table.add_row("packets per notification", _number(result["packets_per_notification"], ".2f"))
    table.add_row("IOKernel busy", f"{1 - result['iokernel_share']['poll']:.1%}")
    table.add_row("application cores in application code", f"{result['core_time_share']['application']:.1%}")
    table.add_row("simulated time", f"{result['simulated_ns'] / 1e6:,.3f} ms")
    if "run" in result:
        table.add_row("wall time", f"{result['run']['wall_s']:,.1f} s")
    return table


def _number(value: float | None, form: str) -> str:
    return "n/a" if value is None else format(value, form)
