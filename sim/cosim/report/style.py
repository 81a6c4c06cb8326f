"""How a line looks: one system looks the same in every figure, on paper and on the page, and in grey."""

from collections.abc import Iterable
from dataclasses import dataclass

from cosim.report.drawing import Panel
from hermes.systems import SYSTEMS

Dash = str | tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class Style:
    """The look of a line or bar.

    Attributes
    ----------
    colour
        On paper and on the page.
    dash, marker, hatch
        On paper, as matplotlib calls them.
    web_dash, web_symbol, web_pattern
        On the page, as plotly calls them.
    """

    colour: str
    dash: Dash
    marker: str
    hatch: str
    web_dash: str
    web_symbol: str
    web_pattern: str


_STYLES = (
    Style("#0b3c68", "-", "o", "", "solid", "circle", ""),
    Style("#c8541b", (0, (5, 2)), "s", "///", "dash", "square", "/"),
    Style("#63b795", (0, (1, 1)), "^", "...", "dot", "triangle-up", "."),
    Style("#8a6bb1", (0, (6, 2, 1, 2)), "D", "", "dashdot", "diamond", ""),
    Style("#d9b44a", (0, (8, 3)), "v", "\\\\\\", "longdash", "triangle-down", "\\"),
    Style("#5f5f5f", (0, (3, 1, 1, 1, 1, 1)), "P", "++", "longdashdot", "cross", "+"),
    Style("#e3a7bd", "-", "X", "oo", "solid", "x", "-"),
    Style("#2a9bb5", (0, (5, 2)), "<", "--", "dash", "triangle-left", "|"),
    Style("#7a3b24", (0, (1, 1)), ">", "xxx", "dot", "star", "x"),
    Style("#b9cf5c", (0, (6, 2, 1, 2)), "*", "||", "dashdot", "hexagon", "/"),
)
"""The first ones, which most figures have, differ in how dark they are, too."""
_OF_SYSTEMS = {name: _STYLES[place % len(_STYLES)] for place, name in enumerate(SYSTEMS)}
"""By the place in the list of systems, not in the figure: a figure may leave systems out."""


def styles(panels: Iterable[Panel]) -> dict[str, Style]:
    """The look of each label in these panels: a system's own, or else the next one, those of systems last."""
    labels = list(dict.fromkeys(line.label for panel in panels for line in panel.lines))
    found = {label: _OF_SYSTEMS[label] for label in labels if label in _OF_SYSTEMS}
    others_first = [*(style for style in _STYLES if style not in _OF_SYSTEMS.values()), *_OF_SYSTEMS.values()]
    free = [style for style in others_first if style not in found.values()]
    others = [label for label in labels if label not in found]
    return found | {label: free[place % len(free)] for place, label in enumerate(others)}
