"""Generated load: sound UDP frames, drawn by request index, from one stream per purpose."""

import numpy as np
import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from cosim.traffic.generate import generate_requests, poisson_arrivals_ps


def test_requests_are_sound_udp_to_the_port_of_their_connection_and_carry_their_index() -> None:
    for index, frame in enumerate(generate_requests(300, connections=8, seed=1)):
        packet = Ether(frame)
        assert (packet[IP].dst, packet[UDP].sport) == ("10.0.0.1", 40000)
        assert 1024 <= packet[UDP].dport < 1032
        assert bytes(packet[UDP].payload)[:4] == index.to_bytes(4)
        again = Ether(frame)
        del again[IP].chksum, again[UDP].chksum  # scapy fills in what is right
        assert bytes(again) == frame


def test_many_requests_are_drawn_as_if_they_came_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = generate_requests(100, connections=8, seed=1)
    monkeypatch.setattr("cosim.traffic.generate.CHUNK", 7)
    assert list(generate_requests(100, connections=8, seed=1)) == list(at_once)


@pytest.mark.parametrize("size", [60, 64, 65, 1514])
def test_all_frames_may_have_one_size(size: int) -> None:
    frames = generate_requests(50, connections=8, seed=1, frame_bytes=size)
    assert set(frames.lengths.tolist()) == {size}
    for frame in frames:
        again = Ether(frame)
        del again[IP].chksum, again[UDP].chksum
        assert bytes(again) == frame


def test_sizes_are_mixed_from_the_shortest_that_need_padding_to_the_longest_standard_frame() -> None:
    lengths = generate_requests(20_000, connections=8, seed=1).lengths
    assert lengths.min() == 46
    assert lengths.max() == 1514
    assert 0.48 < (lengths <= 60).mean() < 0.52
    assert len(set((lengths % 64).tolist())) == 64


def test_connections_are_drawn_uniformly() -> None:
    ports = [int.from_bytes(frame[36:38]) for frame in generate_requests(20_000, connections=8, seed=1)]
    assert all(2300 < count < 2700 for count in np.bincount(np.array(ports) - 1024))


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    short, long = generate_requests(50, connections=8, seed=7), generate_requests(80, connections=8, seed=7)
    assert list(short) == list(long)[:50]
    assert poisson_arrivals_ps(50, 10**6, 7).tolist() == poisson_arrivals_ps(80, 10**6, 7).tolist()[:50]


def test_the_seed_decides_everything_and_the_number_of_connections_only_the_ports() -> None:
    assert list(generate_requests(50, connections=8, seed=1)) == list(generate_requests(50, connections=8, seed=1))
    assert list(generate_requests(50, connections=8, seed=1)) != list(generate_requests(50, connections=8, seed=2))
    one, many = generate_requests(50, connections=1, seed=1), generate_requests(50, connections=8, seed=1)
    assert [frame[46:] for frame in one] == [frame[46:] for frame in many]


@pytest.mark.parametrize("rate", [1000, 10**6, 3 * 10**7])
def test_poisson_gaps_have_the_mean_and_the_spread_of_an_exponential(rate: int) -> None:
    gaps = np.diff(poisson_arrivals_ps(50_000, rate, seed=1))
    assert gaps.mean() == pytest.approx(10**12 / rate, rel=0.02)
    assert gaps.std() == pytest.approx(10**12 / rate, rel=0.03)
