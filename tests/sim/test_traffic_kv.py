"""Requests to a key-value store and what must come back: memcached's text protocol over UDP."""

import numpy as np
import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from cosim.config import RunConfig
from cosim.traffic.frames import Frames
from cosim.traffic.from_config import load
from cosim.traffic.kv import KvLoad, generate_kv_requests
from cosim.traffic.kv_answers import expected_answers, served
from cosim.traffic.udp import frames_of

SEED = 4
HALF = KvLoad(get_share=0.5, keys=3)


def payloads(frames: Frames) -> list[bytes]:
    return [frame[42 : 34 + int.from_bytes(frame[38:40])] for frame in frames]


def texts(frames: Frames) -> list[bytes]:
    return [payload[8:] for payload in payloads(frames)]


def assert_sound(packet: Packet) -> None:
    again = packet.copy()
    del again[IP].chksum, again[IP].len, again[UDP].len  # scapy fills in what is right
    if packet[UDP].chksum:
        del again[UDP].chksum
    assert bytes(again) == bytes(packet)


def asked(*commands: bytes, ports: list[int] | None = None) -> Frames:
    """Requests of these texts, with their index as id."""
    datagrams = [index.to_bytes(2) + bytes((0, 0, 0, 1, 0, 0)) + text for index, text in enumerate(commands)]
    return frames_of(datagrams, np.array(ports or [1024] * len(commands))).padded()


def all_of(requests: Frames) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(len(requests), dtype=np.bool_)


def test_requests_have_memcached_s_header_and_are_gets_and_sets_of_the_keys_of_their_connection() -> None:
    frames = generate_kv_requests(3000, connections=5, seed=SEED, what=HALF)
    ports = [Ether(frame)[UDP].dport for frame in frames]
    for frame in list(frames)[:300]:
        assert_sound(Ether(frame))
    sets = 0
    for index, (payload, port) in enumerate(zip(payloads(frames), ports, strict=True)):
        assert payload[:8] == index.to_bytes(2) + bytes((0, 0, 0, 1, 0, 0))
        command, key, *rest = payload[8:].split(b" ", 2)
        connection, _, number = key.strip().partition(b"-")
        assert connection == b"c%d" % (port - 1024)
        assert 0 <= int(number) < 3
        if command == b"set":
            sets += 1
            line, value, nothing = rest[0].split(b"\r\n")
            assert (line, len(value), nothing) == (b"0 0 100", 100, b"")
        else:
            assert command == b"get"
            assert payload.endswith(b"\r\n")
    assert sets == pytest.approx(1500, rel=0.1)


def test_nine_of_ten_are_gets_of_100_keys_unless_said_otherwise() -> None:
    found = texts(generate_kv_requests(20_000, connections=1, seed=SEED, what=KvLoad()))
    assert sum(text.startswith(b"get") for text in found) == pytest.approx(18_000, rel=0.02)
    assert {text.split()[1] for text in found} == {b"c0-%d" % key for key in range(100)}


@pytest.mark.parametrize("skew", [0, 1])
def test_keys_are_drawn_in_proportion_to_the_power_of_their_rank(skew: float) -> None:
    found = texts(generate_kv_requests(50_000, connections=1, seed=SEED, what=KvLoad(keys=10, skew=skew)))
    counts = np.bincount([int(text.split()[1].split(b"-")[1]) for text in found])
    shares = 1 / np.arange(1, 11) ** skew
    assert counts / 50_000 == pytest.approx(shares / shares.sum(), rel=0.06)


def test_values_have_their_size_and_differ() -> None:
    for size in (0, 1, 8, 100, 1400):
        what = KvLoad(get_share=0, value_bytes=size)
        found = [text.split(b"\r\n")[1] for text in texts(generate_kv_requests(200, 1, SEED, what))]
        assert {len(value) for value in found} == {size}
        assert size < 8 or len(set(found)) == 200


def test_no_frame_and_no_answer_is_longer_than_a_standard_frame() -> None:
    longest = KvLoad(get_share=0.5, keys=10**6, skew=0, value_bytes=1400)
    requests = generate_kv_requests(500, 64_512, SEED, longest)
    repeated = Frames(requests.blob, requests.offsets.repeat(2), requests.lengths.repeat(2))
    assert requests.lengths.max() <= 1514
    assert expected_answers(repeated, all_of(repeated)).lengths.max() <= 1514


def test_a_longer_run_begins_like_a_shorter_one_and_the_seed_decides() -> None:
    short, long = (list(generate_kv_requests(count, 8, SEED, HALF)) for count in (50, 80))
    assert short == long[:50]
    assert short != list(generate_kv_requests(50, 8, SEED + 1, HALF))


def test_answers_are_those_of_a_store() -> None:
    get_a, get_b, set_a, set_empty = b"get a\r\n", b"get b\r\n", b"set a 0 0 3\r\nxyz\r\n", b"set a 0 0 0\r\n\r\n"
    requests = asked(get_a, set_a, get_a, set_empty, get_a, get_b)
    assert texts(expected_answers(requests, all_of(requests))) == [
        b"END\r\n",
        b"STORED\r\n",
        b"VALUE a 0 3\r\nxyz\r\nEND\r\n",
        b"STORED\r\n",
        b"VALUE a 0 0\r\n\r\nEND\r\n",
        b"END\r\n",
    ]


def test_answers_go_back_with_the_header_and_the_identification_of_their_requests_and_no_udp_checksum() -> None:
    requests = generate_kv_requests(100, connections=5, seed=SEED, what=HALF).padded()
    answers = expected_answers(requests, all_of(requests))
    assert answers.lengths.min() >= 60
    for there, back in zip(map(Ether, requests), map(Ether, answers), strict=True):
        assert (back.src, back.dst) == (there.dst, there.src)
        assert (back[IP].src, back[IP].dst) == (there[IP].dst, there[IP].src)
        assert (back[UDP].sport, back[UDP].dport) == (there[UDP].dport, there[UDP].sport)
        assert (back[IP].id, back[IP].ttl, back[IP].flags) == (there[IP].id, there[IP].ttl, there[IP].flags)
        assert back[UDP].chksum == 0
        assert_sound(back)
        assert bytes(back[UDP].payload)[:8] == bytes(there[UDP].payload)[:8]


def test_what_was_not_served_changed_nothing_and_has_no_answer() -> None:
    requests = asked(b"set a 0 0 1\r\nx\r\n", b"set a 0 0 1\r\ny\r\n", b"get a\r\n")
    answers = texts(expected_answers(requests, np.array([True, False, True])))
    assert answers == [b"STORED\r\n", b"", b"VALUE a 0 1\r\nx\r\nEND\r\n"]


def test_answers_tell_which_requests_were_served_also_when_ids_come_again() -> None:
    ports = [1024, 1025, 1024, 1025, 1024]
    requests = asked(*[b"get a\r\n"] * 5, ports=ports)
    answers = list(expected_answers(requests, all_of(requests)))
    assert served(requests, Frames.pack([answers[i] for i in (1, 2, 4)])).tolist() == [False, True, True, False, True]
    again = Frames.pack([*requests, *requests])
    last = Frames.pack([answers[4], answers[2]])  # id 2 behind id 4: it is the second with this id
    assert np.flatnonzero(served(again, last)).tolist() == [4, 7]
    assert not served(requests, Frames.pack([])).any()


def test_a_load_of_kv_expects_the_answers_of_the_store_for_what_it_served() -> None:
    config = RunConfig.from_flags({"workload": "kv", "requests": "200", "service": "constant:3us"}, ["kv_keys=2"])
    requests = load(config)
    all_served = requests.expected
    assert list(all_served) == list(expected_answers(requests.requests, all_of(requests.requests)))
    assert requests.service_ps.tolist() == [3_000_000] * 200
    returned = list(all_served)[1:]
    is_served = requests.answered_by(Frames.pack(returned)).is_served
    assert is_served is not None
    assert is_served.tolist() == [False] + [True] * 199
