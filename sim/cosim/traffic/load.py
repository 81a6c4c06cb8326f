"""The load of a run: which frames come, when, and what the NIC will steer them by."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.config import ConfigError, RunConfig
from cosim.traffic.frames import Frames
from cosim.traffic.generate import even_arrivals_ps, generate_requests, poisson_arrivals_ps
from cosim.traffic.pcap import read_capture
from cosim.traffic.steering import ACCEPTED, FlowKey, Steering, steer
from cosim.traffic.wire import deliver_ps, line_rate
from enso_nic.config import FULL


@dataclass(frozen=True, eq=False)
class Load:
    """Requests as they are on the wire.

    Attributes
    ----------
    requests
        At least 60 bytes each.
    deliver_ps
        int64, when the last bit of each reaches the NIC, in ps from the start of the load.
    steering
        What the NIC makes of them.
    uthreads
        Flows go to so many in turn, in order of first appearance.
    """

    requests: Frames
    deliver_ps: NDArray[np.int64]
    steering: Steering
    uthreads: int

    @property
    def flows(self) -> tuple[tuple[FlowKey, int], ...]:
        """Each flow's key, and the uthread that it goes to."""
        return tuple((key, index % self.uthreads) for index, key in enumerate(self.steering.flows))

    @property
    def header_pipes(self) -> frozenset[int]:
        """Pipes that must be in header mode: those to which frames go that the NIC puts into no others."""
        needs_it = (self.steering.refusal != ACCEPTED) & self.is_admitted
        return frozenset((np.unique(self.steering.flow[needs_it]) % self.uthreads).tolist())

    @property
    def is_admitted(self) -> NDArray[np.bool_]:
        """Of each request, whether the door lets it in; if so, its pipe takes it."""
        is_admitted: NDArray[np.bool_] = self.steering.cause == ACCEPTED
        return is_admitted

    @property
    def in_header_mode(self) -> NDArray[np.bool_]:
        """Of each request, whether its pipe is in header mode."""
        return np.isin(self.steering.flow % self.uthreads, list(self.header_pipes)) & self.is_admitted


def load(config: RunConfig) -> Load:
    """The load that ``config`` asks for.

    Generated requests arrive as a Poisson process; the frames of a capture come in its order, evenly spaced. At
    ``line`` rate either follow each other without a pause.

    Raises
    ------
    CaptureError
        The capture cannot be used.
    ConfigError
        The rate is more than the wire carries of these frames.
    """
    if config.pcap is not None:
        requests = read_capture(config.pcap).padded()
    else:
        assert config.requests is not None  # the configuration sees to it
        assert config.flows is not None
        requests = generate_requests(config.requests, config.flows, config.seed).padded()

    count = len(requests)
    if config.rate == "line":
        arrivals = np.zeros(count, dtype=np.int64)
    else:
        most = int(line_rate(requests, config.link))
        if config.rate > most:
            raise ConfigError(f"rate is {config.rate}; accepted is at most {most} of these frames per second, or line")
        if config.pcap is not None:
            arrivals = even_arrivals_ps(count, config.rate)
        else:
            arrivals = poisson_arrivals_ps(count, config.rate, config.seed)
    delivered = deliver_ps(requests, arrivals, config.link)
    return Load(requests, delivered, steer(requests, FULL.maximum_frame), config.uthreads)
