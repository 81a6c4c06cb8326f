"""The bridge between RTL and software: times, order, what software may see, and one result however it is run."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cosim.build import bare_model, run_cocotb, verilog
from cosim.cache import PROJECT
from cosim.nic.rtl import bridge_model
from tests.sim.mirror import Mirror

BENCH = Path(__file__).with_name("bench_bridge.py")
STORY = "a_story"
SCENARIOS = [name for name in re.findall(r"^async def (\w+)\(top", BENCH.read_text(), re.MULTILINE) if name != STORY]


def play(scenario: str, folder: Path, **environment: str) -> None:
    """Each scenario has a simulator of its own: a bridge begins with its process."""
    variables = {"COCOTB_TEST_FILTER": rf"\.{scenario}$", **environment}
    run_cocotb(bridge_model(Mirror), "tests.sim.bench_bridge", folder=folder, environment=variables, seconds=120)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, tmp_path: Path) -> None:
    play(scenario, tmp_path, SKIP="1", SEED="5")


def test_without_skipping_each_cycle_runs(tmp_path: Path) -> None:
    play("the_clock_jumps_to_the_deadline_and_not_beyond", tmp_path, SKIP="0")


@pytest.mark.parametrize(("skip", "lookahead"), [("0", "1"), ("0", "0"), ("1", "7")])
def test_clients_send_at_the_same_times_however_the_rtl_runs(skip: str, lookahead: str, tmp_path: Path) -> None:
    play("clients_send_when_they_have_thought_about_their_answers", tmp_path, SKIP=skip, LOOKAHEAD=lookahead)


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_other_cuts_and_delays(seed: str, tmp_path: Path) -> None:
    play("completions_are_cut_and_change_places_but_not_within_a_read", tmp_path, SEED=seed)


PLAIN: dict[str, int] = {}
ROUGH = {
    "cut_completions": 1,
    "completion_jitter_ps": 200_000,
    "to_host_stall_percent": 30,
    "tx_stall_percent": 30,
    "up_queue_bytes": 512,
    "tx_fifo_bytes": 64,
}
CLOSE = {"propagation_up_ps": 0, "propagation_down_ps": 5000, "memory_read_ps": 1}


def story(folder: Path, seed: int, link: dict[str, int], **how: Any) -> tuple[str, list[int]]:
    """All that software saw, and [cycles, cycles skipped, wakes]."""
    settings = {"seed": seed, "link": link, "lookahead": "max", "skip_idle": True} | how
    print("story", settings)
    play(STORY, folder, STORY=json.dumps(settings))
    return (folder / "story.json").read_text(), json.loads((folder / "counters.json").read_text())


@pytest.mark.parametrize(("seed", "link"), [(1, PLAIN), (2, ROUGH), (3, CLOSE), (4, CLOSE | ROUGH)])
def test_results_do_not_depend_on_how_far_the_rtl_runs_ahead_or_what_it_skips(
    seed: int, link: dict[str, int], tmp_path: Path
) -> None:
    reference, (cycles, skipped, wakes) = story(tmp_path / "0", seed, link)
    assert skipped > cycles
    assert len(json.loads(reference)) > 300
    every_cycle, (all_cycles, none_skipped, more_wakes) = story(
        tmp_path / "1", seed, link, lookahead=1, skip_idle=False
    )
    assert every_cycle == reference
    assert none_skipped == 0
    assert all_cycles > 2 * cycles
    assert more_wakes > 10 * wakes
    assert story(tmp_path / "2", seed, link, lookahead=7)[0] == reference
    assert story(tmp_path / "3", seed, link, skip_idle=False)[0] == reference


def test_another_seed_is_another_story(tmp_path: Path) -> None:
    assert story(tmp_path / "0", 1, PLAIN)[0] != story(tmp_path / "1", 2, PLAIN)[0]


def test_recorded_pins_give_the_same_outputs_in_the_bare_model(tmp_path: Path) -> None:
    pins = tmp_path / "pins"
    story(tmp_path / "0", 5, ROUGH, pins=str(pins))
    source = PROJECT / "sim" / "cosim"
    replay, pins_of = source / "bench" / "replay.cpp", source / "pcie" / "pins.hpp"
    model = bare_model([verilog(Mirror)], top="enso_nic", cpp=[replay], headers=[pins_of])
    command: list[str | Path] = [model, pins, "0", str(1 << 62)]
    outputs = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert int(outputs) == int(pins.with_suffix(".hash").read_text())
    assert pins.stat().st_size > 1000 * 176
