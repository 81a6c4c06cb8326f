"""What must come back: swapped, whole up to the IP length, padded with zeros; seen with scapy's eyes."""

import numpy as np
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from cosim.traffic.echo import Echoes, expected_echo, expected_echoes
from cosim.traffic.frames import Frames
from cosim.traffic.generate import generate_requests
from tests.tools.look_alikes import not_sound_ipv4, of_everything

THERE = {"src": "10.0.0.2", "dst": "10.0.0.1"}
BACK = {"src": "10.0.0.1", "dst": "10.0.0.2"}
ETHERNET_THERE = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")
ETHERNET_BACK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def assert_echo(there: Packet, back: Packet) -> None:
    """That ``there`` becomes ``back``, checksums included."""
    assert expected_echo(bytes(ETHERNET_THERE / there)) == bytes(ETHERNET_BACK / back).ljust(60, b"\0")


def test_udp_and_tcp_swap_addresses_and_ports_and_keep_sound_checksums() -> None:
    data = Raw(bytes(range(100)))
    assert_echo(IP(**THERE) / UDP(sport=5, dport=7) / data, IP(**BACK) / UDP(sport=7, dport=5) / data)
    assert_echo(IP(**THERE) / TCP(sport=5, dport=7) / data, IP(**BACK) / TCP(sport=7, dport=5) / data)


def test_ports_lie_behind_the_options() -> None:
    options = {"options": [IPOption_NOP()] * 40}
    assert_echo(IP(**THERE, **options) / UDP(sport=5, dport=7), IP(**BACK, **options) / UDP(sport=7, dport=5))


def test_a_first_fragment_swaps_its_ports_and_a_later_one_has_none() -> None:
    ports = Raw(b"\0\5\0\7" + bytes(60))
    first, later = {"flags": "MF", "proto": 17}, {"frag": 9, "proto": 17}
    assert_echo(IP(**THERE, **first) / ports, IP(**BACK, **first) / Raw(b"\0\7\0\5" + bytes(60)))
    assert_echo(IP(**THERE, **later) / ports, IP(**BACK, **later) / ports)


def test_other_protocols_keep_what_lies_where_ports_would() -> None:
    assert_echo(IP(**THERE) / ICMP(id=5, seq=7), IP(**BACK) / ICMP(id=5, seq=7))


def test_ports_that_are_cut_by_the_ip_length_stay() -> None:
    assert_echo(IP(**THERE, proto=17) / Raw(b"\0\5\0"), IP(**BACK, proto=17) / Raw(b"\0\5\0"))
    assert_echo(IP(**THERE, proto=17) / Raw(b"\0\5\0\7"), IP(**BACK, proto=17) / Raw(b"\0\7\0\5"))


def test_what_follows_the_ip_packet_does_not_come_back() -> None:
    short = IP(**THERE) / UDP(sport=5, dport=7) / Raw(b"abc")
    answer = bytes(ETHERNET_BACK / IP(**BACK) / UDP(sport=7, dport=5) / Raw(b"abc")).ljust(60, b"\0")
    assert expected_echo(bytes(ETHERNET_THERE / short) + b"trailer" * 30) == answer
    assert len(answer) == 60


def test_in_header_mode_what_follows_the_ip_packet_comes_back_too() -> None:
    short, trailer = IP(**THERE) / UDP(sport=5, dport=7) / Raw(b"abc"), b"trailer" * 30
    answer = bytes(ETHERNET_BACK / IP(**BACK) / UDP(sport=7, dport=5) / Raw(b"abc")) + trailer
    assert expected_echo(bytes(ETHERNET_THERE / short) + trailer, in_header_mode=True) == answer


def test_what_is_no_sound_ipv4_comes_back_whole_and_swaps_its_mac_addresses_only() -> None:
    for frame in not_sound_ipv4():
        back = frame[6:12] + frame[:6] + frame[12:]
        assert expected_echo(frame, in_header_mode=True) == back.ljust(60, b"\0")


def test_many_at_once_are_answered_like_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosim.traffic.frames._PART", 7)  # of which the number of frames is no multiple
    frames = [*of_everything(), *not_sound_ipv4(), *generate_requests(30, connections=3, seed=1)]
    in_header_mode = np.arange(len(frames)) % 3 == 0
    packed = Frames.pack(frames)
    answers = expected_echoes(packed, in_header_mode)
    assert list(packed) == frames
    assert list(answers) == [
        expected_echo(frame, in_header_mode=bool(mode)) for frame, mode in zip(frames, in_header_mode, strict=True)
    ]


def test_echoes_made_when_asked_for_are_the_same_in_any_order() -> None:
    requests = generate_requests(50, 8, 3)
    trailing = Frames.pack([next(iter(requests)) + b"behind the packet", bytes(60)])
    frames = Frames.pack([*requests, *trailing]).padded()
    in_header_mode = np.arange(len(frames)) % 3 == 0
    indices = np.array([51, 3, 3, 50, 0, *range(10, 40)])
    echoes = Echoes(frames, in_header_mode)
    assert len(echoes) == len(frames)
    assert list(echoes.taken(indices)) == list(expected_echoes(frames, in_header_mode).taken(indices))
    assert list(echoes.taken(indices[:0])) == []
