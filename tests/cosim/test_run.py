"""Real packets through the RTL and real software, and back: the whole system, from its command line."""

import asyncio
import json
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosim.config import RunConfig
from cosim.run import options
from cosim.simulation import Simulation, memory_bytes
from cosim.traffic.echo import expected_echoes
from cosim.traffic.frames import Frames
from cosim.traffic.from_config import load
from cosim.traffic.pcap import read_capture, write_capture
from cosim.traffic.steering import FlowKey, Steering, steer
from enso_nic.config import FULL
from enso_nic.registers import DROP_CAUSES
from tests.captures import CAPTURES, capture_names
from tests.tools.look_alikes import damaged_arp, not_sound_ipv4, of_everything, ptp
from tests.tools.reference_nic import ReferenceNic

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


NO_KEY = FlowKey(0, 0, 0, 0)


def by_key(frames: Frames, steering: Steering, uthreads: int) -> dict[FlowKey, list[bytes]]:
    """What must come back, in order within each steering key."""
    shared = {index % uthreads for index, key in enumerate(steering.flows) if key == NO_KEY}
    in_header_mode = np.isin(steering.flow % uthreads, list(shared)) & bool(steering.refusal_code.any())
    expected = defaultdict(list)
    for answer, index in zip(expected_echoes(frames, in_header_mode), steering.flow.tolist(), strict=True):
        if index >= 0:
            expected[steering.flows[index]].append(answer)
    return expected


def echoes_by_key(echoes: list[bytes]) -> dict[FlowKey, list[bytes]]:
    """In order within the steering keys of their requests."""
    # turned round once more, an echo is steered like its request
    turned = expected_echoes(Frames.pack(echoes), np.ones(len(echoes), dtype=np.bool_))
    steering = steer(turned, 1514)
    came: dict[FlowKey, list[bytes]] = defaultdict(list)
    for frame, index in zip(echoes, steering.flow.tolist(), strict=True):
        came[steering.flows[index]].append(frame)
    return came


def assert_echoed_in_order(out: Path, capture: Path, uthreads: int = 8) -> int:
    """That every frame that the NIC may take came back, exactly, in order within its key; gives their number."""
    frames = read_capture(capture).padded()
    echoes = list(read_capture(out / "echo.pcap"))
    assert echoes_by_key(echoes) == by_key(frames, steer(frames, 1514), uthreads)
    return len(echoes)


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


WITHOUT_IP = {"ptp_ethernet.pcap": 205, "malformed_arp.pcap": 2282}


@pytest.mark.parametrize("rate", ["1M", "line"])
@pytest.mark.parametrize("name", [name for name in capture_names() if name in WITHOUT_IP])
def test_every_frame_of_a_real_capture_without_ip_comes_back_whole(tmp_path: Path, name: str, rate: str) -> None:
    result = run(tmp_path / "out", "--pcap", CAPTURES / name, "--rate", rate)
    assert (result["offered"], result["echoed"]) == (WITHOUT_IP[name], WITHOUT_IP[name])
    assert dropped(result) == {}
    assert assert_echoed_in_order(tmp_path / "out", CAPTURES / name) == WITHOUT_IP[name]


def capture_of(tmp_path: Path, frames: list[bytes]) -> Path:
    write_capture(tmp_path / "look_alike.pcap", frames, range(len(frames)))
    return tmp_path / "look_alike.pcap"


@pytest.mark.parametrize("look_alike", [ptp(), damaged_arp(seed=3)], ids=["ptp", "arp"])
def test_look_alikes_of_captures_without_ip_come_back_whole_and_as_often_as_they_came(
    tmp_path: Path, look_alike: list[bytes]
) -> None:
    capture = capture_of(tmp_path, look_alike)
    result = run(tmp_path / "out", "--pcap", capture, "--rate", "5M")
    assert (result["echoed"], dropped(result)) == (len(look_alike), {})
    back = [frame[6:12] + frame[:6] + frame[12:].ljust(48, b"\0") for frame in look_alike]
    assert list(read_capture(tmp_path / "out" / "echo.pcap")) == back
    assert assert_echoed_in_order(tmp_path / "out", capture) == len(look_alike)


# with one uthread, all frames share the pipe in header mode
@pytest.mark.parametrize("uthreads", [8, 1])
def test_a_look_alike_of_real_captures_comes_back_but_for_what_is_too_long(tmp_path: Path, uthreads: int) -> None:
    capture = capture_of(tmp_path, (of_everything() + not_sound_ipv4()) * 20)
    result = run(tmp_path / "out", "--pcap", capture, "--uthreads", str(uthreads))
    assert (result["offered"], result["echoed"]) == (400, 380)
    assert dropped(result) == {"too_long": 20}
    assert assert_echoed_in_order(tmp_path / "out", capture, uthreads) == 380


def test_in_header_mode_frames_come_back_over_the_end_of_the_pipe(tmp_path: Path) -> None:
    draw = random.Random(4)
    frames = [b"\x02" * 12 + b"\x88\xf7" + draw.randbytes(draw.randrange(46, 1501)) for _ in range(3000)]
    assert sum(1 + -(-len(frame) // 64) for frame in frames) > FULL.pipe_flits
    capture = capture_of(tmp_path, frames)
    result = run(tmp_path / "out", "--pcap", capture)
    assert (result["echoed"], dropped(result)) == (3000, {})
    assert assert_echoed_in_order(tmp_path / "out", capture) == 3000


def test_the_reference_nic_makes_of_frames_what_the_rtl_does(tmp_path: Path) -> None:
    capture = capture_of(tmp_path, (of_everything() + not_sound_ipv4() + damaged_arp(seed=5)[:50]) * 4)
    result = run(tmp_path / "out", "--pcap", capture, "--uthreads", "3")
    config = RunConfig.from_flags({"pcap": capture, "uthreads": 3})
    requests = load(config)
    settings = options(config, requests)
    nic = ReferenceNic(memory_bytes(settings))

    async def simulate() -> None:
        simulation = Simulation(nic, settings)
        times, frames = requests.deliver_ps + await simulation.prepare(), requests.requests
        nic.load_frames(frames.blob, frames.offsets, frames.lengths, times)
        await simulation.run(int(times[-1]), int(times[-1]) + config.drain_ps)

    asyncio.run(simulate())
    assert nic.drops == dropped(result)
    assert echoes_by_key([frame for _, frame in nic.sent]) == echoes_by_key(
        list(read_capture(tmp_path / "out" / "echo.pcap"))
    )


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


def test_how_a_run_in_header_mode_is_carried_out_changes_no_byte_of_its_files(tmp_path: Path) -> None:
    arguments = ("--pcap", capture_of(tmp_path, ptp()), "--set", "drain=1ms")
    run(tmp_path / "one", *arguments)
    run(tmp_path / "other", *arguments, "--set=lookahead=7", "--set=idle_skip=off", "--set=polling=naive")
    assert files(tmp_path / "one") == files(tmp_path / "other")


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
