"""What figures show: which panels have the same axis, and which lines are one."""

from cosim.experiments.definition import Figure
from cosim.report.drawing import GAP, Drawing, Panel, bar_texts, common_heights, drawing
from cosim.report.interactive import divs
from cosim.report.sentences import sentences


def rows(case: str, values: dict[str, float]) -> list[dict[str, object]]:
    return [
        {"sweep": "s", "seed": 1, "case": case, "system": system, "rate_per_s": rate, "latency_p99_ns": value * rate}
        for system, value in values.items()
        for rate in (1e5, 2e5)
    ]


def drawn(figure: Figure, found: list[dict[str, object]]) -> Drawing:
    made = drawing(figure, found, "")
    assert made is not None
    return made


def panels(second: float, *, y_log: bool = False) -> list[Panel]:
    figure = Figure(id="f", sweep="s", title="F", x="rate_per_s", y=["latency_p99_ns"], panels="case", y_log=y_log)
    return drawn(figure, [*rows("a", {"indirect": 1.0}), *rows("b", {"indirect": second})]).panels


def test_panels_of_one_quantity_have_one_axis_unless_that_hides_one() -> None:
    assert common_heights(panels(2.0)) == {"p99 latency (µs)": (100.0, 400.0)}
    assert common_heights(panels(5.0)) == {}
    assert common_heights(panels(5.0, y_log=True)) == {"p99 latency (µs)": (100.0, 1000.0)}
    assert common_heights(panels(2.0)[:1]) == {}


def test_systems_side_by_side_have_a_bar_each_in_one_place() -> None:
    figure = Figure(id="f", sweep="s", title="F", kind="bars", x="system", y=["latency_p99_ns"])
    (panel,) = drawn(figure, rows("", {"indirect": 1.0, "priority": 2.0})).panels
    assert [(line.label, line.x) for line in panel.lines] == [("indirect", [""]), ("priority", [""])]
    assert panel.x_label == ""


def test_a_bar_that_another_one_hides_has_its_value_on_it() -> None:
    def texts(first: float, second: float, *, y_log: bool = False) -> list[str]:
        figure = Figure(id="f", sweep="s", title="F", kind="bars", x="system", y=["latency_p99_ns"], y_log=y_log)
        (panel,) = drawn(figure, rows("", {"indirect": first, "priority": second})).panels
        (html,) = divs(Drawing("f", "F", "", [panel]), "f")
        found = [text for line in panel.lines for text in bar_texts(panel, line)]
        assert all(f'"text":["{text}"]' in html for text in found)
        return found

    assert texts(1.0, 51.0) == ["150", ""]
    assert texts(1.0, 50.0) == ["", ""]
    assert texts(1.0, 0.0) == ["", ""], "0 is seen to be 0"
    assert texts(0.0, 0.0) == ["0", "0"]
    assert texts(1.0, 51.0, y_log=True) == ["", ""]


def test_series_that_are_all_the_same_are_one_line() -> None:
    figure = Figure(
        id="f",
        sweep="s",
        title="F",
        kind="series",
        x="series_start_ns",
        y=["series_load_per_s", "series_latency_mean_ns"],
    )
    series = [
        {
            "sweep": "s",
            "seed": 1,
            "system": system,
            "series_start_ns": [0.0, 1e6],
            "series_load_per_s": [1e6, 2e6],
            "series_latency_mean_ns": [1e3, latency],
        }
        for system, latency in (("indirect", 1e3), ("priority", 2e3))
    ]
    load, latency = drawn(figure, [dict(row) for row in series]).panels
    assert [line.label for line in load.lines] == ["all the same"]
    assert [line.label for line in latency.lines] == ["indirect", "priority"]


def test_a_series_of_one_bin_is_not_drawn() -> None:
    figure = Figure(id="f", sweep="s", title="F", kind="series", x="series_start_ns", y=["series_load_per_s"])
    row = {"sweep": "s", "seed": 1, "system": "indirect", "series_start_ns": [0.0], "series_load_per_s": [1e6]}
    assert drawing(figure, [row], "") is None


def test_a_line_over_time_has_a_gap_where_nothing_is_known_and_ends_with_the_last_that_is() -> None:
    figure = Figure(
        id="f", sweep="s", title="F", kind="series", x="series_start_ns", y=["series_load_per_s"], says=["peak"]
    )
    times, loads = [0.0, 1e6, 2e6, 3e6], [1e6, None, 3e6, None]
    row = {"sweep": "s", "seed": 1, "system": "indirect", "series_start_ns": times, "series_load_per_s": loads}
    (line,) = drawn(figure, [row]).panels[0].lines
    assert (line.x, line.y[0], line.y[2]) == ([0.0, 1.0, 2.0], 1.0, 3.0)
    assert line.y[1] is GAP
    assert sentences(figure, [row]) == ["The highest load is 3 Mrps at time 2 ms."]
