"""A whole run, from requests to result, with the reference NIC in place of the RTL: every check of a run applies."""

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cosim.measure.result import measured
from cosim.pcie.bridge import Bridge
from cosim.pcie.frame_blocks import SentFrames
from cosim.pcie.link import LinkParameters
from cosim.simulation import Options, memory_bytes
from cosim.simulator import Outcome, simulate
from cosim.traffic.frames import Frames
from cosim.traffic.generate import generate_requests, poisson_arrivals_ps
from cosim.traffic.load import Load
from cosim.traffic.steering import steer
from cosim.traffic.wire import deliver_ps
from enso_nic.registers import COUNTERS, DROP_CAUSES, extension_register
from hermes.enso.registers import RingSizes
from tests.tools.reference_nic import INSIDE_PS, ReferenceNic

US = 1_000_000
RINGS = RingSizes(pipe_flits=64, notification_slots=64)
_LINK = LinkParameters()
_COUNTER_AT = {extension_register(name): name for name in COUNTERS}


class CountingNic(ReferenceNic):
    """What a run needs of a NIC besides: its counters, and the frames that it sent.

    Attributes
    ----------
    prepared
        Called when the requests come: set-up is over.
    """

    link = _LINK

    def __init__(
        self, memory_bytes: int, rings: RingSizes, prepared: Callable[["CountingNic"], None] = lambda _: None
    ) -> None:
        super().__init__(memory_bytes, rings)
        self.prepared = prepared
        self._times = np.zeros(0, dtype=np.int64)

    def load_frames(
        self,
        data: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        lengths: NDArray[np.int32],
        times_ps: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """As the reference NIC."""
        self._times = times_ps
        self.prepared(self)
        return super().load_frames(data, offsets, lengths, times_ps)

    @property
    def frames_sent(self) -> int:
        """As of the last run."""
        return bisect_right(self.sent, self.time, key=lambda sent: sent[0])

    @property
    def frames_delivered(self) -> int:
        """As of the last run."""
        return int((self._times <= self.time).sum())

    def sent_up_to(self, time_ps: int) -> tuple[int, int]:
        """How many of those of the last run there are, and when the last of these left."""
        count = bisect_right(self.sent, min(time_ps, self.time), key=lambda sent: sent[0])
        return count, self.sent[count - 1][0] if count else -1

    def sent_frames(self) -> SentFrames:
        """All so far."""
        sent = self.sent[: self.frames_sent]
        frames = Frames.pack(frame for _, frame in sent)
        times = np.array([time for time, _ in sent], dtype=np.int64)
        return SentFrames(frames.blob, frames.offsets, frames.lengths.astype(np.int64), times)

    def word(self, address: int) -> int:
        """Two registers that follow each other, or a counter."""
        name = _COUNTER_AT.get(address)
        if name is None:
            return super().word(address)
        if name == "tx_frames":
            return self.frames_sent
        came = int((self._times + INSIDE_PS <= self.time).sum())
        return came - self.drops.get("too_long", 0) if name == "rx_admitted" else self.drops.get(name, 0)

    def log_link(self) -> None:
        """The link is logged in any case."""

    def busy(self, direction: str) -> NDArray[np.int64]:
        """The way up every other microsecond, the way down never."""
        begins = np.arange(0, 10_000 * US if direction == "up" else 0, 2 * US)
        return np.stack((begins, begins + US), axis=1)


def spinning(
    service_ps: NDArray[np.int64], rate: int, *, connections: int = 8, uthreads: int = 4, seed: int = 1
) -> Load:
    """A request of 60 bytes for each of these times, Poisson arrivals at ``rate`` per second; 0: all at once."""
    count = len(service_ps)
    requests = generate_requests(count, connections, seed, frame_bytes=60, service_ps=service_ps)
    arrivals = poisson_arrivals_ps(count, rate, seed) if rate else np.zeros(count, dtype=np.int64)
    steering = steer(requests, 1514)
    return Load(requests, deliver_ps(requests, arrivals, _LINK), steering, uthreads, "spin", 0, is_generated=True)


def alike(count: int, service_us: int, rate: int, **how: int) -> Load:
    """As ``spinning``, of ``count`` requests that take the same time."""
    return spinning(np.full(count, service_us * US, dtype=np.int64), rate, **how)


def settings_of(load: Load, **options: Any) -> Options:
    """What is simulated under this load: small rings, and else what the fields of Options say."""
    settings = Options(application="spin", uthreads=load.uthreads, flows=load.flows, rings=RINGS)
    return replace(settings, **options)


def outcome_of(
    load: Load, *, drain_us: int = 200, prepared: Callable[[CountingNic], None] = lambda _: None, **options: Any
) -> Outcome:
    """What a simulation of this load leaves behind."""
    settings = settings_of(load, **options)
    nic = CountingNic(memory_bytes(settings), settings.rings, prepared)
    return asyncio.run(simulate(cast(Bridge, nic), settings, load, drain_us * US, lambda done, total: None))


def result_of(load: Load, **options: Any) -> dict[str, Any]:
    """The result of a run, which keeps its books; drops that there were none of are left out."""
    result = measured(load, outcome_of(load, **options))
    assert tuple(result["dropped"]) == DROP_CAUSES
    assert result["offered"] == result["completed"] + sum(result["dropped"].values()) + result["unfinished"]
    result["dropped"] = {cause: count for cause, count in result["dropped"].items() if count}
    return result
