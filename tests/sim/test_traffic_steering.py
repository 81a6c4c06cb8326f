"""What the NIC makes of frames: which it refuses, and what it steers by (docs/design.md, Admission of a frame)."""

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw
from scapy.utils import RawPcapReader

from cosim.traffic.frames import Frames
from cosim.traffic.pcap import read_capture
from cosim.traffic.steering import FlowKey, Steering, steer
from tests.captures import CAPTURES, capture_names
from tests.tools.look_alikes import not_sound_ipv4

A, B = 0x0A000001, 0x0A000002
TO_A = {"src": "10.0.0.2", "dst": "10.0.0.1"}


def steered(*packets: Packet | bytes, maximum_frame: int = 1514) -> Steering:
    return steer(Frames.pack(bytes(packet) for packet in packets).padded(), maximum_frame)


def key_of(ip: Packet) -> FlowKey:
    steering = steered(Ether() / ip)
    assert (steering.cause.tolist(), steering.refusal.tolist()) == ([""], [""])
    return steering.flows[0]


def with_options(words: int) -> Packet:
    return IP(**TO_A, options=[IPOption_NOP()] * (4 * words))


def test_udp_is_steered_by_its_destination() -> None:
    assert key_of(IP(**TO_A) / UDP(sport=5, dport=7)) == FlowKey(7, 0, A, 0)


def test_tcp_is_steered_by_its_connection_and_a_syn_by_its_destination() -> None:
    assert key_of(IP(**TO_A) / TCP(sport=5, dport=7, flags="A")) == FlowKey(7, 5, A, B)
    assert key_of(IP(**TO_A) / TCP(sport=5, dport=7, flags="S")) == FlowKey(7, 0, A, 0)
    assert key_of(IP(**TO_A) / TCP(sport=5, dport=7, flags="SA")) == FlowKey(7, 0, A, 0)


def test_a_first_fragment_counts_as_whole_and_a_later_one_goes_by_its_address() -> None:
    assert key_of(IP(**TO_A, flags="MF") / UDP(sport=5, dport=7)) == FlowKey(7, 0, A, 0)
    assert key_of(IP(**TO_A, flags="MF", frag=1) / UDP(sport=5, dport=7)) == FlowKey(0, 0, A, 0)
    assert key_of(IP(**TO_A, frag=0x1FFF, proto=6) / Raw(bytes(20))) == FlowKey(0, 0, A, 0)


def test_all_else_goes_by_its_address() -> None:
    assert key_of(IP(**TO_A) / ICMP()) == FlowKey(0, 0, A, 0)
    assert key_of(IP(**TO_A, proto=132) / Raw(bytes(20))) == FlowKey(0, 0, A, 0)


def test_ports_move_with_the_header_length_and_count_only_within_the_first_64_bytes() -> None:
    assert key_of(with_options(6) / UDP(sport=5, dport=7)) == FlowKey(7, 0, A, 0)  # 44 bytes: ports end at 62
    assert key_of(with_options(7) / UDP(sport=5, dport=7)) == FlowKey(0, 0, A, 0)
    assert key_of(with_options(4) / TCP(sport=5, dport=7, flags="A")) == FlowKey(7, 5, A, B)  # flags end at 64
    assert key_of(with_options(5) / TCP(sport=5, dport=7, flags="A")) == FlowKey(0, 0, A, 0)


def test_ports_beyond_the_ip_packet_are_none() -> None:
    assert key_of(IP(**TO_A, proto=17) / Raw(b"\0\5\0\7")) == FlowKey(7, 0, A, 0)
    assert key_of(IP(**TO_A, proto=17) / Raw(b"\0\5\0")) == FlowKey(0, 0, A, 0)
    assert key_of(IP(**TO_A, proto=6) / Raw(bytes(TCP(sport=5, dport=7, flags="A"))[:14])) == FlowKey(7, 5, A, B)
    assert key_of(IP(**TO_A, proto=6) / Raw(bytes(TCP(sport=5, dport=7, flags="A"))[:13])) == FlowKey(0, 0, A, 0)


UDP_FRAME = Ether() / IP(**TO_A) / UDP(sport=5, dport=7) / Raw(bytes(100))


@pytest.mark.parametrize(
    ("frame", "refusal"),
    [
        (UDP_FRAME, ""),
        (Ether() / ARP(), "not_ip"),
        (Ether() / Dot1Q() / IP(**TO_A) / UDP(), "not_ip"),
        (Ether(type=0x0800) / Raw(b"\x65" + bytes(60)), "not_ip"),
        (Ether() / IP(**TO_A, ihl=4) / Raw(bytes(60)), "bad_ip_length"),
        (Ether() / IP(**TO_A, ihl=6, len=23) / Raw(bytes(60)), "bad_ip_length"),
        (Ether() / IP(**TO_A, len=60) / Raw(bytes(39)), "bad_ip_length"),
        (Ether() / IP(**TO_A, len=60) / Raw(bytes(40)), ""),
        (Ether() / IP(**TO_A, len=60) / Raw(bytes(50)), ""),
        (Ether() / IP(**TO_A, len=46) / Raw(b""), ""),  # padded to 60
        (Ether() / IP(**TO_A) / Raw(bytes(1480)), ""),
        (Ether(dst=bytes(6)) / IPv6() / UDP(), "not_ip"),
        (bytes(14), "not_ip"),
    ],
)
def test_what_pipes_without_header_mode_refuse_has_no_key(frame: Packet | bytes, refusal: str) -> None:
    steering = steered(frame)
    assert (steering.cause.tolist(), steering.refusal.tolist()) == ([""], [refusal])
    assert steering.flow.tolist() == [0]
    assert (steering.flows == [FlowKey(0, 0, 0, 0)]) == bool(refusal)


def test_the_look_alikes_of_what_needs_header_mode_need_it() -> None:
    for frame in not_sound_ipv4():
        assert steered(frame).refusal.tolist() != [""], frame


@pytest.mark.parametrize("frame", [Ether() / IP(**TO_A) / Raw(bytes(1481)), Ether() / ARP() / Raw(bytes(1500))])
def test_the_door_refuses_what_is_too_long_whatever_it_is(frame: Packet) -> None:
    steering = steered(UDP_FRAME, frame)
    assert steering.cause.tolist() == ["", "too_long"]
    assert steering.flow.tolist() == [0, -1]
    assert len(steering.flows) == 1


def test_flows_are_in_order_of_first_appearance() -> None:
    def to(port: int) -> Packet:
        return Ether() / IP(**TO_A) / UDP(dport=port)

    steering = steered(to(9), Ether() / ARP(), to(3), to(9), to(5), to(3))
    assert [key.destination_port for key in steering.flows] == [9, 0, 3, 5]
    assert steering.flow.tolist() == [0, 1, 2, 0, 3, 2]


def test_many_frames_are_steered_as_if_they_came_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def to(port: int, flags: str) -> Packet:
        return Ether() / IP(**TO_A) / TCP(sport=port + 1, dport=port, flags=flags)

    packets = [to(port, flags) for port in (9, 3, 9, 5, 3) for flags in "SAS"] + [Ether() / ARP(), Raw(bytes(1600))]
    at_once = steered(*packets)
    monkeypatch.setattr("cosim.traffic.frames._PART", 4)
    some_at_a_time = steered(*packets)
    assert some_at_a_time.flows == at_once.flows
    assert len(at_once.flows) == 7
    for one, other in zip(
        (at_once.flow, at_once.cause, at_once.refusal),
        (some_at_a_time.flow, some_at_a_time.cause, some_at_a_time.refusal),
        strict=True,
    ):
        assert one.tolist() == other.tolist()


@pytest.mark.parametrize("name", capture_names("afs.pcap"))
def test_a_real_capture_with_fragments(name: str) -> None:
    steering = steer(read_capture(CAPTURES / name).padded(), 1514)
    assert steering.cause.tolist() == [""] * 601
    kinds = [Ether(data)[IP] for data, _ in RawPcapReader(str(CAPTURES / name))]
    has_port = [steering.flows[flow].destination_port != 0 for flow in steering.flow]
    assert has_port == [ip.proto == 17 and ip.frag == 0 for ip in kinds]
    assert sum(has_port) == 427


@pytest.mark.parametrize("name", capture_names("ssh.pcap"))
def test_a_real_connection_has_a_flow_each_way_and_one_for_each_syn(name: str) -> None:
    steering = steer(read_capture(CAPTURES / name).padded(), 1514)
    assert set(steering.cause.tolist()) == {""}
    assert sorted(key.source_port != 0 for key in steering.flows) == [False, False, True, True]


@pytest.mark.parametrize(
    "name", [name for name in capture_names() if name in ("ptp_ethernet.pcap", "malformed_arp.pcap")]
)
def test_a_real_capture_without_ip_has_one_flow(name: str) -> None:
    steering = steer(read_capture(CAPTURES / name).padded(), 1514)
    assert set(steering.cause.tolist()) == {""}
    assert set(steering.refusal.tolist()) == {"not_ip"}
    assert steering.flows == [FlowKey(0, 0, 0, 0)]
