"""Spin: it turns packets round like the echo, and computes for as long as they say."""

import numpy as np
import pytest

from cosim.traffic.echo import expected_echo
from cosim.traffic.frames import Frames
from cosim.traffic.generate import generate_requests
from cosim.traffic.spin import carried_ps
from hermes.apps.spin import Spin
from tests.tools.host import Host
from tests.tools.look_alikes import not_sound_ipv4, of_everything

SEED = 3


def handled(frame: bytes, service_ps: int = 0) -> tuple[bytes, int]:
    memory = Host().memory
    memory.bytes[128 : 128 + len(frame)] = frame
    time = Spin(service_ps).handle(memory, 128, len(frame))
    return bytes(memory.bytes[128 : 128 + len(frame)]), time


@pytest.mark.parametrize("size", [60, 700])
def test_requests_turn_round_and_take_the_time_that_they_carry(size: int) -> None:
    print(f"seed {SEED}")
    times = np.random.default_rng(SEED).integers(10**15, size=50)
    for frame, time in zip(
        generate_requests(50, 7, SEED, frame_bytes=size, service_ps=times), times.tolist(), strict=True
    ):
        assert handled(frame) == (expected_echo(frame), time)


def test_it_computes_as_much_more_as_it_is_told() -> None:
    frame = next(iter(generate_requests(1, 1, SEED, frame_bytes=60, service_ps=np.array([500]))))
    assert handled(frame, service_ps=30)[1] == 530


@pytest.mark.parametrize("frame", [frame for frame in of_everything() + not_sound_ipv4() if len(frame) <= 1514])
def test_of_other_packets_it_thinks_as_the_load_does(frame: bytes) -> None:
    on_the_wire = Frames.pack([frame]).padded()
    answer, time = handled(next(iter(on_the_wire)))
    assert time == carried_ps(on_the_wire)[0]
    assert answer[:12] == frame[6:12] + frame[:6]


def test_what_is_shorter_than_the_place_of_the_time_asks_for_nothing() -> None:
    frame = next(iter(generate_requests(1, 1, SEED, frame_bytes=60, service_ps=np.array([500]))))
    for length in range(42, 54):
        cut = frame[:16] + (length - 14).to_bytes(2) + frame[18:length]
        assert handled(cut)[1] == 0
