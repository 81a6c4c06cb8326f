"""The points of an experiment: which runs, in which order of precedence, and by which key their results are kept."""

import pytest

from cosim.cost_settings import CONSTANTS
from cosim.experiments.definition import Case, Experiment, Scale, ScaleOfSweep, Sweep, catalogue
from cosim.experiments.points import Choice, configuration, constant_cases, points
from cosim.traffic.service import Constant
from cosim.values import ConfigError

SWEEP = Sweep(
    name="load",
    vary={"rate": ["100k", "200k"]},
    cases=[Case(label="short", set={"service": "constant:1us"}), Case(label="long", set={"service": "constant:9us"})],
    hold={"cores": 6},
    quick=ScaleOfSweep(vary={"rate": ["100k"]}, hold={"uthreads": 5}),
)
EXPERIMENT = Experiment(
    id="X",
    title="X",
    question="?",
    hold={"workload": "spin", "cores": 5, "batch": True, "rate": "900k", "affinity": "round_robin"},
    quick=Scale(seeds=2, hold={"requests": 100}),
    full=Scale(seeds=3, hold={"requests": 1000}),
    sweep=[SWEEP],
)


def test_there_is_a_point_for_each_case_value_system_and_seed() -> None:
    found = points(EXPERIMENT, Choice(scale="full"))
    assert len(found) == 2 * 2 * 3 * 3
    assert len({point.key for point in found}) == len(found)
    assert {point.config.rate for point in found} == {100_000, 200_000}


def test_a_scale_changes_values_and_settings_and_the_nearer_setting_counts() -> None:
    config = points(EXPERIMENT, Choice(scale="quick"))[0].config
    assert (config.rate, config.uthreads, config.cores, config.requests, config.batch) == (100_000, 5, 6, 100, True)
    assert config.service == Constant(time_ps=1_000_000)
    assert config.switches.affinity == "round_robin"


def test_the_command_line_goes_over_all() -> None:
    choice = Choice(scale="full", systems=["priority"], seeds=1, settings=["cores=2", "rate=300k"])
    found = points(EXPERIMENT, choice)
    assert {(point.config.system, point.config.seed) for point in found} == {("priority", 1)}
    assert {(point.config.cores, point.config.rate) for point in found} == {(2, 300_000)}


def test_constants_that_something_spends_are_moved_the_widest_range_first() -> None:
    cases = constant_cases(len(CONSTANTS))
    assert cases[0].set == {}
    moved = [name for case in cases for name in case.set]
    assert moved[0::2] == moved[1::2], "both ends of each"
    assert set(moved) == {f"cost.{name}" for name in CONSTANTS} - {"cost.shenango_reallocation"}
    assert {sweep.constants for sweep in catalogue()["E12"].sweep if sweep.constants} == {len(moved) // 2}
    assert [case.label for case in constant_cases(1)] == ["default", *(case.label for case in cases[1:3])]


def test_a_setting_that_cannot_be_is_refused_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match="X: sweep load: set is 'colour=red'; accepted is KEY=VALUE with"):
        points(EXPERIMENT, Choice(settings=["colour=red"]))
    with pytest.raises(ConfigError, match="X: sweep load: cores is '0'; accepted is 1 to 64"):
        points(EXPERIMENT, Choice(settings=["cores=0"]))


def test_the_key_follows_what_decides_the_result_and_nothing_else() -> None:
    point = points(EXPERIMENT, Choice())[0]
    assert point.key == points(EXPERIMENT, Choice())[0].key
    assert point.key == points(EXPERIMENT, Choice(settings=["trace=on"]))[0].key
    assert point.key != points(EXPERIMENT, Choice(settings=["cost.park=low"]))[0].key


def test_settings_are_flags_and_keys_of_set_alike() -> None:
    config = configuration({"batch": True, "prefetch": True, "cost_scale": 2, "cost.park": "low"})
    assert (config.batch, config.switches.prefetch, config.costs.scale) == (True, True, 2)
