"""Real packets through the RTL and real software, and back: the whole system, from its command line."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw
from scapy.utils import RawPcapReader

from cosim.traffic.echo import expected_echo
from cosim.traffic.frames import Frames
from cosim.traffic.pcap import read_capture, write_capture
from cosim.traffic.steering import FlowKey, steer
from enso_nic.registers import DROP_CAUSES
from tests.captures import CAPTURES, capture_names

HERMES = Path(sys.executable).with_name("hermes")


def run(out: Path, *arguments: str | Path) -> dict[str, Any]:
    """The result of ``hermes run``, which must succeed and keep its books."""
    ended = subprocess.run(
        [HERMES, "run", "--json", "--out", out, *arguments], capture_output=True, text=True, check=False, timeout=600
    )
    assert ended.returncode == 0, ended.stderr
    result: dict[str, Any] = json.loads(ended.stdout)
    assert tuple(result["dropped"]) == DROP_CAUSES
    assert result["offered"] == result["completed"] + sum(result["dropped"].values()) + result["unfinished"]
    return result


def dropped(result: dict[str, Any]) -> dict[str, int]:
    return {cause: count for cause, count in result["dropped"].items() if count}


def by_flow(frames: Frames, flows: list[FlowKey], flow: list[int]) -> dict[FlowKey, list[bytes]]:
    """What must come back, in order within each steering key."""
    expected = defaultdict(list)
    for frame, index in zip(frames, flow, strict=True):
        if index >= 0:
            expected[flows[index]].append(expected_echo(frame))
    return expected


def assert_echoed_in_order(out: Path, capture: Path) -> int:
    """That every frame that the NIC may take came back, exactly, in order within its key; gives their number."""
    frames = read_capture(capture).padded()
    steering = steer(frames, 1514)
    expected = by_flow(frames, steering.flows, steering.flow.tolist())
    with RawPcapReader(str(out / "echo.pcap")) as reader:
        echoed = [data for data, _ in reader]
    # turned round once more, an echo is steered like its request
    turned = Frames.pack(expected_echo(frame) for frame in echoed)
    again = steer(turned, 1514)
    came: dict[FlowKey, list[bytes]] = defaultdict(list)
    for frame, index in zip(echoed, again.flow.tolist(), strict=True):
        came[again.flows[index]].append(frame)
    assert came == expected
    return len(echoed)


def test_at_the_defaults_every_packet_is_echoed(tmp_path: Path) -> None:
    result = run(tmp_path / "out")
    assert (result["offered"], result["echoed"], result["unfinished"], result["not_sent"]) == (20_000, 20_000, 0, 0)
    assert dropped(result) == {}
    assert result["latency_ns"]["p50"] > 2_000  # two crossings of the link and back, at least
    assert result["latency_ns"]["p99"] > result["latency_ns"]["p50"]
    assert result["latency_ns"]["p99.9"] is None  # 18,000 samples
    assert sum(result["iokernel_share"].values()) == pytest.approx(1)
    assert sum(result["core_time_share"].values()) == pytest.approx(1)
    assert assert_echoed_in_order(tmp_path / "out", tmp_path / "out" / "sent.pcap") == 20_000


@pytest.mark.parametrize("rate", ["1M", "line"])
@pytest.mark.parametrize("name", [name for name in capture_names() if name in ("afs.pcap", "ssh.pcap")])
def test_every_ip_frame_of_a_real_capture_comes_back(tmp_path: Path, name: str, rate: str) -> None:
    frames = {"afs.pcap": 601, "ssh.pcap": 54}[name]
    result = run(tmp_path / "out", "--pcap", CAPTURES / name, "--rate", rate)
    assert (result["offered"], result["echoed"]) == (frames, frames)
    assert assert_echoed_in_order(tmp_path / "out", CAPTURES / name) == frames


@pytest.mark.parametrize("name", capture_names("ptp_ethernet.pcap"))
def test_a_real_capture_without_ip_is_dropped_and_counted(tmp_path: Path, name: str) -> None:
    result = run(tmp_path / "out", "--pcap", CAPTURES / name)
    assert (result["offered"], result["echoed"]) == (205, 0)
    assert dropped(result) == {"not_ip": 205}


def look_alike() -> list[Packet]:
    """One of everything that real captures hold: fragments, options, handshakes, trailers, what is refused."""
    there = {"src": "10.0.0.2", "dst": "10.0.0.1"}
    ether = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")
    data = Raw(bytes(range(256)) * 5)
    return [
        ether / IP(**there) / UDP(sport=5, dport=7) / data,
        ether / IP(**there, flags="MF") / UDP(sport=5, dport=7, len=2000) / data,
        ether / IP(**there, frag=161, proto=17) / data,
        ether / IP(**there) / TCP(sport=5, dport=7, flags="S"),
        ether / IP(**there) / TCP(sport=5, dport=7, flags="A") / data,
        ether / IP(**there, proto=1) / Raw(b"\x08\0\xf7\xff\0\0\0\0"),
        ether / IP(**there) / UDP(sport=5, dport=9) / Raw(b"x"),
        Raw(bytes(ether / IP(**there) / UDP(sport=5, dport=9)) + b"trailer" * 40),
        ether / IP(**there, len=2000) / UDP(sport=5, dport=9),
        ether / ARP(),
        ether / IP(**there) / UDP(sport=5, dport=9) / Raw(bytes(1480)),
    ]


def test_a_look_alike_of_real_captures_comes_back_but_for_what_must_be_dropped(tmp_path: Path) -> None:
    capture = tmp_path / "look_alike.pcap"
    packets = look_alike() * 20
    write_capture(capture, [bytes(packet) for packet in packets], range(len(packets)))
    result = run(tmp_path / "out", "--pcap", capture)
    assert (result["offered"], result["echoed"]) == (220, 160)
    assert dropped(result) == {"not_ip": 20, "bad_ip_length": 20, "too_long": 20}
    assert assert_echoed_in_order(tmp_path / "out", capture) == 160


def files(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in ("config.json", "result.json", "sent.pcap", "echo.pcap")}


SMALL = ("--requests", "150", "--rate", "500k", "--set", "drain=1ms")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("small")
    run(out, *SMALL)
    return files(out)


@pytest.mark.parametrize(
    "how",
    [(), ("idle_skip=off",), ("lookahead=1",), ("polling=naive",), ("lookahead=7", "idle_skip=off", "polling=naive")],
)
def test_how_a_run_is_carried_out_changes_no_byte_of_its_files(
    tmp_path: Path, small: dict[str, bytes], how: tuple[str, ...]
) -> None:
    settings = [part for setting in how for part in ("--set", setting)]
    result = run(tmp_path / "out", *SMALL, *settings)
    assert files(tmp_path / "out") == small
    if how in ((), ("polling=naive",)):
        assert result["run"]["bridge"]["cycles_skipped"] > result["run"]["bridge"]["cycles"]
    else:
        assert result["run"]["bridge"]["cycles_skipped"] == 0


def test_the_seed_decides_what_comes(tmp_path: Path, small: dict[str, bytes]) -> None:
    run(tmp_path / "out", *SMALL, "--seed", "2")
    other = files(tmp_path / "out")
    assert [name for name in small if small[name] == other[name]] == []


def test_a_longer_link_takes_longer(tmp_path: Path, small: dict[str, bytes]) -> None:
    near = json.loads(small["result.json"])["simulated_ns"]
    far = run(tmp_path / "out", *SMALL, "--rtt", "8us")
    assert far["echoed"] == 150
    assert far["simulated_ns"] > near + 3 * 7_200  # notification and packet up, request and data each way


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rtt", "0"),
        ("--cores", "1", "--uthreads", "1"),
        ("--cores", "14", "--uthreads", "64", "--rate", "2M"),
        ("--uthreads", "5", "--flows", "300"),
        ("--rate", "line"),
        # a host whose completions are cut, late and out of order, and which often cannot take a write
        tuple(
            f"--set=link.{setting}"
            for setting in (
                "cut_completions=1",
                "completion_jitter_ps=2000000",
                "to_host_stall_percent=50",
                "tx_stall_percent=30",
            )
        ),
    ],
)
def test_every_packet_comes_back_whatever_the_machine(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = run(tmp_path / "out", "--requests", "400", *arguments)
    assert (result["offered"], result["echoed"], dropped(result)) == (400, 400, {})
    assert assert_echoed_in_order(tmp_path / "out", tmp_path / "out" / "sent.pcap") == 400


def test_a_run_that_cannot_keep_up_says_what_is_unfinished(tmp_path: Path) -> None:
    overload = ("--service", "constant:20us", "--set", "drain=100us")
    result = run(tmp_path / "out", "--requests", "1000", "--rate", "1M", *overload)
    assert result["offered"] == 1000
    assert result["unfinished"] > 500
    assert result["echoed"] + result["unfinished"] == 1000
    assert result["latency_ns"]["p50"] > 500_000  # most have waited since they came


@pytest.mark.long
@pytest.mark.parametrize("how", ["idle_skip=off", "lookahead=1", "polling=naive"])
def test_how_a_long_run_is_carried_out_changes_no_byte_of_its_files(tmp_path: Path, how: str) -> None:
    run(tmp_path / "one")
    run(tmp_path / "other", "--set", how)
    assert files(tmp_path / "one") == files(tmp_path / "other")


@pytest.mark.long
def test_waves_are_written_and_change_no_result(tmp_path: Path) -> None:
    run(tmp_path / "one", "--requests", "20")
    run(tmp_path / "other", "--requests", "20", "--waves")
    assert files(tmp_path / "one") == files(tmp_path / "other")
    with (tmp_path / "other" / "waves.vcd").open() as file:
        head = file.read(1_000_000)
    assert "$timescale" in head
    assert "pipe_manager" in head
