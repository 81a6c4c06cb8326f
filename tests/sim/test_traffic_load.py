"""The load of a run: from captures and generated, at the rate that was asked for."""

from pathlib import Path

import numpy as np
import pytest

from cosim.config import ConfigError, RunConfig
from cosim.traffic.load import load
from cosim.traffic.pcap import CaptureError, write_capture


def capture(tmp_path: Path, sizes: list[int]) -> Path:
    path = tmp_path / "some.pcap"
    write_capture(path, [bytes(size) for size in sizes], range(len(sizes)))
    return path


def test_the_default_load_is_20_000_udp_requests_of_8_flows_at_a_million_per_second() -> None:
    generated = load(RunConfig())
    assert len(generated.requests) == 20_000
    assert generated.requests.lengths.min() == 60
    assert len(generated.steering.flows) == 8
    assert set(generated.steering.cause.tolist()) == {""}
    assert 19.5e9 < generated.deliver_ps[-1] < 20.5e9


def test_frames_of_a_capture_are_padded_and_evenly_spaced_in_its_order(tmp_path: Path) -> None:
    replayed = load(RunConfig.from_flags({"pcap": capture(tmp_path, [42, 100, 60]), "rate": "1M"}))
    assert replayed.requests.lengths.tolist() == [60, 100, 60]
    assert replayed.deliver_ps.tolist() == [206_720, 1_000_000 + 9_920 + 200_000, 2_206_720]


def test_at_line_rate_frames_follow_each_other_without_a_pause(tmp_path: Path) -> None:
    replayed = load(RunConfig.from_flags({"pcap": capture(tmp_path, [60, 100, 60]), "rate": "line"}))
    assert np.diff(replayed.deliver_ps).tolist() == [9_920, 6_720]


def test_more_than_the_wire_carries_is_refused(tmp_path: Path) -> None:
    path = capture(tmp_path, [60, 60])
    assert len(load(RunConfig.from_flags({"pcap": path, "rate": "148809523"})).requests) == 2
    with pytest.raises(
        ConfigError, match="rate is 148809524; accepted is at most 148809523 of these frames per second"
    ):
        load(RunConfig.from_flags({"pcap": path, "rate": "148809524"}))


def test_a_bad_capture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"nothing\.pcap: No such file"):
        load(RunConfig.from_flags({"pcap": tmp_path / "nothing.pcap"}))
