"""Faults sown in software, one at a time: none gets past the books of a run, which name what is missing or too much."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cosim.machine.core import Core
from cosim.measure.conservation import check_balances
from cosim.measure.errors import AccountingError, ConservationError
from cosim.measure.result import measure
from cosim.simulation import DeadlockError, Simulation, memory_bytes
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.registers import RX_HEAD as RX_HEAD_REGISTER
from hermes.enso.registers import pipe_register
from hermes.iokernel.delivery import ToKthreads, ToUthreads
from hermes.iokernel.iokernel import IOKernel
from hermes.iokernel.mailbox import Mailbox
from hermes.messages import PARK, RX_HEAD, SWITCH, TX_TAIL
from hermes.queues import Item, SpscQueue
from hermes.runtime.kthread import Kthread
from hermes.runtime.runqueue import Runqueue
from hermes.runtime.runtime import Runtime
from hermes.runtime.softirq import NotificationHandler, ReadyHandler
from hermes.switches import Switches
from hermes.systems import SYSTEMS
from tests.tools.reference_run import US, CountingNic, alike, outcome_of, settings_of

REQUESTS, UTHREADS = 200, 8
FAULT_AT = 20
"""Which occasion the fault takes; those before and after are fine."""

Sow = Callable[[pytest.MonkeyPatch], None]
every_system = pytest.mark.parametrize("system", SYSTEMS)


def run(system: str, prepared: Callable[[CountingNic], None] = lambda _: None) -> None:
    """A run of which the books are kept."""
    load = alike(REQUESTS, 2, 700_000, connections=16, uthreads=UTHREADS)
    measure(load, outcome_of(load, system=system, cores=2, prepared=prepared))


class Occasions:
    """Counts; the fault takes one."""

    def __init__(self) -> None:
        self.seen = 0

    def is_now(self) -> bool:
        self.seen += 1
        return self.seen == FAULT_AT


def instead(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, does: Callable[..., Any]) -> None:
    """Each call of the method calls ``does(original, self, ...)``."""
    original = getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda self, *arguments, **named: does(original, self, *arguments, **named))


@every_system
def test_without_a_fault_nothing_is_wrong(system: str) -> None:
    run(system)


# --- the faults -------------------------------------------------------------------------------------------------------


def softirq_taken_and_not_handled(monkeypatch: pytest.MonkeyPatch) -> None:
    occasions = Occasions()

    def finish(original: Callable[..., Any], handler: Any, core: Any, item: Item) -> Any:
        if not occasions.is_now():
            return original(handler, core, item)
        if isinstance(handler, NotificationHandler):
            handler._server(item).lock.release(core.index)
        return None

    instead(monkeypatch, NotificationHandler, "finish", finish)
    instead(monkeypatch, ReadyHandler, "finish", finish)


def swallowed(monkeypatch: pytest.MonkeyPatch, matches: Callable[[SpscQueue, Item], bool]) -> None:
    """One item that matches is pushed and never lies in its queue."""
    occasions = Occasions()

    def push(original: Callable[..., Any], queue: SpscQueue, item: Item) -> None:
        if not (matches(queue, item) and occasions.is_now()):
            original(queue, item)

    instead(monkeypatch, SpscQueue, "push", push)


def softirq_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    swallowed(monkeypatch, lambda queue, _: isinstance(queue.consumer, Runtime))


def message_swallowed(kind: int) -> Sow:
    def sow(monkeypatch: pytest.MonkeyPatch) -> None:
        swallowed(monkeypatch, lambda queue, item: isinstance(queue.consumer, IOKernel) and item[0] == kind)

    return sow


def message_taken_and_not_handled(monkeypatch: pytest.MonkeyPatch) -> None:
    occasions = Occasions()

    def finish(original: Callable[..., Any], mailbox: Mailbox, *arguments: Any) -> None:
        if not occasions.is_now():
            original(mailbox, *arguments)

    instead(monkeypatch, Mailbox, "finish", finish)


def completion_handled_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    occasions = Occasions()

    def land(original: Callable[..., Any], delivery: Any) -> None:
        original(delivery)
        if delivery._row < 0 and not getattr(delivery, "_is_park", False) and occasions.is_now():
            original(delivery)

    instead(monkeypatch, ToKthreads, "land", land)
    instead(monkeypatch, ToUthreads, "land", land)


def uthread_that_falls_out_of_its_runqueue(monkeypatch: pytest.MonkeyPatch) -> None:
    occasions = Occasions()

    def pop(original: Callable[..., Any], runqueue: Runqueue) -> Any:
        uthread = original(runqueue)
        if runqueue and occasions.is_now():
            runqueue._ring.pop()
        return uthread

    instead(monkeypatch, Runqueue, "pop", pop)


def uthread_that_is_not_pushed(monkeypatch: pytest.MonkeyPatch) -> None:
    occasions = Occasions()

    def push(original: Callable[..., Any], kthread: Kthread, *arguments: Any) -> None:
        if not occasions.is_now():
            original(kthread, *arguments)

    instead(monkeypatch, Kthread, "push", push)


def request_forwarded_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    occasions = Occasions()

    def forward(original: Callable[..., Any], own: NotificationBuffer, *arguments: Any) -> Any:
        if occasions.is_now():
            original(own, *arguments)
        return original(own, *arguments)

    instead(monkeypatch, NotificationBuffer, "forward", forward)


NOTHING_LEFT = r"\d+ came, \d+ left, 0 are there$"
LOST_IN_SOFTIRQ = {
    "indirect": rf"^(notifications|completions) of uthread \d, up to its ring: {NOTHING_LEFT}",
    "semi-direct": r"^uthread \d: 1 came, 0 left, 0 are there$",
    "priority": r"^uthread \d: 1 came, 0 left, 0 are there$",
}
UNSENT = rf"^messages that runtimes sent, up to their queues: {NOTHING_LEFT}"
UNHANDLED = rf"^messages that the IOKernel took: {NOTHING_LEFT}"
FAULTS: list[tuple[str, Sow, str]] = [
    *((system, softirq_taken_and_not_handled, LOST_IN_SOFTIRQ[system]) for system in SYSTEMS),
    *((system, softirq_swallowed, LOST_IN_SOFTIRQ[system]) for system in SYSTEMS),
    *((system, message_swallowed(kind), UNSENT) for system in SYSTEMS for kind in (RX_HEAD, TX_TAIL)),
    ("semi-direct", message_swallowed(PARK), UNSENT),
    ("priority", message_swallowed(SWITCH), UNSENT),
    *((system, message_taken_and_not_handled, UNHANDLED) for system in SYSTEMS),
    *(
        (system, completion_handled_twice, rf"^completions that the IOKernel took: {NOTHING_LEFT}")
        for system in SYSTEMS
    ),
    *(
        (system, uthread_that_falls_out_of_its_runqueue, rf"^runqueue of kthread \d of runtime 0: {NOTHING_LEFT}")
        for system in SYSTEMS
    ),
    *((system, uthread_that_is_not_pushed, r"^uthread \d: 1 came, 0 left, 0 are there$") for system in SYSTEMS),
    *((system, request_forwarded_twice, rf"^requests that the NIC was given: {NOTHING_LEFT}") for system in SYSTEMS),
]


@pytest.mark.parametrize(("system", "sow", "told"), FAULTS)
def test_what_is_lost_or_done_twice_is_named(system: str, sow: Sow, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sow(monkeypatch)
    with pytest.raises(ConservationError, match=told):
        run(system)


# --- heads of pipes ---------------------------------------------------------------------------------------------------


def lost_on_their_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last head writes leave software and do not reach the NIC."""
    heads = {pipe_register(pipe, RX_HEAD_REGISTER) for pipe in range(UTHREADS)}

    def write(original: Callable[..., Any], core: Core, address: int, value: int) -> None:
        if address not in heads or not all_are_back(core._nic):
            original(core, address, value)

    instead(monkeypatch, Core, "mmio_write", write)


def all_are_back(nic: Any) -> bool:
    return len(nic.sent) == REQUESTS


def never_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Software takes the last ones for told."""

    def tell(original: Callable[..., Any], device: Device, core: Any) -> None:
        if all_are_back(core._nic):
            device._freed.clear()
        original(device, core)

    instead(monkeypatch, Device, "tell_pipe_heads", tell)


@every_system
@pytest.mark.parametrize("sow", [lost_on_their_way, never_written])
def test_a_head_of_which_the_nic_was_not_told_is_named_though_all_requests_are_back(
    system: str, sow: Sow, monkeypatch: pytest.MonkeyPatch
) -> None:
    sow(monkeypatch)
    told = r"^pipe \d: software freed it up to flit (\d+), but the NIC has (?!\1\b)\d+ as its head$"
    with pytest.raises(ConservationError, match=told):
        run(system)


@every_system
def test_a_head_that_the_nic_was_not_told_while_packets_come_stops_them(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(original: Callable[..., Any], core: Core, address: int, value: int) -> None:
        if address != pipe_register(0, RX_HEAD_REGISTER):
            original(core, address, value)

    instead(monkeypatch, Core, "mmio_write", write)
    with pytest.raises(DeadlockError, match=r"^at \d+ ps nothing moves and \d+ requests are outstanding"):
        run(system)


# --- answers ----------------------------------------------------------------------------------------------------------


@every_system
def test_a_packet_that_is_answered_twice_is_told(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    occasions = [0]

    def twice(nic: CountingNic) -> None:
        send = nic._send

        def sends(page: int, data: bytes, *, is_framed: bool) -> None:
            occasions[0] += 1
            send(page, data, is_framed=is_framed)
            if occasions[0] == FAULT_AT:
                send(page, data, is_framed=is_framed)

        monkeypatch.setattr(nic, "_send", sends)

    with pytest.raises(
        AccountingError, match=r"^frame \d+ that left the NIC, of 60 bytes at \d+ ps, answers no request"
    ):
        run(system, twice)


# --- and no false alarm -----------------------------------------------------------------------------------------------


@every_system
@pytest.mark.parametrize(
    "switches",
    [
        Switches(),
        Switches(backend="software", message_queue="kthread"),
        Switches(completion="reap", prefetch=True, doorbell="iteration"),
        Switches(free_rx="processing", send="packet", answer_wait=False),
    ],
    ids=["default", "software", "reap", "processing"],
)
def test_the_books_are_right_at_any_time_while_software_works(system: str, switches: Switches) -> None:
    load = alike(300, 0, 1_000_000)
    settings = settings_of(load, system=system, cores=2, batch=True, exits={3: 20}, switches=switches)
    nic = CountingNic(memory_bytes(settings), settings.rings)

    async def look_again_and_again() -> None:
        simulation = Simulation(nic, settings)
        start = await simulation.prepare()
        frames, times = load.requests, load.deliver_ps + start
        nic.load_frames(frames.blob, frames.offsets, frames.lengths, times)
        await simulation.run(int(times[-1]), start)
        while nic.time < times[-1] + 20 * US:
            await simulation.run(int(times[-1]), simulation.time + US // 3)
            check_balances(simulation.report().balances)
            await simulation.require_heads()

    asyncio.run(look_again_and_again())
