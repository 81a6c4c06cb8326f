"""Runtimes whose kthreads never run, as the IOKernel knows them."""

from hermes.enso.notification_buffer import NotificationBuffer
from hermes.iokernel.clients import Client, Record, Shared
from hermes.queues import SpscQueue
from hermes.runtime.runtime import Runtime
from hermes.runtime.softirq import ReadyHandler
from hermes.runtime.uthread import LEFT, Uthread
from hermes.switches import Switches
from hermes.world import Core
from tests.tools.host import SMALL, Host

SOFTIRQ_QUEUES = 100
"""Number of the first softIRQ queue; each runtime has ten."""


class Idler(Uthread):
    """Does nothing."""

    def start(self, core: Core) -> int:
        return LEFT

    def step(self, core: Core) -> int:
        raise AssertionError("it has no actions")

    def cut(self, left: int) -> None:
        raise AssertionError("it has no actions")

    def waits_for(self) -> str:
        return ""


def idle_record(host: Host, number: int = 0, *, kthreads: int = 1, guaranteed: int = 1) -> Record:
    """A runtime that has not registered."""
    first = SOFTIRQ_QUEUES + 10 * number
    runtime = Runtime(
        host.machine,
        number,
        kthreads=kthreads,
        guaranteed=guaranteed,
        handler=ReadyHandler(host.machine, []),
        softirqs=[SpscQueue(host.machine, first + index) for index in range(kthreads)],
        switches=Switches(),
    )
    return Record(runtime)


def client_of(host: Host, record: Record, uthread: int = 0) -> Client:
    """A uthread of a runtime, with a notification buffer of which it says that it is number ``uthread``."""
    buffer = NotificationBuffer(host.memory, SMALL, f"uthread {uthread}")
    buffer.number = uthread
    lines, slots = host.machine.lines, SMALL.notification_slots
    shared = Shared(buffer, record.runtime.number, lines.allocate(slots), lines.allocate(slots))
    return Client(uthread, shared, record)
