"""The load of a run: which frames come, when, what the NIC will steer them by, and what must come back."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cosim.config import RunConfig
from cosim.pcie.link import LinkParameters
from cosim.traffic.arrivals import Capture, Mmpp, Steps
from cosim.traffic.echo import Echoes, expected_echoes
from cosim.traffic.frames import Frames
from cosim.traffic.generate import generate_requests
from cosim.traffic.kv import expected_answers, generate_kv_requests, served
from cosim.traffic.pcap import LONGEST_PS, read_capture, read_timed_capture
from cosim.traffic.spin import carried_ps
from cosim.traffic.steering import FlowKey, Steering, steer
from cosim.traffic.udp import FIRST_PORT, REQUEST_PORT
from cosim.traffic.wire import PS_PER_S, deliver_ps, line_rate
from cosim.values import LONGEST_PS as LONGEST_SERVICE_PS
from cosim.values import ConfigError
from enso_nic.config import FULL

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Load:
    """Requests as they are on the wire.

    Attributes
    ----------
    requests
        At least 60 bytes each.
    deliver_ps
        int64, when the last bit of each reaches the NIC, in ps from the start of the load; of clients, the first of
        each, and -1 of all others.
    steering
        What the NIC makes of them.
    uthreads
        Flows go to so many in turn, in order of first appearance.
    workload
        What is done with them.
    constant_ps
        What the application computes for each, unless the request says it.
    is_generated
        They are, so that their flows have numbers.
    clients
        So many wait for their answers; None if the requests come at known times.
    think_ps
        From an answer to the client's next request.
    is_served
        Of each request, whether it is served; None: all that are admitted.
    """

    requests: Frames
    deliver_ps: Integers
    steering: Steering
    uthreads: int
    workload: Literal["echo", "spin", "kv"] = "echo"
    constant_ps: int = 0
    is_generated: bool = False
    clients: int | None = None
    think_ps: int = 0
    is_served: NDArray[np.bool_] | None = None

    @property
    def flows(self) -> tuple[tuple[FlowKey, int], ...]:
        """Each flow's key, and the uthread that it goes to."""
        return tuple((key, index % self.uthreads) for index, key in enumerate(self.steering.flows))

    @property
    def header_pipes(self) -> frozenset[int]:
        """Pipes that must be in header mode: those to which frames go that the NIC puts into no others."""
        needs_it = (self.steering.refusal_code != 0) & self.is_admitted
        return frozenset((np.unique(self.steering.flow[needs_it]) % self.uthreads).tolist())

    @property
    def is_admitted(self) -> NDArray[np.bool_]:
        """Of each request, whether the door lets it in; if so, its pipe takes it."""
        return ~self.steering.is_too_long

    @property
    def in_header_mode(self) -> NDArray[np.bool_]:
        """Of each request, whether its pipe is in header mode."""
        return np.isin(self.steering.flow % self.uthreads, list(self.header_pipes)) & self.is_admitted

    @property
    def connections(self) -> Integers:
        """Of each request, its connection: as it was drawn, or the index of its flow in a capture; -1 without one."""
        if not self.is_generated:
            return self.steering.flow
        ports = np.array([key.destination_port for key in self.steering.flows], dtype=np.int64)
        return (ports - FIRST_PORT)[self.steering.flow]

    @property
    def client(self) -> Integers:
        """Of each request, whose it is; of no meaning without clients."""
        return self.connections % (self.clients or 1)

    @property
    def ports(self) -> Integers:
        """Of each request, its UDP destination port, from which its answer comes."""
        return self.requests.field(REQUEST_PORT, 2)

    @property
    def service_ps(self) -> Integers:
        """Of each request, the compute time that it asks for, in ps."""
        if self.workload == "spin":
            return carried_ps(self.requests)
        return np.full(len(self.requests), self.constant_ps, dtype=np.int64)

    @cached_property
    def expected(self) -> Frames:
        """What answers each request, on the wire; for those only that are admitted and served."""
        if self.workload == "kv":
            is_served = self.is_admitted if self.is_served is None else self.is_served
            return expected_answers(self.requests, is_served)
        return expected_echoes(self.requests, self.in_header_mode)

    @property
    def answers(self) -> Frames | Echoes:
        """The same; echoes are made when they are asked for."""
        return self.expected if self.workload == "kv" else Echoes(self.requests, self.in_header_mode)

    def answered_by(self, returned: Frames) -> "Load":
        """The same load, of which what these frames do not answer was not served, if that changes later answers."""
        return replace(self, is_served=served(self.requests, returned)) if self.workload == "kv" else self


def load(config: RunConfig) -> Load:
    """The load that ``config`` asks for.

    The frames of a capture come in its order. At ``line`` rate all follow each other without a pause. Clients send
    their first requests at once.

    Raises
    ------
    CaptureError
        The capture cannot be used.
    ConfigError
        The rate is more than the wire carries of these frames, or the load would last too long; or the file of service
        times cannot be used.
    """
    capture_ps = None
    if config.pcap is None:
        requests = _generated(config)
    elif isinstance(config.arrivals, Capture):
        requests, capture_ps = read_timed_capture(config.pcap)
    else:
        requests = read_capture(config.pcap)
    requests = requests.padded()
    if config.clients is not None:
        times = np.zeros(0, dtype=np.int64)
    else:
        arrivals = _arrivals_ps(config, requests) if capture_ps is None else capture_ps
        times = deliver_ps(requests, arrivals, config.link)
    made = Load(
        requests,
        times,
        steer(requests, FULL.maximum_frame),
        config.uthreads,
        config.workload,
        config.service_ps,
        config.pcap is None,
        config.clients,
        config.think_ps or 0,
    )
    if config.clients is not None:
        made = replace(made, deliver_ps=_first_ps(made, config.link))
    if config.pcap is not None:
        _require_sound_times(config, made.service_ps)
    return made


def _generated(config: RunConfig) -> Frames:
    count, flows = config.requests, config.flows
    assert count is not None  # the configuration sees to it
    assert flows is not None
    if config.kv is not None:
        return generate_kv_requests(count, flows, config.seed, config.kv)
    assert config.frame_bytes is not None
    service_ps = config.service.draw(count, config.seed) if config.workload == "spin" else None
    return generate_requests(count, flows, config.seed, frame_bytes=config.frame_bytes, service_ps=service_ps)


def _arrivals_ps(config: RunConfig, requests: Frames) -> Integers:
    """When the requests are handed to the wire, if that carries so many and there is an end to it."""
    count, most, arrivals = len(requests), int(line_rate(requests, config.link)), config.arrivals
    assert arrivals is not None
    assert not isinstance(arrivals, Capture)
    if config.rate == "line":
        return np.zeros(count, dtype=np.int64)
    if isinstance(arrivals, Steps | Mmpp):
        mean, peak, rate = arrivals.mean_rate, max(arrivals.rates), 0
        what = f"arrivals {arrivals.kind} has a rate of"
    else:
        assert isinstance(config.rate, int)
        mean = peak = rate = config.rate
        what = "rate is"
    if peak > most:
        raise ConfigError(f"{what} {peak}; accepted is at most {most} of these frames per second, or line")
    least = count * PS_PER_S / LONGEST_PS
    if mean < least:
        raise ConfigError(f"{what} {mean:g}; accepted for {count} requests is at least {least:g} per second")
    return arrivals.times_ps(count, rate, config.seed)


def _first_ps(requests: Load, link: LinkParameters) -> Integers:
    """When the first request of each client reaches the NIC, in the order of clients; -1 of the others."""
    _, first = np.unique(requests.client, return_index=True)
    times = np.full(len(requests.requests), -1, dtype=np.int64)
    times[first] = deliver_ps(requests.requests.taken(first), np.zeros(len(first), dtype=np.int64), link)
    return times


def _require_sound_times(config: RunConfig, service_ps: Integers) -> None:
    wrong = np.flatnonzero((service_ps < 0) | (service_ps > LONGEST_SERVICE_PS))
    if len(wrong):
        raise ConfigError(
            f"{config.pcap}: frame {wrong[0] + 1} asks spin for more computing than is accepted, 10^15 ps, "
            "in the 8 bytes behind its index"
        )
