"""Switches as settings: each by its name, times with units, booleans on or off; one line for what is not accepted."""

import pytest

from cosim.config import ConfigError, RunConfig
from hermes.switches import Switches


def switches(assignment: str) -> Switches:
    return RunConfig.from_flags({}, [assignment]).switches


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("message_queue=kthread", Switches(message_queue="kthread")),
        ("messages_per_visit=4", Switches(messages_per_visit=4)),
        ("affinity=round_robin", Switches(affinity="round_robin")),
        ("answer_wait=off", Switches(answer_wait=False)),
        ("prefetch=on", Switches(prefetch=True)),
        ("watchdog=10us", Switches(watchdog_ps=10_000_000)),
        ("park=1500ns", Switches(park_ps=1_500_000)),
        ("congestion=1.5us", Switches(congestion_ps=1_500_000)),
    ],
)
def test_each_has_its_name_and_times_have_units(assignment: str, expected: Switches) -> None:
    assert switches(assignment) == expected


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("message_queue=pipe", "message_queue is 'pipe'; accepted is core or kthread"),
        ("messages_per_visit=0", "messages_per_visit is '0'; accepted is an integer of 1 or more"),
        ("messages_per_visit=1.5", "messages_per_visit is '1.5'; accepted is an integer of 1 or more"),
        ("answer_wait=perhaps", "answer_wait is 'perhaps'; accepted is on or off"),
        ("scan=5", "scan is '5'; accepted is a time with a unit, such as 5us"),
        ("scan=0", "scan is '0'; accepted is a time with a unit, such as 5us"),
    ],
)
def test_what_is_not_accepted_is_said_in_one_line(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        switches(assignment)
    assert str(error.value) == message


def test_a_file_with_an_unknown_switch_is_refused() -> None:
    config = RunConfig().model_dump(mode="json")
    with pytest.raises(ValueError, match="switches has 'speed'; accepted are message_queue, "):
        RunConfig.model_validate({**config, "switches": {"speed": 1}})
