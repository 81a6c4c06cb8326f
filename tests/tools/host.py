"""A small simulated host for tests of software: real machine, reference NIC, rings that wrap quickly."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import numpy as np

from cosim.engine import NIC_ORDER, Engine
from cosim.machine.machine import Machine
from cosim.traffic.frames import Frames
from cosim.traffic.generate import DESTINATION
from hermes.apps.echo import Echo
from hermes.costs import load
from hermes.enso.control import FlowKey
from hermes.enso.registers import RingSizes
from hermes.queues import Item
from hermes.runtime.softirq import rx_softirq
from hermes.systems import Workload
from hermes.systems.indirect import Indirect
from hermes.world import AwaitZero, Control, ReadRegister, Tell, WriteRegister
from tests.tools.reference_nic import ReferenceNic

NS = 1000
COSTS = load()
SMALL = RingSizes(pipe_flits=64, notification_slots=16)
T = TypeVar("T")


class Host:
    """A machine, and what happened on it.

    Attributes
    ----------
    time
        Up to which it has run.
    effects
        (time, kind, subject, value) of each effect of software other than register writes, in order.
    """

    def __init__(self, cores: int = 1, *, memory_bytes: int = 1 << 24, is_naive: bool = False) -> None:
        self.nic = ReferenceNic(memory_bytes, SMALL)
        self.engine = Engine(self.nic)
        self.machine = Machine(self.nic, self.engine, COSTS, cores, is_naive=is_naive)
        self.memory = self.nic.memory
        self.time = 0
        self.effects: list[tuple[int, int, int, int]] = []
        self.machine.record = self._record

    def _record(self, kind: int, subject: int, value: int) -> None:
        self.effects.append((self.engine.now, kind, subject, value))
        self.machine.effects.record(kind, subject, value)

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


class IndirectHost(Host):
    """A host with Hermes Indirect set up on it; its cores are started by the test.

    Attributes
    ----------
    system
        With one flow per uthread: destination port = number of the uthread.
    """

    def __init__(
        self,
        cores: int = 1,
        uthreads: int = 1,
        *,
        header_pipes: Collection[int] = (),
        service_ps: int = 0,
        is_naive: bool = False,
    ) -> None:
        super().__init__(cores, memory_bytes=(uthreads + 1) << 15, is_naive=is_naive)
        flows = [(FlowKey(port, 0, DESTINATION, 0), port) for port in range(uthreads)]
        application = Echo(service_ps)
        workload = Workload(
            application=application, uthreads=uthreads, flows=flows, header_pipes=header_pipes, rings=SMALL
        )
        self.system = Indirect(self.machine, workload)
        self.carry_out(self.system.set_up(), self.system.control)
        self.time = self.nic.time
        self.effects.clear()

    def start(self, *indices: int) -> int:
        """Start the software of these cores, or of all, 10 us from now; the time."""
        begin = self.time + 10_000 * NS
        for core in self.machine.cores:
            if core.index in indices or not indices:
                core.start(self.system.software[core.index], begin)
        return begin

    def frames(self, frames: Sequence[bytes], times: Sequence[int]) -> None:
        """Let these reach the NIC."""
        packed = Frames.pack(frames)
        self.nic.load_frames(packed.blob, packed.offsets, packed.lengths, np.array(times, dtype=np.int64))

    def put_packet(self, uthread: int, length: int = 60) -> Item:
        """A packet lies in the uthread's pipe; the softIRQ that tells of it."""
        pipe = self.system.uthreads[uthread].device.pipes[uthread]
        at = pipe.address - self.memory.base + pipe.notified_tail * 64
        self.memory.bytes[at : at + length] = udp_frame(uthread, length)
        return rx_softirq(uthread, uthread, (pipe.notified_tail + -(-length // 64)) % SMALL.pipe_flits, self.engine.now)


def udp_frame(port: int, length: int = 60) -> bytes:
    """To 10.0.0.1, from port 9."""
    ip = bytes((0x45, 0)) + (length - 14).to_bytes(2, "big") + bytes((0, 0, 0, 0, 64, 17, 0, 0))
    udp = (9).to_bytes(2, "big") + port.to_bytes(2, "big") + (length - 34).to_bytes(2, "big") + bytes(2)
    header = bytes(range(12)) + bytes((8, 0)) + ip + bytes((10, 0, 0, 2)) + DESTINATION.to_bytes(4, "big") + udp
    return header.ljust(length, b"\x5a")
