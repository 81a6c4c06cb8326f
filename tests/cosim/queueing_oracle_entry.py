"""What test_queueing_oracle.py lets run inside the simulator."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from cosim.mapped import read_object, write_object
from cosim.pcie.bridge import Bridge
from cosim.simulation import Options, memory_bytes
from cosim.simulator import simulate
from cosim.traffic.load import Load
from tests.tools.queueing_oracle import DRAIN_US
from tests.tools.reference_run import US


async def inside(top: Any, task: Path, say: Callable[[str], None]) -> None:
    requests, settings = cast(tuple[Load, Options], read_object(task))
    nic = Bridge(top, memory_bytes=memory_bytes(settings))
    outcome = await simulate(nic, settings, requests, DRAIN_US * US, lambda done, total: say(f"{done} {total}"))
    write_object(task.with_name("outcome"), outcome)
