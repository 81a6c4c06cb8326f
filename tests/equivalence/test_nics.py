"""The fast NIC is the same NIC as the RTL: at its ports, with stimuli that the RTL got, and in whole runs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cosim.cache import RTL
from cosim.compare_nics import compare_nics
from cosim.config import RunConfig
from cosim.nic import rtl
from cosim.nic.calibration import calibrate
from cosim.nic.fast import simulate_fast
from cosim.nic.latencies import MEASURED, measured
from cosim.nic.replay import replay
from cosim.nic.transfers import Difference, differences
from cosim.pcie.link import LinkParameters
from enso_nic.config import FULL, TINY, NicConfig
from hermes.systems import SYSTEMS
from tests.captures import CAPTURES
from tests.equivalence.programs import link_of

Measured = Callable[[str, object], None]


# --- latencies --------------------------------------------------------------------------------------------------------


def test_the_latencies_are_those_of_this_rtl() -> None:
    assert calibrate(rtl.simulate) == measured(), "measure them again: hermes calibrate"
    assert json.loads(MEASURED.read_text())["rtl"] == RTL, "measure them again: hermes calibrate"


def test_a_fast_nic_has_the_latencies_that_it_is_given() -> None:
    assert calibrate(simulate_fast) == measured()


# --- the same stimulus ------------------------------------------------------------------------------------------------


def differences_in(
    program: str, task: object, link: LinkParameters, config: NicConfig, folder: Path
) -> list[Difference]:
    """What the RTL sent while it was in a program, and what the fast NIC sends that gets the same."""
    file = folder / "task"
    file.write_text(json.dumps(task))
    entry = f"tests.equivalence.programs:{program}"
    rtl.simulate(entry, file, folder=folder, progress=lambda _: None, model=rtl.nic_model(config))
    replay(folder / "pins.bin", folder / "replayed.bin", link, folder, config)
    found = differences(folder / "transfers.bin", folder / "replayed.bin")
    assert {each.kind: each.unmatched for each in found if each.unmatched} == {}
    assert {each.kind: each.worst_ns for each in found if each.worst_ns} == {}
    return found


def check_program(seed: int, config: NicConfig, folder: Path, microseconds: int = 400) -> str:
    found = differences_in("inside", {"seed": seed, "us": microseconds}, link_of(seed), config, folder)
    assert all(each.events > 10 for each in found)
    return f"{sum(each.events for each in found):,} events, worst {max(each.worst_ns for each in found)} ns"


def test_both_take_the_same_of_the_frames_that_come_while_a_nic_opens_and_while_it_is_reset(tmp_path: Path) -> None:
    task = (TINY.pipes - 6, TINY.pipes + 100)
    answers = differences_in("opening", task, LinkParameters(), TINY, tmp_path)[1]
    assert (answers.kind, answers.events) == ("register answer", 4)


both_sizes = pytest.mark.parametrize("config", [FULL, TINY], ids=["full", "tiny"])


@both_sizes
@pytest.mark.parametrize("seed", range(1, 5))
def test_whatever_software_does_both_send_the_same(
    seed: int, config: NicConfig, tmp_path: Path, record_property: Measured
) -> None:
    record_property("measured", check_program(seed, config, tmp_path))


@pytest.mark.long
@both_sizes
@pytest.mark.parametrize("seed", range(5, 65))
def test_whatever_software_does_both_send_the_same_at_length(
    seed: int, config: NicConfig, tmp_path: Path, record_property: Measured
) -> None:
    record_property("measured", check_program(seed, config, tmp_path, 1500))


# --- whole runs -------------------------------------------------------------------------------------------------------


def check_run(*settings: str, replays: bool = True) -> str:
    comparison = compare_nics(RunConfig.from_settings(settings), lambda step, done, total: None, replays=replays)
    assert comparison.is_fine(), str(comparison)
    return str(comparison)


BUSY = ("workload=spin", "service=exponential:10us", "cores=14", "uthreads=100", "batch=on")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_run_of_each_system_is_the_same(system: str, record_property: Measured) -> None:
    record_property("measured", check_run(f"system={system}", *BUSY, "rate=700k", "requests=2000"))


@pytest.mark.parametrize(
    "settings", ["rate=line requests=3000", "workload=kv requests=1000", "clients=8 requests=1000"]
)
def test_other_loads_are_the_same(settings: str, record_property: Measured) -> None:
    record_property("measured", check_run(*settings.split()))


@pytest.mark.long
@pytest.mark.parametrize("rtt", ["0ns", "800ns", "2us"])
@pytest.mark.parametrize("rate", ["100k", "700k", "1400k"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_runs_of_many_loads_and_links_are_the_same(system: str, rate: str, rtt: str, record_property: Measured) -> None:
    settings = (f"system={system}", f"rate={rate}", f"rtt={rtt}", "seed=2", "requests=10000")
    record_property("measured", check_run(*BUSY, *settings))


@pytest.mark.long
@pytest.mark.parametrize("payload", [128, 512])
@pytest.mark.parametrize("size", [60, 65, 256, 1514])
def test_runs_of_many_frame_sizes_are_the_same(size: int, payload: int, record_property: Measured) -> None:
    link = (f"link.max_payload_bytes={payload}", f"link.max_read_bytes={payload}")
    settings = (f"frame_bytes={size}", "rate=line", "cores=14", "uthreads=64", "requests=10000")
    record_property("measured", check_run(*settings, *link))


@pytest.mark.long
@pytest.mark.parametrize("name", ["afs", "ssh", "malformed_arp", "ptp_ethernet"])
def test_runs_of_real_traffic_are_the_same(name: str, record_property: Measured) -> None:
    if not CAPTURES.is_dir():
        pytest.skip(f"no captures at {CAPTURES}")
    record_property("measured", check_run(f"pcap={CAPTURES / name}.pcap", "rate=line"))


@pytest.mark.long
@pytest.mark.parametrize("system", SYSTEMS)
def test_percentiles_of_long_runs_are_the_same(system: str, record_property: Measured) -> None:
    settings = (f"system={system}", "rate=700k", "requests=115000")  # 100 k of them behind the warm-up
    record_property("measured", check_run(*BUSY, *settings, replays=False))
