"""TransmitPath: slots published by tail writes become frames on the wire and completions, exactly and in order."""

import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from enso_nic.config import TINY, NicConfig
from enso_nic.read_tags import NO_DEADLINE
from enso_nic.transmit import TransmitPath
from tests.rtl.contract import covers
from tests.rtl.golden.transmit import Packetiser as GoldenPacketiser
from tests.rtl.golden.transmit import Request
from tests.rtl.host_reads import HostReads
from tests.rtl.shadow import Shadow
from tests.rtl.stream_bench import Bench, Port, Sink, Source
from tests.rtl.tx_frames import in_flits, ip_frame, other_frame

SLOTS, BUFFERS = TINY.notification_slots, TINY.notification_buffers
RING, DATA = 0x1_0000_0000, 0x2_0000_0000
INDICES, MEMORY = 0, 1
OK, MALFORMED, READ_ERROR, UNFINISHED = 0, 1, 2, 6
CONFIG_CODES = (0, 3, 4, 5, 3, 0, 5)
"""How a config request ends, by its id: the far side of this bench says so."""


class Unguarded(wiring.Component):
    """TransmitPath without a DMA guard: slots come back as they leave."""

    def __init__(self, config: NicConfig) -> None:
        self._path = TransmitPath(config)
        guards = ("slot", "guarded_slot", "forbidden")
        self._ports = {name: port for name, port in self._path.signature.members.items() if name not in guards}
        super().__init__(self._ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.path = path = self._path
        wiring.connect(m, path.slot, path.guarded_slot)
        for name, port in self._ports.items():
            inner, outer = getattr(path, name), getattr(self, name)
            if not port.is_port:
                wiring.connect(m, inner, wiring.flipped(outer))
            elif port.flow == In:
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner)
        return m


class Host:
    """TransmitPath, the host memory it reads, and what must come of the slots that were published."""

    def __init__(
        self, shadow: Shadow[Unguarded] | None = None, seed: int = 1, rate: float = 1.0, max_read: int = 8
    ) -> None:
        self.shadow = shadow
        self.block = shadow.original if shadow else Unguarded(TINY)
        self.memory: dict[int, int | None] = {}
        self.reads = HostReads(
            self.block.read_request, self.block.read_completion, self.memory.get, max_read, rate, shuffled=rate < 1
        )
        self.access, self.answer = Source(self.block.access, rate=rate), Sink(self.block.answer, rate)
        self.config, self.completion = Sink(self.block.config, rate), Sink(self.block.completion, rate)
        self.wire = Sink(self.block.ethernet_tx, 1.0 if rate == 1 else 0.8)
        ports: list[Port] = [self.reads, self.access, self.answer, self.config, self.completion, self.wire]
        self.bench = Bench(shadow.top if shadow else self.block, ports, seed, self.each_cycle)
        self.max_read, self.bus_master = max_read, 1
        self.errors = self.lost = self.sent = self.idle = self.timeouts = 0
        self.skipped = 0  # cycles for which the clock stood still
        self.deadline = NO_DEADLINE
        self.still = 0  # cycles since it did anything or waited for the host
        self.tails = [0] * BUFFERS
        self.requests: list[Request] = []
        """All that were published: some may wait for the rest of an unfinished frame."""
        self.golden = GoldenPacketiser(TINY.maximum_frame)
        self._data = DATA

    def each_cycle(self, context: Any, cycle: int) -> None:
        context.set(self.block.max_read, self.max_read)
        context.set(self.block.bus_master, self.bus_master)
        context.set(self.block.cycle, cycle + self.skipped)
        context.set(self.block.tick, (cycle + self.skipped) * 4 // 5)
        self.deadline = context.get(self.block.deadline)
        self.timeouts += context.get(self.block.read_timeouts)
        context.set(self.block.settings.notification_ring, exact_log2(SLOTS))
        self.errors += context.get(self.block.tx_error)
        self.lost += context.get(self.block.lost_completions)
        self.sent += context.get(self.block.tx_frames)
        self.idle = context.get(self.block.idle)
        self.still = self.still + 1 if self.idle and not self.reads.unanswered else 0
        # of the request that is shown
        context.set(self.block.config_code, CONFIG_CODES[context.get(self.block.config.payload.id) % 7])
        if self.shadow:
            self.shadow.follow(context)

    # --- what software does -------------------------------------------------------------------------------------------

    def write(self, buffer: int, word: int, data: int, enables: int = 3) -> None:
        self.access.items.append({"buffer": buffer, "word": word, "write": 1, "enables": enables, "data": data})

    def enable(self, buffer: int, start: int = 0) -> None:
        self.tails[buffer] = start
        self.write(buffer, INDICES, start | start << 32)
        self.write(buffer, MEMORY, RING + (buffer << 20))

    def publish(self, buffer: int) -> None:
        """Write the tail behind the slots that were filled."""
        self.write(buffer, INDICES, self.tails[buffer], enables=1)

    def slot(
        self,
        buffer: int,
        signal: int,
        address: int,
        length: int,
        code: int,
        *,
        readable: bool = True,
        framed: bool = False,
    ) -> Request:
        """Fill the next slot of a ring."""
        line = RING // 64 + (buffer << 14) + self.tails[buffer]
        self.tails[buffer] = (self.tails[buffer] + 1) % SLOTS
        self.memory[line] = (signal | address << 64 | length << 128 | framed << 160 | 0x5A << 200) if readable else None
        request = Request(64 * line, buffer, address, length, code=code)
        if not readable:
            request = Request(64 * line, buffer, code=READ_ERROR)
        self.requests.append(request)
        return request

    def command(self, buffer: int, signal: int, address: int, length: int, code: int, *, readable: bool = True) -> None:
        """Fill a slot that asks for no data."""
        self.golden.nothing(self.slot(buffer, signal, address, length, code, readable=readable))

    def send(self, buffer: int, data: bytes, bad_lines: tuple[int, ...] = (), *, framed: bool = False) -> None:
        """Put data into memory and fill a slot with its address and length."""
        flits = -(-len(data) // 64)
        lines = [None if i in bad_lines else data[64 * i : 64 * i + 64] for i in range(flits)]
        for index, line in enumerate(lines):
            self.memory[self._data // 64 + index] = None if line is None else int.from_bytes(line, "little")
        request = self.slot(buffer, 1, self._data, len(data), OK, framed=framed)
        request.flits, request.framed = flits, framed
        self.golden.data(request, lines)
        self._data += 64 * flits

    # --- what must come of it -----------------------------------------------------------------------------------------

    def simulate(self, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.bench.simulate(story)

    def is_done(self) -> bool:
        completions = sum(each.is_due for each in self.requests)
        return len(self.completion.got) == completions and self.sent == len(self.golden.frames)

    async def settle(self, limit: int = 4000) -> None:
        await self.bench.until(lambda: not self.access.items, limit)
        await self.bench.until(lambda: self.is_done() and self.still > 20, limit)

    def check(self) -> None:
        frames, frame = [], b""
        for beat in self.wire.got:
            frame += beat.data.to_bytes(64, "little")[: beat.keep.bit_length()]
            if beat.last:
                frames.append(frame)
                frame = b""
        assert frames == list(self.golden.frames)
        got = [(64 * write.address, write.data) for write in self.completion.got]
        for buffer in range(BUFFERS):
            ring = range(RING + (buffer << 20), RING + (buffer + 1 << 20))
            due = [
                (each.slot, int.from_bytes(each.completion, "little"))
                for each in self.requests
                if each.buffer == buffer and each.is_due
            ]
            assert [(slot, data) for slot, data in got if slot in ring] == due
        assert self.errors == self.golden.errors


def random_requests(host: Host, draw: random.Random, count: int, rests: dict[int, bytes]) -> None:
    """Fill and publish slots of random buffers: frames of all kinds, cut anywhere, config requests, wrong ones.

    ``rests``: of each buffer, what lacks of its last request; it may follow at once, later or never.
    """
    for _ in range(count):
        buffer = draw.choice([0, 0, 0, 1, BUFFERS - 1])
        for _ in range(draw.randrange(1, 4)):
            kind = draw.random()
            if kind < 0.1:
                number = draw.randrange(7)
                host.command(buffer, 2, number, 0, CONFIG_CODES[number])
            elif kind < 0.2:
                host.command(buffer, 1, *draw.choice([(DATA + 32, 64), (DATA, 0)]), MALFORMED)
            elif kind < 0.25:
                host.command(buffer, 1, DATA, 64, READ_ERROR, readable=False)
            else:
                sizes = draw.choices([34, 60, 64, 65, 300, 1514], k=draw.randrange(1, 5))
                data = in_flits(*(ip_frame(size, draw.randrange(99)) for size in sizes))
                if draw.random() < 0.2:
                    data += other_frame(draw.randrange(1, 200))
                whole_flits, any_bytes = 64 * draw.randrange(1, len(data) // 64 + 1), draw.randrange(1, len(data) + 1)
                cut = draw.choice([len(data), whole_flits, any_bytes])
                bad = (draw.randrange(30),) if draw.random() < 0.1 else ()
                if draw.random() < 0.6:
                    data = rests.pop(buffer, b"") or data
                cut = min(cut, len(data))
                host.send(buffer, data[:cut], bad, framed=draw.random() < 0.1)
                rests[buffer] = data[cut:] if cut % 64 == 0 else b""
        host.publish(buffer)


@pytest.mark.parametrize(("seed", "max_read"), [(1, 8), (2, 8), (3, 4), (4, 2)])
@covers("C-104", "C-109", "C-129")
def test_frames_and_completions_are_exact_whatever_the_host_and_the_wire_do(seed: int, max_read: int) -> None:
    draw, rests = random.Random(seed), dict[int, bytes]()
    host = Host(seed=seed, rate=0.7, max_read=max_read)
    for buffer in range(BUFFERS):
        host.enable(buffer, start=SLOTS - 3)  # so that rings wrap soon

    async def story() -> None:
        for _ in range(18):
            random_requests(host, draw, 2, rests)  # at most 2 x 6 slots at a time, fewer than a ring has
            await host.settle()

    host.simulate(story)
    host.check()
    counts = f"{host.sent} frames, {host.errors} drops, {len(host.requests)} requests"
    print(f"seed {seed}: {host.bench.cycle} cycles, {counts}")
    assert host.errors
    assert {tag < 128 for _, _, tag in host.reads.requests} == {True, False}


@covers("C-175")
def test_a_tail_write_leads_to_a_read_within_12_cycles() -> None:
    host = Host()
    host.enable(0)

    async def story() -> None:
        await host.settle()
        host.send(0, ip_frame(60))
        host.publish(0)
        await host.settle()

    host.simulate(story)
    host.check()
    cycles = host.reads.requested_at[0] - host.access.taken_at[-1]
    print(f"tail write to first read request: {cycles} cycles")
    assert cycles == 8, "as documented; 12 are allowed"


@pytest.mark.parametrize("size", [60, 1514])
@covers("C-172")
def test_a_flit_leaves_in_every_cycle(size: int) -> None:
    """Requests of 4 kB from a host that answers at once."""
    host = Host()
    host.enable(0)
    count = -(-4096 // size) if size > 64 else 64
    for request in range(12):
        host.send(0, in_flits(*(ip_frame(size, 100 * request + i) for i in range(count))))
    host.publish(0)
    host.simulate(host.settle)
    host.check()
    cycles = host.wire.got_at[-1] - host.wire.got_at[0] + 1
    print(f"{len(host.wire.got)} beats of {size}-byte frames in {cycles} cycles")
    assert len(host.wire.got) / cycles >= 0.99


@covers("C-121", "C-122")
def test_an_unfinished_frame_stops_only_its_own_buffer_and_is_read_again() -> None:
    host = Host()
    for buffer in range(3):
        host.enable(buffer)
    data = in_flits(ip_frame(100), ip_frame(1400, 1))

    async def story() -> None:
        host.send(0, data[:448])
        host.publish(0)
        await host.settle()
        assert not host.completion.got
        for buffer in (1, 2):
            host.send(buffer, in_flits(*[ip_frame(300, buffer)] * 5))
            host.publish(buffer)
        await host.settle()
        assert len(host.completion.got) == 2
        host.send(0, data[448:])
        host.publish(0)
        host.send(1, in_flits(ip_frame(400)))
        host.publish(1)
        await host.settle()

    host.simulate(story)
    host.check()
    assert len(host.completion.got) == 5
    assert host.errors == 0


@covers("C-125")
def test_closing_a_buffer_drops_its_unfinished_frame_and_what_waited_is_not_completed() -> None:
    host = Host()
    host.enable(0)

    async def story() -> None:
        host.send(0, ip_frame(1000)[:128])
        host.publish(0)
        await host.settle()
        host.write(0, MEMORY, 0, enables=1)
        host.golden.close(0)
        host.requests.clear()
        await host.settle()
        host.enable(0, start=host.tails[0])
        host.send(0, in_flits(ip_frame(80)))
        host.publish(0)
        await host.settle()

    host.simulate(story)
    host.check()
    assert [write.data >> 192 for write in host.completion.got] == [OK]
    assert (host.errors, host.lost) == (1, 1)


def test_a_frame_that_goes_on_calls_off_the_reads_behind_it() -> None:
    """They are made again behind its fragments: those that were not yet asked for need not be made twice."""
    host = Host()
    for buffer in range(2):
        host.enable(buffer)
    frame = in_flits(ip_frame(1400))

    async def story() -> None:
        host.send(0, frame[:448])
        host.publish(0)
        await host.settle()
        host.send(1, in_flits(ip_frame(60)))
        host.publish(1)
        await host.settle()
        before = len(host.reads.requests)
        host.send(0, frame[448:])
        host.send(0, in_flits(*[ip_frame(1500)] * 40))
        host.publish(0)
        await host.settle()
        reads = [address for address, _, tag in host.reads.requests[before:] if tag < 128]
        print(f"{len(reads)} reads, of {len(set(reads))} places")
        assert len(reads) - len(set(reads)) <= TINY.data_tags

    host.simulate(story)
    host.check()


@pytest.mark.parametrize("what", ["slot", "data"])
def test_a_read_that_is_never_answered_ends_at_the_deadline_as_an_error(what: str) -> None:
    host = Host()
    host.enable(0)
    host.memory[RING // 64] = 1 | DATA << 64 | 64 << 128
    host.write(0, INDICES, 1, enables=1)

    async def story() -> None:
        await host.bench.until(lambda: not host.access.items)
        await host.bench.until(lambda: len(host.reads.requests) == 1)
        if what == "data":
            await host.bench.until(lambda: len(host.reads.requests) == 2)
        host.reads.holds = True
        await host.bench.cycles(20)
        assert host.idle
        assert host.deadline == host.reads.requested_at[-1] + TINY.read_timeout_cycles
        host.skipped = host.deadline - host.bench.cycle
        await host.bench.until(lambda: bool(host.completion.got), 20)

    host.simulate(story)
    assert host.timeouts == 1
    address, length = (DATA, 64) if what == "data" else (0, 0)
    assert host.completion.got[0].data == address << 64 | length << 128 | READ_ERROR << 192


def test_slots_are_read_before_data() -> None:
    host = Host()
    host.enable(0)
    host.enable(1)
    host.send(0, in_flits(*[ip_frame(1500)] * 8))
    host.publish(0)

    async def story() -> None:
        await host.bench.until(lambda: len(host.reads.requests) > 5)
        host.reads.holds = True
        host.send(1, ip_frame(60))
        host.publish(1)
        before = len(host.reads.requests)
        await host.bench.until(lambda: any(tag >= 128 for _, _, tag in host.reads.requests[before:]))
        host.reads.holds = False
        await host.settle()

    host.simulate(story)
    host.check()


@covers("C-145")
def test_without_bus_master_nothing_is_read_and_the_wait_is_idle() -> None:
    host = Host()
    host.bus_master = 0
    host.enable(0)
    host.send(0, ip_frame(200))
    host.publish(0)

    async def story() -> None:
        await host.bench.cycles(50)
        assert not host.reads.requests
        assert host.idle
        host.bus_master = 1
        await host.settle()

    host.simulate(story)
    host.check()


def test_a_wait_for_the_host_is_idle() -> None:
    host = Host()
    host.enable(0)
    host.send(0, in_flits(*[ip_frame(1500)] * 10))
    host.publish(0)

    async def story() -> None:
        for wanted in (1, 1 + 2 * TINY.data_tags):  # the slot; then all tags of data
            host.reads.holds = True
            await host.bench.cycles(60)
            assert host.idle
            assert len(host.reads.requests) <= wanted
            host.reads.holds = False
            await host.bench.cycles(6)
        await host.settle()

    host.simulate(story)
    host.check()


@covers("C-152")
def test_standing_still_while_idle_changes_nothing() -> None:
    """A path whose clock stops whenever it is idle and no input comes cannot be told from one that runs."""
    draw, rests = random.Random(7), dict[int, bytes]()
    shadow = Shadow(Unguarded(TINY), Unguarded(TINY))
    host = Host(shadow, seed=7, rate=0.4)
    for buffer in range(BUFFERS):
        host.enable(buffer)

    async def story() -> None:
        for _ in range(6):
            random_requests(host, draw, 2, rests)
            host.reads.holds = True
            await host.bench.cycles(100)
            host.bus_master, host.reads.holds = 0, False
            await host.bench.cycles(100)
            host.bus_master = 1
            await host.settle()

    host.simulate(story)
    host.check()
    print(f"stood still in {shadow.stopped} of {host.bench.cycle} cycles")
    assert shadow.stopped > host.bench.cycle // 10
