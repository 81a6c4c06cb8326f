"""Sentences of the report: made of the numbers in a table, so they change with them."""

from pathlib import Path

from cosim.experiments.definition import Experiment, Figure, Sweep
from cosim.experiments.table import read, write
from cosim.report.page import write_report
from cosim.report.sentences import sentences

FIGURE = Figure(
    id="latency", sweep="load", title="Latency", x="rate_per_s", y=["latency_p99_ns"], says=["ends", "compare", "knee"]
)
EXPERIMENT = Experiment(id="X", title="X", question="?", sweep=[Sweep(name="load")], figure=[FIGURE])
LATENCIES = {"indirect": (10_000.0, 12_000.0, 50_000.0), "priority": (11_000.0, 40_000.0, 90_000.0)}


def rows(latencies: dict[str, tuple[float, float, float]]) -> list[dict[str, object]]:
    common = {"experiment": "X", "sweep": "load", "nic": "model", "seed": 1, "case": "", "version": "0"}
    common |= {"costs_sha256": "c", "code_sha256": "d", "rtl_sha256": "r", "key": "k"}
    return [
        {**common, "system": system, "rate_per_s": rate, "latency_p99_ns": value}
        for system, values in latencies.items()
        for rate, value in zip((100_000, 200_000, 300_000), values, strict=True)
    ]


def test_they_tell_ends_extremes_and_knees() -> None:
    assert sentences(FIGURE, rows(LATENCIES)) == [
        (
            "Between load 0.1 Mrps and load 0.3 Mrps, p99 latency goes from 10 µs to 50 µs with indirect "
            "and from 11 µs to 90 µs with priority."
        ),
        "At load 0.3 Mrps, p99 latency is least with indirect (50 µs) and most with priority (90 µs).",
        (
            "The highest measured load at which p99 latency is at most 3 times its first value is "
            "0.2 Mrps with indirect and 0.1 Mrps with priority."
        ),
    ]


def test_of_what_is_not_there_they_tell_nothing() -> None:
    assert sentences(FIGURE, []) == []
    assert sentences(FIGURE, [{**row, "latency_p99_ns": None} for row in rows(LATENCIES)]) == []


def test_the_page_s_text_follows_the_table(tmp_path: Path) -> None:
    about = {"definition": EXPERIMENT.model_dump_json(), "scale": "quick", "settings": "", "failed": ""}
    table = tmp_path / "X.parquet"
    write(table, rows(LATENCIES), about)
    before = write_report(tmp_path).read_text()
    assert "from 10 µs to 50 µs with indirect" in before
    changed, about = read(table)
    for row in changed:
        row["latency_p99_ns"] *= 2
    write(table, changed, about)
    after = write_report(tmp_path).read_text()
    assert "from 20 µs to 100 µs with indirect" in after
    assert "from 10 µs to 50 µs with indirect" not in after


def test_a_change_is_told_in_percent_as_a_factor_or_as_none() -> None:
    figure = FIGURE.model_copy(update={"says": ["change"]})
    told = sentences(figure, rows({"indirect": (10_000.0, 0.0, 15_000.0), "priority": (10_000.0, 0.0, 90_000.0)}))
    between = "From load 0.1 Mrps to load 0.3 Mrps, p99 latency differs by"
    assert told == [f"{between} +50 % with indirect and a factor of 9 with priority."]
    same = sentences(figure, rows({"indirect": (10_000.0, 0.0, 10_000.0)}))
    assert same == ["With load 0.1 Mrps and load 0.3 Mrps, p99 latency is the same in all of them."]


def test_of_a_stack_the_most_of_each_part_over_all_loads_is_told() -> None:
    figure = Figure(
        id="f",
        sweep="load",
        title="F",
        kind="stack",
        x="rate_per_s",
        y=["iokernel_rx_share", "iokernel_poll_share"],
        says=["maxima"],
    )
    shares = ((100_000, 0.5, 0.5), (200_000, 0.7, 0.3), (300_000, 0.6, 0.4))
    found = [
        {
            "sweep": "load",
            "seed": 1,
            "system": system,
            "rate_per_s": x,
            "iokernel_rx_share": rx,
            "iokernel_poll_share": p,
        }
        for system in ("indirect", "priority")
        for x, rx, p in shares
    ]
    assert sentences(figure, found) == [
        f"With {system}, the most over all of load is 70 % for rx and 50 % for poll."
        for system in ("indirect", "priority")
    ]


def test_a_line_that_ends_early_is_not_said_to_go_further() -> None:
    figure = FIGURE.model_copy(update={"says": ["ends", "change"]})
    found = [row for row in rows(LATENCIES) if (row["system"], row["rate_per_s"]) != ("priority", 300_000)]
    assert sentences(figure, found) == [
        (
            "Between load 0.1 Mrps and load 0.3 Mrps, p99 latency goes from 10 µs to 50 µs with indirect "
            "and from 11 µs to 40 µs with priority (known up to load 0.2 Mrps only)."
        ),
        "From load 0.1 Mrps to load 0.3 Mrps, p99 latency differs by a factor of 5 with indirect.",
    ]
