"""UDP frames in bulk: sound headers around given payloads, as scapy sees them."""

import numpy as np
import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from cosim.traffic.udp import frames_of

CLIENT, SERVER = ("02:00:00:00:00:02", "10.0.0.2", 40000), ("02:00:00:00:00:01", "10.0.0.1")


def ends(packet: Packet) -> tuple[tuple[str, str, int], tuple[str, str, int]]:
    return (packet.src, packet[IP].src, packet[UDP].sport), (packet.dst, packet[IP].dst, packet[UDP].dport)


@pytest.mark.parametrize("is_answer", [False, True])
def test_payloads_of_any_length_are_wrapped(is_answer: bool) -> None:
    payloads = [bytes(range(256)) * 6 + b"x" * size for size in range(-64, 0)] + [b"y" * size for size in range(130)]
    payloads = [payload[:1472] for payload in payloads]
    ports = 1024 + np.arange(len(payloads)) * 300
    for index, frame in enumerate(frames_of(payloads, ports, is_answer=is_answer)):
        packet = Ether(frame)
        server = (*SERVER, ports[index])
        assert ends(packet) == ((server, CLIENT) if is_answer else (CLIENT, server))
        assert packet[IP].id == index
        assert bytes(packet[UDP].payload) == payloads[index]
        assert (packet[UDP].chksum == 0) == is_answer
        again = Ether(frame)
        del again[IP].chksum, again[IP].len, again[UDP].len  # scapy fills in what is right
        if not is_answer:
            del again[UDP].chksum
        assert bytes(again) == frame


def test_many_are_wrapped_as_if_they_came_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    payloads, ports = [b"z" * size for size in range(50)], np.arange(50)
    at_once = list(frames_of(payloads, ports))
    monkeypatch.setattr("cosim.traffic.udp.CHUNK", 7)
    assert list(frames_of(payloads, ports)) == at_once


def test_a_udp_checksum_of_0_is_sent_as_all_ones_and_an_ip_checksum_as_it_is() -> None:
    all_words = [word.to_bytes(2) for word in range(1 << 16)]
    frames = list(frames_of(all_words, np.full(1 << 16, 1024)))
    for place, others in ((40, {0xFFFF}), (24, {0})):  # UDP, IP
        checksums = {int.from_bytes(frame[place : place + 2]) for frame in frames}
        assert checksums & {0, 0xFFFF} == others
