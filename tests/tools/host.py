"""A small simulated host for tests of software: real machine, reference NIC, rings that wrap quickly."""

from contextlib import suppress

from cosim.engine import Engine
from cosim.machine.machine import Machine
from hermes.costs import load
from hermes.enso.registers import RingSizes
from hermes.world import AwaitZero, Control, ReadRegister, WriteRegister
from tests.tools.reference_nic import ReferenceNic

COSTS = load()
SMALL = RingSizes(pipe_flits=64, notification_slots=16)


class Host:
    """A machine, and what happened on it.

    Attributes
    ----------
    effects
        (time, kind, subject, value) of each effect of software other than register writes, in order.
    """

    def __init__(self, cores: int = 1, *, memory_bytes: int = 1 << 24, is_naive: bool = False) -> None:
        self.nic = ReferenceNic(memory_bytes, SMALL)
        self.engine = Engine(self.nic)
        self.machine = Machine(self.nic, self.engine, COSTS, cores, is_naive=is_naive)
        self.memory = self.nic.memory
        self.effects: list[tuple[int, int, int, int]] = []
        self.machine.record = self._record

    def _record(self, kind: int, subject: int, value: int) -> None:
        self.effects.append((self.engine.now, kind, subject, value))
        self.machine.effects.record(kind, subject, value)

    def carry_out(self, control: Control[None]) -> None:
        """A sequence of the control plane; each step has arrived before the next."""
        answer: int | None = None
        with suppress(StopIteration):
            while True:
                request = next(control) if answer is None else control.send(answer)
                answer = 0
                if isinstance(request, WriteRegister):
                    self.nic.mmio_write(self.nic.time, request.address, request.value, request.size)
                self.nic.settle()
                if isinstance(request, ReadRegister):
                    answer = self.nic.word(request.address)
                elif isinstance(request, AwaitZero):
                    assert not self.memory.words[(request.address - self.memory.base) // 8], request

    def times(self, kind: int) -> list[int]:
        """When effects of a kind landed."""
        return [effect[0] for effect in self.effects if effect[1] == kind]
