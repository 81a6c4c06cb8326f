"""A small simulated host for tests of software: real machine, reference NIC, rings that wrap quickly."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from cosim.engine import NIC_ORDER, Engine
from cosim.machine.effects import Effects
from cosim.machine.machine import Machine
from cosim.traffic.generate import DESTINATION
from hermes.costs import Costs, load
from hermes.enso.registers import RingSizes
from hermes.world import AwaitZero, Control, ReadRegister, Tell, WriteRegister
from tests.tools.reference_nic import ReferenceNic

NS = 1000
COSTS = load()
SMALL = RingSizes(pipe_flits=64, notification_slots=16)
T = TypeVar("T")


def at(engine: Engine, time: int, order: int, do: Callable[[], object]) -> None:
    """Something happens at a time; what has the lower order comes first at equal time."""

    def happen(a: int, b: int) -> None:
        do()

    engine.schedule(time, order, engine.kind(happen), 0, 0)


class _Listed(Effects):
    """Effects that are listed, too."""

    def __init__(self, engine: Engine, effects: Effects) -> None:
        super().__init__(engine)
        self.listed: list[tuple[int, int, int, int]] = []
        self._effects = effects

    def record(self, kind: int, subject: int, value: int) -> None:
        self.listed.append((self._engine.now, kind, subject, value))
        self._effects.record(kind, subject, value)


class Host:
    """A machine, and what happened on it.

    Attributes
    ----------
    time
        Up to which it has run.
    effects
        (time, kind, subject, value) of each effect of software other than register writes, in order.
    """

    def __init__(
        self, cores: int = 1, *, memory_bytes: int = 1 << 24, is_naive: bool = False, costs: Costs = COSTS
    ) -> None:
        self.nic = ReferenceNic(memory_bytes, SMALL)
        self.engine = Engine(self.nic)
        self.machine = Machine(self.nic, self.engine, costs, cores, is_naive=is_naive)
        self.memory = self.nic.memory
        self.time = 0
        self.machine._effects = _Listed(self.engine, self.machine.effects)
        self.effects = self.machine._effects.listed

    def run(self, end: int) -> None:
        """Software and NIC, up to ``end``."""
        while self.time < end:
            safe = asyncio.run(self.nic.run(min(self.engine.next_time, end)))
            for time, source, value in self.nic.take_effects():
                self.engine.schedule(time, NIC_ORDER, self.machine.nic_effect, source, value)
            self.time = min(safe, end)
            self.engine.run(self.time)

    def carry_out(self, control: Control[T], tell: Callable[[object], int] | None = None) -> T:
        """A sequence of the control plane, and what it gives; each step has arrived before the next."""
        answer: int | None = None
        while True:
            try:
                request = next(control) if answer is None else control.send(answer)
            except StopIteration as finished:
                result: T = finished.value
                return result
            answer = 0
            if isinstance(request, WriteRegister):
                self.nic.mmio_write(self.nic.time, request.address, request.value, request.size)
            self.nic.settle()
            if isinstance(request, ReadRegister):
                answer = self.nic.word(request.address)
            elif isinstance(request, AwaitZero):
                assert not self.memory.words[(request.address - self.memory.base) // 8], request
            elif isinstance(request, Tell) and tell is not None:
                answer = tell(request.message)

    def times(self, kind: int) -> list[int]:
        """When effects of a kind landed."""
        return [effect[0] for effect in self.effects if effect[1] == kind]


def udp_frame(port: int, length: int = 60) -> bytes:
    """To 10.0.0.1, from port 9."""
    ip = bytes((0x45, 0)) + (length - 14).to_bytes(2, "big") + bytes((0, 0, 0, 0, 64, 17, 0, 0))
    udp = (9).to_bytes(2, "big") + port.to_bytes(2, "big") + (length - 34).to_bytes(2, "big") + bytes(2)
    header = bytes(range(12)) + bytes((8, 0)) + ip + bytes((10, 0, 0, 2)) + DESTINATION.to_bytes(4, "big") + udp
    return header.ljust(length, b"\x5a")
