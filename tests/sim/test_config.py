"""The configuration: what each setting accepts, and one line for what it does not."""

from pathlib import Path

import pytest

from cosim.config import ConfigError, RunConfig
from cosim.pcie.link import LinkParameters
from cosim.traffic.arrivals import Deterministic, Phase, Poisson, Steps
from cosim.traffic.kv import KvLoad
from cosim.traffic.service import Constant, Exponential
from hermes.switches import Switches
from hermes.systems import SYSTEMS


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
    assert RunConfig.from_flags({"service": f"constant:{text}"}).service == Constant(time_ps=ps)


def test_settings_without_a_flag_of_their_own() -> None:
    config = RunConfig.from_flags({}, ["idle_skip=off", "lookahead=1", "polling=naive", "drain=1ms"])
    assert (config.idle_skip, config.lookahead, config.polling, config.drain_ps) == (False, 1, "naive", 10**9)


def test_there_may_be_several_applications_which_share_the_cores() -> None:
    assert (RunConfig().applications, RunConfig().guaranteed, RunConfig().batch) == (1, 4, False)
    config = RunConfig.from_flags({"cores": "14", "batch": True}, ["applications=3"])
    assert (config.applications, config.guaranteed, config.batch) == (3, 4, True)
    assert RunConfig.from_flags({"cores": "1"}, ["applications=3"]).guaranteed == 1
    assert RunConfig.from_flags({"cores": "14"}, ["applications=3", "guaranteed=2"]).guaranteed == 2


def test_frames_are_mixed_for_echo_short_for_spin_and_the_protocol_s_for_kv() -> None:
    assert [RunConfig.from_flags({"workload": name}).frame_bytes for name in ("echo", "spin", "kv")] == [
        "mixed",
        60,
        None,
    ]
    assert RunConfig.from_flags({"workload": "echo"}, ["frame_bytes=1514"]).frame_bytes == 1514
    assert RunConfig.from_flags({"pcap": "some.pcap"}).frame_bytes is None


def test_what_the_application_computes_is_its_own_unless_requests_say_it() -> None:
    assert RunConfig.from_flags({"service": "constant:3us"}).service_ps == 3_000_000
    assert RunConfig.from_flags({"workload": "kv", "service": "constant:3us"}).service_ps == 3_000_000
    spin = RunConfig.from_flags({"workload": "spin", "service": "exponential:3us"})
    assert (spin.service, spin.service_ps) == (Exponential(mean_ps=3_000_000), 0)
    assert RunConfig.from_flags({"workload": "spin", "service": "constant:3us"}).service_ps == 0


def test_arrivals_and_rate_follow_each_other() -> None:
    assert (RunConfig().arrivals, RunConfig().rate) == (Poisson(), 10**6)
    assert RunConfig.from_flags({"rate": "line"}).arrivals == Deterministic()
    capture = RunConfig.from_flags({"pcap": "some.pcap"})
    assert (capture.arrivals, capture.rate) == (Deterministic(), 10**6)
    assert RunConfig.from_flags({"pcap": "some.pcap"}, ["arrivals=capture"]).rate is None
    steps = RunConfig.from_flags({}, ["arrivals=steps:100k@1ms,5M@10us"])
    phases = Phase(rate=100_000, time_ps=10**9), Phase(rate=5_000_000, time_ps=10**7)
    assert (steps.arrivals, steps.rate) == (Steps(phases=phases), None)


def test_clients_wait_for_their_answers_so_that_there_is_no_rate() -> None:
    assert (RunConfig().clients, RunConfig().think_ps) == (None, None)
    config = RunConfig.from_flags({"uthreads": "16"}, ["clients=16"])
    assert (config.clients, config.think_ps, config.arrivals, config.rate) == (16, 0, None, None)
    thinking = RunConfig.from_flags({}, ["clients=1", "think=5us"])
    assert thinking.think_ps == 5_000_000
    assert RunConfig.model_validate_json(thinking.model_dump_json()) == thinking


@pytest.mark.parametrize(
    ("flags", "assignments", "message"),
    [
        ({}, ["clients=0"], "clients is '0'; accepted is 1 or more clients"),
        ({"flows": "4"}, ["clients=5"], "clients is 5; accepted is at most flows, without a capture"),
        ({"pcap": "x"}, ["clients=5"], "clients is 5; accepted is at most flows, without a capture"),
        ({"rate": "1M"}, ["clients=5"], "rate is 1000000; accepted is none with clients, which wait for their answers"),
        ({}, ["clients=5", "arrivals=poisson"], "arrivals is poisson; accepted is none with clients"),
        ({}, ["think=5us"], "think is 5000000; accepted is a time with a unit, such as 10us, with clients"),
        ({}, ["clients=5", "think=5"], "think is '5'; accepted is a time with a unit, such as 10us, with clients"),
    ],
)
def test_what_clients_cannot_have_is_said_in_one_line(
    flags: dict[str, object], assignments: list[str], message: str
) -> None:
    assert refused(flags, *assignments).startswith(message)


def test_the_series_is_off_or_has_a_width() -> None:
    assert RunConfig().series_ps is None
    assert RunConfig.from_flags({}, ["series=off"]).series_ps is None
    assert RunConfig.from_flags({}, ["series=100us"]).series_ps == 10**8


def test_the_key_value_store_has_settings_of_its_own() -> None:
    assert RunConfig().kv is None
    assert RunConfig.from_flags({"workload": "kv"}).kv == KvLoad()
    config = RunConfig.from_flags({"workload": "kv"}, ["kv_keys=7", "kv_skew=0", "kv_get_share=0.5"])
    assert config.kv == KvLoad(keys=7, skew=0, get_share=0.5)
    assert refused({"workload": "kv"}, "kv_keys=0").startswith("kv_keys is '0'; accepted is 1 to 1000000 keys of ")
    assert refused({"workload": "kv"}, "kv_get_share=2") == "kv_get_share is '2'; accepted is 0 to 1"


def test_switches_have_their_defaults_and_names_of_their_own() -> None:
    assert RunConfig().switches == Switches()
    config = RunConfig.from_flags({}, ["scan=7us", "prefetch=on", "send=packet"])
    assert config.switches == Switches(scan_ps=7_000_000, prefetch=True, send="packet")


def test_the_link_follows_rtt_and_seed_unless_said_otherwise() -> None:
    link = RunConfig.from_flags({"rtt": "901ps", "seed": "7"}, ["link.max_payload_bytes=256"]).link
    assert (link.propagation_up_ps, link.propagation_down_ps, link.seed) == (450, 451, 7)
    assert (link.max_payload_bytes, link.max_read_bytes) == (256, 512)
    assert RunConfig().link == LinkParameters()
    assert RunConfig.from_flags({"rtt": "1us"}, ["link.propagation_up_ps=5"]).link.propagation_up_ps == 5


def test_there_are_no_waves_of_the_fast_nic() -> None:
    with pytest.raises(ConfigError, match="waves is True; accepted is off with nic model, which has none"):
        RunConfig.from_flags({"waves": True, "nic": "model"})


def test_how_a_run_is_carried_out_stands_apart_from_what_it_is() -> None:
    one = RunConfig.from_flags({"waves": True, "trace": True}, ["idle_skip=off", "lookahead=1", "polling=naive"])
    assert one.what() == RunConfig().what()
    assert set(one.how()) == {"idle_skip", "lookahead", "polling", "waves", "trace", "requests_file", "compiled"}
    assert set(one.what()) | set(one.how()) == set(RunConfig.model_fields)


def test_a_file_gives_the_same_configuration_back() -> None:
    config = RunConfig.from_flags(
        {"rate": "line", "rtt": "1us", "pcap": "x", "service": "constant:3us"}, ["lookahead=7", "link.seed=9"]
    )
    assert RunConfig.model_validate_json(config.model_dump_json()) == config
    other = RunConfig.from_flags({"workload": "kv"}, ["arrivals=mmpp:0,1M,1ms,2ms", "kv_keys=3", "scan=1us"])
    assert RunConfig.model_validate_json(other.model_dump_json()) == other


@pytest.mark.parametrize(
    ("flags", "assignments", "message"),
    [
        (
            {"service": "exponential:10us"},
            [],
            "service is exponential; accepted with workload echo is constant:TIME",
        ),
        ({"workload": "kv", "service": "lognormal:1us"}, [], "service is lognormal; accepted with workload kv is "),
        ({"workload": "kv", "pcap": "x"}, [], "workload is kv; accepted is echo or spin with a capture"),
        (
            {"workload": "spin", "pcap": "x", "service": "constant:1us"},
            [],
            "service is constant; accepted with spin and a capture is none",
        ),
        ({"workload": "spin"}, ["frame_bytes=mixed"], "frame_bytes is mixed; accepted is 60 to 1514, or mixed for "),
        ({"workload": "kv"}, ["frame_bytes=60"], "frame_bytes is 60; accepted is 60 to 1514, or mixed for echo, "),
        ({"pcap": "x"}, ["frame_bytes=60"], "frame_bytes is 60; accepted is 60 to 1514, or mixed for echo, and none"),
        ({"rate": "1M"}, ["arrivals=steps:1M@1ms"], "rate is 1000000; accepted is none with arrivals steps, which has"),
        ({"rate": "line"}, ["arrivals=mmpp:0,1M,1ms,1ms"], "rate is line; accepted is none with arrivals mmpp"),
        ({"rate": "1M", "pcap": "x"}, ["arrivals=capture"], "rate is 1000000; accepted is none with arrivals capture"),
        ({"rate": "line"}, ["arrivals=poisson"], "rate is line; accepted is a number of frames per second with "),
    ],
)
def test_what_contradicts_itself_is_said_in_one_line(
    flags: dict[str, object], assignments: list[str], message: str
) -> None:
    assert refused(flags, *assignments).startswith(message)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"system": "linux"}, f"system is 'linux'; accepted is {', '.join(SYSTEMS)}"),
        ({"nic": "fpga"}, "nic is 'fpga'; accepted is rtl or model"),
        ({"workload": "proxy"}, "workload is 'proxy'; accepted is echo, spin or kv"),
        ({"service": "uniform:10us"}, "service is 'uniform:10us'; accepted is constant:TIME, exponential:MEAN, "),
        ({"service": "constant:ten"}, "service is 'constant:ten'; accepted is constant:TIME"),
        ({"service": "constant"}, "service is 'constant'; accepted is constant:TIME"),
        ({"cores": "0"}, "cores is '0'; accepted is 1 to 64 application cores"),
        ({"uthreads": "8193"}, "uthreads is '8193'; accepted is 1 to 8192 uthreads"),
        ({"flows": "many"}, "flows is 'many'; accepted is 1 to 64512 connections"),
        ({"requests": "0"}, "requests is '0'; accepted is 1 to 10000000 requests"),
        ({"trace": "perhaps"}, "trace is 'perhaps'; accepted is on or off"),
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
        ("seed=3", "set is 'seed=3'; accepted is KEY=VALUE with KEY one of applications, arrivals, clients, "),
        ("drain", "set is 'drain'; accepted is KEY=VALUE"),
        ("link.max_payload_bytes=100", "link.max_payload_bytes is 100; accepted is 128 or 256 or 512"),
        ("link.memory_read_ps=soon", "link.memory_read_ps is 'soon'; accepted is a whole number"),
        ("link.colour=3", "set is 'link.colour=3'; accepted is KEY=VALUE with KEY one of applications, "),
        ("applications=9", "applications is 9; accepted is at most 8, the uthreads"),
        ("applications=0", "applications is '0'; accepted is 1 to 1024 applications"),
        ("guaranteed=5", "guaranteed is 5; accepted is at most 4, the cores"),
        ("guaranteed=-1", "guaranteed is '-1'; accepted is 0 or more cores"),
        ("arrivals=often", "arrivals is 'often'; accepted is poisson, deterministic, bursts:N, steps:"),
        ("arrivals=capture", "arrivals is capture; accepted is poisson, deterministic, bursts:N, steps:"),
        ("frame_bytes=59", "frame_bytes is '59'; accepted is 60 to 1514, or mixed for echo"),
        ("frame_bytes=1515", "frame_bytes is '1515'; accepted is 60 to 1514, or mixed for echo"),
        ("series=0", "series is '0'; accepted is off, or the width of a bin"),
        ("requests_file=maybe", "requests_file is 'maybe'; accepted is on or off"),
        ("kv_keys=5", "workload is echo; accepted with kv settings is kv"),
        ("drain.x=1ms", "set is 'drain.x=1ms'; accepted is KEY=VALUE"),
    ],
)
def test_an_assignment_that_is_not_accepted_is_said_in_one_line(assignment: str, message: str) -> None:
    assert refused({}, assignment).startswith(message)
