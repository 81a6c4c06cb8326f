"""A runtime on a machine without an IOKernel: the test grants cores and pushes softIRQs."""

from collections.abc import Callable, Sequence

from hermes.apps.application import Application
from hermes.apps.echo import Echo
from hermes.costs import Costs
from hermes.enso.backends import Hybrid
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.pipe import RxTxPipe
from hermes.enso.tx_pipe import TxPipe
from hermes.messages import SWITCH
from hermes.queues import SpscQueue
from hermes.runtime.kthread import Kthread
from hermes.runtime.runtime import Runtime
from hermes.runtime.script import Body, Compute, Park, Script
from hermes.runtime.server import UNDER_LOCK, Server
from hermes.runtime.softirq import NotificationHandler, ReadyHandler
from hermes.runtime.switching import Silent, SwitchMessages
from hermes.runtime.uthread import Uthread
from hermes.switches import Switches
from hermes.world import APPLICATION, UTHREAD_START, Core
from tests.tools.host import COSTS, SMALL, Host, at, udp_frame

ANSWERS, SOFTIRQS = 50, 100
"""Numbers of the first answer queue, of core 1, and of kthread 0's softIRQ queue; message queue c is that of core c."""
IOKERNEL_ORDER = 1


class Intruder:
    """What another runtime has on a core: it computes, 1 ms at a time, and leaves when it is interrupted.

    Attributes
    ----------
    arrived
        When it took its first step; -1 before.
    """

    def __init__(self, host: Host) -> None:
        self.arrived = -1
        self._host = host
        self._is_leaving = False

    def begin(self, core: Core) -> None:
        self._core = core

    def interrupt(self) -> bool:
        self._core.cut()
        self._core.spend(APPLICATION, 1)
        self._is_leaving = True
        return True

    def step(self) -> bool:
        if self._is_leaving:
            self._host.machine.ksched.park(self._core.index)
            return False
        if self.arrived < 0:
            self.arrived = self._host.engine.now
            self._host.machine.ksched.arrived(self._core.index)
        self._core.spend(APPLICATION, 1_000_000_000)
        return True

    def poll(self, source: int) -> bool:
        raise AssertionError("it never polls")

    def ready(self) -> int:
        raise AssertionError("it never polls")


class RuntimeHost(Host):
    """Runtime 0 of a host, without uthreads at first.

    Parameters
    ----------
    tracks
        SoftIRQs are notifications and completions, else uthreads.
    tells
        Switches are told by message, and new uthreads too.

    Attributes
    ----------
    runtime, kthreads
        It, and its kthreads.
    uthreads
        Those made by ``script`` and ``server``, by number.
    tx_pipes
        Of servers that have one, by number.
    messages, answers
        By core: the queues.
    """

    def __init__(
        self,
        cores: int = 1,
        *,
        kthreads: int = 0,
        tracks: bool = False,
        tells: bool = False,
        parks: bool = True,
        switches: Switches | None = None,
        is_naive: bool = False,
        costs: Costs = COSTS,
    ) -> None:
        super().__init__(cores, is_naive=is_naive, costs=costs)
        world, count = self.machine, kthreads or cores
        self.switches = switches or Switches()
        self.uthreads: list[Uthread] = []
        self.tx_pipes: dict[int, TxPipe] = {}
        self.messages: list[SpscQueue | None] = [None, *(SpscQueue(world, core) for core in range(1, cores + 1))]
        self.answers: list[SpscQueue | None] = [
            None,
            *(SpscQueue(world, ANSWERS + core) for core in range(1, cores + 1)),
        ]
        waits = self.switches.answer_wait

        def begins(kthread: Kthread) -> None:
            self.queue(kthread.core.index).producer = kthread
            self.answer_queue(kthread.core.index).consumer = kthread

        self.runtime = Runtime(
            world,
            0,
            kthreads=count,
            guaranteed=count,
            handler=NotificationHandler(world, self.uthreads, self.switches)
            if tracks
            else ReadyHandler(world, self.uthreads),
            softirqs=[SpscQueue(world, SOFTIRQS + index) for index in range(count)],
            switches=self.switches,
            teller=(lambda: SwitchMessages(world, self.messages, self.answers, waits=waits)) if tells else Silent,
            parks=parks,
            begins=begins,
            creations=self.messages if tells else None,
        )
        self.kthreads = self.runtime.kthreads

    # --- what stands in for the IOKernel ------------------------------------------------------------------------------

    def at(self, time: int, do: Callable[[], object]) -> None:
        """Something happens at a time, as if the IOKernel did it."""
        at(self.engine, time, IOKERNEL_ORDER, do)

    def grant(self, core: int, kthread: int, time: int = 0) -> int:
        """An idle core is given to a kthread; when that takes its first step."""
        self.at(time, lambda: self.machine.ksched.grant(core, self.kthreads[kthread]))
        return time + self.machine.costs.ksched_idle_wake

    def preempt(self, core: int, time: int) -> int:
        """A core is given to another runtime; when the interrupt lands."""
        self.at(time, lambda: self.machine.ksched.grant(core, Intruder(self)))
        return time + self.machine.costs.ipi_flight

    def answer(self, core: int) -> None:
        """The IOKernel takes the oldest message of a core, a switch, and answers it, now."""
        kind, subject, value, _, _ = self.queue(core).pop()
        assert kind == SWITCH
        self.answer_queue(core).push((SWITCH, subject, value, 0, self.engine.now))

    def queue(self, core: int) -> SpscQueue:
        """The message queue of a core."""
        queue = self.messages[core]
        assert queue is not None
        return queue

    def answer_queue(self, core: int) -> SpscQueue:
        """The answers for a core."""
        queue = self.answers[core]
        assert queue is not None
        return queue

    def told(self, core: int = 1) -> list[tuple[int, int, int]]:
        """What stands in the message queue of a core: (kind, subject, value)."""
        queue = self.queue(core)
        return [queue[index][:3] for index in range(len(queue))]

    # --- uthreads -----------------------------------------------------------------------------------------------------

    def script(self, body: Body, activity: int = APPLICATION) -> Script:
        """A uthread with this body."""
        script = Script(self.machine, self.runtime, len(self.uthreads), body, activity)
        self.uthreads.append(script)
        return script

    def workers(self, count: int, duration: int) -> list[Script]:
        """Uthreads that compute for so long, park, and do it again."""

        def body() -> Body:
            while True:
                yield Compute(duration)
                yield Park()

        return [self.script(body()) for _ in range(count)]

    def push(self, kthread: int, *uthreads: Uthread) -> None:
        """These are runnable, now."""
        for uthread in uthreads:
            self.kthreads[kthread].push(uthread)

    def server(
        self, application: Application | None = None, waits: int = UNDER_LOCK, *, has_tx_pipe: bool = False
    ) -> Server:
        """A uthread that serves the pipe of its own number, on a hybrid device."""
        number, world = len(self.uthreads), self.machine
        backend = Hybrid(world.costs, world.clock, self.messages)
        device = Device(backend, NotificationBuffer(world.memory, SMALL, f"uthread {number}"))
        device.notifications.number = number
        pipe = RxTxPipe(world.memory, SMALL, number)
        device.pipes[number] = pipe
        if has_tx_pipe:
            self.tx_pipes[number] = TxPipe(world.memory, SMALL, f"uthread {number}")
        tx_pipe = self.tx_pipes.get(number)
        server = Server(world, number, device, pipe, application or Echo(), self.switches, waits, tx_pipe)
        self.uthreads.append(server)
        return server

    @property
    def served(self) -> Server:
        """Uthread 0, a server."""
        (server, *_) = self.uthreads
        assert isinstance(server, Server)
        return server

    # --- what happened ------------------------------------------------------------------------------------------------

    def starts(self) -> list[tuple[int, int]]:
        """(uthread, core) of each start, in order."""
        return [(effect[2], effect[3]) for effect in self.effects if effect[1] == UTHREAD_START]


def pipe_of(server: Server) -> RxTxPipe:
    """The pipe that a server serves."""
    (pipe,) = server.device.pipes.values()
    assert isinstance(pipe, RxTxPipe)
    return pipe


def fill(host: Host, server: Server, lengths: Sequence[int]) -> int:
    """Packets of so many bytes lie behind what the pipe was notified of; the tail that tells of them."""
    pipe = pipe_of(server)
    ring, flit = pipe.address - host.memory.base, pipe.notified_tail
    for length in lengths:
        frame = udp_frame(server.number, length)
        for index in range(-(-length // 64)):
            line = frame[64 * index : 64 * index + 64]
            at_byte = ring + (flit + index) % pipe.flits * 64
            host.memory.bytes[at_byte : at_byte + len(line)] = line
        flit += -(-length // 64)
    return flit % pipe.flits


def notify(host: Host, server: Server, lengths: Sequence[int]) -> None:
    """Packets of so many bytes lie in the pipe, and a notification in the server's ring tells of them; no softIRQ does.

    The pipe must have been notified of all that came before.
    """
    tail = fill(host, server, lengths)
    row = host.machine.stamps.notification(server.number, tail, host.engine.now, host.engine.now)
    server.device.notifications.deliver(server.number, tail, row)
