"""The whole NIC, verilated, against its golden model."""

from dataclasses import replace
from pathlib import Path

from cosim.build import Model, cocotb_model, run_cocotb, verilog
from enso_nic.config import FULL, TINY, NicConfig
from enso_nic.nic import Nic
from tests.rtl.bench_nic_large import CONFIG as LARGE
from tests.rtl.contract import covers
from tests.rtl.open_nic import RULES

RULE_BENCHES = ",".join(f"tests.rtl.{bench}" for bench in RULES)
FULL_SIZE = "tests.rtl.bench_nic_full,tests.rtl.bench_nic_full_contract"


def verilated(config: NicConfig) -> Model:
    return cocotb_model([verilog(Nic, config)], top="enso_nic")


def test_the_rules_one_by_one(tmp_path: Path) -> None:
    run_cocotb(verilated(replace(TINY, commit_taps=True)), RULE_BENCHES, folder=tmp_path)


def test_whatever_happens(tmp_path: Path) -> None:
    run_cocotb(verilated(replace(TINY, commit_taps=True)), "tests.rtl.bench_nic_random", folder=tmp_path)


@covers("C-154", "C-156")
def test_memories_may_hold_anything_before_reset(tmp_path: Path) -> None:
    """Each table is cleared by hardware."""
    run_cocotb(
        verilated(replace(TINY, commit_taps=True)),
        RULE_BENCHES,
        folder=tmp_path,
        arguments=["+verilator+rand+reset+2"],
    )


def test_the_full_configuration_has_room_for_all_that_it_promises(tmp_path: Path) -> None:
    run_cocotb(verilated(replace(FULL, commit_taps=True)), FULL_SIZE, folder=tmp_path)


def test_jumbo_frames_and_both_directions_at_once(tmp_path: Path) -> None:
    run_cocotb(verilated(LARGE), "tests.rtl.bench_nic_large", folder=tmp_path)


def test_taps_change_nothing(tmp_path: Path) -> None:
    digests = []
    for taps, model in [(taps, verilated(replace(TINY, commit_taps=taps))) for taps in (False, True)]:
        digest = tmp_path / f"digest{taps:d}"
        run_cocotb(
            model,
            "tests.rtl.bench_nic_outputs",
            folder=tmp_path / f"taps{taps:d}",
            environment={"BENCH_TAPS": f"{taps:d}", "BENCH_DIGEST": str(digest)},
            seed=1,
        )
        digests.append(digest.read_text())
    assert digests[0] == digests[1]
