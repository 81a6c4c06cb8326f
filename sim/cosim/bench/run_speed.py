"""Whole runs of ``hermes run``: requests per wall second, and what idle skipping gains."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.compiled import compiled_packages
from cosim.nic.fast import fast_library
from cosim.nic.rtl import nic_model
from hermes.systems import SYSTEMS

IDLE_REQUESTS = 3000
HALF_LOAD_REQUESTS = {"rtl": 40_000, "model": 200_000}
HALF_LOAD = (
    *("--workload", "spin", "--service", "constant:10us", "--cores", "14", "--uthreads", "100", "--flows", "100"),
    *("--batch", "--rate", "700k"),
)
"""Half of what 14 cores can do."""


@dataclass(frozen=True)
class RunSpeed:
    """What whole runs do in a second of wall time, start-up included.

    Attributes
    ----------
    half_load
        Requests per wall second at half load with a batch application, by system.
    model, model_interpreted
        Those of the fast NIC, the software compiled or not.
    default
        Those of the default run.
    idle_skip_gain
        Wall time without idle skipping over that with it, at 100 krps.
    """

    half_load: dict[str, float]
    model: dict[str, float]
    model_interpreted: dict[str, float]
    default: float
    idle_skip_gain: float


def measure(scratch: Path, tell: Callable[[str], None]) -> RunSpeed:
    """Run them.

    Raises
    ------
    RuntimeError
        A run's result depends on idle skipping.
    """
    nic_model()  # no run shall wait for its build
    fast_library()
    compiled_packages()
    half_load = _half_load(scratch, tell, "rtl")
    model = _half_load(scratch, tell, "model")
    model_interpreted = _half_load(scratch, tell, "model", "--set", "compiled=off")
    tell("the default run")
    default = _hermes(scratch)
    tell("100 krps with and without idle skipping")
    slow_load = ["--rate", "100k", "--requests", str(IDLE_REQUESTS)]
    skipping = _hermes(scratch, *slow_load)
    plain = _hermes(scratch, *slow_load, "--set", "idle_skip=false")
    if skipping["event_hash"] != plain["event_hash"]:
        raise RuntimeError(
            f"idle skipping changes the result: event hashes {skipping['event_hash']} and {plain['event_hash']}"
        )
    return RunSpeed(
        half_load,
        model,
        model_interpreted,
        default["offered"] / default["run"]["wall_s"],
        plain["run"]["simulation_s"] / skipping["run"]["simulation_s"],
    )


def _half_load(scratch: Path, tell: Callable[[str], None], nic: str, *flags: str) -> dict[str, float]:
    """Requests per wall second, by system."""
    speeds = {}
    for system in SYSTEMS:
        tell(" ".join([f"{system} at half load, {nic}", *flags]))
        requests = str(HALF_LOAD_REQUESTS[nic])
        result = _hermes(scratch, "--system", system, "--nic", nic, *HALF_LOAD, "--requests", requests, *flags)
        speeds[system] = result["offered"] / result["run"]["wall_s"]
    return speeds


def _hermes(scratch: Path, *flags: str) -> dict[str, Any]:
    hermes = str(Path(sys.executable).with_name("hermes"))
    command = [hermes, "run", "--json", "--out", str(scratch / "out"), *flags]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if result.returncode != 0:
        raise RuntimeError(f"hermes run {' '.join(flags)} failed: {result.stderr.strip()}")
    outcome: dict[str, Any] = json.loads(result.stdout)
    return outcome
