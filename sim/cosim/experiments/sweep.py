"""Sweeps: points measured in worker processes of Dask, here or on a cluster; what is finished is kept.

    for finished in sweep(points, Store(folder), workers=2, cluster=None, heard=show): ...

A point that was finished by an earlier call is not run again. A point that fails is told of, and the others go on.
"""

import json
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.config import ConfigError, RunConfig
from cosim.experiments.measures import measure
from cosim.experiments.points import Point

Heard = Callable[[str, str, int, int], None]
"""Told of a running point: its key, what it does, how much of it is done, and how much there is."""

_TOPIC = "hermes-points"
_CONNECT_S = 10


@dataclass(frozen=True)
class Finished:
    """A point, and what came out: as cosim.experiments.measures.measure gives it, or one line on why it failed."""

    point: Point
    outcome: dict[str, Any] | None
    error: str | None = None
    was_kept: bool = False


class Store:
    """A folder with what each finished point gave, by key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> dict[str, Any] | None:
        """What the point of this key gave; None if it is not finished."""
        file = self._folder / f"{key}.json"
        return json.loads(file.read_text()) if file.exists() else None

    def put(self, key: str, outcome: dict[str, Any]) -> None:
        """Keep it: whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f"{key}.{os.getpid()}.partial"
        partial.write_text(json.dumps(outcome, allow_nan=False))
        partial.replace(self._folder / f"{key}.json")


def sweep(
    points: Sequence[Point], store: Store, *, workers: int, cluster: str | None, heard: Heard
) -> Iterator[Finished]:
    """Each point once, in the order in which they are finished; those that were kept come first.

    Parameters
    ----------
    points
        To be measured.
    store
        Where results are kept.
    workers
        Processes on this machine, if there is no cluster.
    cluster
        Address of a Dask scheduler whose workers have this version of Hermes; None: processes on this machine.
    heard
        Told how running points go.

    Raises
    ------
    ConfigError
        There is no scheduler at the address.
    """
    by_key = {point.key: point for point in points}
    for key, point in list(by_key.items()):
        kept = store.get(key)
        if kept is not None:
            del by_key[key]
            yield Finished(point, kept, was_kept=True)
    if not by_key:
        return
    from distributed import as_completed  # heavy

    with _client(min(workers, len(by_key)), cluster) as client:
        client.subscribe_topic(_TOPIC, lambda event: heard(*event[1]))
        # a key that Dask does not know: it would give the result of an earlier submission, also one that failed
        futures = {
            client.submit(_work, key, point.config, point.measure, pure=False, retries=0): key
            for key, point in by_key.items()
        }
        for future in as_completed(list(futures)):
            key = futures[future]
            outcome, error = None, None
            if future.status == "finished":
                outcome, error = future.result()
            else:
                error = f"its worker ended: {future.exception()}"
            if outcome is not None:
                store.put(key, outcome)
            yield Finished(by_key[key], outcome, error)


def _work(key: str, config: RunConfig, how: str) -> tuple[dict[str, Any] | None, str | None]:
    """Measure a point; runs in a worker. Gives the outcome, or why there is none."""
    from distributed import get_worker

    worker = get_worker()

    def tell(what: str, done: int, total: int) -> None:
        worker.log_event(_TOPIC, (key, what, done, total))

    tell("starting", 0, 0)
    try:
        return measure(config, how, tell), None
    except Exception as error:  # whatever it is, it is this point's alone
        return None, f"{type(error).__name__}: {' | '.join(str(error).splitlines())}"


@contextmanager
def _client(workers: int, cluster: str | None) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster

    dask.config.set(
        {
            "distributed.worker.daemon": False,
            "distributed.admin.log-length": 0,
            "distributed.scheduler.worker-ttl": None,  # who was stopped, and goes on, is not dead
        }
    )
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if cluster is not None:
        try:
            client = Client(cluster, timeout=_CONNECT_S)
        except (OSError, ValueError, TimeoutError) as error:
            raise ConfigError(
                f"cluster is {cluster!r} ({type(error).__name__}); accepted is the address of a Dask scheduler, "
                "such as tcp://127.0.0.1:8786"
            ) from None
        with client:
            yield client
        return
    with _workers_without_interrupts():
        local = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # any free port: two sweeps may run at a time
            silence_logs=logging.CRITICAL,
        )
    with local, Client(local) as client:
        yield client


@contextmanager
def _workers_without_interrupts() -> Iterator[None]:
    """Processes that are started inside do not get Ctrl-C, which goes to all of a terminal: this one ends them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
