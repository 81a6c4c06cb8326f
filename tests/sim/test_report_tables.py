"""The tables of the page: what a switch changes in each sweep and system, and why it may change nothing."""

import re

from cosim.experiments.definition import Case, Experiment, Figure, Sweep
from cosim.report.tables import table

CASES = [
    Case(label="default"),
    Case(label="send=packet"),
    Case(label="scan=20us", needs="a scan"),
    Case(label="held_limit=16"),
]
SWEEPS = [Sweep(name="one", use="switches"), Sweep(name="two", use="switches")]
FIGURE = Figure(
    id="f", sweep=["one", "two"], title="F", kind="changes", y=["latency_p99_ns", "batch_ops_per_s", "latency_p99.9_ns"]
)
EXPERIMENT = Experiment(
    id="X", title="X", question="?", cases={"switches": CASES}, sweep=SWEEPS, figure=[FIGURE]
)  # fmt: skip
P99 = {"default": 100.0, "send=packet": 150.0, "scan=20us": 100.0, "held_limit=16": 100.0}


def rows() -> list[dict[str, object]]:
    return [
        {
            "sweep": sweep,
            "system": system,
            "case": case,
            "seed": seed,
            "latency_p99.9_ns": None,
            "latency_p99_ns": value + seed,
            "batch_ops_per_s": 2.0 if case == "send=packet" and sweep == "two" else 1.0,
            "event_hash": f"{sweep} {system} {seed} {case if case == 'send=packet' else ''}",
        }
        for sweep in ("one", "two")
        for system in ("indirect", "priority")
        for case, value in P99.items()
        for seed in (1, 2)
    ]


def cells(html: str) -> list[list[str]]:
    """Of each row; what spans rows stands in each of them."""
    found: list[list[str]] = []
    for line in re.findall(r"<tr>(.*?)</tr>", html):
        row = re.findall(r"<td[^>]*>(.*?)</td>", line)
        found.append(row if "rowspan" in line or not row else [found[-1][0], *row])
    return [row for row in found if row]


def test_a_row_for_each_switch_and_sweep_has_the_change_of_each_quantity_in_each_system() -> None:
    found = cells(table(EXPERIMENT, FIGURE, rows()))
    assert [row[:2] for row in found] == [
        [case, sweep] for case in ("send=packet", "scan=20us", "held_limit=16") for sweep in ("one", "two")
    ]
    assert found[0][2:] == ["+49.3", "+0.0"] * 2
    assert found[1][2:] == ["+49.3", "+100.0"] * 2


def test_where_every_event_is_the_same_it_says_what_an_effect_takes() -> None:
    found = cells(table(EXPERIMENT, FIGURE, rows()))
    assert found[2][2:] == ["same; it takes a scan"] * 2
    assert found[4][2:] == ["same"] * 2


def test_one_seed_that_differs_is_no_longer_the_same() -> None:
    changed = rows()
    for row in changed:
        if (row["case"], row["sweep"], row["system"], row["seed"]) == ("scan=20us", "one", "priority", 2):
            row["event_hash"] = "another"
    found = cells(table(EXPERIMENT, FIGURE, changed))
    assert found[2][2:] == ["same; it takes a scan", "+0.0", "+0.0"]


def test_a_series_has_too_many_numbers() -> None:
    assert table(EXPERIMENT, FIGURE.model_copy(update={"kind": "series"}), rows()) == ""
