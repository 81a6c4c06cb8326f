"""Figures for paper: PDF and PNG, readable in grey, lines labelled where they end."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from cosim.report.drawing import Drawing, Line, Panel, bar_texts, common_heights
from cosim.report.quantities import tick
from cosim.report.style import Style, styles

COLUMNS = 3
_GREY = "#555555"
_DIRECT, _DENSE, _MARKED = 4, 40, 12
"""At most so many lines are labelled at their ends; a line of more points is dense, and has so many markers."""
_LABEL_PX, _WRAP = 12, 30
_TITLE_INCH = 0.092
_TICKS = 9
_DECADES = 100
_UPRIGHT = 5
_LETTERS_PER_INCH = 19
_MOST_WIDE_BARS = 12
"""In a panel; in more, a value is wider than its bar."""
Looks = Mapping[str, Style]
"""By label."""
_STYLE: dict[Any, Any] = {
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "hermes",
}


def save(drawing: Drawing, folder: Path, name: str) -> list[Path]:
    """Write ``name``.png and ``name``.pdf; the same drawing gives the same bytes."""
    with mpl.rc_context(_STYLE):
        figure = _figure(drawing)
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"{name}.png", folder / f"{name}.pdf"]
        figure.savefig(files[0], dpi=160, metadata={"Software": None})
        figure.savefig(files[1], metadata={"CreationDate": None})
    return files


def _figure(drawing: Drawing) -> Canvas:
    count = len(drawing.panels)
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    tallest = max(
        (len(line.x) for panel in drawing.panels if panel.kind == "tornado" for line in panel.lines), default=0
    )
    height = max(2.7, 0.6 + 0.17 * tallest)
    width = max(3.5 * columns, 5.0, _TITLE_INCH * len(drawing.title))
    figure = Canvas(figsize=(width, height * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    looks = styles(drawing.panels)
    for place, panel in zip(axes.flat, drawing.panels, strict=False):
        _PAINTERS[panel.kind](place, panel, looks)
        place.set_title(panel.title, fontsize=9)
        place.set_xlabel(panel.x_label)
        place.set_ylabel(textwrap.fill(panel.y_label, _WRAP))
    _share_heights(list(axes.flat)[:count], drawing)
    for place, panel in zip(axes.flat, drawing.panels, strict=False):
        if panel.y_log:
            _plain_numbers(place)
        if panel.kind == "line" and _has_labels(panel) and len(panel.lines) > 1:
            _label_ends(place, panel, looks)
    for place in list(axes.flat)[count:]:
        place.set_visible(False)
    has_legend = _legend(figure, drawing)
    figure.suptitle(drawing.title, fontsize=10.5, fontweight="bold", x=0.01, ha="left")
    if drawing.note and not has_legend:
        figure.supxlabel(_wrapped(drawing.note, width), fontsize=7, color=_GREY, x=0.01, ha="left")
    return figure


def _share_heights(axes: list[Axes], drawing: Drawing) -> None:
    """Panels of the same quantity have the same y axis."""
    common = common_heights(drawing.panels)
    for y_label in common:
        same = [place for place, panel in zip(axes, drawing.panels, strict=True) if panel.y_label == y_label]
        low, high = (list(ends) for ends in zip(*(place.get_ylim() for place in same), strict=True))
        for place in same:
            place.set_ylim(min(low), max(high))


def _legend(figure: Canvas, drawing: Drawing) -> bool:
    """One for all panels with the note above it, where lines cannot be labelled at their ends; tells whether it is."""
    if all(panel.kind == "line" and _has_labels(panel) for panel in drawing.panels):
        return False
    found = {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    labels = list(found)
    if len(labels) <= 1:
        return False
    fit = max(2, int(figure.get_figwidth() / (0.45 + 0.075 * max(map(len, labels)))))
    legend = figure.legend(
        list(found.values()),
        labels,
        loc="outside lower center",
        ncols=min(len(labels), fit),
        fontsize=8,
        title=_wrapped(drawing.note, figure.get_figwidth()) or None,
        title_fontproperties={"size": 7},
    )
    legend.get_title().set_color(_GREY)
    return True


def _wrapped(note: str, width: float) -> str:
    """In lines that fit into a figure of so many inches."""
    return textwrap.fill(note, int(_LETTERS_PER_INCH * width))


def _has_labels(panel: Panel) -> bool:
    """Whether lines are labelled where they end: few of them, and not too many points."""
    return len(panel.lines) <= _DIRECT and all(len(line.x) <= _DENSE for line in panel.lines)


def _label_ends(axes: Axes, panel: Panel, looks: Looks) -> None:
    """Names beside the last points, as near to them as they do not cover each other."""
    ends = sorted(
        (float(axes.transData.transform((float(line.x[-1]), line.y[-1]))[1]), number)
        for number, line in enumerate(panel.lines)
        if line.y
    )
    bottom, top = (float(axes.transAxes.transform((0, y))[1]) for y in (0, 1))
    places: list[float] = []
    for end, _ in ends:
        places.append(max(end, places[-1] + _LABEL_PX) if places else max(end, bottom))
    excess = max(0.0, places[-1] - top) if places else 0.0
    for (_, number), place in zip(ends, places, strict=True):
        axes.annotate(
            panel.lines[number].label,
            (1.02, (place - excess - bottom) / (top - bottom)),
            xycoords="axes fraction",
            color=looks[panel.lines[number].label].colour,
            fontsize=7.5,
            va="center",
            annotation_clip=False,
        )


def _draw_lines(axes: Axes, panel: Panel, looks: Looks) -> None:
    for number, line in enumerate(panel.lines):
        look, is_dense = looks[line.label], len(line.x) > _DENSE
        apart = max(1, len(line.x) // _MARKED)
        axes.plot(
            line.x,
            line.y,
            label=line.label,
            color=look.colour,
            linestyle=look.dash,
            marker=look.marker,
            markevery=(number * apart // len(panel.lines), apart) if is_dense else None,
            markersize=3.5,
            linewidth=0.9 if is_dense else 1.3,
        )
        _band(axes, line, look.colour)
    axes.set_xscale("log" if panel.x_log else "linear")
    axes.set_yscale("log" if panel.y_log else "linear")
    if not panel.y_log:
        axes.set_ylim(bottom=0)
    places = sorted({float(x) for line in panel.lines for x in line.x})
    if panel.x_log:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        if len(places) <= _TICKS:
            axes.tick_params(axis="x", labelrotation=35 if len(places) > _UPRIGHT else 0)
    counts = all(place.is_integer() for place in places)
    if len(places) <= _TICKS and (panel.x_log or (counts and len(places) > 1)):
        axes.set_xticks(places)
    elif counts and not panel.x_log:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _plain_numbers(axes: Axes) -> None:
    """Of a logarithmic axis: no powers of ten, and numbers between them if it spans less than a decade or two."""
    low, high = axes.get_ylim()
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    if high < _DECADES * low:
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: tick(value)))
    else:
        axes.yaxis.set_minor_formatter(NullFormatter())


def _band(axes: Axes, line: Line, colour: str) -> None:
    known = [place for place, low in enumerate(line.low) if low is not None]
    if len(known) > 1:
        axes.fill_between(
            [float(line.x[place]) for place in known],
            [max(float(line.low[place] or 0), 0) for place in known],
            [float(line.high[place] or 0) for place in known],
            color=colour,
            alpha=0.18,
            linewidth=0,
        )


def _draw_bars(axes: Axes, panel: Panel, looks: Looks) -> None:
    places = list(dict.fromkeys(x for line in panel.lines for x in line.x))
    width = 0.8 / max(1, len(panel.lines))
    is_narrow = len(places) * len(panel.lines) > _MOST_WIDE_BARS
    for number, line in enumerate(panel.lines):
        offsets = [places.index(x) + (number + 0.5) * width - 0.4 for x in line.x]
        errors = None
        if all(low is not None for low in line.low) and line.low:
            errors = [
                [value - float(low or 0) for value, low in zip(line.y, line.low, strict=True)],
                [float(high or 0) - value for value, high in zip(line.y, line.high, strict=True)],
            ]
        bars = axes.bar(
            offsets,
            line.y,
            width,
            label=line.label,
            color=looks[line.label].colour,
            hatch=looks[line.label].hatch,
            edgecolor="white",
            linewidth=0.4,
            yerr=errors,
            error_kw={"linewidth": 0.8},
        )
        axes.bar_label(bars, bar_texts(panel, line), fontsize=6.5, padding=2, rotation=90 if is_narrow else 0)
    _categories(axes, places)
    if panel.y_log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)


def _draw_stack(axes: Axes, panel: Panel, looks: Looks) -> None:
    places = list(dict.fromkeys(x for line in panel.lines for x in line.x))
    bottoms = np.zeros(len(places))
    for line in panel.lines:
        heights = np.array([line.y[line.x.index(place)] if place in line.x else 0 for place in places])
        axes.bar(
            range(len(places)),
            heights,
            0.72,
            bottom=bottoms,
            label=line.label,
            color=looks[line.label].colour,
            hatch=looks[line.label].hatch,
            edgecolor="white",
            linewidth=0.4,
        )
        bottoms += heights
    _categories(axes, places)


def _draw_tornado(axes: Axes, panel: Panel, looks: Looks) -> None:
    names = list(dict.fromkeys(str(x) for line in panel.lines for x in line.x))
    thickness = 0.76 / len(panel.lines)
    for number, line in enumerate(panel.lines):
        shift = 0.38 - (number + 0.5) * thickness
        axes.barh(
            [len(names) - names.index(str(x)) + shift for x in line.x],
            line.y,
            thickness,
            label=line.label,
            color=looks[line.label].colour,
            hatch=looks[line.label].hatch,
            edgecolor="white",
            linewidth=0.4,
        )
    axes.set_yticks([len(names) - place for place in range(len(names))], names, fontsize=7)
    axes.axvline(0, color="#333333", linewidth=0.8)
    axes.grid(visible=False, axis="y")


def _categories(axes: Axes, places: list[float | str]) -> None:
    names = [place if isinstance(place, str) else tick(place) for place in places]
    is_long = max(map(len, names), default=0) * len(names) > 36
    axes.set_xticks(
        range(len(names)), names, rotation=35 if is_long else 0, ha="right" if is_long else "center", fontsize=7.5
    )
    axes.grid(visible=False, axis="x")


_PAINTERS = {"line": _draw_lines, "bar": _draw_bars, "stack": _draw_stack, "tornado": _draw_tornado}
