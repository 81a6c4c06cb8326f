"""The whole NIC, verilated, against its golden model."""

from dataclasses import replace
from pathlib import Path

from cosim.build import Model, cocotb_model, run_cocotb, verilog
from enso_nic.config import FULL, TINY, NicConfig
from enso_nic.nic import Nic

RULES = "tests.rtl.bench_nic,tests.rtl.bench_nic_config,tests.rtl.bench_nic_extensions"


def verilated(config: NicConfig) -> Model:
    return cocotb_model([verilog(Nic, config)], top="enso_nic")


def test_the_rules_one_by_one(tmp_path: Path) -> None:
    run_cocotb(verilated(replace(TINY, commit_taps=True)), RULES, folder=tmp_path)


def test_whatever_happens(tmp_path: Path) -> None:
    run_cocotb(verilated(replace(TINY, commit_taps=True)), "tests.rtl.bench_nic_random", folder=tmp_path)


def test_memories_may_hold_anything_before_reset(tmp_path: Path) -> None:
    """Each table is cleared by hardware."""
    run_cocotb(
        verilated(replace(TINY, commit_taps=True)),
        RULES,
        folder=tmp_path,
        arguments=["+verilator+rand+reset+2"],
    )


def test_the_last_pipe_and_buffer_of_the_full_configuration(tmp_path: Path) -> None:
    run_cocotb(verilated(replace(FULL, commit_taps=True)), "tests.rtl.bench_nic_full", folder=tmp_path)


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
