"""A pipe manager beside a model of it, which takes each operation when the manager takes it."""

import dataclasses
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from amaranth.hdl import ResetInserter, Signal
from amaranth.utils import exact_log2

from enso_nic.config import FLIT_BYTES, TINY
from enso_nic.layouts import DropCause, PipeOperationKind, PipeWord, RxCommandKind
from enso_nic.pipe_manager import QUEUE_DEPTH, PipeManager
from enso_nic.registers import FIRST_NOTIFICATION_BUFFER_PAGE
from tests.rtl.stream_bench import Bench, Port, Sink, Source

LATENCY = 4
RING = TINY.pipe_flits
PIPES = TINY.pipes
ADDRESS = 0x1_2345_6800
"""Of a ring; a multiple of 1 KiB, because the low 10 bits hold the notification buffer."""
Operation = dict[str, Any]
Command = dict[str, Any]


def frame(pipe: int, flits: int = 1, **fields: Any) -> Operation:
    """An IP packet of whole flits, but for ``fields`` of SteeredFrame that say otherwise."""
    size = FLIT_BYTES * flits
    return {"pipe": pipe, "length": size, "end": size, "refusal": DropCause.NONE, "miss": 0, **fields}


def check(pipe: int) -> Operation:
    return {"kind": PipeOperationKind.HEAD_CHECK, "index": pipe}


def retry(pipe: int) -> Operation:
    return {"kind": PipeOperationKind.RETRY, "index": pipe}


def tail_write(page: int, value: int) -> Operation:
    return {"kind": PipeOperationKind.TAIL_WRITE, "index": page, "data": value}


def register_read(page: int, word: Any, tag: int = 0, data: int = 0) -> Operation:
    return {"kind": PipeOperationKind.REGISTER_READ, "index": page, "word": word, "tag": tag, "data": data}


def head_write(pipe: int, head: int) -> dict[str, int]:
    return {"index": pipe, "head": 1, "data": head << 32}


def address_write(pipe: int, address: int, *, low: int = 1, high: int = 1) -> dict[str, int]:
    return {"index": pipe, "low": low, "high": high, "data": address}


def mode_write(pipe: int, mode: int) -> dict[str, int]:
    return {"index": pipe, "mode": 1, "data": mode}


@dataclass
class Pipe:
    """What a pipe's registers hold, and what one operation after the other makes of them."""

    head: int = 0
    tail: int = 0
    low: int = 0
    high: int = 0
    enabled: bool = False
    ring: int = 0
    header_mode: bool = False
    armed: bool = False
    drops: int = 0

    @property
    def address(self) -> int:
        return self.high << 32 | self.low

    @property
    def is_enabled(self) -> bool:
        return self.enabled and self.address != 0

    @property
    def size(self) -> int:
        return int(2**self.ring)

    @property
    def waiting(self) -> int:
        return (self.tail - self.head) % self.size


class Model:
    """All pipes; gives for each operation the command that must leave, None if there is none.

    ``settings``: those that the next write or operation meets.
    """

    def __init__(self) -> None:
        self.pipes = [Pipe() for _ in range(PIPES)]
        self.settings = {"pipe_ring": exact_log2(RING), "notify_per_packet": 0}
        self.causes: list[Any] = []

    def pipe(self, index: int) -> Pipe:
        """The pipe, or one that is disabled and forgets."""
        return self.pipes[index] if index < PIPES else Pipe()

    def write(self, written: dict[str, int]) -> None:
        pipe, data = self.pipe(written["index"]), written["data"]
        if written.get("head"):
            pipe.head = data >> 32
        if written.get("low"):
            pipe.low, pipe.enabled = data & 0xFFFFFFFF, False
        if written.get("high"):
            pipe.high, pipe.enabled, pipe.ring = data >> 32, True, self.settings["pipe_ring"]
        if written.get("mode"):
            pipe.header_mode = bool(data & 1)

    def in_header_mode(self, frame: Operation) -> bool:
        return self.pipe(frame["pipe"]).header_mode and not frame["miss"]

    def flits(self, frame: Operation) -> int:
        """Lines of its ring that it takes."""
        in_header_mode = self.in_header_mode(frame)
        return int(-(-frame["length" if in_header_mode else "end"] // FLIT_BYTES) + in_header_mode)

    def packet(self, operation: Operation) -> Command:
        pipe, flits = self.pipe(operation["pipe"]), self.flits(operation)
        in_header_mode = self.in_header_mode(operation)
        if operation["refusal"] != DropCause.NONE and not in_header_mode:
            cause = operation["refusal"]
        elif operation["miss"]:
            cause = DropCause.NO_FLOW
        elif not pipe.is_enabled:
            cause = DropCause.PIPE_DISABLED
        elif pipe.waiting + flits > pipe.size - 1:
            cause = DropCause.PIPE_FULL
        else:
            offset, notify = pipe.tail % pipe.size, not pipe.armed
            pipe.tail, pipe.armed = (offset + flits) % pipe.size, not self.settings["notify_per_packet"]
            return {
                "kind": RxCommandKind.PACKET,
                "flits": flits,
                "base": (pipe.address >> 10 << 10) // FLIT_BYTES,
                "offset": offset,
                "size": pipe.ring,
                "read.drop": False,
                "read.header": in_header_mode,
                "read.length": operation["length"],
                "read.kept": operation["length" if in_header_mode else "end"],
                "read.drops": pipe.drops,
                "notify": notify,
                "pipe": operation["pipe"],
                "tail": pipe.tail,
                "buffer": pipe.address % 1024,
            }
        self.causes.append(cause)
        if not operation["miss"]:
            pipe.drops += 1
        return {"kind": RxCommandKind.DROP, "read.drop": True, "read.length": operation["length"], "notify": False}

    def operation(self, operation: Operation) -> Command | None:
        index = operation["index"]
        pipe = self.pipe(index)
        if operation["kind"] in (PipeOperationKind.HEAD_CHECK, PipeOperationKind.RETRY):
            pipe.armed = pipe.is_enabled and pipe.waiting > 0
            if not pipe.armed:
                return None
            tail, buffer = pipe.tail % pipe.size, pipe.address % 1024
            return {"kind": RxCommandKind.CHECK, "notify": True, "pipe": index, "tail": tail, "buffer": buffer}
        if operation["kind"] == PipeOperationKind.TAIL_WRITE:
            pipe.tail = operation["data"] & 0xFFFFFFFF
            if index < FIRST_NOTIFICATION_BUFFER_PAGE:
                return None
            return {"kind": RxCommandKind.TAIL_WRITE, "notify": False, "index": index, "data": operation["data"]}
        data = operation["data"]
        words = {
            PipeWord.INDICES: pipe.head << 32 | pipe.tail,
            PipeWord.MEMORY: pipe.address,
            PipeWord.MODE: int(pipe.header_mode),
            PipeWord.DROPS: pipe.drops,
        }
        if index < PIPES:
            data = words.get(operation["word"], data)
        kept = {name: operation[name] for name in ("index", "word", "tag")}
        return {"kind": RxCommandKind.READ, "notify": False, "data": data, **kept}


class Manager:
    """A pipe manager beside its model, which takes each operation as the manager takes it."""

    def __init__(self, *, rate: float = 1.0, out_rate: float = 1.0, seed: int = 1, taps: bool = False) -> None:
        self.block = PipeManager(dataclasses.replace(TINY, commit_taps=taps))
        self.reset = Signal()
        self.frames = Source(self.block.frame, rate=rate)
        self.operations = Source(self.block.operation, rate=rate)
        self.out = Sink(self.block.o, out_rate)
        self.taps: list[Any] = []
        self.writes: list[dict[str, int]] = []
        self.model = Model()
        self.expected: list[Command] = []
        self.expected_taps: list[dict[str, Any]] = []
        self.causes: list[Any] = []
        self.stored = 0
        self.is_ready = False
        # a decision uses the settings of its own cycle, 2 after its operation was taken
        self.notify_per_packet = deque([0, 0])
        ports: list[Port] = [self.frames, self.operations, self.out]
        self.bench = Bench(ResetInserter(self.reset)(self.block), ports, seed, self.each_cycle)

    def each_cycle(self, context: Any, cycle: int) -> None:
        block = self.block
        settings = self.model.settings
        self.notify_per_packet.append(settings["notify_per_packet"])
        context.set(block.settings, settings | {"notify_per_packet": self.notify_per_packet.popleft()})
        self.is_ready = context.get(block.ready)
        self.stored += context.get(block.stored)
        if context.get(block.dropped) != DropCause.NONE:
            self.causes.append(context.get(block.dropped))
        if hasattr(block, "commit_tap") and context.get(block.commit_tap.valid):
            self.taps.append(context.get(block.commit_tap.payload))
        if context.get(block.idle):
            assert len(self.out.got) == len(self.expected), "idle with a command inside"

        took_frame = self.frames.shows and context.get(block.frame.ready)
        took_operation = self.operations.shows and context.get(block.operation.ready)
        assert not (took_frame and took_operation), "two operations in one cycle"
        taken_index = None
        if took_frame:
            taken_index = self.frames.items[0]["pipe"]
            self._take(self.frames.items[0])
        if took_operation:
            taken_index = self.operations.items[0]["index"]
            self._take(self.operations.items[0])

        # later operations see it; one that is taken in the same cycle may or may not
        writes_now = bool(self.writes) and self.writes[0]["index"] != taken_index
        context.set(block.write.valid, writes_now)
        if writes_now:
            written = self.writes.pop(0)
            context.set(block.write.payload, written)
            self.model.write(written)

    def _take(self, operation: Operation) -> None:
        is_packet = "pipe" in operation
        index = operation["pipe"] if is_packet else operation["index"]
        before = dataclasses.replace(self.model.pipe(index))
        header = self.model.in_header_mode(operation) if is_packet else before.header_mode
        drops = len(self.model.causes)
        command = self.model.packet(operation) if is_packet else self.model.operation(operation)
        if command is not None:
            self.expected.append(command)
        tap = {"packet": is_packet, "index": index, "notify": command is not None and command["notify"]}
        if index < PIPES:
            tap |= {"head": before.head, "tail": before.tail, "enabled": before.is_enabled}
        tap |= {"header": header, "per_packet": self.model.settings["notify_per_packet"]}
        if is_packet:
            tap |= {
                "flits": self.model.flits(operation),
                "miss": operation["miss"],
                "cause": (self.model.causes[drops:] or [DropCause.NONE])[0],
            }
        else:
            tap["kind"] = operation["kind"]
        self.expected_taps.append(tap)

    async def opened(self) -> None:
        await self.bench.until(lambda: self.is_ready)

    async def done(self) -> None:
        await self.bench.until(lambda: not self.frames.items and not self.operations.items and not self.writes, 20000)
        await self.bench.cycles(QUEUE_DEPTH + LATENCY + 1)
        await self.bench.until(lambda: len(self.out.got) >= len(self.expected))

    async def does(self, *operations: Operation) -> list[Any]:
        """Let it do one operation after the other, with nothing in between; gives the commands."""
        before = len(self.out.got)
        for operation in operations:
            (self.frames if "pipe" in operation else self.operations).items.append(operation)
            await self.bench.until(lambda: not self.frames.items and not self.operations.items)
        await self.bench.cycles(LATENCY + 1)
        return self.out.got[before:]

    async def writes_all(self, *writes: dict[str, int]) -> None:
        self.writes.extend(writes)
        await self.bench.until(lambda: not self.writes)

    async def enable(self, pipe: int, address: int = ADDRESS, position: int = 0) -> None:
        """As software does, with tail and head at ``position``."""
        await self.writes_all(head_write(pipe, position))
        await self.does(tail_write(pipe, position))
        await self.writes_all(address_write(pipe, address))

    def check(self) -> None:
        got = [
            {name: attrgetter(name)(command) for name in expected}
            for command, expected in zip(self.out.got, self.expected, strict=True)
        ]
        assert got == self.expected
        assert self.causes == self.model.causes
        assert self.stored == sum(command["kind"] == RxCommandKind.PACKET for command in self.expected)


def run(story: Callable[[Manager], Awaitable[None]], manager: Manager | None = None) -> Manager:
    """``story(manager)`` once the tables are clear; then everything must be as the model has it."""
    manager = manager or Manager()

    async def whole() -> None:
        await manager.opened()
        await story(manager)
        await manager.done()

    manager.bench.simulate(whole)
    manager.check()
    return manager
