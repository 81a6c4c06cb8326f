"""Notifier: each notification gets the next slot of its ring, or is owed, or is lost and counted."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from amaranth.hdl import ResetInserter, Signal
from amaranth.utils import exact_log2

from enso_nic.config import TINY
from enso_nic.layouts import PipeWord, RxCommandKind
from enso_nic.notifier import QUEUE_DEPTH, Notifier
from enso_nic.registers import FIRST_EXTENSION_PAGE, FIRST_NOTIFICATION_BUFFER_PAGE
from tests.rtl.contract import covers
from tests.rtl.stream_bench import Bench, Port, Sink, Source, fields

LATENCY = 4
SLOTS = TINY.notification_slots
BUFFERS = TINY.notification_buffers
ADDRESS = 0x3_0000_1000
WORDS = (PipeWord.INDICES, PipeWord.MEMORY)
Command = dict[str, Any]


def page(buffer: int) -> int:
    return FIRST_NOTIFICATION_BUFFER_PAGE + buffer


def packet(buffer: int, *, notify: int = 1, pipe: int = 5, tail: int = 9) -> Command:
    read = {"drop": 0, "header": 1, "length": 150, "kept": 140, "drops": 77}
    place = {"flits": 3, "base": 1000, "offset": tail, "size": 6, "read": read}
    return {"kind": RxCommandKind.PACKET, "buffer": buffer, "notify": notify, "pipe": pipe, "tail": tail, **place}


def check(buffer: int, tail: int = 9) -> Command:
    return {"kind": RxCommandKind.CHECK, "buffer": buffer, "notify": 1, "pipe": 6, "tail": tail}


def drop(length: int = 100) -> Command:
    read = {"drop": 1, "header": 0, "length": length, "kept": 0, "drops": 0}
    return {"kind": RxCommandKind.DROP, "read": read}


def tail_write(buffer: int, tail: int) -> Command:
    return {"kind": RxCommandKind.TAIL_WRITE, "index": page(buffer), "data": tail}


def register_read(index: int, word: Any, tag: int = 0, data: int = 0) -> Command:
    return {"kind": RxCommandKind.READ, "index": index, "word": word, "tag": tag, "data": data}


def head_write(buffer: int, head: int) -> dict[str, int]:
    return {"index": page(buffer), "head": 1, "data": head << 32}


def address_write(buffer: int, address: int, *, low: int = 1, high: int = 1) -> dict[str, int]:
    return {"index": page(buffer), "low": low, "high": high, "data": address}


@dataclass
class Ring:
    """The RX half of a notification buffer."""

    head: int = 0
    tail: int = 0
    low: int = 0
    high: int = 0
    enabled: bool = False
    size: int = 1

    @property
    def address(self) -> int:
        return self.high << 32 | self.low

    def take_slot(self) -> int | None:
        """The line of the next free slot; None if there is none."""
        if not self.enabled or self.address == 0 or (self.tail + 1 - self.head) % self.size == 0:
            return None
        slot = self.address // 64 + self.tail % self.size
        self.tail = (self.tail + 1) % self.size
        return slot


class Model:
    """All rings; gives what must leave for a command. ``ring_setting``: what the next write meets."""

    def __init__(self) -> None:
        self.ring_setting = exact_log2(SLOTS)
        self.rings = [Ring() for _ in range(BUFFERS)]
        self.notified = self.lost = 0
        self.owed: list[tuple[int, int]] = []

    def ring(self, buffer: int) -> Ring:
        """The ring, or one that is disabled and forgets."""
        return self.rings[buffer] if 0 <= buffer < BUFFERS else Ring()

    def write(self, written: dict[str, int]) -> None:
        ring, data = self.ring(written["index"] - FIRST_NOTIFICATION_BUFFER_PAGE), written["data"]
        if written.get("head"):
            ring.head = data >> 32
        if written.get("low"):
            ring.low, ring.enabled = data & 0xFFFFFFFF, False
        if written.get("high"):
            ring.high, ring.enabled, ring.size = data >> 32, True, 2**self.ring_setting

    def command(self, command: Command) -> Command | None:
        kind = command["kind"]
        if kind == RxCommandKind.TAIL_WRITE:
            self.ring(command["index"] - FIRST_NOTIFICATION_BUFFER_PAGE).tail = command["data"] & 0xFFFFFFFF
            return None
        if kind == RxCommandKind.READ:
            buffer, data = command["index"] - FIRST_NOTIFICATION_BUFFER_PAGE, command["data"]
            if 0 <= buffer < BUFFERS:
                ring = self.rings[buffer]
                words = {PipeWord.INDICES: ring.head << 32 | ring.tail, PipeWord.MEMORY: ring.address}
                data = words.get(command["word"], data)
            return {"kind": kind, "notify": 0, "tag": command["tag"], "data": data}
        slot = None
        if command.get("notify"):
            ring = self.ring(command["buffer"])
            slot = ring.take_slot()
            if slot is not None:
                self.notified += 1
            elif ring.enabled and ring.address:
                self.owed.append((command.get("pipe", 0), command["buffer"]))
            else:
                self.lost += 1
        passed: Command = {
            name: command[name]
            for name in ("flits", "base", "offset", "size", "read", "pipe", "tail")
            if name in command
        }
        if slot is not None:
            return {"kind": kind, "notify": 1, "slot": slot, **passed}
        return None if kind == RxCommandKind.CHECK else {"kind": kind, "notify": 0, **passed}


class Notifying:
    """A notifier beside its model, which takes each command when the notifier takes it."""

    def __init__(self, *, rate: float = 1.0, out_rate: float = 1.0, seed: int = 1) -> None:
        self.block = Notifier(TINY)
        self.reset = Signal()
        self.commands = Source(self.block.i, rate=rate)
        self.out = Sink(self.block.o, out_rate)
        self.writes: list[dict[str, int]] = []
        self.model = Model()
        self.expected: list[Command] = []
        self.notified = self.lost = 0
        self.is_ready = False
        self.can_owe = 1
        self.owed = Sink(self.block.owe)
        ports: list[Port] = [self.commands, self.out, self.owed]
        self.bench = Bench(ResetInserter(self.reset)(self.block), ports, seed, self.each_cycle)

    def each_cycle(self, context: Any, cycle: int) -> None:
        block = self.block
        context.set(block.can_owe, self.can_owe)
        context.set(block.settings.notification_ring, self.model.ring_setting)
        self.is_ready = context.get(block.ready)
        self.notified += context.get(block.notified)
        self.lost += context.get(block.lost)
        if context.get(block.idle):
            assert len(self.out.got) == len(self.expected), "idle with a command inside"
        takes = self.commands.shows and context.get(block.i.ready)
        if takes:
            expected = self.model.command(self.commands.items[0])
            self.expected += [] if expected is None else [expected]
        # commands that are taken later see it; one that is taken in the same cycle may or may not
        context.set(block.write.valid, bool(self.writes) and not takes)
        if self.writes and not takes:
            written = self.writes.pop(0)
            context.set(block.write.payload, written)
            self.model.write(written)

    async def opened(self) -> None:
        await self.bench.until(lambda: self.is_ready)

    async def does(self, *commands: Command) -> list[Any]:
        """Let it do commands back to back; gives what left."""
        before = len(self.out.got)
        self.commands.items.extend(commands)
        await self.bench.until(lambda: not self.commands.items, 20000)
        await self.bench.cycles(LATENCY + 1)
        await self.bench.until(lambda: len(self.out.got) == len(self.expected))
        return self.out.got[before:]

    async def writes_all(self, *writes: dict[str, int]) -> None:
        self.writes.extend(writes)
        await self.bench.until(lambda: not self.writes)

    async def enable(self, buffer: int, address: int = ADDRESS, position: int = 0) -> None:
        await self.writes_all(head_write(buffer, position))
        await self.does(tail_write(buffer, position))
        await self.writes_all(address_write(buffer, address))

    def check(self) -> None:
        got = [
            {name: fields(getattr(each, name)) for name in expected}
            for each, expected in zip(self.out.got, self.expected, strict=True)
        ]
        assert got == self.expected
        assert (self.notified, self.lost) == (self.model.notified, self.model.lost)
        assert [(each.pipe, each.buffer) for each in self.owed.got] == self.model.owed


def run(story: Callable[[Notifying], Awaitable[None]], notifying: Notifying | None = None) -> Notifying:
    """``story(notifying)`` once the tables are clear; then everything must be as the model has it."""
    notifying = notifying or Notifying()

    async def whole() -> None:
        await notifying.opened()
        await story(notifying)
        await notifying.does()

    notifying.bench.simulate(whole)
    notifying.check()
    return notifying


@covers("C-047")
def test_notifications_take_the_slots_of_their_ring_in_order() -> None:
    """Around its end; those that do not notify take none."""

    async def story(notifying: Notifying) -> None:
        await notifying.enable(1, position=14)
        commands = [packet(1), drop(), packet(1, notify=0), check(1), packet(1), check(1)]
        got = await notifying.does(*commands)
        slots = [each.slot - ADDRESS // 64 for each in got if each.notify]
        assert slots == [14, 15, 0, 1]
        assert [each.kind.name for each in got] == ["PACKET", "DROP", "PACKET", "CHECK", "PACKET", "CHECK"]

    run(story)


@pytest.mark.parametrize("position", [0, 9, SLOTS - 1])
@covers("C-050", "C-051")
def test_a_full_ring_owes_the_notification_and_keeps_the_packet(position: int) -> None:
    """One slot always stays free."""

    async def story(notifying: Notifying) -> None:
        await notifying.enable(2, position=position)
        got = await notifying.does(*[check(2)] * (SLOTS - 1), packet(2), check(2))
        assert [each.notify for each in got] == [1] * (SLOTS - 1) + [0]
        assert got[-1].kind == RxCommandKind.PACKET
        await notifying.writes_all(head_write(2, (position + 1) % SLOTS))
        assert [each.notify for each in await notifying.does(packet(2), packet(2))] == [1, 0]

    notifying = run(story)
    assert (notifying.notified, notifying.lost, len(notifying.owed.got)) == (SLOTS, 0, 3)


def test_a_ring_has_the_size_that_was_set_when_it_was_enabled() -> None:
    """The high word enables: what is set when the low one is written, or later, does not count."""

    async def story(notifying: Notifying) -> None:
        async def slots(buffer: int, count: int) -> list[int]:
            return [each.slot - ADDRESS // 64 for each in await notifying.does(*[check(buffer)] * count)]

        for buffer, ring in ((1, 3), (2, 15), (3, 5)):
            notifying.model.ring_setting = ring
            await notifying.enable(buffer, position=2**ring - 2)
        notifying.model.ring_setting = 4
        for buffer, ring in ((1, 3), (2, 15), (3, 5)):
            assert await slots(buffer, 3) == [2**ring - 2, 2**ring - 1, 0]
        assert await slots(1, 10) == [1, 2, 3, 4], "one slot stays free"
        await notifying.writes_all(address_write(1, ADDRESS, high=0))
        notifying.model.ring_setting = 6
        await notifying.writes_all(address_write(1, ADDRESS, low=0))
        notifying.model.ring_setting = 7
        await notifying.writes_all(head_write(1, 61))
        await notifying.does(tail_write(1, 62))
        assert await slots(1, 3) == [62, 63, 0]

    run(story)


def test_nothing_is_taken_while_nothing_more_can_be_owed() -> None:
    async def story(notifying: Notifying) -> None:
        await notifying.opened()
        notifying.can_owe = 0
        notifying.commands.items.append(packet(1))
        await notifying.bench.cycles(10)
        assert notifying.commands.items
        notifying.can_owe = 1

    run(story)


@pytest.mark.parametrize("buffer", [0, BUFFERS, BUFFERS + 1, 1023])
@covers("C-055")
def test_a_disabled_buffer_and_one_that_does_not_exist_lose_their_notifications(buffer: int) -> None:
    async def story(notifying: Notifying) -> None:
        await notifying.enable(1)
        assert [each.kind.name for each in await notifying.does(packet(buffer), check(buffer))] == ["PACKET"]

    assert run(story).lost == 2


@pytest.mark.parametrize(
    ("writes", "is_enabled"),
    [
        ([address_write(1, ADDRESS)], True),
        ([address_write(1, ADDRESS, high=0)], False),
        ([address_write(1, ADDRESS, high=0), address_write(1, ADDRESS, low=0)], True),
        ([address_write(1, ADDRESS), address_write(1, ADDRESS, high=0)], False),
        ([address_write(1, 0)], False),
        ([address_write(1, 64)], True),
        ([address_write(1, 1 << 32)], True),
    ],
)
@covers("C-018")
def test_buffers_are_enabled_as_pipes_are(writes: list[dict[str, int]], is_enabled: bool) -> None:
    async def story(notifying: Notifying) -> None:
        await notifying.writes_all(*writes)
        (command,) = await notifying.does(packet(1))
        assert command.notify == is_enabled

    run(story)


def test_writes_to_the_pages_of_others_change_nothing() -> None:
    async def story(notifying: Notifying) -> None:
        for index in (0, 1, FIRST_NOTIFICATION_BUFFER_PAGE - 1, page(BUFFERS), FIRST_EXTENSION_PAGE):
            await notifying.writes_all({"index": index, "head": 1, "low": 1, "high": 1, "data": (1 << 64) - 1})
        got = await notifying.does(*(register_read(page(i), word) for i in range(BUFFERS) for word in WORDS))
        assert [each.data for each in got] == [0] * 2 * BUFFERS

    run(story)


@covers("C-009")
def test_registers_read_as_they_were_written() -> None:
    async def story(notifying: Notifying) -> None:
        await notifying.writes_all(head_write(3, 0xDEADBEEF), address_write(3, 0x0123456789ABCDEF))
        got = await notifying.does(
            tail_write(3, 0xCAFEBABE),
            register_read(page(3), PipeWord.INDICES, tag=7),
            register_read(page(3), PipeWord.MEMORY, tag=8),
        )
        assert [(each.tag, each.data) for each in got] == [(7, 0xDEADBEEFCAFEBABE), (8, 0x0123456789ABCDEF)]

    run(story)


@pytest.mark.parametrize(
    ("index", "word"),
    [
        (page(3), PipeWord.MODE),
        (page(3), PipeWord.DROPS),
        (page(3), PipeWord.OTHER),
        (page(BUFFERS), PipeWord.INDICES),
        (3, PipeWord.INDICES),
        (8191, PipeWord.MEMORY),
        (FIRST_EXTENSION_PAGE, PipeWord.INDICES),
    ],
)
def test_a_read_of_what_it_does_not_own_passes_with_its_answer(index: int, word: Any) -> None:
    async def story(notifying: Notifying) -> None:
        await notifying.enable(3)
        (answer,) = await notifying.does(register_read(index, word, tag=255, data=1 << 63 | 5))
        assert (answer.kind, answer.tag, answer.data) == (RxCommandKind.READ, 255, 1 << 63 | 5)

    run(story)


def test_four_cycles_and_one_command_per_cycle() -> None:
    async def story(notifying: Notifying) -> None:
        await notifying.enable(0)
        await notifying.does(*[packet(0, notify=0), register_read(page(0), PipeWord.INDICES), drop(), packet(0)] * 15)

    notifying = run(story)
    taken = notifying.commands.taken_at[-60:]
    assert taken == list(range(taken[0], taken[0] + 60))
    assert notifying.out.got_at == [cycle + LATENCY for cycle in taken]


def test_commands_that_come_to_nothing_take_no_room() -> None:
    async def story(notifying: Notifying) -> None:
        notifying.out.rate = 0
        await notifying.does(*[check(0), tail_write(0, 1)] * 2 * QUEUE_DEPTH)

    assert run(story).out.got == []


def test_back_pressure_stops_the_input_and_loses_nothing() -> None:
    async def story(notifying: Notifying) -> None:
        notifying.out.rate = 0
        notifying.commands.items.extend([drop(i) for i in range(40)])
        await notifying.bench.cycles(60)
        assert len(notifying.commands.taken_at) == QUEUE_DEPTH
        notifying.out.rate = 0.5

    run(story)


@covers("C-154")
def test_reset_clears_the_tables_and_takes_nothing_meanwhile() -> None:
    async def story(notifying: Notifying) -> None:
        for buffer in range(BUFFERS):
            await notifying.enable(buffer, position=5)
        notifying.bench.context.set(notifying.reset, 1)
        await notifying.bench.cycles(1)
        notifying.bench.context.set(notifying.reset, 0)
        notifying.model.rings = [Ring() for _ in range(BUFFERS)]
        notifying.commands.items.append(packet(0))
        await notifying.bench.cycles(1)
        assert not notifying.is_ready
        await notifying.opened()
        ready_at = notifying.bench.cycle - 1
        await notifying.does(*(register_read(page(i), word) for i in range(BUFFERS) for word in WORDS))
        assert notifying.commands.taken_at[BUFFERS] >= ready_at, "taken before its table was clear"
        for buffer in range(BUFFERS):
            # the enabling, too, was cleared
            await notifying.writes_all(head_write(buffer, 1))
            await notifying.does(packet(buffer))

    assert run(story).lost == BUFFERS + 1


@pytest.mark.parametrize(("seed", "rate", "out_rate"), [(1, 1.0, 1.0), (2, 0.4, 1.0), (3, 0.8, 0.4)])
@covers("C-039", "C-047", "C-147")
def test_any_commands_at_any_distance_are_those_of_the_model(seed: int, rate: float, out_rate: float) -> None:
    """On few buffers, so that most follow a command on the same buffer by 1 to 5 cycles."""
    draw = random.Random(seed)
    notifying = Notifying(rate=rate, out_rate=out_rate, seed=seed)
    buffers = [0, 0, 0, 1, BUFFERS - 1, BUFFERS]

    def random_command() -> Command:
        buffer = draw.choice(buffers)
        tail = draw.choice([draw.randrange(SLOTS), draw.getrandbits(32)])
        answered = draw.choice([page(buffer), page(buffer), buffer])
        word = draw.choice(tuple(PipeWord))
        commands = [
            *[packet(buffer, pipe=draw.getrandbits(13), tail=draw.getrandbits(15))] * 8,
            *[packet(buffer, notify=0)] * 4,
            *[check(buffer, draw.getrandbits(15))] * 8,
            *[register_read(answered, word, draw.getrandbits(8), draw.getrandbits(64))] * 3,
            drop(draw.getrandbits(14)),
            tail_write(buffer, tail),
        ]
        return draw.choice(commands)

    def random_write() -> dict[str, int]:
        buffer = draw.choice(buffers)
        tail = notifying.model.ring(buffer).tail
        if draw.random() < 0.9:
            return head_write(buffer, draw.choice([tail, tail, tail + 3, draw.getrandbits(32)]) % 2**32)
        return address_write(
            buffer, draw.choice([0, ADDRESS, ADDRESS]), low=draw.getrandbits(1), high=draw.getrandbits(1)
        )

    async def story(notifying: Notifying) -> None:
        for _ in range(2000):
            if len(notifying.commands.items) < 3 and draw.random() < 0.8:
                notifying.commands.items.append(random_command())
            if not notifying.writes and draw.random() < 0.3:
                notifying.writes.append(random_write())
            if draw.random() < 0.02:
                notifying.model.ring_setting = draw.choice([3, 4, 4, 5])
            await notifying.bench.cycles(1)

    run(story, notifying)
    print(f"seed {seed}: {notifying.notified} notified, {len(notifying.owed.got)} owed, {notifying.lost} lost")
    assert notifying.notified > 100
    assert notifying.lost > 50
    assert len(notifying.owed.got) > 10
