"""The same figures for the page: plotly, drawn by the browser."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from cosim.report.drawing import Drawing, Line, Panel, bar_texts, common_heights
from cosim.report.style import Style, styles

_HEIGHT_PX, _PER_BAR_PX, _ROOM, _DECADES = 340, 18, 0.06, 3


def divs(drawing: Drawing, name: str) -> list[str]:
    """HTML of each panel, without the library, so that the page can put them side by side or below each other.

    The element of panel i has the id ``name``-i.
    """
    looks, heights = styles(drawing.panels), common_heights(drawing.panels)
    return [
        _div(panel, f"{name}-{number}", looks, heights.get(panel.y_label))
        for number, panel in enumerate(drawing.panels)
    ]


def _div(panel: Panel, name: str, looks: Mapping[str, Style], height: tuple[float, float] | None) -> str:
    figure = go.Figure()
    for line in panel.lines:
        figure.add_traces(_traces(panel, line, looks[line.label]))
    _axes(figure, panel)
    if height is not None:
        low, high = height
        bounds = [log10(low) - _ROOM, log10(high) + _ROOM] if panel.y_log else [0, high * (1 + _ROOM)]
        figure.update_yaxes(range=bounds)
    bars = max((len(line.x) for line in panel.lines), default=0) if panel.kind == "tornado" else 0
    figure.update_layout(
        template="simple_white",
        title={"text": panel.title, "font": {"size": 13}},
        barmode="stack" if panel.kind == "stack" else "group",
        height=max(_HEIGHT_PX, 110 + _PER_BAR_PX * bars),
        margin={"l": 10, "r": 10, "t": 46 if panel.title else 24, "b": 10},
        legend={"orientation": "h", "yanchor": "top", "y": -0.26, "x": 0},
        font={"size": 12},
        hovermode="closest",
    )
    html: str = figure.to_html(
        full_html=False, include_plotlyjs=False, div_id=name, config={"responsive": True, "displayModeBar": False}
    )
    return html


def _traces(panel: Panel, line: Line, look: Style) -> list[Any]:
    if panel.kind == "tornado":
        return [
            go.Bar(
                x=line.y,
                y=line.x,
                orientation="h",
                name=line.label,
                marker={"color": look.colour, "pattern": {"shape": look.web_pattern}},
            )
        ]
    if panel.kind in ("bar", "stack"):
        return [
            go.Bar(
                x=line.x,
                y=line.y,
                name=line.label,
                marker={"color": look.colour, "pattern": {"shape": look.web_pattern}},
                error_y=_errors(line) if panel.kind == "bar" else None,
                text=bar_texts(panel, line) if panel.kind == "bar" else None,
                textposition="outside" if panel.kind == "bar" else None,
            )
        ]
    is_dense = len(line.x) > 40
    traces = [
        go.Scatter(
            x=line.x,
            y=line.y,
            name=line.label,
            mode="lines" if is_dense else "lines+markers",
            line={"color": look.colour, "dash": look.web_dash, "width": 1.5},
            marker={"symbol": look.web_symbol, "size": 7},
        )
    ]
    known = [place for place, low in enumerate(line.low) if low is not None]
    if len(known) > 1:
        around = [line.x[place] for place in known] + [line.x[place] for place in reversed(known)]
        edge = [line.high[place] for place in known] + [line.low[place] for place in reversed(known)]
        traces.append(
            go.Scatter(
                x=around,
                y=edge,
                fill="toself",
                fillcolor=look.colour,
                opacity=0.18,
                line={"width": 0},
                hoverinfo="skip",
                showlegend=False,
            )
        )
    return traces


def _errors(line: Line) -> dict[str, Any] | None:
    if not line.high or any(high is None for high in line.high):
        return None
    return {"type": "data", "array": [float(high or 0) - y for high, y in zip(line.high, line.y, strict=True)]}


def _axes(figure: go.Figure, panel: Panel) -> None:
    figure.update_xaxes(title_text=panel.x_label, type="log" if panel.x_log else None, automargin=True)
    figure.update_yaxes(title_text=panel.y_label, type="log" if panel.y_log else None, automargin=True)
    for is_log, values, update in (
        (panel.x_log, [x for line in panel.lines for x in line.x], figure.update_xaxes),
        (panel.y_log, [y for line in panel.lines for y in line.y], figure.update_yaxes),
    ):
        if is_log:
            ticks = _ticks([value for value in values if not isinstance(value, str)])
            update(tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks])
    if panel.kind == "tornado":
        figure.update_yaxes(autorange="reversed", tickfont={"size": 10})
    elif not panel.y_log:
        figure.update_yaxes(rangemode="tozero" if panel.kind == "line" else "nonnegative")
    if panel.kind == "stack" or (panel.kind == "bar" and panel.lines and not isinstance(panel.lines[0].x[0], str)):
        figure.update_xaxes(type="category")


def _ticks(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 of each decade about these values; of many decades 1 alone."""
    positive = [value for value in values if value > 0] or [1.0]
    first, last = floor(log10(min(positive))), ceil(log10(max(positive)))
    steps = (1, 2, 5) if last - first <= _DECADES else (1,)
    return [step * 10.0**decade for decade in range(first, last + 1) for step in steps]


def library() -> str:
    """The JavaScript that draws them."""
    script: str = get_plotlyjs()
    return script
