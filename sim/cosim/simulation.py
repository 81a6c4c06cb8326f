"""One simulated host, its software and its NIC, from set-up to result.

    options = Options(system="indirect", application="echo", cores=4, uthreads=8, flows=((key, 0), (key, 1)))
    memory_bytes(options)                           # how large the NIC's host memory must be
    simulation = Simulation(nic, options)           # ValueError, one line: an option that cannot work
    ready = await simulation.prepare()              # devices opened, flows bound; now frames may reach the NIC
    nic.load_frames(...)                            # the caller's: times not before `ready`
    await simulation.run(measured_until, end)       # to the host time `end`; may be called again with a later one
    word = await simulation.read_register(address)  # 64 bits, for counters
    await simulation.require_progress(outstanding)  # DeadlockError, who waits for what, if nothing moves any more
    await simulation.require_heads()                # ConservationError if the NIC was not told of space that was freed
    report = simulation.report()

A flow's key is (destination_port, source_port, destination_address, source_address), unused fields 0. Times are integer
picoseconds of host time. `measured_until` ends the window, begun at `ready`, over which the time of the cores is split.
`end` bounds the run: the last arrival plus the time that may pass until all is drained.

`report` gives (all of it a function of configuration and seed alone):

    iokernel_ps     {rx, tx_completion, message, cores, detection, grant, poll}: its sum is the window
    core_ps         {application, driver, scheduler, softirq, steal, switch, answer, queue_full, idle, batch}, of all
                    application cores together
    window_ps, end_ps (time of the last effect), messages {kind: n}, notifications, packets, batches, completions,
    request_errors, packets_per_notification, grants, false_detections, runqueue_insertions, steals, event_hash,
    costs_sha256, has_batch, balances (of the software's queues), extra (more measures, by the names that results have
    for them), the rows of hermes.stamps as arrays: notification_rows, packet_rows, send_rows; and what was recorded
    for the trace, None if none is wanted
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from cosim.engine import NIC_ORDER, Engine
from cosim.machine.machine import Machine
from cosim.measure.errors import ConservationError
from cosim.measure.recorded import Recorded
from cosim.nic.base import NEVER, Nic
from enso_nic.registers import Mode, extension_register
from hermes import costs as cost_profiles
from hermes import stamps
from hermes.apps.application import Application
from hermes.apps.echo import Echo
from hermes.apps.kv import KeyValue
from hermes.apps.spin import Spin
from hermes.costs import Costs
from hermes.enso.control import FlowKey
from hermes.enso.registers import FLIT_BYTES, RX_TAIL, SLOT_BYTES, UPSTREAM, RingSizes, pipe_register
from hermes.errors import ContractError
from hermes.stamps import Rows
from hermes.switches import Switches
from hermes.systems import Balance, Workload, build
from hermes.world import (
    ACTIVITIES,
    CORE_ACTIVITIES,
    IOKERNEL_ACTIVITIES,
    AwaitZero,
    Control,
    ReadRegister,
    Tell,
    WriteRegister,
)

APPLICATIONS: Final[Mapping[str, Callable[[int], Application]]] = {
    "echo": Echo,
    "spin": lambda _: Spin(),
    "kv": KeyValue,
}
DEFAULT_COSTS: Final = cost_profiles.load()
DEFAULT_SWITCHES: Final = Switches()
ANSWER_PS: Final = 10_000_000_000
"""Longest that set-up waits for an answer of the NIC: 10 ms."""
_LOOK_PS: Final = 1_000_000
_START_STEP_PS: Final = 20_000_000
_PATIENCE: Final = 100  # round trips; a request takes less than ten
_READS: Final = 256  # most that are under way at a time
_FIRST_ANSWER: Final = (1 << 31) - _READS  # sources of the answers to register reads
_PAGE = 4096

T = TypeVar("T")


class DeadlockError(RuntimeError):
    """Requests are outstanding and nothing moves; the message says who waits for what, and since when."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is simulated.

    Attributes
    ----------
    system, application
        By name: hermes.systems.SYSTEMS, APPLICATIONS.
    cores
        That run applications, besides the IOKernel's.
    uthreads
        Each with a pipe: uthread i owns pipe i.
    flows
        (key, uthread); a key is (destination_port, source_port, destination_address, source_address).
    header_pipes
        Pipes that are opened in header mode.
    service_ps
        What the application computes per packet, besides what its own code takes.
    applications, guaranteed, batch, exits
        See hermes.systems.Workload.
    notifications
        When the NIC tells of packets: by its reactive rule, or of each ``packet``.
    switches
        What the design leaves open.
    polling
        How polling is simulated; the results are the same.
    trace
        Keep what the trace shows; the results are the same.
    costs
        The cost profile.
    rings
        Sizes of the rings; the NIC's.
    """

    system: str = "indirect"
    application: str = "echo"
    cores: int = 4
    uthreads: int = 8
    flows: tuple[tuple[tuple[int, ...], int], ...] = ()
    header_pipes: frozenset[int] = frozenset()
    service_ps: int = 0
    applications: int = 1
    guaranteed: int | None = None
    batch: bool = False
    exits: Mapping[int, int] = field(default_factory=dict)
    notifications: Literal["reactive", "packet"] = "reactive"
    switches: Switches = DEFAULT_SWITCHES
    polling: Literal["arithmetic", "naive"] = "arithmetic"
    trace: bool = False
    costs: Costs = DEFAULT_COSTS
    rings: RingSizes = UPSTREAM

    def __post_init__(self) -> None:
        if self.application not in APPLICATIONS:
            raise ValueError(f"application is {self.application!r}; accepted are {', '.join(APPLICATIONS)}")
        if self.cores < 1:
            raise ValueError(f"cores is {self.cores}; accepted are 1 and more beside the IOKernel's")
        if self.polling not in ("arithmetic", "naive"):
            raise ValueError(f"polling is {self.polling!r}; accepted are arithmetic and naive")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came out, see the module's docstring; all of it follows from configuration and seed."""

    iokernel_ps: Mapping[str, int]
    core_ps: Mapping[str, int]
    window_ps: int
    end_ps: int
    messages: Mapping[str, int]
    notifications: int
    packets: int
    batches: int
    completions: int
    request_errors: int
    grants: int
    false_detections: int
    runqueue_insertions: int
    steals: int
    event_hash: str
    costs_sha256: str
    has_batch: bool
    balances: Sequence[Balance]
    extra: Mapping[str, object]
    notification_rows: NDArray[np.int64]
    packet_rows: NDArray[np.int64]
    send_rows: NDArray[np.int64]
    recorded: Recorded | None = None

    @property
    def packets_per_notification(self) -> float | None:
        """None if there was no notification."""
        return self.packets / self.notifications if self.notifications else None


def memory_bytes(options: Options) -> int:
    """Host memory that the rings of a simulation need, with room for their alignment; whole pages."""
    buffer = 2 * max(options.rings.notification_slots * SLOT_BYTES, _PAGE)
    pipe = options.rings.pipe_flits * FLIT_BYTES
    pipes = 2 if options.application == "kv" or options.switches.free_rx == "processing" else 1
    return (options.uthreads + 1) * (1 + 2 * pipes) * max(buffer, pipe) + buffer  # software sees a pipe twice


def _table(values: "array[int]", columns: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64).reshape(-1, columns)


def _rows(values: Rows, columns: int) -> NDArray[np.int64]:
    """What they hold, in rows of so many columns."""
    return np.frombuffer(values.buffer(), dtype=np.int64).reshape(-1, columns)


def _as_arrays(extra: Mapping[str, object]) -> dict[str, object]:
    """The same, with numpy's arrays for Python's."""

    def converted(value: object) -> object:
        if isinstance(value, Mapping):
            return {name: converted(part) for name, part in value.items()}
        return np.array(value, dtype=np.int64) if isinstance(value, array) else value

    return {name: converted(value) for name, value in extra.items()}


class Simulation:
    """A host with its software on a NIC; see the module's docstring.

    Attributes
    ----------
    engine
        The event kernel, for measurements of the simulator itself.
    """

    def __init__(self, nic: Nic, options: Options) -> None:
        self.engine = Engine(nic)
        self._nic = nic
        self._costs = options.costs
        self._machine = Machine(
            nic,
            self.engine,
            options.costs,
            options.cores,
            is_naive=options.polling == "naive",
            is_traced=options.trace,
        )
        self._is_traced = options.trace
        self._has_batch = options.batch
        self._notifications = options.notifications
        make_application = APPLICATIONS[options.application]
        flows = [(FlowKey(*key), uthread) for key, uthread in options.flows]
        workload = Workload(
            application=lambda: make_application(options.service_ps),
            uthreads=options.uthreads,
            flows=flows,
            header_pipes=options.header_pipes,
            rings=options.rings,
            applications=options.applications,
            guaranteed=options.guaranteed,
            batch=options.batch,
            exits=options.exits,
            switches=options.switches,
        )
        self._system = build(options.system, self._machine, workload)
        self._time = 0  # up to which all has been simulated
        self._began = self._ready = 0
        self._round_trip = 0  # of the last register read
        self._measured_until: int | None = None
        self._answers: dict[int, int] = {}  # words of the register reads under way, by source
        self._awaited = 0  # of them, how many are not known yet
        self._answered = NEVER  # when the last of them is there

    @property
    def time(self) -> int:
        """Host time in ps up to which all has been simulated."""
        return self._time

    async def prepare(self) -> int:
        """Open devices, bind flows, start the software; the host time from which on frames may reach the NIC."""
        if self._notifications == "packet":
            self._nic.mmio_write(self._time, extension_register("modes"), int(Mode.NOTIFICATION_PER_PACKET), 8)
        await self._execute(self._system.set_up())
        # the NIC has run ahead by up to the way down, of which a register read's round trip is a part
        began = self._time + 2 * self._round_trip
        self._began = began
        self._machine.start(self._system.iokernel, began)
        self._system.start()
        while not self._system.is_started():
            if self._time >= began + ANSWER_PS:
                waiting = self._waiting()
                raise DeadlockError(
                    f"at {self._time} ps the software has not started; it began 10 ms before: {waiting}"
                )
            await self._run_to(max(self._time, began) + _START_STEP_PS)
        self._ready = self._time + _START_STEP_PS
        self._machine.mark(self._ready)
        return self._ready

    async def run(self, measured_until: int, end: int) -> None:
        """Simulate up to host time ``end``; the time of the cores is split up to the first ``measured_until``."""
        if self._measured_until is None:
            self._measured_until = measured_until
            self._machine.mark(measured_until)
        await self._run_to(end)

    async def read_register(self, address: int) -> int:
        """The 8-byte word of registers at ``address``; time goes on until the answer is there."""
        began = self._time
        word = (await self._read_registers([address]))[0]
        self._round_trip = self._time - began
        return word

    async def require_progress(self, outstanding: int) -> None:
        """Raise DeadlockError if requests are outstanding, of which the NIC dropped none, and nothing moves any more.

        If so it seems, time goes on for many round trips, for the NIC to prove the contrary. Nobody waits for requests
        that lie in a pipe that was closed: no error, if nobody waits for others.
        """
        if not outstanding:
            return
        since = self._time
        while self._machine.is_quiet and self._machine.effects.last_time <= since:
            if self._time >= since + _PATIENCE * self._round_trip:
                if self._system.has_closed() and not self._system.waiting():
                    return
                waiting = self._waiting()
                raise DeadlockError(
                    f"at {since} ps nothing moves and {outstanding} requests are outstanding: {waiting}"
                )
            await self._advance(since + _PATIENCE * self._round_trip)

    async def require_heads(self) -> None:
        """Compare the head of every pipe in the NIC with what software, by its own account, told it.

        The registers themselves are read, of all pipes: only they know of a write that was lost on its way. Many reads
        are under way together, so that this takes little time, simulated or not.

        Raises
        ------
        ConservationError
            They differ. The NIC would take the pipe for fuller than it is, and not tell of what comes next.
        """
        pipes = list(self._system.heads())
        for start in range(0, len(pipes), _READS):
            heads = self._system.heads()  # a read overtakes no write
            batch = [pipe for pipe in pipes[start : start + _READS] if pipe in heads]
            words = await self._read_registers([pipe_register(pipe, RX_TAIL) for pipe in batch]) if batch else []
            later = self._system.heads()  # of what was written behind the read, the NIC may have told
            for pipe, word in zip(batch, words, strict=True):
                if word >> 32 != heads[pipe] and later.get(pipe) == heads[pipe]:
                    raise ConservationError(
                        f"pipe {pipe}: software freed it up to flit {heads[pipe]}, "
                        f"but the NIC has {word >> 32} as its head"
                    )

    def report(self) -> Report:
        """What came out so far."""
        marked = self._machine.marked
        end = self._measured_until if self._measured_until in marked else self._time
        before, after = marked[self._ready], marked.get(end) or self._machine.times_at(end)
        times = [
            [late - early for early, late in zip(first, second, strict=True)]
            for first, second in zip(before, after, strict=True)
        ]
        cores = [sum(column) for column in zip(*times[1:], strict=True)]
        rows = self._machine.stamps
        return Report(
            iokernel_ps={ACTIVITIES[activity]: times[0][activity] for activity in IOKERNEL_ACTIVITIES},
            core_ps={ACTIVITIES[activity]: cores[activity] for activity in CORE_ACTIVITIES},
            window_ps=end - self._ready,
            end_ps=self._machine.effects.last_time,
            messages=self._system.messages(),
            event_hash=self._machine.effects.hexdigest(),
            costs_sha256=self._costs.sha256,
            has_batch=self._has_batch,
            balances=self._system.balances(),
            extra={"mmio_writes": self._machine.mmio_writes(), **_as_arrays(self._system.extra())},
            notification_rows=_rows(rows.notifications, stamps.NOTIFICATION_COLUMNS),
            packet_rows=_rows(rows.packets, stamps.PACKET_COLUMNS),
            send_rows=_rows(rows.sends, stamps.SEND_COLUMNS),
            recorded=self._recorded(end) if self._is_traced else None,
            **self._system.counts(),
        )

    def _recorded(self, measured_until: int) -> Recorded:
        lengths = self._machine.stamps.lengths
        assert lengths is not None
        return Recorded(
            began_ps=self._began,
            ready_ps=self._ready,
            measured_until_ps=measured_until,
            end_ps=self._time,
            timelines=tuple(_table(timeline.rows, 2) for timeline in self._machine.timelines_at(self._time)),
            effects=_table(self._machine.effects.rows(), 4),
            lengths=_table(lengths, stamps.LENGTH_COLUMNS),
            queue_names=dict(self._system.queue_names()),
        )

    def _waiting(self) -> str:
        return "; ".join(self._system.waiting()) or "no software waits for anything"

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _run_to(self, end: int) -> None:
        while self._time < end:
            if not self._awaited:
                self._time = self.engine.go_on(self._time, end, self._machine.nic_effect)
            if self._time < end:
                await self._advance(end)

    async def _advance(self, end: int) -> None:
        """Let the NIC run as far as it can, and software after it, but not beyond ``end`` or the answers to reads."""
        safe = await self._nic.run(min(self.engine.next_time, self._answered, end))
        for time, source, value in self._nic.take_effects():
            if source >= _FIRST_ANSWER:
                self._answers[source] = value
                self._awaited -= 1
                if not self._awaited:
                    self._answered = time
            else:
                self.engine.schedule(time, NIC_ORDER, self._machine.nic_effect, source, value)
        self._time = min(safe, self._answered, end)
        self.engine.run(self._time)

    async def _read_registers(self, addresses: Sequence[int]) -> list[int]:
        """Read up to 256 words of registers, all at once; time goes on until the last answer is there."""
        for index, address in enumerate(addresses):
            self._nic.mmio_read(self._time, address, _FIRST_ANSWER + index)
        self._awaited, self._answered = len(addresses), NEVER
        limit = self._time + ANSWER_PS
        while self._awaited or self._time < self._answered:
            if self._time >= limit:
                raise ContractError(
                    f"the read of register {addresses[0]:#x} is not answered at {self._time} ps; it began 10 ms before"
                )
            await self._advance(limit)
        self._answered = NEVER
        answers, self._answers = self._answers, {}
        return [answers[_FIRST_ANSWER + index] for index in range(len(addresses))]

    async def _execute(self, control: Control[T]) -> T:
        """Carry out a sequence of the control plane, one step after the other."""
        answer = 0
        is_started = False
        while True:
            try:
                request = control.send(answer) if is_started else next(control)
            except StopIteration as finished:
                result: T = finished.value
                return result
            is_started = True
            answer = 0
            if isinstance(request, WriteRegister):
                self._nic.mmio_write(self._time, request.address, request.value, request.size)
            elif isinstance(request, ReadRegister):
                answer = await self.read_register(request.address)
            elif isinstance(request, Tell):
                answer = await self._execute(self._system.control(request.message))
            else:
                await self._await_zero(request)

    async def _await_zero(self, request: AwaitZero) -> None:
        """Look at a word of host memory each microsecond until it is 0."""
        limit = self._time + ANSWER_PS
        at = (request.address - self._nic.memory.base) >> 3
        while self._nic.memory.words[at]:
            if self._time >= limit:
                raise ContractError(f"{request.what}: not there at {self._time} ps; the wait for it began 10 ms before")
            await self._run_to(self._time + _LOOK_PS)
            self._nic.advance(self._time)
