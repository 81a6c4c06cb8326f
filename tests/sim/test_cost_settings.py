"""Costs as settings: single constants, and the whole profile scaled."""

import pytest

from cosim.config import ConfigError, RunConfig
from hermes.costs import load


def profile_of(*assignments: str) -> object:
    return RunConfig.from_flags({}, assignments).costs.profile()


def test_the_default_is_the_default_profile() -> None:
    assert profile_of() == load()


def test_a_constant_may_be_at_an_end_of_its_range_or_any_time() -> None:
    low, high = load(bound="low"), load(bound="high")
    profile = RunConfig.from_flags({}, ["cost.park=low", "cost.lock=high", "cost.iok_loop=1us"]).costs.profile()
    assert (profile.park, profile.lock, profile.iok_loop) == (low.park, high.lock, 1_000_000)
    assert profile.line_dirty == load().line_dirty


def test_the_whole_profile_may_be_scaled_the_constants_set_included() -> None:
    profile = RunConfig.from_flags({}, ["cost_scale=1.5", "cost.lock=10ns"]).costs.profile()
    assert (profile.lock, profile.line_dirty) == (15_000, load().line_dirty * 3 // 2)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("cost.park=never", "cost.park is 'never'; accepted is low or high"),
        ("cost.park=0", "cost.park is '0'; accepted is low or high"),
        ("cost.coffee=low", "KEY one of"),
        ("cost_scale=0", "cost_scale is '0'; accepted is a factor from 0.01 to 100"),
    ],
)
def test_what_is_no_cost_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RunConfig.from_flags({}, [assignment])
