"""The wire: one frame at a time, 100 Gb/s, 24 bytes more per frame, and a MAC."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.pcie.link import LinkParameters
from cosim.traffic.frames import Frames
from cosim.traffic.wire import deliver_ps, line_rate, wire_ps

LINK = LinkParameters()


def of_sizes(*sizes: int) -> Frames:
    return Frames.pack(bytes(size) for size in sizes)


def delivered(frames: Frames, arrivals: list[int]) -> list[int]:
    return deliver_ps(frames, np.array(arrivals, dtype=np.int64), LINK).tolist()


def test_a_frame_of_60_bytes_takes_6720_ps_and_one_of_1514_bytes_123040() -> None:
    assert wire_ps(of_sizes(60, 1514).lengths, LINK).tolist() == [6720, 123_040]


def test_a_slower_wire_takes_longer_rounded_up_to_ps() -> None:
    slow = LinkParameters(wire_bits_per_second=30_000_000_000, wire_overhead_bytes=20)
    assert wire_ps(of_sizes(60, 61).lengths, slow).tolist() == [21_334, 21_600]


def test_the_mac_adds_200_ns() -> None:
    assert delivered(of_sizes(60), [1_000_000]) == [1_000_000 + 6720 + 200_000]


def test_frames_wait_for_the_wire_in_order() -> None:
    assert delivered(of_sizes(60, 60, 60), [0, 1, 50_000]) == [206_720, 213_440, 256_720]


def test_line_rate_of_short_frames_is_148_8_million_per_second() -> None:
    assert line_rate(of_sizes(60, 60), LINK) == pytest.approx(148.81e6, rel=1e-4)


@given(st.lists(st.tuples(st.integers(0, 200_000), st.integers(60, 1514)), min_size=1, max_size=50))
def test_each_frame_ends_its_wire_time_after_the_later_of_its_arrival_and_the_frame_before(
    frames: list[tuple[int, int]],
) -> None:
    arrivals = np.cumsum([gap for gap, _ in frames]).tolist()
    expected, free = [], 0
    for arrival, (_, size) in zip(arrivals, frames, strict=True):
        free = max(arrival, free) + (size + 24) * 80
        expected.append(free + 200_000)
    assert delivered(of_sizes(*(size for _, size in frames)), arrivals) == expected
