"""How lines look: a system always the same, and different ones different, also in grey."""

from itertools import pairwise

from matplotlib.colors import to_rgb

from cosim.report.drawing import Line, Panel
from cosim.report.style import Style, styles
from hermes.systems import SYSTEMS


def panel(*labels: str) -> Panel:
    lines = [Line(label, [0.0, 1.0], [1.0, 2.0], [None, None], [None, None]) for label in labels]
    return Panel("line", "", "x", "y", lines)


def grey(style: Style) -> float:
    red, green, blue = to_rgb(style.colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_a_system_looks_the_same_whichever_others_there_are() -> None:
    everywhere = styles([panel(*SYSTEMS)])
    for name in SYSTEMS:
        assert styles([panel(name)])[name] == everywhere[name]
        assert styles([panel("something else", name)])[name] == everywhere[name]
    assert styles([panel(*reversed(list(SYSTEMS)))]) == everywhere


def test_the_systems_differ_in_grey_and_in_everything_that_is_not_colour() -> None:
    looks = list(styles([panel(*SYSTEMS)]).values())
    for one in ("dash", "marker", "hatch", "web_dash", "web_symbol", "web_pattern"):
        assert len({getattr(look, one) for look in looks}) == len(SYSTEMS), one
    shades = sorted(grey(look) for look in looks)
    assert all(lighter - darker > 0.15 for darker, lighter in pairwise(shades))
    assert shades[-1] < 0.7, "too light on white paper"


def test_what_is_no_system_looks_like_none_beside_it_and_the_same_in_all_panels() -> None:
    looks = styles([panel("indirect", "a"), panel("b", "a")])
    assert len(set(looks.values())) == 3
    assert styles([panel("a"), panel("b")]) == styles([panel("a", "b")])
    assert not set(styles([panel("low", "high")]).values()) & set(styles([panel(*SYSTEMS)]).values())
    assert len(set(styles([panel(*"abcdefghij")]).values())) == 10
