"""The load that a configuration asks for."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cosim.config import RunConfig
from cosim.pcie.link import LinkParameters
from cosim.traffic.arrivals import Capture, Mmpp, Steps
from cosim.traffic.frames import Frames
from cosim.traffic.generate import generate_requests
from cosim.traffic.kv import generate_kv_requests
from cosim.traffic.load import Load
from cosim.traffic.pcap import LONGEST_PS, read_capture, read_timed_capture
from cosim.traffic.steering import steer
from cosim.traffic.wire import PS_PER_S, deliver_ps, line_rate
from cosim.values import LONGEST_PS as LONGEST_SERVICE_PS
from cosim.values import ConfigError
from enso_nic.config import FULL

Integers = NDArray[np.int64]


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
