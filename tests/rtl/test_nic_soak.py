"""Ten million packets through the NIC, with faults, against its golden model."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cosim.build import run_cocotb
from enso_nic.config import TINY
from tests.rtl.contract import covers
from tests.rtl.test_nic import verilated

PACKETS = 10_000_000
SEEDS = (1, 2, 3, 4)


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
@covers("C-043", "C-056", "C-149")
def test_every_packet_is_accounted_for(seed: int, tmp_path: Path) -> None:
    totals = tmp_path / "totals.json"
    packets = PACKETS // len(SEEDS)
    run_cocotb(
        verilated(replace(TINY, commit_taps=True)),
        "tests.rtl.bench_nic_soak",
        folder=tmp_path,
        environment={"BENCH_PACKETS": str(packets), "BENCH_TOTALS": str(totals)},
        seed=seed,
        seconds=7200,
    )
    counted = json.loads(totals.read_text())
    print(f"seed {seed}: {counted}")
    assert counted["rx_frames"] + counted["tx_frames"] >= packets
    rare = ("owed_notifications", "merged_head_checks", "pipe_full", "packet_buffer_full", "tx_error", "in_reset")
    assert all(counted[name] for name in rare), f"too tame: {counted}"
