"""Hermes Indirect: kthreads find waiting uthreads; a softIRQ is a notification or a completion."""

from collections.abc import Mapping, Sequence

from hermes.enso.backends import Direct, Hybrid
from hermes.enso.control import insert_flow, open_notification_buffer, open_pipe, set_fallback
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.pipe import RxTxPipe
from hermes.iokernel.iokernel import REGISTER_NAMES, AllocateNotificationBuffer, IOKernel, RegisterPipe
from hermes.queues import SpscQueue
from hermes.runtime.runtime import Runtime
from hermes.runtime.server import Server
from hermes.runtime.softirq import NotificationHandler
from hermes.systems.system import Workload
from hermes.world import CORE_GRANT, Control, Software, Tell, World

_IOKERNEL_BUFFER = 0
"""Notification buffer of the IOKernel in the NIC: the first that a fresh NIC has."""


class Indirect:
    """One runtime, which has all cores but the IOKernel's from the start on; its kthreads never park.

    Attributes
    ----------
    iokernel, runtime, uthreads
        Its parts.
    queues
        Message queues: number q is that of core q + 1.
    """

    def __init__(self, world: World, workload: Workload) -> None:
        iokernel_core, *cores = world.cores
        if not cores:
            raise ValueError("cores is 0; accepted are 1 and more beside the IOKernel's")
        self._world = world
        self._workload = workload
        own = NotificationBuffer(world.memory, workload.rings, "the IOKernel")
        self.iokernel = IOKernel(world, iokernel_core, Device(Direct(world.costs), own))
        self._pipes: list[RxTxPipe] = []
        self.uthreads: list[Server] = []

        queues = [SpscQueue(world, index, self.iokernel) for index in range(len(cores))]
        backend = Hybrid(world.costs, world.clock, [None, *queues])
        for number in range(workload.uthreads):
            device = Device(backend, NotificationBuffer(world.memory, workload.rings, f"uthread {number}"))
            in_header_mode = number in workload.header_pipes
            pipe = RxTxPipe(world.memory, workload.rings, number, in_header_mode=in_header_mode)
            device.pipes[number] = pipe
            self._pipes.append(pipe)
            self.uthreads.append(Server(world, number, device, pipe, workload.application))
        handler = NotificationHandler(world, self.uthreads)
        self.runtime = Runtime(world, cores, self.uthreads, handler, self.iokernel, first_queue=len(queues))
        for queue, kthread in zip(queues, self.runtime.kthreads, strict=True):
            queue.producer = kthread
        self.queues = queues
        self.software: Sequence[Software] = (self.iokernel, *self.runtime.kthreads)

    def set_up(self) -> Control[None]:
        """See hermes.systems.system.System."""
        memory, own = self._world.memory, self.iokernel.device.notifications
        yield from open_notification_buffer(_IOKERNEL_BUFFER, own)
        for uthread, pipe in zip(self.uthreads, self._pipes, strict=True):
            buffer = uthread.device.notifications
            buffer.number = yield Tell(AllocateNotificationBuffer(buffer, uthread.number, uthread.tx_slots))
            yield Tell(RegisterPipe(pipe.number, buffer.number))
            yield from open_pipe(pipe, _IOKERNEL_BUFFER)
        yield from set_fallback(memory, own, len(self._pipes))
        for key, number in self._workload.flows:
            yield from insert_flow(memory, own, key, number)
        self.iokernel.serve(self._world, self.queues, self.runtime)
        for kthread in self.runtime.kthreads:
            self._world.record(CORE_GRANT, kthread.core.index, kthread.index)

    def control(self, message: object) -> int:
        """See hermes.systems.system.System."""
        return self.iokernel.control(message)

    def counts(self) -> Mapping[str, int]:
        """See hermes.systems.system.System."""
        return {
            "notifications": self.iokernel.notifications,
            "completions": self.iokernel.completions,
            "request_errors": self.iokernel.device.notifications.errors,
            "packets": sum(uthread.packets for uthread in self.uthreads),
            "batches": sum(uthread.batches for uthread in self.uthreads),
            "grants": self.runtime.count,
            "false_detections": 0,
            "runqueue_insertions": self.runtime.runqueue_insertions,
            "steals": self.runtime.steals,
        }

    def messages(self) -> Mapping[str, int]:
        """See hermes.systems.system.System."""
        return {REGISTER_NAMES[register]: count for register, count in self.iokernel.messages.items()}

    def waiting(self) -> Sequence[str]:
        """See hermes.systems.system.System."""
        parts = [("the IOKernel", self.iokernel.waits_for())]
        parts += [
            (f"the message queue of core {queue.number + 1}", f"{len(queue)} messages to be taken" if queue else "")
            for queue in self.queues
        ]
        parts += [
            (
                f"kthread {kthread.index}",
                f"{len(kthread.softirqs)} softIRQs and {len(kthread.runqueue)} uthreads to be run"
                if kthread.softirqs or kthread.runqueue
                else "",
            )
            for kthread in self.runtime.kthreads
        ]
        parts += [(f"uthread {uthread.number}", uthread.waits_for()) for uthread in self.uthreads]
        return [f"{who} waits for {what}" for who, what in parts if what]
