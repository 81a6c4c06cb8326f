"""The configuration: what each setting accepts, and one line for what it does not."""

from pathlib import Path

import pytest

from cosim.config import ConfigError, RunConfig, Service
from cosim.pcie.link import LinkParameters


def refused(flags: dict[str, object], *assignments: str) -> str:
    with pytest.raises(ConfigError) as error:
        RunConfig.from_flags(flags, assignments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_defaults() -> None:
    config = RunConfig.from_flags({})
    assert (config.system, config.nic, config.workload) == ("indirect", "rtl", "echo")
    assert (config.cores, config.uthreads, config.flows, config.requests) == (4, 8, 8, 20_000)
    assert (config.rate, config.rtt_ps, config.seed, config.drain_ps) == (10**6, 800_000, 1, 10**10)
    assert (config.idle_skip, config.lookahead, config.polling) == (True, "max", "arithmetic")


def test_flags_that_were_not_given_leave_the_default() -> None:
    assert RunConfig.from_flags({"rate": None, "pcap": None}) == RunConfig()


def test_there_are_as_many_flows_as_uthreads_unless_said_otherwise() -> None:
    assert RunConfig.from_flags({"uthreads": "16"}).flows == 16
    assert RunConfig.from_flags({"uthreads": "16", "flows": "3"}).flows == 3


def test_a_capture_brings_its_own_flows_and_requests() -> None:
    config = RunConfig.from_flags({"pcap": "some.pcap"})
    assert (config.pcap, config.flows, config.requests) == (Path("some.pcap"), None, None)
    assert "flows is 3; accepted is 1 to 64512 connections, and none with a capture" in refused(
        {"pcap": "x", "flows": "3"}
    )
    assert "requests is 3; accepted is " in refused({"pcap": "x", "requests": "3"})


@pytest.mark.parametrize(("text", "rate"), [("2500", 2500), ("100k", 10**5), ("1.5M", 1_500_000), ("line", "line")])
def test_rates(text: str, rate: int | str) -> None:
    assert RunConfig.from_flags({"rate": text}).rate == rate


@pytest.mark.parametrize(
    ("text", "ps"), [("0", 0), ("1ps", 1), ("800ns", 800_000), ("1.5us", 1_500_000), ("2ms", 2 * 10**9), ("1s", 10**12)]
)
def test_times(text: str, ps: int) -> None:
    assert RunConfig.from_flags({"rtt": text}).rtt_ps == ps
    assert RunConfig.from_flags({"service": f"constant:{text}"}).service == Service(kind="constant", time_ps=ps)


def test_settings_without_a_flag_of_their_own() -> None:
    config = RunConfig.from_flags({}, ["idle_skip=off", "lookahead=1", "polling=naive", "drain=1ms"])
    assert (config.idle_skip, config.lookahead, config.polling, config.drain_ps) == (False, 1, "naive", 10**9)


def test_the_link_follows_rtt_and_seed_unless_said_otherwise() -> None:
    link = RunConfig.from_flags({"rtt": "901ps", "seed": "7"}, ["link.max_payload_bytes=256"]).link
    assert (link.propagation_up_ps, link.propagation_down_ps, link.seed) == (450, 451, 7)
    assert (link.max_payload_bytes, link.max_read_bytes) == (256, 512)
    assert RunConfig().link == LinkParameters()
    assert RunConfig.from_flags({"rtt": "1us"}, ["link.propagation_up_ps=5"]).link.propagation_up_ps == 5


def test_how_a_run_is_carried_out_stands_apart_from_what_it_is() -> None:
    one = RunConfig.from_flags({"waves": True}, ["idle_skip=off", "lookahead=1", "polling=naive"])
    assert one.what() == RunConfig().what()
    assert set(one.how()) == {"idle_skip", "lookahead", "polling", "waves", "trace"}
    assert set(one.what()) | set(one.how()) == set(RunConfig.model_fields)


def test_a_file_gives_the_same_configuration_back() -> None:
    config = RunConfig.from_flags(
        {"rate": "line", "rtt": "1us", "pcap": "x", "service": "constant:3us"}, ["lookahead=7", "link.seed=9"]
    )
    assert RunConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"system": "linux"}, "system is 'linux'; accepted is indirect"),
        ({"nic": "model"}, "nic is 'model'; accepted is rtl"),
        ({"workload": "kv"}, "workload is 'kv'; accepted is echo"),
        ({"service": "exponential:10us"}, "service is 'exponential:10us'; accepted is constant:TIME"),
        ({"service": "constant:ten"}, "service is 'constant:ten'; accepted is constant:TIME"),
        ({"service": "constant"}, "service is 'constant'; accepted is constant:TIME"),
        ({"cores": "0"}, "cores is '0'; accepted is 1 to 64 application cores"),
        ({"uthreads": "8193"}, "uthreads is '8193'; accepted is 1 to 8192 uthreads"),
        ({"flows": "many"}, "flows is 'many'; accepted is 1 to 64512 connections"),
        ({"requests": "0"}, "requests is '0'; accepted is 1 to 10000000 requests"),
        ({"batch": True}, "batch is True; accepted is no batch application"),
        ({"trace": True}, "trace is True; accepted is no trace"),
        ({"rate": "0"}, "rate is '0'; accepted is 1 or more frames per second"),
        ({"rate": "0.5"}, "rate is '0.5'; accepted is 1 or more frames per second"),
        ({"rate": "1m"}, "rate is '1m'; accepted is 1 or more frames per second"),
        ({"rate": "fast"}, "rate is 'fast'; accepted is 1 or more frames per second"),
        ({"rtt": "800"}, "rtt is '800'; accepted is a time with a unit, such as 800ns"),
        ({"rtt": "-1ns"}, "rtt is '-1ns'; accepted is a time"),
        ({"rtt": "0.5ps"}, "rtt is '0.5ps'; accepted is a time"),
        ({"seed": "-1"}, "seed is '-1'; accepted is an integer from 0 to 10^12"),
    ],
)
def test_what_is_not_accepted_is_said_in_one_line(flags: dict[str, object], message: str) -> None:
    assert refused(flags).startswith(message)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("lookahead=0", "lookahead is '0'; accepted is max, or 1 or more cycles"),
        ("polling=often", "polling is 'often'; accepted is arithmetic or naive"),
        ("idle_skip=perhaps", "idle_skip is 'perhaps'; accepted is on or off"),
        ("drain=10", "drain is '10'; accepted is a time with a unit"),
        ("seed=3", "set is 'seed=3'; accepted is KEY=VALUE with KEY one of drain, idle_skip, lookahead, polling"),
        ("drain", "set is 'drain'; accepted is KEY=VALUE"),
        ("link.max_payload_bytes=100", "link.max_payload_bytes is 100; accepted is 128 or 256 or 512"),
        ("link.memory_read_ps=soon", "link.memory_read_ps is 'soon'; accepted is a whole number"),
        ("link.colour=3", "set is 'link.colour=3'; accepted is KEY=VALUE with KEY one of drain, "),
        ("drain.x=1ms", "set is 'drain.x=1ms'; accepted is KEY=VALUE"),
    ],
)
def test_an_assignment_that_is_not_accepted_is_said_in_one_line(assignment: str, message: str) -> None:
    assert refused({}, assignment).startswith(message)
