"""Events per second of the event kernel and of SimPy, on the same processes: `python -m cosim.bench.kernel`.

Servers poll a queue (bench/queue_pattern.py): of each request both handle three events, that it arrives, that a server
finds it, and that it ends. Each runs in a process of its own, in turn, without the garbage collector; the best of
three counts. The kernel also accounts for the time of each core, and walks among a core's sources.
"""

import gc
import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import simpy
from simpy.events import ProcessGenerator

from cosim.bench.queue_pattern import EVENTS_PER_REQUEST, LOOK_PS, serve
from cosim.compiled import compiled_packages
from cosim.nic.base import NEVER, Nic

SERVERS = 14
REQUESTS = 200_000
REPEATS = 3
_SERVICE_PS, _LOAD, _SEED = 10_000_000, 0.8, 1


@dataclass(frozen=True)
class KernelSpeed:
    """Events per wall second: of the kernel as it is run, compiled; of the same interpreted; of SimPy."""

    compiled: float
    interpreted: float
    simpy: float

    def numbers(self) -> dict[str, float]:
        """As bench.json has them."""
        return {
            "kernel_events_per_s": round(self.compiled),
            "kernel_interpreted_events_per_s": round(self.interpreted),
            "simpy_events_per_s": round(self.simpy),
            "kernel_over_simpy": round(self.compiled / self.simpy, 2),
        }


class _NoNic:
    """Nothing ever comes from it."""

    next_change = NEVER
    try_write = try_advance = None


class _Counting(simpy.Environment):
    """Knows how many events it handled."""

    def __init__(self) -> None:
        super().__init__()
        self.events = 0

    def step(self) -> None:
        super().step()
        self.events += 1


def measure(tell: Callable[[str], None]) -> KernelSpeed:
    """Run all three.

    Raises
    ------
    RuntimeError
        One did not handle three events for each request.
    """
    require_events(2000)
    packages = compiled_packages(lambda: tell("compiling the software, once"))
    seconds: dict[str, list[float]] = {"compiled": [], "interpreted": [], "simpy": []}
    for repeat in range(REPEATS):
        tell(f"the event kernel and SimPy, {repeat + 1} of {REPEATS}")
        for name, found in seconds.items():
            found.append(_in_a_process(name, packages if name == "compiled" else None))
    return KernelSpeed(**{name: EVENTS_PER_REQUEST * REQUESTS / min(found) for name, found in seconds.items()})


def serve_by_simpy(servers: int, gaps_ps: list[int], services_ps: list[int], *, counted: bool) -> tuple[int, int]:
    """As ``queue_pattern.serve``; beside three events for each request SimPy has one per process, and one at the end.

    Events are counted, which takes time, only if asked for; else their number is 0.
    """
    environment = _Counting() if counted else simpy.Environment()
    waiting: deque[int] = deque()
    idle: list[simpy.Event] = []
    ended = 0

    def source() -> ProcessGenerator:
        for index, gap in enumerate(gaps_ps):
            yield environment.timeout(gap)
            if idle:
                idle.pop().succeed(index)
            else:
                waiting.append(index)

    def server() -> ProcessGenerator:
        nonlocal ended
        while True:
            if waiting:
                job = waiting.popleft()
                yield environment.timeout(LOOK_PS)
            else:
                woken = environment.event()
                idle.append(woken)
                job = yield woken
            yield environment.timeout(services_ps[job])
            ended += 1

    environment.process(source())
    for _ in range(servers):
        environment.process(server())
    environment.run()
    return ended, environment.events if isinstance(environment, _Counting) else 0


def require_events(requests: int) -> None:
    """Raise RuntimeError unless both serve so many requests by three events for each, and those of the start."""
    draws = _draws(requests)
    expected = EVENTS_PER_REQUEST * requests
    for name, found, beside in (
        ("the kernel", serve(cast(Nic, _NoNic()), SERVERS, *draws), SERVERS),
        ("SimPy", serve_by_simpy(SERVERS, *draws, counted=True), SERVERS + 2),
    ):
        if found != (requests, expected + beside):
            raise RuntimeError(f"{name} served {found[0]} of {requests} requests by {found[1]} events")


def _draws(requests: int) -> tuple[list[int], list[int]]:
    draw = np.random.default_rng(_SEED)
    gaps = np.rint(draw.exponential(_SERVICE_PS / (SERVERS * _LOAD), requests)).astype(np.int64)
    return gaps.tolist(), np.rint(draw.exponential(_SERVICE_PS, requests)).astype(np.int64).tolist()


def _in_a_process(name: str, packages: Path | None) -> float:
    """Seconds that ``name`` takes, with these packages before the others."""
    path = os.pathsep.join([*([str(packages)] if packages else []), *filter(None, sys.path)])
    command = [sys.executable, "-m", "cosim.bench.kernel", name]
    environment = {**os.environ, "PYTHONPATH": path}
    return float(
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300).stdout
    )


def _timed(name: str) -> float:
    draws = _draws(REQUESTS)
    gc.disable()  # as in a run
    began = time.perf_counter()
    if name == "simpy":
        serve_by_simpy(SERVERS, *draws, counted=False)
    else:
        serve(cast(Nic, _NoNic()), SERVERS, *draws)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print; or, with an argument, say how many seconds one takes."""
    if len(sys.argv) > 1:
        sys.stdout.write(f"{_timed(sys.argv[1])}\n")
        return
    speed = measure(lambda _: None)
    sys.stdout.write(json.dumps(speed.numbers()) + "\n")


if __name__ == "__main__":
    main()
