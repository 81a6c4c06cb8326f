"""The numbers of a figure as a table of the page."""

import html
from collections.abc import Sequence
from typing import Any

from cosim.experiments.definition import Case, Experiment, Figure
from cosim.report.drawing import DEFAULT_CASE, Row, changes, selected, values_of
from cosim.report.quantities import label, shown, words
from cosim.report.sentences import number
from cosim.report.statistics import estimate


def text(plain: str) -> str:
    """As it stands in HTML."""
    return html.escape(plain)


def table(experiment: Experiment, figure: Figure, rows: Sequence[Row]) -> str:
    """HTML of the numbers of a figure; empty for a series, which has too many."""
    if figure.kind == "series":
        return ""
    if figure.kind == "changes":
        return _table_of_changes(experiment, figure, rows)
    return _table_of_points(figure, rows)


def _table_of_points(figure: Figure, rows: Sequence[Row]) -> str:
    """The numbers of a figure: a row for each point, means over seeds."""
    chosen = selected(rows, figure)
    names = [name for name in dict.fromkeys((figure.lines, figure.panels, figure.x)) if name]
    columns = [y for y in figure.y if any(row.get(y) is not None for row in chosen)]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in chosen:
        groups.setdefault(tuple(row.get(name) for name in names), []).append(row)
    head = "".join(f"<th>{text(label(name))}</th>" for name in [*names, *columns])
    body = ""
    for group, members in groups.items():
        cells = [
            value if isinstance(value, str) else number(shown(name, value)) if value is not None else ""
            for name, value in zip(names, group, strict=True)
        ]
        for column in columns:
            values = [shown(column, row[column]) for row in members if row.get(column) is not None]
            cells.append(_cell(values))
        body += "<tr>" + "".join(f"<td>{text(str(cell))}</td>" for cell in cells) + "</tr>"
    return f"<details><summary>Table</summary><div class=scroll><table><tr>{head}</tr>{body}</table></div></details>"


def _table_of_changes(experiment: Experiment, figure: Figure, rows: Sequence[Row]) -> str:
    """How far each case moves each column, in percent, in each sweep and system.

    Where every event of the run is the same, it says so, and what the case needs to have an effect.
    """
    chosen = selected(rows, figure)
    systems = values_of(chosen, "system")
    columns = [y for y in figure.y if any(row.get(y) is not None for row in chosen)]
    head = "<th colspan=2></th>"
    head += "".join(f"<th class=group colspan={len(columns)}>{text(system)}</th>" for system in systems)
    heads = "<th>change in %</th><th></th>"
    heads += "".join(f"<th>{text(words(y))}</th>" for _ in systems for y in columns)
    sweeps = values_of(chosen, "sweep")
    parts = {
        (sweep, system): [row for row in chosen if (row["sweep"], row["system"]) == (sweep, system)]
        for sweep in sweeps
        for system in systems
    }
    found = {(*at, y): changes(part, y) for at, part in parts.items() for y in columns}
    body = ""
    for case in _cases(experiment, chosen):
        for place, sweep in enumerate(sweeps):
            cells = "" if place else f"<td rowspan={len(sweeps)}>{text(case.label)}</td>"
            cells += f"<td class=name>{text(sweep)}</td>"
            for system in systems:
                part = parts[sweep, system]
                if _events(part, case.label) and _events(part, case.label) == _events(part, DEFAULT_CASE):
                    why = f"same; it takes {case.needs}" if case.needs else "same"
                    cells += f"<td colspan={len(columns)} class=same>{text(why)}</td>"
                    continue
                values = [found[sweep, system, y].get(case.label) for y in columns]
                cells += "".join(f"<td>{'n/a' if value is None else f'{value:+.1f}'}</td>" for value in values)
            body += f"<tr>{cells}</tr>"
    return (
        f"<details open><summary>Table</summary><div class=scroll><table><tr>{head}</tr><tr>{heads}</tr>{body}</table>"
        "</div></details>"
    )


def _cases(experiment: Experiment, rows: Sequence[Row]) -> list[Case]:
    """Those of the rows but for the default, as they were declared."""
    lists = [*experiment.cases.values(), *(sweep.cases for sweep in experiment.sweep)]
    declared = {case.label: case for cases in lists for case in cases}
    labels = [name for name in values_of(rows, "case") if name != DEFAULT_CASE]
    return [declared.get(name, Case(label=name)) for name in labels]


def _events(rows: Sequence[Row], case: str) -> list[str]:
    """The hashes of all events of this case's runs, by seed."""
    return [row["event_hash"] for row in sorted(rows, key=lambda row: int(row["seed"])) if row["case"] == case]


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "n/a"
    found = estimate(values)
    if found.low is None or found.high is None:
        return number(found.mean)
    return f"{number(found.mean)} ± {number((found.high - found.low) / 2)}"
