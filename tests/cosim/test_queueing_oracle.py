"""The whole simulator against queueing theory, with the NIC itself: see tests.tools.queueing_oracle."""

from pathlib import Path
from typing import cast

import pytest

from cosim.mapped import read_object, write_object
from cosim.nic.rtl import nic_model, simulate
from cosim.simulation import Options
from cosim.simulator import Outcome
from cosim.traffic.load import Load
from hermes.enso.registers import UPSTREAM
from tests.tools.queueing_oracle import require_one_queue, require_queue_for_each


@pytest.mark.parametrize("cores", [2, 4])
@pytest.mark.parametrize("kind", ["constant", "exponential"])
def test_each_waits_as_long_as_in_theory(cores: int, kind: str, tmp_path: Path) -> None:
    def simulated(requests: Load, settings: Options) -> Outcome:
        task = tmp_path / "task"
        write_object(task, (requests, settings))
        entry = "tests.cosim.queueing_oracle_entry:inside"
        simulate(entry, task, folder=tmp_path / "run", progress=lambda _: None, model=nic_model())
        return cast(Outcome, read_object(tmp_path / "outcome"))

    for require in (require_one_queue, require_queue_for_each):
        require(cores, 0.8, kind, count=500, seed=5, system="indirect", rings=UPSTREAM, simulated=simulated)
