"""Experiments as data: what a file may hold, and the line that names a mistake."""

from dataclasses import fields
from pathlib import Path

import pytest

from cosim.experiments.commands import estimate_s
from cosim.experiments.definition import CATALOGUE, catalogue, find, load
from cosim.experiments.points import SCALES, Choice, points
from cosim.values import ConfigError
from hermes.switches import Switches
from hermes.systems import SYSTEMS

NAMES = [field.name for field in fields(Switches)]

GOOD = """
id = "mine"
title = "Mine"
question = "Why?"
hold = { workload = "spin", service = "constant:1us" }
[[sweep]]
name = "load"
vary = { rate = ["200k", "1M"] }
[[figure]]
id = "latency"
sweep = "load"
title = "Latency"
x = "rate_per_s"
y = ["latency_p50_ns"]
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return file


def test_a_file_of_the_form_is_an_experiment(tmp_path: Path) -> None:
    experiment = find(str(written(tmp_path, GOOD)))
    assert (experiment.id, experiment.sweep[0].vary) == ("mine", {"rate": ["200k", "1M"]})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Mine"', "", "mine.toml: title is missing; accepted is text"),
        ('name = "load"', 'name = "a load"', "mine.toml: sweep[1].name is 'a load'; accepted is a name of letters"),
        (
            'name = "load"',
            'name = "load"\ncolour = 1',
            "mine.toml: sweep[1].colour is unknown; accepted is a known field",
        ),
        (
            'name = "load"',
            'name = "load"\nquick.seeds = 0',
            "mine.toml: sweep[1].quick.seeds is 0; accepted is 1 to 100",
        ),
        ('sweep = "load"', 'sweep = "lode"', "mine.toml: figure.sweep is 'lode'; accepted is a sweep: load"),
        (
            'sweep = "load"',
            'sweep = "load"\nkind = "pie"',
            "mine.toml: figure[1].kind is 'pie'; accepted is lines, bars",
        ),
        ('name = "load"', 'name = "load"\nsystems = ["linux"]', "mine.toml: sweep.systems has 'linux'; accepted are"),
        ('["200k", "1M"]', "[]", "mine.toml: sweep[1].vary is {'rate': []}; accepted is a table of lists of values"),
        ('id = "mine"', "id = mine", "mine.toml: is no TOML"),
    ],
)
def test_a_mistake_gets_a_line_that_names_the_field(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as error:
        load(written(tmp_path, GOOD.replace(old, new, 1)))
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_what_is_neither_in_the_catalogue_nor_a_file_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"experiment is 'E99' \(No such file or directory\); accepted is one of"):
        find("E99")


def test_every_experiment_of_the_catalogue_makes_points_of_its_own_at_both_scales() -> None:
    assert len(catalogue()) == len(list(CATALOGUE.glob("*.toml")))
    assert {f"E{number}" for number in range(1, 13)} <= catalogue().keys()
    for experiment in catalogue().values():
        for scale in SCALES:
            assert points(experiment, Choice(scale=scale))


def test_the_quick_set_ends_within_25_minutes_on_two_cores_by_the_estimate() -> None:
    todo = {point.key: point for experiment in catalogue().values() for point in points(experiment, Choice())}
    assert 5 * 60 < estimate_s(list(todo.values()), workers=2) < 20 * 60, "figures and traces come on top"


def test_each_switch_of_the_software_is_switched_alone_in_every_system_and_workload() -> None:
    for scale in SCALES:
        found = points(find("switches"), Choice(scale=scale))
        default = Switches()
        seen: dict[str, set[tuple[str, str]]] = {}
        for point in found:
            changed = [name for name in NAMES if getattr(point.config.switches, name) != getattr(default, name)]
            for name in changed:
                seen.setdefault(name, set()).add((point.sweep, point.config.system))
            assert len(changed) <= 1 or changed == ["park_rounds", "park_ps"]
        everywhere = {(sweep, system) for sweep in ("constant", "exponential", "bursts") for system in SYSTEMS}
        assert seen == dict.fromkeys(NAMES, everywhere)
