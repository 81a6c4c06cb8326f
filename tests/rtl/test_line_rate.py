"""What a window's counts say about rates; and the whole NIC under a host that is not always ready."""

from pathlib import Path

import pytest

from enso_nic.config import FULL
from tests.rtl import line_rate
from tests.rtl.line_rate import CASES, Case, Count


def window(
    *, cycles: int = 1000, to_host: int = 0, from_host: int = 0, to_wire: int = 0, frames_sent: int = 0,
    notifications: int = 0, completions: int = 0,
) -> Count:  # fmt: skip
    return Count(cycles, to_host, from_host, to_wire, frames_sent, notifications, completions)


def test_there_are_108_cases_each_with_its_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES) == 108
    assert CASES[0].name == "60 bytes, one pipe, no head writes, RX"
    assert CASES[-1].name == "1514 bytes, 8192 random pipes, software draining, both"


@pytest.mark.parametrize(("size", "flits"), [(60, 1), (64, 1), (65, 2), (128, 2), (1514, 24)])
def test_packets_are_what_is_left_of_the_beats_without_notifications_and_completions(size: int, flits: int) -> None:
    counts = window(to_host=990, notifications=20, completions=10)
    rate = line_rate.receive_rate(Case(size, 1, drains=True, rx=True, tx=True), counts)
    assert (rate.beats_per_cycle, rate.limit) == (0.99, 1)
    assert rate.packets_per_cycle == pytest.approx(0.96 / flits)


def test_tx_counts_the_lines_from_the_host_with_those_of_requests() -> None:
    rate = line_rate.transmit_rate(window(from_host=650, to_wire=640, frames_sent=320))
    assert (rate.beats_per_cycle, rate.packets_per_cycle, rate.limit) == (0.65, 0.32, 1)


def test_a_case_has_the_rates_of_its_directions() -> None:
    counts = window(to_host=900, from_host=800)
    found = line_rate.rates(Case(60, 1, drains=False, rx=True, tx=True), counts)
    assert {direction: rate.share for direction, rate in found.items()} == {"RX": 0.9, "TX": 0.8}
    assert list(line_rate.rates(Case(60, 1, drains=False, rx=False, tx=True), counts)) == ["TX"]


def test_a_window_is_what_lies_between_two_counts() -> None:
    difference = window(cycles=3000, to_host=700).since(window(cycles=1000, to_host=100))
    assert (difference.cycles, difference.to_host) == (2000, 600)


def test_a_host_that_takes_a_beat_in_three_of_four_cycles_shows_in_the_rate(tmp_path: Path) -> None:
    """So the rates are not what the surroundings offer, but what got through."""
    case = Case(128, 2, drains=True, rx=True, tx=False)
    windows = line_rate.measure(tmp_path, [case], lambda _: None, stall_percent=25)
    rate = line_rate.receive_rate(case, windows[case])
    print(rate)
    assert 0.74 < rate.beats_per_cycle < 0.76


@pytest.mark.parametrize(("size", "flits"), [(60, 1), (1514, 24)])
def test_no_admitted_frame_is_lost_and_none_dropped_while_one_of_the_maximum_length_has_room(
    tmp_path: Path, size: int, flits: int
) -> None:
    buffer, room = FULL.packet_buffer_flits, FULL.maximum_frame_flits
    fitting = (buffer - room) // flits
    bursts = line_rate.stall(tmp_path, size, [fitting, 3 * fitting], stall_percent=70)
    for burst in bursts:
        print(burst)
        counters = burst.counters
        assert counters["rx_frames"] == burst.frames
        assert counters["rx_frames"] == counters["rx_admitted"] + counters["packet_buffer_full"]
        assert burst.written == counters["rx_admitted"] * flits
    fits, overflows = bursts
    assert fits.counters["packet_buffer_full"] == 0
    assert overflows.counters["packet_buffer_full"] > 0
    # full to the end: a frame is judged by its first beat, and from then on at most a beat leaves per cycle
    assert overflows.waiting >= buffer - room - (flits - 1)
