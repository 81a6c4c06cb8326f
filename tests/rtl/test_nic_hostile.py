"""Two applications at one NIC: the DMA guard keeps what is one's from the other."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cosim.build import run_cocotb
from enso_nic.config import TINY
from tests.rtl.test_nic import verilated

SEQUENCES = 10_000
SEEDS = (1, 2, 3, 4)


def hostilities(folder: Path, sequences: int, seed: int, *, guard: bool = True) -> dict[str, int]:
    """What became of so many hostile sequences."""
    totals = folder / "totals.json"
    environment = {"BENCH_SEQUENCES": str(sequences), "BENCH_GUARD": f"{guard:d}", "BENCH_TOTALS": str(totals)}
    run_cocotb(
        verilated(replace(TINY, commit_taps=True)),
        "tests.rtl.bench_nic_hostile",
        folder=folder,
        environment=environment,
        seed=seed,
        seconds=7200,
    )
    counted: dict[str, int] = json.loads(totals.read_text())
    print(
        f"seed {seed}, guard {'on' if guard else 'off'}: {counted['sequences']:,} hostile sequences, "
        f"{counted['foreign_bytes']} foreign bytes touched; of the other application {counted['lost']} of "
        f"{counted['packets']:,} packets lost, {counted['silent']} notifications missing; "
        f"{counted['refused_rings']:,} rings and {counted['refused_requests']:,} requests refused"
    )
    return counted


def check(counted: dict[str, int], sequences: int) -> None:
    assert counted["sequences"] == sequences
    assert (counted["foreign_bytes"], counted["lost"], counted["silent"]) == (0, 0, 0), counted
    assert counted["packets"] > sequences / 2, "the other application hardly did anything"
    assert counted["refused_rings"] > sequences / 20, "too tame"
    assert counted["refused_requests"] > sequences / 20, "too tame"
    assert counted["packet_buffer_full"] == 0, "more came from the wire than the link takes"


def test_a_hostile_application_touches_nothing_foreign_and_costs_the_other_one_no_packet(tmp_path: Path) -> None:
    check(hostilities(tmp_path, 200, 5), 200)


def test_without_the_guard_it_does(tmp_path: Path) -> None:
    assert hostilities(tmp_path, 2000, 1, guard=False)["foreign_bytes"] > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_ten_thousand_hostile_sequences(seed: int, tmp_path: Path) -> None:
    check(hostilities(tmp_path, SEQUENCES // len(SEEDS), seed), SEQUENCES // len(SEEDS))


def shares(folder: Path, neighbour: str, cycles: int = 20_000) -> dict[str, int]:
    """What an application received and sent beside this neighbour."""
    totals = folder / f"{neighbour}.json"
    environment = {"BENCH_NEIGHBOUR": neighbour, "BENCH_CYCLES": str(cycles), "BENCH_TOTALS": str(totals)}
    run_cocotb(
        verilated(replace(TINY, commit_taps=True)),
        "tests.rtl.bench_nic_shares",
        folder=folder / neighbour,
        environment=environment,
        seed=1,
        seconds=600,
    )
    counted: dict[str, int] = json.loads(totals.read_text())
    print(
        f"beside {neighbour}: of {counted['offered']} packets {counted['received']} received, {counted['sent']} sent; "
        f"{counted['read_lines']} lines read in {counted['cycles']} cycles"
    )
    return counted


def test_beside_a_hostile_application_the_other_one_is_as_fast_but_for_the_others_share(tmp_path: Path) -> None:
    alone, wild, greedy, long = (shares(tmp_path, each) for each in ("nobody", "wild", "greedy", "long"))
    for each in (alone, wild, greedy, long):
        assert each["received"] >= each["offered"] - 4, "a packet of the last moment is not yet notified"
        assert each["read_lines"] > 0.97 * each["cycles"], "what one does not use the other one gets"
    assert greedy["sent"] > 0.49 * alone["sent"], "equal requests, so half each"
    assert wild["sent"] > 0.8 * alone["sent"]
