"""The echo, against what must come back."""

import numpy as np
import pytest

from cosim.traffic.echo import expected_echo
from cosim.traffic.generate import generate_requests
from hermes.apps.echo import Echo
from tests.tools.driver import DriverHost
from tests.tools.host import Host
from tests.tools.look_alikes import not_sound_ipv4

SEED = 5


def echoed(frame: bytes, position: int = 192) -> bytes:
    memory = Host().memory
    memory.bytes[position : position + len(frame)] = frame
    Echo().handle(memory, position, len(frame))
    assert not any(memory.bytes[:position])
    assert not any(memory.bytes[position + len(frame) : position + len(frame) + 64])
    return bytes(memory.bytes[position : position + len(frame)])


def ipv4(*, header: int = 20, protocol: int = 17, fragment: int = 0, payload: int = 40) -> bytes:
    draw = np.random.default_rng(SEED)
    packet = bytearray(draw.bytes(14 + header + payload))
    packet[12:15] = bytes((8, 0, 0x40 | header // 4))
    packet[16:18] = (header + payload).to_bytes(2, "big")
    packet[20:22] = fragment.to_bytes(2, "big")
    packet[23] = protocol
    return bytes(packet)


@pytest.mark.parametrize("protocol", [1, 6, 17, 132])
@pytest.mark.parametrize("fragment", [0, 0x2000, 0x4000, 0x0001, 0x2100])
@pytest.mark.parametrize("header", [20, 24, 60])
def test_packets_turn_around(protocol: int, fragment: int, header: int) -> None:
    frame = ipv4(protocol=protocol, fragment=fragment, header=header)
    assert echoed(frame) == expected_echo(frame)


@pytest.mark.parametrize("payload", range(6))
def test_ports_beyond_the_ip_length_are_left_alone(payload: int) -> None:
    frame = ipv4(payload=payload)
    assert echoed(frame).ljust(60, b"\0") == expected_echo(frame)


def test_generated_requests_turn_around() -> None:
    print(f"seed {SEED}")
    for frame in generate_requests(count=50, connections=7, seed=SEED):
        assert echoed(frame).ljust(60, b"\0") == expected_echo(frame)


def test_other_ethernet_frames_swap_their_macs_only() -> None:
    frame = bytes(range(60))
    assert echoed(frame) == frame[6:12] + frame[:6] + frame[12:]


@pytest.mark.parametrize("frame", not_sound_ipv4())
def test_what_is_no_sound_ipv4_swaps_its_macs_and_touches_nothing_behind_it(frame: bytes) -> None:
    memory = Host().memory
    behind = bytes(range(1, 65))
    memory.bytes[192 : 192 + len(frame) + 64] = frame + behind
    Echo().handle(memory, 192, len(frame))
    assert bytes(memory.bytes[192 + len(frame) : 192 + len(frame) + 64]) == behind
    back = bytes(memory.bytes[192 : 192 + len(frame)])
    assert back == frame[6:12] + frame[:6] + frame[12:]
    assert back.ljust(60, b"\0") == expected_echo(frame, in_header_mode=True)


def test_it_computes_as_long_as_it_is_told() -> None:
    memory = Host().memory
    frame = ipv4()
    memory.bytes[: len(frame)] = frame
    assert Echo(10_000_000).handle(memory, 0, len(frame)) == 10_000_000


@pytest.mark.parametrize("begin", [62, 63, 64])
def test_ports_of_a_packet_over_the_rings_end_are_swapped_where_they_lie(begin: int) -> None:
    host = DriverHost()
    host.begin_at(begin % 64)
    neighbour = host.memory.allocate(64, 64, "somebody else")
    frame = ipv4(header=60, payload=100)
    host.take([frame])
    flits = host.pipe.available()
    for position, length in host.pipe.packets(flits):
        Echo().handle(host.memory, position, length)
    host.device.send(host.pipe, flits)
    host.device.tell_tx_tail(host.machine.cores[1])
    assert host.sent() == [expected_echo(frame)]
    assert not any(host.memory.bytes[neighbour - host.memory.base :][:64])
