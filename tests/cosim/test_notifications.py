"""When the NIC tells of packets: by its reactive rule, or of each."""

from pathlib import Path
from typing import Any

import pytest

from cosim.config import RunConfig
from cosim.run import run


def result(folder: Path, *settings: str) -> dict[str, Any]:
    common = ["workload=spin", "service=constant:1us", "uthreads=2", "rate=2M", "requests=400"]
    return run(RunConfig.from_settings([*common, *settings]), folder, lambda *_: None)


@pytest.mark.parametrize("nic", ["model", "rtl"])
def test_each_packet_may_be_told_of(tmp_path: Path, nic: str) -> None:
    reactive = result(tmp_path / "reactive", f"nic={nic}")
    each = result(tmp_path / "each", f"nic={nic}", "notifications=packet")
    assert reactive["completed"] == each["completed"] == 400
    assert reactive["packets_per_notification"] > 1.5
    assert each["packets_per_notification"] <= 1
