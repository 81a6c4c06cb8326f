"""A whole small host: a system of three on the reference NIC, or its IOKernel alone, with kthreads that never run."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cosim.machine.ksched import Ksched
from cosim.traffic.frames import Frames
from cosim.traffic.generate import DESTINATION
from hermes.apps.echo import Echo
from hermes.enso.control import FlowKey
from hermes.enso.registers import TX_TAIL
from hermes.iokernel.clients import Record
from hermes.iokernel.iokernel import COMPLETE, RECEIVE
from hermes.iokernel.scan import Scan
from hermes.queues import Item, SpscQueue
from hermes.switches import Switches
from hermes.systems import SYSTEMS, Workload
from hermes.systems.composition import Hermes
from hermes.world import QUEUE_PUSH, Software
from tests.tools.host import COSTS, NS, SMALL, Host

US = 1_000 * NS
OVERRIDES: dict[str, Any] = {}
"""Switches that all hosts have, whatever a test says: to disable a mechanism."""


class NobodyRuns(Ksched):
    """Grants are noted, and nothing comes of them.

    Attributes
    ----------
    granted
        (picoseconds, core) of each.
    """

    granted: list[tuple[int, int]]

    def grant(self, core: int, program: Software) -> None:
        self.granted.append((self._engine.now, core))


class WholeHost(Host):
    """A system, set up; frames to port i go to uthread i, which belongs to application i modulo their number.

    Parameters
    ----------
    alone
        The IOKernel runs alone: kthreads do nothing with the cores that it gives them, and the NIC completes nothing.
    switches
        As hermes.switches has them.
    """

    def __init__(
        self,
        system: str = "indirect",
        cores: int = 1,
        uthreads: int = 1,
        *,
        applications: int = 1,
        guaranteed: int | None = None,
        batch: bool = False,
        service_ps: int = 0,
        alone: bool = False,
        is_naive: bool = False,
        **switches: Any,
    ) -> None:
        super().__init__(cores, memory_bytes=(uthreads + 1) << 16, is_naive=is_naive)
        self.ksched = NobodyRuns(self.engine, self.machine.costs, self.machine.cores)
        self.ksched.granted = []
        if alone:
            self.machine.ksched = self.ksched
        workload = Workload(
            application=lambda: Echo(service_ps),
            uthreads=uthreads,
            applications=applications,
            guaranteed=guaranteed,
            batch=batch,
            flows=[(FlowKey(port, 0, DESTINATION, 0), port) for port in range(uthreads)],
            rings=SMALL,
            switches=Switches(**{**switches, **OVERRIDES}),
        )
        built = SYSTEMS[system](self.machine, workload)
        assert isinstance(built, Hermes)
        self.system = built
        self.iokernel = built.iokernel
        self.cores = built.iokernel.cores
        self.own = built.iokernel.device.notifications
        self.carry_out(built.set_up(), self.tell)
        self.time = self.engine.now = self.nic.time
        self.effects.clear()
        if alone:
            self.nic.fault = "completion"

    def run(self, end: int) -> None:
        """Software and NIC, up to ``end``, which is then now."""
        super().run(end)
        self.engine.now = self.time

    def tell(self, message: Any) -> int:
        """The IOKernel's answer to a message of the control plane."""
        return self.carry_out(self.system.control(message))

    # --- the whole host -----------------------------------------------------------------------------------------------

    def start(self) -> int:
        """The IOKernel runs, the runtimes come and make their uthreads, and all is quiet; the time then."""
        begin = self.time + 10 * US
        self.machine.start(self.iokernel, begin)
        self.system.start()
        self.run(begin + 100 * US)
        assert self.system.is_started(), "some uthreads have not been made"
        self.effects.clear()
        return self.time

    def frames(self, frames: Sequence[bytes], times: Sequence[int]) -> None:
        """Let these reach the NIC."""
        packed = Frames.pack(frames)
        self.nic.load_frames(packed.blob, packed.offsets, packed.lengths, np.array(times, dtype=np.int64))

    def require_balance(self) -> None:
        """What came to each place left it, or is there."""
        for balance in self.system.balances():
            assert balance.came == balance.left + balance.there, balance

    # --- the IOKernel alone -------------------------------------------------------------------------------------------

    def begin(self) -> int:
        """The IOKernel runs from 10 us on, as if it had scanned then; the time."""
        begin = self.time + 10 * US
        if isinstance(self.iokernel.detector, Scan):
            self.iokernel.detector.started = begin
        self.machine.start(self.iokernel, begin)
        self.effects.clear()
        return begin

    def record(self, runtime: int = 0) -> Record:
        """What the IOKernel knows of a runtime."""
        return self.iokernel.records[runtime]

    def activate(self, kthreads: int, runtime: int = 0) -> None:
        """So many kthreads of a runtime, which registers, have a core each."""
        record = self.record(runtime)
        self.iokernel.registered.append(record)
        self.cores.register(record)
        while len(record.active) < kthreads:
            self.cores.congested(record)
        self.cores.false_detections = 0
        self.cores.decided.clear()
        record.woken.clear()

    def notify(self, *pipes: int, tail: int = 1) -> None:
        """The NIC wrote notifications into the IOKernel's ring, now."""
        for pipe in pipes:
            self.own.deliver(pipe, tail)
        self.machine.cores[0].wake(RECEIVE)

    def complete(self, *slots: int) -> None:
        """The NIC completed requests in the IOKernel's TX ring, now."""
        for slot in slots:
            self.own.complete(slot % self.own.slots)
        self.machine.cores[0].wake(COMPLETE)

    def message(self, queue: int, kind: int, subject: int, value: int = 0, other: int = 0, time: int = -1) -> None:
        """A message lands in a message queue; it was made now, unless told when."""
        made = self.engine.now if time < 0 else time
        self.system.queues[queue].push((kind, subject, value, other, made))

    def post(self, uthread: int, count: int, queue: int = 0) -> None:
        """A uthread posts so many requests, of one flit, and tells its tail."""
        buffer = self.system.servers[uthread].device.notifications
        for _ in range(count):
            buffer.post(self.system.servers[uthread].device.pipes[uthread].address, 64)
        row = self.machine.stamps.send(uthread, 0, self.engine.now)
        self.message(queue, TX_TAIL, uthread, buffer.tx_tail, row)

    def later(self, duration: int) -> int:
        """Run on for so long; the time then, which is now."""
        self.run(self.time + duration)
        return self.time

    # --- what can be seen ---------------------------------------------------------------------------------------------

    def softirqs(self, kthread: int, runtime: int = 0) -> list[Item]:
        """What stands in the softIRQ queue of a kthread."""
        queue = self.softirq_queue(kthread, runtime)
        return [queue[index] for index in range(len(queue))]

    def softirq_queue(self, kthread: int, runtime: int = 0) -> SpscQueue:
        """The softIRQ queue of a kthread."""
        return self.system.runtimes[runtime].kthreads[kthread].softirqs

    def softirq_pushes(self) -> list[int]:
        """When softIRQs landed in queues."""
        return [
            time for time, kind, queue, _ in self.effects if kind == QUEUE_PUSH and queue in self._softirq_numbers()
        ]

    def happened(self, kind: int) -> Iterator[tuple[int, int, int]]:
        """(time, subject, value) of the effects of a kind."""
        return ((time, subject, value) for time, of, subject, value in self.effects if of == kind)

    def _softirq_numbers(self) -> set[int]:
        return {kthread.softirqs.number for runtime in self.system.runtimes for kthread in runtime.kthreads}


def lap(cores: int) -> int:
    """An iteration that finds nothing: each core has a message queue and a word."""
    return COSTS.iok_loop + (4 + 2 * cores) * COSTS.poll_clean


def alone(cores: int = 1, uthreads: int = 1, kthreads: int = 1, system: str = "indirect", **options: Any) -> WholeHost:
    """The IOKernel alone; so many kthreads of a runtime are active."""
    host = WholeHost(system, cores, uthreads, alone=True, **options)
    host.activate(kthreads)
    return host


def spent(host: WholeHost, activity: int) -> int:
    """Picoseconds that the IOKernel's core has spent on an activity."""
    return host.machine.cores[0].times_at(host.time)[activity]
