"""How much faster two workers finish a sweep than one."""

import tempfile
import time
from pathlib import Path

from cosim.experiments.definition import Experiment, Sweep
from cosim.experiments.points import Choice, points
from cosim.experiments.sweep import Store, sweep

POINTS = 12
_EXPERIMENT = Experiment(
    id="bench",
    title="A sweep",
    question="How fast?",
    hold={"workload": "spin", "service": "constant:10us", "cores": 14, "uthreads": 100, "batch": True, "rate": "700k"},
    sweep=[Sweep(name="seeds", systems=["indirect"])],
)


def gain(requests: int = 60_000) -> float:
    """Wall time of a sweep of POINTS points with one worker over that with two, start-up of the workers included.

    With a third of these requests for each point that start-up, some seconds, is what counts.

    Raises
    ------
    RuntimeError
        A point failed.
    """
    took = []
    for workers in (1, 2):
        with tempfile.TemporaryDirectory(prefix="hermes-sweep-") as folder:
            todo = points(_EXPERIMENT, Choice(seeds=POINTS, settings=[f"requests={requests}"]))
            began = time.monotonic()
            found = list(sweep(todo, Store(Path(folder)), workers=workers, cluster=None, heard=lambda *_: None))
            took.append(time.monotonic() - began)
            failed = [one.error for one in found if one.error is not None]
            if failed:
                raise RuntimeError(failed[0])
    return took[0] / took[1]
