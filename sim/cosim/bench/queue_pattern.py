"""Servers that poll a queue, on the event kernel and its cores: three events for each request.

A request arrives; the server that it was given to looks and finds it; and ends it. An idle server is given the next
request to arrive, one that ends the oldest that waits. bench/kernel.py does the same in SimPy.
"""

from collections import deque
from typing import Final

from cosim.engine import NIC_ORDER, Engine
from cosim.machine.cache import CacheLines
from cosim.machine.core import Core
from cosim.machine.effects import Effects
from cosim.nic.base import Nic
from hermes import world
from hermes.world import APPLICATION, STEAL, Software, Walk

LOOK_PS: Final = 4_000
EVENTS_PER_REQUEST: Final = 3
_NOTHING: Final = -1


class Server(Software):
    """Polls for a request, serves it, and asks for the next one."""

    def __init__(self, requests: "Requests") -> None:
        self.job = _NOTHING
        self._requests = requests
        self._walk = Walk((LOOK_PS,), ((0,),), STEAL)
        self._is_serving = False

    def begin(self, core: world.Core) -> None:
        """See hermes.world.Software."""
        self.core = core
        core.walk(self._walk)

    def interrupt(self) -> bool:
        """See hermes.world.Software."""
        raise NotImplementedError("nobody interrupts a server")

    def queue_changed(self, queue: int) -> None:
        """See hermes.world.End."""
        raise NotImplementedError(f"a server has no queue {queue}")

    def step(self) -> bool:
        """A request is served."""
        self._requests.ended += self._is_serving
        self._is_serving = False
        self._requests.give(self)
        return False

    def poll(self, source: int) -> bool:  # noqa: ARG002  (there is but one)
        """Begin with the request, if there is one."""
        self.core.spend(STEAL, LOOK_PS)
        if self.job == _NOTHING:
            return False
        self.core.spend(APPLICATION, self._requests.services_ps[self.job])
        self.job = _NOTHING
        self._is_serving = True
        return True

    def ready(self) -> int:
        """See hermes.world.Software."""
        return int(self.job != _NOTHING)


class Requests:
    """Where they come from, wait, and are given to servers.

    Parameters
    ----------
    gaps_ps, services_ps
        From each arrival to the next, the first one's from 0; and how long each takes.

    Attributes
    ----------
    ended
        Requests that were served.
    """

    def __init__(self, engine: Engine, gaps_ps: list[int], services_ps: list[int]) -> None:
        self.services_ps = services_ps
        self.ended = 0
        self._engine = engine
        self._gaps_ps = gaps_ps
        self._kind = engine.kind(self._arrived)
        self._waiting: deque[int] = deque()
        self._idle: list[Server] = []
        engine.schedule(gaps_ps[0], NIC_ORDER, self._kind, 0, 0)

    def give(self, server: Server) -> None:
        """The server has nothing to do."""
        if self._waiting:
            server.job = self._waiting.popleft()
        else:
            self._idle.append(server)

    def _arrived(self, index: int, unused: int) -> None:  # noqa: ARG002  (all handlers take two)
        if self._idle:
            server = self._idle.pop()
            server.job = index
            server.core.wake(0)
        else:
            self._waiting.append(index)
        if index + 1 < len(self._gaps_ps):
            time = self._engine.now + self._gaps_ps[index + 1]
            self._engine.schedule(time, NIC_ORDER, self._kind, index + 1, 0)


def serve(nic: Nic, servers: int, gaps_ps: list[int], services_ps: list[int]) -> tuple[int, int]:
    """Serve all requests; how many were, and how many events that took: three for each, and one for each server."""
    engine = Engine(nic)
    effects, lines = Effects(engine), CacheLines(1, servers)
    requests = Requests(engine, gaps_ps, services_ps)
    for index in range(servers):
        Core(index, engine, nic, effects, lines, is_naive=False).start(Server(requests), 0)
    engine.run(1 << 62)
    return requests.ended, engine.events
