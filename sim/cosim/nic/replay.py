"""Lets a fast NIC get what another NIC got: a process of its own, ``cosim.nic.replay:inside``."""

import ctypes
import json
from collections.abc import Callable
from pathlib import Path

from cosim.nic.fast import FastNic, parameters_of, simulate_fast
from cosim.pcie.bridge import Bridge
from cosim.pcie.link import LinkParameters
from enso_nic.config import FULL, NicConfig


def replay(pins: Path, transfers: Path, link: LinkParameters, scratch: Path, config: NicConfig = FULL) -> None:
    """Write to ``transfers`` what the fast NIC sends when it gets what ``pins`` holds (pcie/pins.hpp)."""
    task = scratch / "replay.json"
    task.write_text(json.dumps([str(pins.absolute()), str(transfers.absolute()), vars(link)]))
    parameters = parameters_of(config)
    simulate_fast("cosim.nic.replay:inside", task, folder=scratch, progress=lambda _: None, parameters=parameters)


async def inside(nic: FastNic, task: Path, say: Callable[[str], None]) -> None:
    """The child's side of ``replay``."""
    pins, transfers, link = json.loads(task.read_text())
    bridge = Bridge(nic, memory_bytes=4096, link=LinkParameters(**link))  # it tells the NIC how long its writes may be
    nic.native.model_replay.restype = ctypes.c_bool
    if not nic.native.model_replay(pins.encode(), transfers.encode()):
        bridge.raise_error()
    say("replayed")
