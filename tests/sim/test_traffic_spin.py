"""Requests of spin: their service time lies behind their index, and is read back as it was drawn."""

import numpy as np
import pytest
from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from cosim.traffic.frames import Frames
from cosim.traffic.generate import generate_requests
from cosim.traffic.spin import carried_ps

TIMES = np.array([0, 1, 10_000_000, 10**15], dtype=np.int64)
PAYLOAD = Raw((7).to_bytes(4) + (123_456_789).to_bytes(8))
THERE = {"src": "10.0.0.2", "dst": "10.0.0.1"}


@pytest.mark.parametrize("size", [60, 61, 1514])
def test_requests_carry_index_and_service_time(size: int) -> None:
    frames = generate_requests(4, connections=2, seed=1, frame_bytes=size, service_ps=TIMES)
    assert frames.lengths.tolist() == [size] * 4
    for index, frame in enumerate(frames):
        packet = Ether(frame)
        assert bytes(packet[UDP].payload)[:12] == index.to_bytes(4) + int(TIMES[index]).to_bytes(8)
        assert len(packet[UDP].payload) == size - 42
        again = Ether(frame)
        del again[IP].chksum, again[UDP].chksum  # scapy fills in what is right
        assert bytes(again) == frame
    assert carried_ps(frames).tolist() == TIMES.tolist()


def carried(packet: Packet) -> int:
    return int(carried_ps(Frames.pack([bytes(packet)]).padded())[0])


def test_whole_udp_packets_without_options_carry_a_time() -> None:
    assert carried(Ether() / IP(**THERE) / UDP() / PAYLOAD) == 123_456_789
    assert carried(Ether() / IP(**THERE, flags="DF") / UDP() / PAYLOAD / Raw(b"more")) == 123_456_789


@pytest.mark.parametrize(
    "ip",
    [
        IP(**THERE) / TCP() / PAYLOAD,
        IP(**THERE, flags="MF") / UDP() / PAYLOAD,
        IP(**THERE, frag=1, proto=17) / UDP() / PAYLOAD,
        IP(**THERE, options=[IPOption_NOP()] * 4) / UDP() / PAYLOAD,
        IP(**THERE, len=100) / UDP() / PAYLOAD,
    ],
)
def test_all_else_asks_for_nothing(ip: Packet) -> None:
    assert carried(Ether() / ip) == 0


def test_a_time_that_is_cut_by_the_ip_length_is_none() -> None:
    cut = IP(**THERE) / UDP() / Raw(bytes(PAYLOAD)[:11])
    assert carried(Raw(bytes(Ether() / cut) + b"trailer")) == 0
