"""Drives a block's streams cycle by cycle in Amaranth's own simulator: sources, sinks, and a bound on every wait."""

import random
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol

from amaranth.hdl import Elaboratable
from amaranth.lib import data, stream
from amaranth.sim import Simulator


class Source:
    """Offers ``items`` (integers or dictionaries of fields) in order; a payload that was shown stays until taken.

    ``rate`` is the share of cycles in which a new one is shown.
    """

    def __init__(self, port: stream.Interface, items: Iterable[Any] = (), rate: float = 1.0) -> None:
        self.port, self.items, self.rate = port, deque(items), rate
        self.shows = False
        self.taken_at: list[int] = []
        """Cycle of each transfer."""

    def drive(self, context: Any, draw: random.Random) -> None:
        if not self.shows and self.items and (self.rate == 1 or draw.random() < self.rate):
            context.set(self.port.payload, self.items[0])
            self.shows = True
        context.set(self.port.valid, self.shows)

    def observe(self, context: Any, cycle: int) -> None:
        if self.shows and context.get(self.port.ready):
            self.items.popleft()
            self.taken_at.append(cycle)
            self.shows = False


class Sink:
    """Takes payloads into ``got`` in a share ``rate`` of the cycles, and checks that those it stalls stay."""

    def __init__(self, port: stream.Interface, rate: float = 1.0) -> None:
        self.port, self.rate = port, rate
        self.got: list[Any] = []
        self.got_at: list[int] = []
        """Cycle of each transfer."""
        self._stalled: Any = None

    def drive(self, context: Any, draw: random.Random) -> None:
        if not self.port.signature.always_ready:
            offered = context.get(self.port.valid)
            context.set(self.port.ready, self.rate == 1 or draw.random() < self.rate)
            assert context.get(self.port.valid) == offered, "valid depends on ready"

    def observe(self, context: Any, cycle: int) -> None:
        if not context.get(self.port.valid):
            assert self._stalled is None, "valid was withdrawn before ready"
            return
        payload = context.get(self.port.payload)
        assert self._stalled is None or self._stalled == payload, "a stalled payload changed"
        if context.get(self.port.ready):
            self.got.append(payload)
            self.got_at.append(cycle)
            self._stalled = None
        else:
            self._stalled = payload


class Port(Protocol):
    """Anything that takes part in each cycle: first all drive their inputs, then all look at what comes of it."""

    def drive(self, context: Any, draw: random.Random) -> None: ...
    def observe(self, context: Any, cycle: int) -> None: ...


class Bench:
    """One block under test.

    Parameters
    ----------
    block
        The block, or a module that holds it; its streams are driven by ``ports``.
    each_cycle
        Called in each cycle when all ports are driven, before the clock edge: other inputs, other checks.
    """

    def __init__(
        self,
        block: Elaboratable,
        ports: Iterable[Port],
        seed: int = 1,
        each_cycle: Callable[[Any, int], None] = lambda context, cycle: None,
    ) -> None:
        self._block, self._ports, self._each_cycle = block, list(ports), each_cycle
        self._draw = random.Random(seed)
        self.cycle = 0
        self.context: Any = None
        """The simulator's, for inputs and outputs that are no streams."""

    def simulate(self, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run ``story``, which awaits ``until`` and ``cycles``, from reset to its end."""

        async def testbench(context: Any) -> None:
            self.context = context
            await story()

        simulator = Simulator(self._block)
        simulator.add_clock(4e-9)
        simulator.add_testbench(testbench)
        simulator.run()

    async def until(self, condition: Callable[[], bool], limit: int = 2000) -> None:
        """Let cycles pass until ``condition()``, at most ``limit``."""
        end = self.cycle + limit
        while not condition():
            assert self.cycle < end, f"nothing came of it within {limit} cycles"
            await self.cycles(1)

    async def cycles(self, count: int) -> None:
        """Let cycles pass."""
        for _ in range(count):
            for port in self._ports:
                port.drive(self.context, self._draw)
            self._each_cycle(self.context, self.cycle)
            for port in self._ports:
                port.observe(self.context, self.cycle)
            await self.context.tick()
            self.cycle += 1


def fields(payload: Any) -> Any:
    """A struct as a dictionary, so that a difference shows by name; anything else as it is."""
    if not isinstance(payload, data.Const):
        return payload
    return {str(name): fields(payload[name]) for name, _ in data.Layout.cast(payload.shape())}
