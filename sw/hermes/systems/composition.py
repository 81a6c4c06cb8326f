"""Hermes: the IOKernel, runtimes and uthreads, put together from the parts in which its three systems differ."""

from collections.abc import Mapping, Sequence
from typing import Literal

from hermes.apps.application import Application, Copied, InPlace
from hermes.enso.backends import Direct, Hybrid, Software
from hermes.enso.client import Client
from hermes.enso.control import insert_flow
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.pipe import RxTxPipe
from hermes.enso.registers import SLOT_BYTES
from hermes.enso.tx_pipe import TxPipe
from hermes.iokernel.clients import Record, Shared
from hermes.iokernel.cores import Cores
from hermes.iokernel.delivery import Delivery, ToKthreads, ToUthreads
from hermes.iokernel.detector import Detector
from hermes.iokernel.iokernel import IOKernel
from hermes.iokernel.mailbox import Mailbox
from hermes.iokernel.pending import Pending
from hermes.iokernel.routing import Routing
from hermes.iokernel.scan import Scan
from hermes.messages import NAMES, PIPE_RX_HEAD
from hermes.queues import SpscQueue
from hermes.runtime.kthread import Kthread
from hermes.runtime.runtime import Runtime
from hermes.runtime.script import Script, endless, spawn_all
from hermes.runtime.server import BY_MESSAGE, BY_SWITCH, UNDER_LOCK, Server
from hermes.runtime.softirq import NotificationHandler, ReadyHandler, SoftirqHandler
from hermes.runtime.switching import Silent, SwitchMessages, Teller
from hermes.runtime.uthread import Uthread
from hermes.systems.balances import balances
from hermes.systems.system import Balance, Workload
from hermes.world import BATCH, Control, Message, World

_LONGEST_PACKET = 1514


class Hermes:
    """Network applications and, if asked for, a batch application, under one IOKernel.

    Parameters
    ----------
    tracking
        Who finds waiting uthreads: ``kthreads``, under the uthread's lock, or the ``iokernel``, by message.
    detection
        Of congestion: a ``scan`` of all queues, or the ``heap`` of runnable uthreads, for which every switch is told.

    Attributes
    ----------
    iokernel, runtimes, servers
        Its parts; server i is uthread i.
    queues
        Message queues: number q is that of core q + 1, or of kthread q over all runtimes.
    """

    def __init__(
        self,
        world: World,
        workload: Workload,
        *,
        tracking: Literal["kthreads", "iokernel"],
        detection: Literal["scan", "heap"],
    ) -> None:
        if tracking == "kthreads" and detection == "heap":
            raise ValueError(
                "kthread tracking does not go with the heap: the IOKernel would learn of notifications only, "
                "never of uthreads that wait for a core; accepted are kthreads with scan, iokernel with scan or heap"
            )
        if len(world.cores) < 2:
            raise ValueError("cores is 0; accepted are 1 and more beside the IOKernel's")
        self._world = world
        self._workload = workload
        self._switches = switches = workload.switches
        self._tracks_itself = tracking == "kthreads"
        self._tells_switches = detection == "heap"
        self._uthreads: list[Uthread | None] = []
        count = len(world.cores) - 1
        shares = [
            len(range(number, workload.uthreads, workload.applications)) for number in range(workload.applications)
        ]
        kthreads = [min(count, share) for share in shares] + [count] * workload.batch
        per_kthread = switches.message_queue == "kthread"
        queue_count = sum(kthreads) if per_kthread else count
        self.queues = [SpscQueue(world, number) for number in range(queue_count)]
        self._control = SpscQueue(world, queue_count)
        first = queue_count + 1
        answers = range(first, first + queue_count) if self._tells_switches else ()
        self._answers = [SpscQueue(world, number) for number in answers]
        self._queue_of_core: list[SpscQueue | None] = [None, *([None] * count if per_kthread else self.queues)]
        self._answers_of_core: list[SpscQueue | None] = [None] * (count + 1)

        own = NotificationBuffer(world.memory, workload.rings, "the IOKernel")
        device = Device(Direct(world.costs), own)
        self.iokernel = IOKernel(world, world.cores[0], device, self.queues, self._control, switches)
        self._compose_iokernel(device)
        self.runtimes: list[Runtime] = []
        self.servers: list[Server] = []
        self._pipes: list[RxTxPipe] = []
        self._mains: list[Script] = []
        self._endless: list[Uthread] = []  # the batch application's
        self._first_queue = 3 * queue_count + 1
        for number, its_kthreads in enumerate(kthreads):
            self._add_runtime(number, its_kthreads)
        self._make_servers()
        self._make_mains()
        if per_kthread:
            self._routing.name_queues([(runtime, index) for runtime in self.runtimes for index in range(runtime.count)])

    # --- the parts ----------------------------------------------------------------------------------------------------

    def _compose_iokernel(self, device: Device) -> None:
        world, switches, iokernel = self._world, self._switches, self.iokernel
        limit = switches.congestion_ps if self._tells_switches else switches.scan_ps
        cores = Cores(world, switches, limit)
        pending = Pending(world, cores, switches) if self._tells_switches else None
        self._routing = Routing(cores, switches)
        delivery: Delivery
        if self._tracks_itself:
            delivery = ToKthreads(world, self._routing, iokernel.overflow)
        else:
            delivery = ToUthreads(world, self._routing, iokernel.overflow, pending)
        self._detector: Detector = pending or Scan(world, cores, switches, iokernel.registered, iokernel.overflow)
        answers = self._answers if switches.answer_wait else []
        mailbox = Mailbox(world, iokernel.directory, device, delivery, pending, answers, switches)
        iokernel.compose(cores, delivery, self._detector, mailbox)

    def _add_runtime(self, number: int, kthreads: int) -> None:
        world, switches, workload = self._world, self._switches, self._workload
        is_batch = number == workload.applications
        handler: SoftirqHandler
        if self._tracks_itself:
            handler = NotificationHandler(world, self._uthreads, switches)
        else:
            handler = ReadyHandler(world, self._uthreads)
        share = max(1, (len(world.cores) - 1) // workload.applications)
        guaranteed = share if workload.guaranteed is None else workload.guaranteed
        softirqs = [SpscQueue(world, self._first_queue + index, None, self.iokernel) for index in range(kthreads)]
        self._first_queue += kthreads
        offset = sum(runtime.count for runtime in self.runtimes)
        runtime = Runtime(
            world,
            number,
            kthreads=kthreads,
            guaranteed=0 if is_batch else min(guaranteed, kthreads),
            handler=handler,
            softirqs=softirqs,
            switches=switches,
            teller=self._make_teller,
            parks=not is_batch,
            begins=lambda kthread: self._begins(kthread, offset),
            creations=self._queue_of_core if self._tells_switches else None,
        )
        self.runtimes.append(runtime)
        self.iokernel.records.append(Record(runtime))

    def _make_teller(self) -> Teller:
        if not self._tells_switches:
            return Silent()
        waits = self._switches.answer_wait
        return SwitchMessages(self._world, self._queue_of_core, self._answers_of_core, waits=waits)

    def _begins(self, kthread: Kthread, offset: int) -> None:
        """A kthread got a core: the queues of the core, or its own, are its."""
        core = kthread.core.index
        number = offset + kthread.index if self._switches.message_queue == "kthread" else core - 1
        queue = self.queues[number]
        queue.producer = kthread
        self._queue_of_core[core] = queue
        if self._answers:
            answers = self._answers[number]
            answers.consumer = kthread
            self._answers_of_core[core] = answers

    def _make_application(self) -> Application:
        """One that answers in place, or, for that it may free what it received at once, on a copy."""
        application = self._workload.application()
        if isinstance(application, InPlace) and self._switches.free_rx == "processing":
            return Copied(application, _LONGEST_PACKET)
        return application

    def _make_servers(self) -> None:
        world, workload = self._world, self._workload
        make_backend = Software if self._switches.backend == "software" else Hybrid
        backend = make_backend(world.costs, world.clock, self._queue_of_core)
        waits = UNDER_LOCK if self._tracks_itself else BY_SWITCH if self._tells_switches else BY_MESSAGE
        applications = [self._make_application() for _ in range(workload.applications)]
        for number in range(workload.uthreads):
            application = applications[number % workload.applications]
            device = Device(backend, NotificationBuffer(world.memory, workload.rings, f"uthread {number}"))
            has_header = number in workload.header_pipes
            pipe = RxTxPipe(world.memory, workload.rings, number, in_header_mode=has_header)
            device.pipes[number] = pipe
            tx_pipe = None
            if not isinstance(application, InPlace):
                tx_pipe = TxPipe(world.memory, workload.rings, f"uthread {number}", in_header_mode=has_header)
            server = Server(world, number, device, pipe, application, self._switches, waits, tx_pipe)
            server.ends_after = workload.exits.get(number, 0)
            self._pipes.append(pipe)
            self.servers.append(server)
            self._uthreads.append(server)
            runtime = number % workload.applications
            self.iokernel.runtime_of[number] = runtime
            self.iokernel.shared[number] = Shared(device.notifications, runtime, server.rx_slots, server.tx_slots)

    def _make_mains(self) -> None:
        """Each runtime's first uthread, which makes the others."""
        workload, number = self._workload, self._workload.uthreads
        for runtime in self.runtimes:
            its: list[Uthread]
            if runtime.number < workload.applications:
                its = [*self.servers[runtime.number :: workload.applications]]
            else:
                its = self._endless = [
                    Script(self._world, runtime, number + 1 + index, endless(), BATCH) for index in range(runtime.count)
                ]
            main = Script(self._world, runtime, number, spawn_all(its))
            self._mains.append(main)
            for uthread in (main, *its):
                self.iokernel.runtime_of[uthread.number] = runtime.number
            number += 1 if runtime.number < workload.applications else 1 + len(its)

    # --- set-up and start ---------------------------------------------------------------------------------------------

    def set_up(self) -> Control[None]:
        """See hermes.systems.system.System."""
        memory, own = self._world.memory, self.iokernel.device.notifications
        yield from self.iokernel.owner.open_notification_buffer(own)
        client = Client(self._world.clock, own.number)
        for server, pipe in zip(self.servers, self._pipes, strict=True):
            buffer = server.device.notifications
            yield from client.open_notification_buffer(buffer, server.number)
            pipe.number = yield from client.allocate_pipe(fallback=True)
            yield from client.open_pipe(pipe, buffer)
        yield from client.set_fallback(len(self._pipes))
        for key, number in self._workload.flows:
            yield from insert_flow(memory, own, key, number)

    def control(self, message: Message) -> Control[int]:
        """See hermes.systems.system.System."""
        return self.iokernel.control(message)

    def start(self) -> None:
        """See hermes.systems.system.System."""
        for runtime, main in zip(self.runtimes, self._mains, strict=True):
            runtime.kthreads[0].push(main)
            self._control.push((0, runtime.number, 0, 0, self._world.clock.now))

    def is_started(self) -> bool:
        """See hermes.systems.system.System."""
        return all(main.has_ended for main in self._mains)

    # --- what came out ------------------------------------------------------------------------------------------------

    def counts(self) -> Mapping[str, int]:
        """See hermes.systems.system.System."""
        iokernel, cores = self.iokernel, self.iokernel.cores
        return {
            "notifications": iokernel.notifications,
            "completions": iokernel.completions,
            "request_errors": iokernel.device.notifications.errors,
            "packets": sum(server.packets for server in self.servers),
            "batches": sum(server.batches for server in self.servers),
            "grants": cores.grants,
            "false_detections": cores.false_detections,
            "runqueue_insertions": sum(runtime.runqueue_insertions for runtime in self.runtimes),
            "steals": sum(runtime.steals for runtime in self.runtimes),
        }

    def messages(self) -> Mapping[str, int]:
        """See hermes.systems.system.System."""
        return {NAMES[kind]: count for kind, count in self.iokernel.mailbox.counts.items() if kind < 0x40}

    def queue_names(self) -> dict[int, tuple[str, str]]:
        """See hermes.systems.system.System."""
        softirqs = {
            kthread.softirqs.number: ("softIRQs", f"kthread {kthread.index} of runtime {runtime.number}")
            for runtime in self.runtimes
            for kthread in runtime.kthreads
        }
        owners = [f"core {index + 1}" for index in range(len(self.queues))]
        if self._switches.message_queue == "kthread":
            owners = [owner for _, owner in softirqs.values()]
        messages = {queue.number: ("messages", owner) for queue, owner in zip(self.queues, owners, strict=True)}
        answers = {queue.number: ("answers", owner) for queue, owner in zip(self._answers, owners, strict=False)}
        return messages | answers | softirqs

    def extra(self) -> Mapping[str, object]:
        """See hermes.systems.system.System."""
        iokernel, mailbox, detector = self.iokernel, self.iokernel.mailbox, self._detector
        kthreads = [kthread for runtime in self.runtimes[: self._workload.applications] for kthread in runtime.kthreads]
        checks = int(sum(kthread.checks for kthread in kthreads))
        unchecked_ps = int(sum(kthread.unchecked_ps for kthread in kthreads))
        extra: dict[str, object] = {
            "true_detections": self.iokernel.cores.true_detections,
            "notifications_taken": iokernel.notifications,
            "completions_taken": iokernel.completions,
            "softirqs": sum(kthread.softirqs.pushed for kthread in kthreads),
            "iokernel_touched_bytes": self._touched_bytes(),
            "softirq_check_interval_ns": {
                "mean": unchecked_ps / checks / 1000 if checks else None,
                "max": max(kthread.longest_unchecked_ps for kthread in kthreads) / 1000,
            },
            "park_time_ns": {"mean": self._mean_park_ns()},
            "detection_check_ns": {
                "mean": int(detector.checks_ps) / detector.checks / 1000 if detector.checks else None
            },
            "parks": sum(runtime.parkings for runtime in self.runtimes),
            "preemptions": sum(runtime.preemptions for runtime in self.runtimes),
            "run_lengths_ps": {
                "batch"
                if runtime.number == self._workload.applications
                else f"application {runtime.number}": runtime.run_lengths
                for runtime in self.runtimes[-2:]
            },
            "message_wait_ns": {
                NAMES[kind]: mailbox.waits_ps[kind] / count / 1000 for kind, count in mailbox.counts.items() if count
            },
        }
        if isinstance(detector, Scan):
            total, longest, count = detector.intervals
            mean = total / count / 1000 if count else None
            extra["scan_interval_ns"] = {"mean": mean, "max": longest / 1000}
        return extra

    def _mean_park_ns(self) -> float | None:
        """From when a search began to when its kthread gave the core up."""
        runtimes = self.runtimes[: self._workload.applications]
        parkings = sum(runtime.parkings for runtime in runtimes)
        return sum(runtime.parking_ps for runtime in runtimes) / parkings / 1000 if parkings else None

    def _touched_bytes(self) -> int:
        """Of the lines with content that the IOKernel read or wrote; those that it only polls are left out.

        A line each: notification, completion, message, softIRQ; two for a request, which it copies; and one for each
        notification and completion where it writes the rings of uthreads.
        """
        iokernel = self.iokernel
        told = iokernel.notifications + iokernel.completions
        lines = told + 2 * iokernel.completions + sum(iokernel.mailbox.counts.values())
        lines += sum(kthread.softirqs.pushed for runtime in self.runtimes for kthread in runtime.kthreads)
        return SLOT_BYTES * (lines if self._tracks_itself else lines + told)

    def waiting(self) -> Sequence[str]:
        """See hermes.systems.system.System."""
        parts = [("the IOKernel", self.iokernel.waits_for())]
        parts += [
            (f"message queue {queue.number}", f"{len(queue)} messages to be taken" if queue else "")
            for queue in self.queues
        ]
        lines = [f"{who} waits for {what}" for who, what in parts if what]
        for runtime in self.runtimes:
            lines += runtime.waits_for()
        lines += [
            f"uthread {server.number} waits for {server.waits_for()}" for server in self.servers if server.waits_for()
        ]
        return lines

    def has_closed(self) -> bool:
        """See hermes.systems.system.System."""
        return any(server.is_closed for server in self.servers)

    def heads(self) -> Mapping[int, int]:
        """See hermes.systems.system.System."""
        untold = {item[1] for queue in self.queues for item in queue.items() if item[0] == PIPE_RX_HEAD}
        return {
            pipe.number: pipe.rx_head
            for server, pipe in zip(self.servers, self._pipes, strict=True)
            if not (server.device.freed() or pipe.number in untold)
        }

    def balances(self) -> Sequence[Balance]:
        """See hermes.systems.system.System."""
        made = [*self.servers, *self._endless] if self.is_started() else []
        return balances(self.iokernel, self.runtimes, self.servers, self._answers, made)
