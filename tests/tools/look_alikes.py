"""Frames like those of real captures, which the project does not ship."""

import random

from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

THERE = {"src": "10.0.0.2", "dst": "10.0.0.1"}
MACS = {"src": "02:00:00:00:00:02", "dst": "02:00:00:00:00:01"}
ETHER = Ether(**MACS)
WHO_HAS = {"hwsrc": MACS["src"], "psrc": THERE["src"]}
_PTP = 0x88F7


def of_everything() -> list[bytes]:
    """One of everything: fragments, options, handshakes, trailers, an ARP request, a wrong length, one too long."""
    data = Raw(bytes(range(256)) * 5)
    packets: list[Packet] = [
        ETHER / IP(**THERE) / UDP(sport=5, dport=7) / data,
        ETHER / IP(**THERE, flags="MF") / UDP(sport=5, dport=7, len=2000) / data,
        ETHER / IP(**THERE, frag=161, proto=17) / data,
        ETHER / IP(**THERE) / TCP(sport=5, dport=7, flags="S"),
        ETHER / IP(**THERE) / TCP(sport=5, dport=7, flags="A") / data,
        ETHER / IP(**THERE, proto=1) / Raw(b"\x08\0\xf7\xff\0\0\0\0"),
        ETHER / IP(**THERE) / UDP(sport=5, dport=9) / Raw(b"x"),
        Raw(bytes(ETHER / IP(**THERE) / UDP(sport=5, dport=9)) + b"trailer" * 40),
        ETHER / IP(**THERE, len=2000) / UDP(sport=5, dport=9),
        ETHER / ARP(**WHO_HAS),
        ETHER / IP(**THERE) / UDP(sport=5, dport=9) / Raw(bytes(1480)),
    ]
    return [bytes(packet) for packet in packets]


def not_sound_ipv4() -> list[bytes]:
    """What only a pipe in header mode takes."""
    udp, options = UDP(sport=5, dport=7), [IPOption_NOP()] * 40
    packets: list[Packet] = [
        ETHER / ARP(**WHO_HAS),
        ETHER / Dot1Q(vlan=5) / IP(**THERE) / udp / Raw(bytes(range(100))),
        ETHER / IPv6(src="fd00::2", dst="fd00::1") / udp / Raw(bytes(range(200))),
        Ether(**MACS, type=0x0800) / Raw(b"\x65" + bytes(range(1, 60))),
        ETHER / IP(**THERE, ihl=4) / udp / Raw(bytes(range(60))),
        ETHER / IP(**THERE, ihl=6, len=23) / udp / Raw(bytes(range(60))),
        ETHER / IP(**THERE, len=2000) / udp,
        # its ports would lie behind its end, in what follows it in the pipe
        Raw(bytes(ETHER / IP(**THERE, len=2000, proto=17, options=options) / udp)[:60]),
        Ether(**MACS, type=_PTP) / Raw(bytes(range(256)) * 5),
    ]
    return [bytes(packet) for packet in packets]


def ptp() -> list[bytes]:
    """Like ptp_ethernet.pcap: 205 frames of time synchronisation; here each stands three times in a row."""
    sizes = (60, 68, 78)
    header = bytes(Ether(**MACS, type=_PTP))
    return [(header + bytes([0, 2, number // 3])).ljust(sizes[number // 3 % 3], b"\0") for number in range(205)]


def damaged_arp(seed: int) -> list[bytes]:
    """Like malformed_arp.pcap: 2282 requests of 42 or 60 bytes, of which most have bytes that make no sense."""
    draw = random.Random(seed)
    frames = []
    for number in range(2282):
        request = bytes(ETHER / ARP(**WHO_HAS, pdst=f"10.0.{number >> 8}.{number & 255}"))
        frame = bytearray(request.ljust(draw.choice((42, 60)), b"\0"))
        for _ in range(draw.randrange(4)):
            frame[draw.randrange(14, len(frame))] = draw.randrange(256)
        frames.append(bytes(frame))
    return frames
