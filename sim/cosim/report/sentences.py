"""Sentences about a figure, made of its numbers and of nothing else."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cosim.experiments.definition import Figure
from cosim.report.drawing import DEFAULT_CASE, GAP, Drawing, Panel, drawing, selected, values_of
from cosim.report.drawing import line as line_of
from cosim.report.quantities import words

Row = Mapping[str, Any]

_KNEE = 3.0
"""A line has left its flat part where it is above so many times its first value."""
_TIMES = 3.0
"""From this ratio on a change is told as a factor."""
_EACH = 3
"""Of more tornados than these only one is told of."""
_ALIKE = 0.02
"""Values that differ by less than this share are told as alike."""


def sentences(figure: Figure, rows: Sequence[Row]) -> list[str]:
    """What the figure shows, as its ``says`` asks; nothing about what the rows do not have."""
    drawn = drawing(figure, rows, "")
    if drawn is None:
        return []
    said: list[str] = []
    for kind in figure.says:
        said += _MAKERS[kind](figure, drawn, rows)
    return said


def number(value: float) -> str:
    """Three digits that count."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _quantity(panel: Panel) -> tuple[str, str]:
    """What a panel's y axis tells: its words, and its unit."""
    name, _, rest = panel.y_label.partition(" (")
    return name, rest.removesuffix(")")


def _with_unit(value: float, name: str) -> str:
    if name == "%":
        return f"{number(value)} %"
    return f"{number(value)} {name}".strip()


def _in(panel: Panel) -> str:
    return f" ({panel.title})" if panel.title else ""


def _x_words(panel: Panel) -> tuple[str, str]:
    name, _, rest = panel.x_label.partition(" (")
    return name, rest.removesuffix(")")


def _at(panel: Panel, x: float | str) -> str:
    name, of = _x_words(panel)
    if isinstance(x, str):
        return f"{name} {x} {of}".strip()
    return f"{name} {_with_unit(x, of)}"


def _ends(_: Figure, drawn: Drawing, __: Sequence[Row]) -> list[str]:
    """Of the first panel: from where to where each line goes."""
    panel = drawn.panels[0]
    what, of = _quantity(panel)
    longest = max(panel.lines, key=lambda line: len(line.x))
    parts = []
    for line in panel.lines:
        first, last = line.x[0], line.x[-1]
        if len(line.y) > 1:
            own = [f"from {_at(panel, first)}"] * (first != longest.x[0])
            own += [f"up to {_at(panel, last)}"] * (last != longest.x[-1])
            only = f" (known {' '.join(own)} only)" if own else ""
            parts.append(f"from {_with_unit(line.y[0], of)} to {_with_unit(line.y[-1], of)} with {line.label}{only}")
    if not parts:
        return []
    between = f"Between {_at(panel, longest.x[0])} and {_at(panel, longest.x[-1])}"
    return [f"{between}, {what}{_in(panel)} goes {_listed(parts)}."]


def _change(_: Figure, drawn: Drawing, __: Sequence[Row]) -> list[str]:
    """Of each panel: by how much each line's last value differs from its first."""
    said = []
    for panel in drawn.panels:
        parts = [
            f"{_changed(line.y[0], line.y[-1])} with {line.label}"
            for line in panel.lines
            if len(line.y) > 1 and line.y[0] and (line.x[0], line.x[-1]) == (panel.lines[0].x[0], panel.lines[0].x[-1])
        ]
        first, last = _at(panel, panel.lines[0].x[0]), _at(panel, panel.lines[0].x[-1])
        if parts and all(line.y[0] == line.y[-1] for line in panel.lines):
            said.append(f"With {first} and {last}, {_quantity(panel)[0]} is the same in all of them.")
        elif parts:
            said.append(f"From {first} to {last}, {_quantity(panel)[0]} differs by {_listed(parts)}.")
    return said


def _changed(before: float, after: float) -> str:
    """In percent, or as a factor where that is easier to see."""
    ratio = after / before
    return f"a factor of {number(ratio)}" if ratio >= _TIMES else f"{(ratio - 1) * 100:+.3g} %"


def _compare(_: Figure, drawn: Drawing, __: Sequence[Row]) -> list[str]:
    """Of the last panel: who is least and who most where all lines have a value, the farthest to the right."""
    panel = drawn.panels[-1]
    common = [x for x in panel.lines[0].x if all(x in line.x for line in panel.lines)]
    if len(panel.lines) < 2 or not common:
        return []
    at = common[-1]
    values = {line.label: line.y[line.x.index(at)] for line in panel.lines}
    least, most = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    what, of = _quantity(panel)
    where = f"At {_at(panel, at)}, " if at != "" else ""
    if values[most] - values[least] <= _ALIKE * abs(values[most]):
        return [_sentence(f"{where}{what}{_in(panel)} differs by less than {_ALIKE:.0%}.")]
    low, high = _with_unit(values[least], of), _with_unit(values[most], of)
    return [_sentence(f"{where}{what}{_in(panel)} is least with {least} ({low}) and most with {most} ({high}).")]


def _knee(_: Figure, drawn: Drawing, __: Sequence[Row]) -> list[str]:
    """Of the last panel: how far each line stays flat."""
    panel = drawn.panels[-1]
    what, _unit = _quantity(panel)
    parts = []
    for line in panel.lines:
        flat = [x for x, y in zip(line.x, line.y, strict=True) if y <= _KNEE * line.y[0]]
        if len(line.x) > 1 and flat and not isinstance(flat[-1], str):
            parts.append(f"{_with_unit(flat[-1], _x_words(panel)[1])} with {line.label}")
    if not parts:
        return []
    x = _x_words(panel)[0]
    return [f"The highest measured {x} at which {what} is at most {_KNEE:g} times its first value is {_listed(parts)}."]


def _largest(_: Figure, drawn: Drawing, __: Sequence[Row]) -> list[str]:
    """Of each panel: what is the largest part of its last stack, or what moves a tornado most."""
    tornados = [_mover(panel) for panel in drawn.panels if panel.kind == "tornado"]
    if len(tornados) > _EACH:  # only the greatest of all
        tornados = [max(tornados)]
    said = [told for _, told in tornados]
    for panel in drawn.panels:
        if panel.kind == "tornado":
            continue
        who = f"With {panel.title}" if panel.title else ""
        last = max(panel.lines, key=lambda line: len(line.x)).x[-1]
        most = max((line for line in panel.lines if last in line.x), key=lambda line: line.y[line.x.index(last)])
        what, of = _quantity(panel)
        value = _with_unit(most.y[most.x.index(last)], of)
        said.append(_sentence(f"{who}, the largest part of {what} at {_at(panel, last)} is {most.label}: {value}."))
    return said


def _maxima(_: Figure, drawn: Drawing, __: Sequence[Row]) -> list[str]:
    """Of each stack: the most that each part comes to."""
    said = []
    for panel in drawn.panels:
        of = _quantity(panel)[1]
        parts = [f"{_with_unit(max(line.y), of)} for {line.label}" for line in panel.lines]
        who = f"With {panel.title}, the" if panel.title else "The"
        said.append(f"{who} most over all of {_x_words(panel)[0]} is {_listed(parts)}.")
    return said


def _mover(panel: Panel) -> tuple[float, str]:
    """What moves a tornado's quantity most: how far, and the sentence that says so."""
    bars = [(abs(y), str(x), line.label, y) for line in panel.lines for x, y in zip(line.x, line.y, strict=True)]
    size, x, end, change = max(bars)
    name = f"{x} at its {end} end" if len(panel.lines) > 1 else x
    who, what = (f"With {panel.title}" if panel.title else ""), panel.x_label.partition(",")[0]
    return size, _sentence(f"{who}, what moves {what} most is {name}: {_changed(100, 100 + change)}.")


def _sentence(text: str) -> str:
    """Begins with a capital letter, and with nothing before it."""
    text = text.removeprefix(", ")
    return text[0].upper() + text[1:]


def _ranking(figure: Figure, _: Drawing, rows: Sequence[Row]) -> list[str]:
    """In how many cases the systems come in another order than by default, by the first column."""
    chosen, y = selected(rows, figure), figure.y[0]
    orders: dict[str, tuple[str, ...]] = {}
    for case in values_of(chosen, "case"):
        means = line_of([row for row in chosen if row["case"] == case], "system", y, "")
        orders[case] = tuple(str(x) for _, x in sorted(zip(means.y, map(str, means.x), strict=True)))
    default = orders.pop(DEFAULT_CASE, ())
    if len(default) < 2 or not orders:
        return []
    others = [case for case, order in orders.items() if order != default]
    which = f", such as {others[0]}" if others else ""
    ranked = " < ".join(default)
    return [
        f"By {words(y)} the systems rank {ranked}; {len(others)} of {len(orders)} changes give another order{which}."
    ]


def _peak(_: Figure, drawn: Drawing, __: Sequence[Row]) -> list[str]:
    """Of the last panel: where each line is highest."""
    panel = drawn.panels[-1]
    what, of = _quantity(panel)
    parts = []
    for line in panel.lines:
        if line.y:
            top = max((place for place, y in enumerate(line.y) if y is not GAP), key=line.y.__getitem__)
            who = f" with {line.label}," if len(panel.lines) > 1 else ""
            parts.append(f"{_with_unit(line.y[top], of)}{who} at {_at(panel, line.x[top])}")
    return [f"The highest {what}{_in(panel)} is {_listed(parts)}."] if parts else []


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


_MAKERS: Final[Mapping[str, Callable[[Figure, Drawing, Sequence[Row]], list[str]]]] = {
    "change": _change,
    "ends": _ends,
    "compare": _compare,
    "knee": _knee,
    "largest": _largest,
    "maxima": _maxima,
    "peak": _peak,
    "ranking": _ranking,
}
