"""The load of a run: from captures and generated, at the rate that was asked for."""

from pathlib import Path

import numpy as np
import pytest

from cosim.config import ConfigError, RunConfig
from cosim.traffic.echo import expected_echo
from cosim.traffic.from_config import load
from cosim.traffic.generate import generate_requests
from cosim.traffic.load import Load
from cosim.traffic.pcap import CaptureError, write_capture
from cosim.traffic.steering import FlowKey
from tests.tools.look_alikes import not_sound_ipv4


def capture(tmp_path: Path, sizes: list[int]) -> Path:
    path = tmp_path / "some.pcap"
    write_capture(path, [bytes(size) for size in sizes], range(len(sizes)))
    return path


def test_the_default_load_is_20_000_udp_requests_of_8_flows_at_a_million_per_second() -> None:
    generated = load(RunConfig())
    assert len(generated.requests) == 20_000
    assert generated.requests.lengths.min() == 60
    assert len(generated.steering.flows) == 8
    assert set(generated.steering.cause.tolist()) == {""}
    assert 19.5e9 < generated.deliver_ps[-1] < 20.5e9


def test_frames_of_a_capture_are_padded_and_evenly_spaced_in_its_order(tmp_path: Path) -> None:
    replayed = load(RunConfig.from_flags({"pcap": capture(tmp_path, [42, 100, 60]), "rate": "1M"}))
    assert replayed.requests.lengths.tolist() == [60, 100, 60]
    assert replayed.deliver_ps.tolist() == [206_720, 1_000_000 + 9_920 + 200_000, 2_206_720]


def test_at_line_rate_frames_follow_each_other_without_a_pause(tmp_path: Path) -> None:
    replayed = load(RunConfig.from_flags({"pcap": capture(tmp_path, [60, 100, 60]), "rate": "line"}))
    assert np.diff(replayed.deliver_ps).tolist() == [9_920, 6_720]


def test_more_than_the_wire_carries_is_refused(tmp_path: Path) -> None:
    path = capture(tmp_path, [60, 60])
    assert len(load(RunConfig.from_flags({"pcap": path, "rate": "148809523"})).requests) == 2
    with pytest.raises(
        ConfigError, match="rate is 148809524; accepted is at most 148809523 of these frames per second"
    ):
        load(RunConfig.from_flags({"pcap": path, "rate": "148809524"}))


def test_a_capture_may_keep_its_own_timing_and_queues_on_the_wire(tmp_path: Path) -> None:
    path = tmp_path / "some.pcap"
    write_capture(path, [bytes(60)] * 4, [7_000_000, 7_000_000, 9_000_000, 50_000_000])
    own = load(RunConfig.from_flags({"pcap": path}, ["arrivals=capture"]))
    assert own.deliver_ps.tolist() == [206_720, 213_440, 2_206_720, 43_206_720]


@pytest.mark.parametrize("arrivals", ["poisson", "bursts:3"])
def test_a_capture_may_come_at_random(tmp_path: Path, arrivals: str) -> None:
    path = capture(tmp_path, [60] * 50)
    one = load(RunConfig.from_flags({"pcap": path, "rate": "10k"}, [f"arrivals={arrivals}"]))
    assert (np.diff(one.deliver_ps) > 0).all()
    assert len(set(np.diff(one.deliver_ps).tolist())) > 10


def test_bursts_may_exceed_the_wire_and_phases_may_not() -> None:
    flags = {"workload": "spin", "requests": "1000"}
    bursts = load(RunConfig.from_flags(flags, ["arrivals=bursts:100"]))
    assert np.diff(bursts.deliver_ps)[:99].tolist() == [6720] * 99
    for arrivals, text in (("steps:1M@1ms,200M@1ms", "steps"), ("mmpp:1M,200M,1ms,1ms", "mmpp")):
        with pytest.raises(ConfigError) as error:
            load(RunConfig.from_flags(flags, [f"arrivals={arrivals}"]))
        message = f"arrivals {text} has a rate of 200000000; accepted is at most 148809523 of these frames per second"
        assert str(error.value).startswith(message)


def test_a_load_that_would_never_end_is_refused() -> None:
    assert len(load(RunConfig.from_flags({"rate": "1", "requests": "100000", "workload": "spin"})).requests) == 10**5
    with pytest.raises(ConfigError, match=r"rate is 1; accepted for 100001 requests is at least 1\.00001 per second"):
        load(RunConfig.from_flags({"rate": "1", "requests": "100001", "workload": "spin"}))


def test_a_load_knows_its_connections_and_service_times() -> None:
    config = RunConfig.from_flags({"workload": "spin", "service": "exponential:10us", "requests": "300", "flows": "20"})
    requests = load(config)
    assert requests.service_ps.tolist() == config.service.draw(300, 1).tolist()
    ports = [int.from_bytes(frame[36:38]) for frame in requests.requests]
    assert requests.connections.tolist() == [port - 1024 for port in ports]
    constant = load(RunConfig.from_flags({"service": "constant:2us", "requests": "3"}))
    assert constant.service_ps.tolist() == [2 * 10**6] * 3


def test_clients_own_connections_in_turn_and_send_their_first_requests_at_once() -> None:
    config = RunConfig.from_flags({"workload": "spin", "requests": "300", "flows": "20"}, ["clients=3", "think=7us"])
    requests = load(config)
    assert (requests.clients, requests.think_ps) == (3, 7_000_000)
    assert requests.client.tolist() == (requests.connections % 3).tolist()
    assert requests.ports.tolist() == (requests.connections + 1024).tolist()
    first = [requests.client.tolist().index(client) for client in range(3)]
    times = dict(zip(first, (206_720, 213_440, 220_160), strict=True))  # one after the other on the wire
    assert requests.deliver_ps.tolist() == [times.get(index, -1) for index in range(300)]


def test_clients_without_a_request_send_none() -> None:
    requests = load(RunConfig.from_flags({"requests": "2", "flows": "20"}, ["clients=20"]))
    assert (requests.deliver_ps > 0).sum() == len(set(requests.client.tolist()))


def test_connections_of_a_capture_are_its_flows(tmp_path: Path) -> None:
    udp = list({frame[36:38]: frame for frame in generate_requests(100, connections=3, seed=1)}.values())
    assert replayed(tmp_path, [udp[1], bytes(1515), udp[0], udp[1]], 8).connections.tolist() == [0, -1, 1, 0]


def test_requests_of_spin_may_come_from_a_capture_with_their_times(tmp_path: Path) -> None:
    sent = load(RunConfig.from_flags({"workload": "spin", "service": "exponential:10us", "requests": "50"}))
    path = tmp_path / "sent.pcap"
    write_capture(path, sent.requests, sent.deliver_ps.tolist())
    again = load(RunConfig.from_flags({"workload": "spin", "pcap": path}))
    assert again.service_ps.tolist() == sent.service_ps.tolist()
    noise = generate_requests(3, connections=1, seed=1, frame_bytes=60)
    write_capture(path, noise, range(3))
    with pytest.raises(ConfigError, match=r"sent\.pcap: frame 1 asks spin for more computing than is accepted, 10\^15"):
        load(RunConfig.from_flags({"workload": "spin", "pcap": path}))


def test_what_must_come_back_is_the_echo_of_what_is_admitted(tmp_path: Path) -> None:
    too_long, arp = bytes(1515), not_sound_ipv4()[0]
    udp = next(iter(generate_requests(1, connections=1, seed=1)))
    requests = replayed(tmp_path, [udp, too_long, arp], 8)
    answers = list(requests.expected)
    assert answers[0] == expected_echo(udp)
    assert answers[2] == expected_echo(arp, in_header_mode=True)


def replayed(tmp_path: Path, frames: list[bytes], uthreads: int) -> Load:
    write_capture(tmp_path / "some.pcap", frames, range(len(frames)))
    return load(RunConfig.from_flags({"pcap": tmp_path / "some.pcap", "uthreads": uthreads}))


def test_a_capture_of_sound_ipv4_needs_no_header_mode(tmp_path: Path) -> None:
    requests = replayed(tmp_path, list(generate_requests(50, connections=5, seed=1)), 3)
    assert [uthread for _, uthread in requests.flows] == [0, 1, 2, 0, 1]
    assert requests.header_pipes == frozenset()
    assert not requests.in_header_mode.any()
    assert requests.is_admitted.all()


@pytest.mark.parametrize(("uthreads", "in_header_mode"), [(3, [0, 1, 1, 0, 0, 1]), (8, [0, 1, 1, 0, 0, 0])])
def test_the_pipe_that_gets_what_others_refuse_is_in_header_mode(
    tmp_path: Path, uthreads: int, in_header_mode: list[int]
) -> None:
    udp = {frame[36:38]: frame for frame in generate_requests(100, connections=4, seed=1)}
    one, *others = udp.values()
    arp, vlan, *_ = not_sound_ipv4()
    requests = replayed(tmp_path, [one, arp, vlan, *others], uthreads)
    assert requests.flows[1] == (FlowKey(0, 0, 0, 0), 1)
    assert requests.header_pipes == {1}
    # with 3 uthreads flow 4, the last, shares the pipe of flow 1
    assert requests.in_header_mode.tolist() == list(map(bool, in_header_mode))


def test_it_is_the_pipe_of_the_uthread_whose_turn_it_was(tmp_path: Path) -> None:
    udp = {frame[36:38]: frame for frame in generate_requests(100, connections=4, seed=1)}
    requests = replayed(tmp_path, [*udp.values(), not_sound_ipv4()[0]], 3)
    assert requests.flows[4] == (FlowKey(0, 0, 0, 0), 1)
    assert requests.header_pipes == {1}


def test_what_the_door_refuses_needs_no_header_mode_and_has_none(tmp_path: Path) -> None:
    too_long, udp, arp = bytes(1515), next(iter(generate_requests(1, connections=1, seed=1))), not_sound_ipv4()[0]
    requests = replayed(tmp_path, [too_long, udp], 1)
    assert requests.header_pipes == frozenset()
    assert requests.is_admitted.tolist() == [False, True]
    assert replayed(tmp_path, [too_long, arp], 1).in_header_mode.tolist() == [False, True]


def test_a_bad_capture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"nothing\.pcap: No such file"):
        load(RunConfig.from_flags({"pcap": tmp_path / "nothing.pcap"}))
