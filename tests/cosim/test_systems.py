"""Every evaluated system on the RTL: what results hold, that only the configuration decides them, how far it goes."""

from pathlib import Path
from typing import Any

import pytest

from cosim.config import RunConfig
from cosim.run import run
from enso_nic.registers import DROP_CAUSES
from hermes.systems import SYSTEMS

every_system = pytest.mark.parametrize("system", SYSTEMS)

KEYS = {
    "offered", "completed", "echoed", "unfinished", "not_sent", "dropped", "latency_ns", "packets_per_notification",
    "iokernel_share", "core_time_share", "stage_ns", "runtime_efficiency", "requests_per_s", "batch_ops_per_s",
    "messages", "grants", "false_detections", "runqueue_insertions", "simulated_ns", "event_hash", "run",
}  # fmt: skip
"""What every result has; more may be there."""
FILES = ("config.json", "result.json", "sent.pcap", "echo.pcap")


def result_of(out: Path, system: str, *settings: str, **flags: object) -> dict[str, Any]:
    """The result of a run, which must succeed and keep its books."""
    config = RunConfig.from_flags({"system": system, **flags}, settings)
    result = run(config, out, lambda step, done, total: None)
    assert result["offered"] == result["completed"] + sum(result["dropped"].values()) + result["unfinished"]
    return result


def dropped(result: dict[str, Any]) -> dict[str, int]:
    return {cause: count for cause, count in result["dropped"].items() if count}


# --- what a result holds ----------------------------------------------------------------------------------------------

BUSY = {
    "workload": "spin",
    "service": "exponential:5us",
    "cores": 3,
    "uthreads": 6,
    "batch": True,
    "rate": "300k",
    "requests": 300,
}
"""Grants, pre-emptions, steals and batches in every system."""


@every_system
def test_every_system_tells_everything(tmp_path: Path, system: str) -> None:
    result = result_of(tmp_path / "out", system, **BUSY)
    assert result.keys() >= KEYS
    assert tuple(result["dropped"]) == DROP_CAUSES
    assert set(result["latency_ns"]) == {"p50", "p99", "p99.9"}
    shares = result["iokernel_share"]
    assert set(shares) == {"rx", "tx_completion", "message", "cores", "detection", "grant", "poll"}
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares[name] for name in ("rx", "tx_completion", "message", "cores", "detection", "grant")) > 0
    assert sum(result["core_time_share"].values()) == pytest.approx(1)
    assert 0 < result["runtime_efficiency"] < 1
    assert result["batch_ops_per_s"] > 0
    assert min(result["grants"], result["runqueue_insertions"], result["preemptions"]) > 0
    told = {kind for kind, count in result["messages"].items() if count}
    assert told == {"rx_head", "tx_tail"} | {
        "indirect": set(),
        "semi-direct": {"park"},
        "priority": {"switch", "create"},
    }[system]  # fmt: skip


# --- identity ---------------------------------------------------------------------------------------------------------


def files(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module", params=SYSTEMS)
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, bytes]]:
    """A system, and the files of a run of it."""
    system: str = request.param
    out = tmp_path_factory.mktemp("plain") / "out"
    result_of(out, system, **BUSY)
    return system, files(out)


@pytest.mark.parametrize(
    "how",
    [
        (),
        ("polling=naive",),
        ("compiled=off",),
        ("lookahead=1",),
        ("idle_skip=off",),
        ("lookahead=7", "idle_skip=off", "polling=naive"),
    ],
    ids=lambda how: " ".join(how) or "again",
)
def test_no_byte_depends_on_how_a_run_is_carried_out(
    tmp_path: Path, plain: tuple[str, dict[str, bytes]], how: tuple[str, ...]
) -> None:
    system, expected = plain
    result_of(tmp_path / "out", system, *how, **BUSY)
    assert files(tmp_path / "out") == expected


@pytest.mark.parametrize(
    "how", [(), ("compiled=off",), ("lookahead=1", "polling=naive")], ids=lambda how: " ".join(how) or "as it is"
)
def test_no_byte_depends_on_which_nic_it_is(
    tmp_path: Path, plain: tuple[str, dict[str, bytes]], how: tuple[str, ...]
) -> None:
    system, expected = plain
    result_of(tmp_path / "out", system, *how, nic="model", **BUSY)
    found = files(tmp_path / "out")
    assert found.pop("config.json") != expected["config.json"]
    assert found == {name: content for name, content in expected.items() if name != "config.json"}


@pytest.mark.long
def test_no_byte_depends_on_waves(tmp_path: Path, plain: tuple[str, dict[str, bytes]]) -> None:
    system, expected = plain
    result_of(tmp_path / "out", system, waves=True, **BUSY)
    assert files(tmp_path / "out") == expected


def test_systems_and_seeds_tell_runs_apart(tmp_path: Path, plain: tuple[str, dict[str, bytes]]) -> None:
    system, expected = plain
    others = [(other, 1) for other in SYSTEMS if other != system] + [(system, 2)]
    for other, seed in others:
        result_of(tmp_path / "out", other, seed=seed, **BUSY)
        assert files(tmp_path / "out")["echo.pcap"] != expected["echo.pcap"], (other, seed)


# --- how far it goes --------------------------------------------------------------------------------------------------

FOURTEEN_CORES = {"workload": "spin", "service": "constant:10us", "cores": 14, "uthreads": 100, "batch": True}


@every_system
@pytest.mark.parametrize("rate", ["100k", "600k", "1.2M"])
def test_fourteen_cores_answer_everything_below_saturation(tmp_path: Path, system: str, rate: str) -> None:
    result = result_of(tmp_path / "out", system, rate=rate, requests=1000, flows=100, **FOURTEEN_CORES)
    assert (result["completed"], result["unfinished"], dropped(result)) == (1000, 0, {})
    assert result["latency_ns"]["p50"] > 12_000


@every_system
def test_twice_what_the_cores_can_do_overflows_the_pipes_and_is_told(tmp_path: Path, system: str) -> None:
    result = result_of(
        tmp_path / "out", system, "drain=1ms", "frame_bytes=1514",
        workload="spin", service="constant:10us", cores=1, uthreads=1, rate="200k", requests=4000,
    )  # fmt: skip
    assert 1800 < result["completed"] < 2100, "a request each 10 us for 21 ms"
    assert dropped(result) == {"pipe_full": result["dropped"]["pipe_full"]}
    assert result["dropped"]["pipe_full"] > 300
    assert 300 < result["unfinished"] <= IN_A_PIPE
    assert result["latency_ns"]["p50"] > 1_000_000


IN_A_PIPE = 32767 // 24
"""Frames of 1514 bytes that a pipe has room for."""


@every_system
def test_a_burst_at_line_rate_that_a_pipe_has_no_room_for_is_dropped_to_the_frame(tmp_path: Path, system: str) -> None:
    result = result_of(
        tmp_path / "out", system, "frame_bytes=1514", "drain=20ms",
        workload="spin", service="constant:1us", cores=1, uthreads=1, rate="line", requests=1700,
    )  # fmt: skip
    # what was sent by the end of the burst has made room
    assert IN_A_PIPE <= result["completed"] < IN_A_PIPE + 250
    assert dropped(result) == {"pipe_full": 1700 - result["completed"]}
    assert result["unfinished"] == 0
