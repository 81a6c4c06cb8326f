"""What a figure shows, worked out from the rows of a table; printed.py and interactive.py draw it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cosim.experiments.definition import Figure
from cosim.report.quantities import brief, label, shown, stem, tick, unit, words
from cosim.report.statistics import estimate

Row = Mapping[str, Any]

Place = float | str
"""On an x axis: a number, or the name of a category."""

_GROUPS = {
    "iokernel": "IOKernel's time",
    "core time": "time of the application cores",
    "stage": "time of a request",
    "pcie up": "traffic to the host, per request",
}
"""What the parts of a stack are parts of, by the words with which their columns begin."""


GAP = float("nan")
"""In a line over time: nothing is known there, and the line has a gap."""


@dataclass(frozen=True)
class Line:
    """Points of one line, or bars of one colour; ``low`` and ``high`` are None where there is no interval."""

    label: str
    x: list[Place]
    y: list[float]
    low: list[float | None]
    high: list[float | None]


@dataclass(frozen=True)
class Panel:
    """One pair of axes; ``kind`` is ``line``, ``bar``, ``stack`` or ``tornado``."""

    kind: str
    title: str
    x_label: str
    y_label: str
    lines: list[Line]
    x_log: bool = False
    y_log: bool = False


@dataclass(frozen=True)
class Drawing:
    """A whole figure."""

    id: str
    title: str
    note: str
    panels: list[Panel]


_HIDES = 4
"""A panel whose highest value is less than another's by this factor would be hidden on the other's axis."""
_INVISIBLE = 50
"""A bar that is so much lower than another is not seen."""


def common_heights(panels: Sequence[Panel]) -> dict[str, tuple[float, float]]:
    """By label of the y axis: the lowest and highest value of panels that should have the same axis.

    Those are panels with titles, of the same quantity under different circumstances; not if that would hide one.
    """
    found = {}
    for y_label in {panel.y_label for panel in panels if panel.title and panel.kind in ("line", "bar")}:
        same = [panel for panel in panels if panel.y_label == y_label]
        values = [
            [bound for line in panel.lines for bound in (*line.y, *filter(None, line.low), *filter(None, line.high))]
            for panel in same
        ]
        highest = [max(those) for those in values]
        lowest = min(min(those) for those in values)
        is_log = same[0].y_log
        if len(same) > 1 and (lowest > 0 if is_log else max(highest) <= _HIDES * min(highest)):
            found[y_label] = (lowest, max(highest))
    return found


def bar_texts(panel: Panel, line: Line) -> list[str]:
    """What stands on each bar of a line: the value where it is too low to be seen beside the highest, or all are 0."""
    highest = max(y for each in panel.lines for y in each.y)
    if panel.y_log:
        return [""] * len(line.y)
    return [brief(y) if highest == 0 or 0 < _INVISIBLE * y < highest else "" for y in line.y]


def selected(rows: Iterable[Row], figure: Figure) -> list[Row]:
    """The rows that a figure shows."""
    return [row for row in rows if row["sweep"] in figure.sweeps and _matches(row, figure.where)]


def _matches(row: Row, where: Mapping[str, Any]) -> bool:
    return all(
        row.get(name) in accepted if isinstance(accepted, list) else row.get(name) == accepted
        for name, accepted in where.items()
    )


def values_of(rows: Sequence[Row], column: str) -> list[Any]:
    """The different values of a column: numbers ascending, others in the order in which they come."""
    found = list(dict.fromkeys(row[column] for row in rows if row.get(column) is not None))
    return sorted(found) if all(isinstance(value, (int, float)) for value in found) else found


def line(rows: Sequence[Row], x: str, y: str, name: str) -> Line:
    """One point for each value of ``x``: the mean over seeds."""
    made = Line(name, [], [], [], [])
    for place in values_of(rows, x):
        values = [shown(y, row[y]) for row in rows if row.get(x) == place and row.get(y) is not None]
        if values:
            found = estimate(values)
            made.x.append(place if isinstance(place, str) else shown(x, place))
            made.y.append(found.mean)
            made.low.append(found.low)
            made.high.append(found.high)
    return made


def drawing(figure: Figure, rows: Iterable[Row], note: str) -> Drawing | None:
    """What the figure shows; None if no row has what it needs."""
    chosen = selected(rows, figure)
    makers = {"stack": _stacks, "series": _series, "tornado": _tornados, "changes": _changes}
    panels = makers.get(figure.kind, _panels)(figure, chosen)
    panels = [panel for panel in panels if any(line.y for line in panel.lines)]
    return Drawing(figure.id, figure.title, note, panels) if panels else None


def _facets(figure: Figure, rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    if figure.panels is None:
        return [("", list(rows))]
    return [
        (_said(figure.panels, value), [row for row in rows if row.get(figure.panels) == value])
        for value in values_of(rows, figure.panels)
    ]


def _said(column: str, value: Any) -> str:  # noqa: ANN401 (whatever a column holds)
    if isinstance(value, str):
        return value
    name = unit(column)[1]
    return f"{words(column)} {shown(column, value):g}{f' {name}' if name else ''}"


def _panels(figure: Figure, rows: Sequence[Row]) -> list[Panel]:
    kind = "bar" if figure.kind == "bars" else "line"
    panels = []
    for title, part in _facets(figure, rows):
        for y in figure.y:
            lines = [
                line([row for row in part if row.get(figure.lines) == value], figure.x, y, _said(figure.lines, value))
                for value in values_of(part, figure.lines)
            ]
            lines = [made for made in lines if made.y]
            x_label = "" if kind == "bar" and figure.x in ("case", figure.lines) else label(figure.x)
            if figure.x == figure.lines:  # side by side, told apart by their looks
                lines = [replace(made, x=[""]) for made in lines]
            panels.append(Panel(kind, title, x_label, label(y), lines, figure.x_log, figure.y_log))
    return panels


def _stacks(figure: Figure, rows: Sequence[Row]) -> list[Panel]:
    """Columns on top of each other; the panels have the values of ``lines``."""
    panels = []
    values = values_of(rows, figure.lines)
    for value in values:
        part = [row for row in rows if row.get(figure.lines) == value]
        common = _common([stem(y) for y in figure.y])
        names = [stem(y)[len(common) :].removesuffix(" mean").removesuffix(" per request") for y in figure.y]
        lines = [line(part, figure.x, y, name) for y, name in zip(figure.y, names, strict=True)]
        name = unit(figure.y[0])[1]
        whole = _GROUPS.get(common.strip(), common.strip())
        text = f"{whole} ({name})" if name else whole
        x_label = "" if figure.x == "case" else label(figure.x)
        made = [Line(one.label, [_category(x) for x in one.x], one.y, one.low, one.high) for one in lines if one.y]
        title = _said(figure.lines, value) if len(values) > 1 else ""
        panels.append(Panel("stack", title, x_label, text, made))
    return panels


def _category(x: Place) -> str:
    return x if isinstance(x, str) else tick(x)


def _common(names: Sequence[str]) -> str:
    """The words with which all begin."""
    common = []
    for parts in zip(*(name.split() for name in names), strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return "".join(f"{word} " for word in common)


def _series(figure: Figure, rows: Sequence[Row]) -> list[Panel]:
    """Lists over time, of the first seed."""
    rows = [row for row in rows if row["seed"] == 1 and len(row.get(figure.x) or ()) > 1]
    panels = []
    for title, part in _facets(figure, rows):
        for y in figure.y:
            lines = []
            for row in part:
                pairs = [
                    (shown(figure.x, x), GAP if value is None else shown(y, value))
                    for x, value in zip(row[figure.x], row[y], strict=True)
                ]
                while pairs and pairs[-1][1] is GAP:
                    pairs.pop()
                nothing: list[float | None] = [None] * len(pairs)
                lines.append(
                    Line(
                        _said(figure.lines, row[figure.lines]),
                        [x for x, _ in pairs],
                        [v for _, v in pairs],
                        nothing,
                        nothing,
                    )
                )
            if len(lines) > 1 and all((made.x, made.y) == (lines[0].x, lines[0].y) for made in lines):
                lines = [replace(lines[0], label="all the same")]
            panels.append(Panel("line", title, label(figure.x), label(y), lines, figure.x_log, figure.y_log))
    return panels


def _tornados(figure: Figure, rows: Sequence[Row]) -> list[Panel]:
    """For each system and column: how far each constant moves it, in percent of the default's value, widest first.

    Cases are called ``name low`` and ``name high``.
    """
    panels = []
    for system in values_of(rows, "system"):
        for y in figure.y:
            change = changes([row for row in rows if row["system"] == system], y)
            names = list(dict.fromkeys(case.rsplit(" ", 1)[0] for case in change))
            names.sort(key=lambda name: -max(abs(change.get(f"{name} {end}", 0.0)) for end in ("low", "high")))
            lines = []
            for end in ("low", "high"):
                kept = [name for name in names if f"{name} {end}" in change]
                nothing: list[float | None] = [None] * len(kept)
                lines.append(
                    Line(
                        end,
                        list(kept),
                        [change[f"{name} {end}"] for name in kept],
                        nothing,
                        nothing,
                    )
                )
            panels.append(Panel("tornado", system, f"{words(y)}, change in %", "", lines))
    return panels


_MOST = 10
"""Cases that a panel of changes shows; the table has all."""
DEFAULT_CASE = "default"
"""The case that others are compared with."""


def changes(rows: Sequence[Row], y: str) -> dict[str, float]:
    """Of each case of these rows, by how many percent ``y`` is above that of the default; means over seeds."""
    means = line(rows, "case", y, "")
    by_case = dict(zip(map(str, means.x), means.y, strict=True))
    base = by_case.pop(DEFAULT_CASE, None)
    return {case: (value / base - 1) * 100 for case, value in by_case.items()} if base else {}


def _changes(figure: Figure, rows: Sequence[Row]) -> list[Panel]:
    """For each sweep and system: the cases that move the first column most, widest first."""
    panels = []
    sweeps = values_of(rows, "sweep")
    for sweep in sweeps:
        for system in values_of(rows, "system"):
            part = [row for row in rows if (row["sweep"], row["system"]) == (sweep, system)]
            change = changes(part, figure.y[0])
            names = sorted((case for case in change if change[case]), key=lambda case: -abs(change[case]))[:_MOST]
            nothing: list[float | None] = [None] * len(names)
            lines = [Line("change", list(names), [change[name] for name in names], nothing, nothing)]
            title = f"{sweep}: {system}" if len(sweeps) > 1 else system
            panels.append(Panel("tornado", title, f"{words(figure.y[0])}, change in %", "", lines))
    return panels
