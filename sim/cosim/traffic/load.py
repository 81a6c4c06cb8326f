"""The load of a run: which frames come, when, what the NIC will steer them by, and what must come back."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cosim.traffic.echo import Echoes, expected_echoes
from cosim.traffic.frames import Frames
from cosim.traffic.kv_answers import expected_answers, served
from cosim.traffic.spin import carried_ps
from cosim.traffic.steering import FlowKey, Steering
from cosim.traffic.udp import FIRST_PORT, REQUEST_PORT

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
