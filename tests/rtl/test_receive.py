"""ReceivePath: its blocks together lose nothing, keep the order, and keep up."""

import random
from collections import Counter
from typing import Any

import pytest

from enso_nic.config import TINY
from enso_nic.layouts import DropCause, FlowOperationKind, HostWriteKind, PipeOperationKind
from enso_nic.receive import ReceivePath
from enso_nic.registers import FIRST_NOTIFICATION_BUFFER_PAGE
from tests.rtl.contract import covers
from tests.rtl.ethernet_beats import beats
from tests.rtl.golden.steering import Key, flits, header_line, pipe_flits, refusal, stamped, steering_key
from tests.rtl.nic_frames import MACS, udp
from tests.rtl.shadow import Shadow
from tests.rtl.stream_bench import Bench, Port, Sink, Source

FIRST_PORT = 1024
"""UDP frames to port FIRST_PORT + i go to pipe i, the ring of which begins at line RINGS + i * 2**16."""
RINGS, NOTIFICATIONS = 1 << 30, 1 << 20
STAGES = {"parser": 2, "flow director": 6, "queue": 2, "pipe manager": 4, "notifier": 4, "DMA writer": 3}
"""Cycles from a frame's last beat to its first host-write beat, when nothing else is under way."""


def line_of(pipe: int) -> int:
    return RINGS + (pipe << 16)


ARP = MACS[:12] + b"\x08\x06" + bytes(range(28))
IPV6 = MACS[:12] + b"\x86\xdd\x60\0\0\0" + (30).to_bytes(2, "big") + bytes(range(100))
"""Of which its IP packet is 84 bytes."""


class Receiving:
    """An RX path with some enabled pipes, notification buffer 0, and a host that keeps what is written."""

    def __init__(
        self,
        *,
        pipes: int = 1,
        pipe_flits: int = 2048,
        rate: float = 1.0,
        seed: int = 1,
        shadow: Shadow[ReceivePath] | None = None,
    ) -> None:
        self.pipes, self.pipe_flits, self.shadow = pipes, pipe_flits, shadow
        self.block = shadow.original if shadow else ReceivePath(TINY)
        self.wire = Source(self.block.ethernet_rx)
        self.flows, self.operations = Source(self.block.flow), Source(self.block.operation)
        self.freed = Source(self.block.freed)
        self.verdicts, self.host = Sink(self.block.verdict), Sink(self.block.to_host, rate)
        self.writes: list[dict[str, int]] = []
        """To registers, one per cycle."""
        self.dropped: list[DropCause] = []
        self.settings = {"pipe_ring": pipe_flits.bit_length() - 1, "notification_ring": 11}
        self.timestamp, self.fallback = {"offset": 0, "enable": 0}, {"enable": 0, "mask": 0}
        self.pulses = Counter[str]()
        self.firsts: list[int] = []
        """Of each frame, its first beat on ``wire``."""
        self._beats = 0
        self.is_ready = self.is_idle = False
        ports: list[Port] = [self.wire, self.flows, self.operations, self.freed, self.verdicts, self.host]
        self.bench = Bench(shadow.top if shadow else self.block, ports, seed, self.each_cycle)

    def each_cycle(self, context: Any, cycle: int) -> None:
        block = self.block
        context.set(block.max_payload, 8)
        context.set(block.bus_master, 1)
        context.set(block.settings, self.settings)
        context.set(block.timestamp, self.timestamp)
        context.set(block.fallback, self.fallback)
        context.set(block.tick, self.tick(cycle))
        for name in ("stored", "merged", "notified"):
            self.pulses[name] += context.get(getattr(block, name))
        self.is_ready, self.is_idle = context.get(block.ready), context.get(block.idle)
        context.set(block.is_open, self.is_ready)
        if context.get(block.dropped) != DropCause.NONE:
            self.dropped.append(context.get(block.dropped))
        context.set(block.write.valid, bool(self.writes))
        if self.writes:
            context.set(block.write.payload, self.writes.pop(0))
        if self.shadow:
            self.shadow.follow(context)

    def tick(self, cycle: int) -> int:
        return (1 << 40) + cycle * 4 // 5

    async def opened(self) -> None:
        await self.bench.until(lambda: self.is_ready)
        pages = {FIRST_NOTIFICATION_BUFFER_PAGE: NOTIFICATIONS, **{i: line_of(i) for i in range(self.pipes)}}
        for page, line in pages.items():
            self.writes.append({"index": page, "low": 1, "high": 1, "data": line * 64})
        for i in range(self.pipes):
            rule = {"key": steering_key(udp(FIRST_PORT + i))._asdict(), "pipe": i}
            self.flows.items.append({"kind": FlowOperationKind.INSERT, "rule": rule})
        await self.bench.until(lambda: not self.writes and not self.flows.items and self.is_idle)

    def enter(self, frame: bytes) -> None:
        self.firsts.append(self._beats)
        self.wire.items.extend(beats(frame))
        self._beats += len(flits(frame))

    def arrivals(self) -> list[int]:
        """Tick of the first beat of each frame."""
        return [self.tick(self.wire.taken_at[first]) for first in self.firsts]

    def set_header_mode(self, pipe: int) -> None:
        self.writes.append({"index": pipe, "mode": 1, "data": 1})

    async def drained(self) -> None:
        await self.bench.until(lambda: not (self.wire.items or self.operations.items or self.freed.items), 10000)
        await self.bench.cycles(1)  # idle does not tell of an input
        await self.bench.until(lambda: self.is_idle)

    def run(self, story: Any) -> None:
        async def whole() -> None:
            await self.opened()
            await story()
            await self.drained()

        self.bench.simulate(whole)

    def written(self) -> list[tuple[int, int]]:
        """(line, data) of each line of the pipes' rings that was written, in order."""
        lines, line = [], 0
        for beat in self.host.got:
            if beat.kind == HostWriteKind.WRITE:
                line = beat.address if beat.first else line + 1
                if line >= RINGS:
                    lines.append((line, beat.data))
        return lines

    def expected(self, frames: list[tuple[int, bytes]]) -> dict[int, list[tuple[int, int]]]:
        """What each pipe must hold of (pipe, frame)."""
        rings: dict[int, list[tuple[int, int]]] = {pipe: [] for pipe in range(self.pipes)}
        for pipe, frame in frames:
            ring = rings[pipe]
            for flit in pipe_flits(frame):
                line = line_of(pipe) + len(ring) % self.pipe_flits
                ring.append((line, int.from_bytes(flit, "little")))
        return rings

    def check(self, frames: list[tuple[int, bytes]]) -> None:
        """Exactly these frames reached their pipes, in the order of each pipe."""
        got: dict[int, list[tuple[int, int]]] = {pipe: [] for pipe in range(self.pipes)}
        for line, data in self.written():
            got[(line - RINGS) >> 16].append((line, data))
        assert got == self.expected(frames)
        assert self.pulses["stored"] == len(frames)

    def notifications(self) -> list[tuple[int, int, int]]:
        """(line, pipe, tail) of each notification that was written, in order."""
        return [
            (beat.address, beat.data >> 64 & (1 << 64) - 1, beat.data >> 128 & (1 << 64) - 1)
            for beat in self.host.got
            if beat.kind == HostWriteKind.WRITE and beat.first and beat.address < RINGS
        ]


@covers("C-174")
def test_latency_from_the_last_beat_to_the_host() -> None:
    receiving = Receiving()

    async def story() -> None:
        receiving.enter(udp(FIRST_PORT, 300))

    receiving.run(story)
    latency = receiving.host.got_at[0] - receiving.wire.taken_at[-1]
    print(f"last beat in to first host-write beat: {latency} cycles")
    assert latency == sum(STAGES.values())


@pytest.mark.parametrize(("size", "pipes"), [(60, 1), (60, 3), (100, 1), (1514, 3)])
@covers("C-170")
def test_a_line_leaves_in_at_least_99_of_100_cycles_while_frames_come(size: int, pipes: int) -> None:
    """Frames back to back, faster than any wire; to one pipe or to several in turn."""
    receiving = Receiving(pipes=pipes)
    frames = [(i % pipes, udp(FIRST_PORT + i % pipes, size, number=i)) for i in range(400 * 64 // max(size, 64))]

    async def story() -> None:
        for _, frame in frames:
            receiving.enter(frame)

    receiving.run(story)
    receiving.check(frames)
    at = receiving.host.got_at
    share = len(at) / (at[-1] - at[0] + 1)
    print(f"{len(frames)} frames of {size} bytes to {pipes} pipes: {len(at)} beats, {share:.4f} per cycle")
    assert share >= 0.99


@pytest.mark.parametrize(("count", "sizes"), [(200, [60]), (100, [60, 100, 600, 1514])])
@covers("C-044", "C-063")
def test_back_pressure_drops_whole_frames_at_the_door_and_no_others(count: int, sizes: list[int]) -> None:
    seed = 5
    draw = random.Random(seed)
    receiving = Receiving(pipes=2, rate=0.3, seed=seed)
    frames = [(i % 2, udp(FIRST_PORT + i % 2, draw.choice(sizes), number=i)) for i in range(count)]

    async def story() -> None:
        for _, frame in frames:
            receiving.enter(frame)

    receiving.run(story)
    causes = [verdict.cause for verdict in receiving.verdicts.got]
    counts = Counter(cause.name for cause in causes)
    print(f"seed {seed}: {dict(sorted(counts.items()))}")
    assert set(counts) == {"NONE", "PACKET_BUFFER_FULL"}
    receiving.check([frame for frame, cause in zip(frames, causes, strict=True) if cause == DropCause.NONE])


@covers("C-027", "C-044")
def test_each_admitted_frame_reaches_its_pipe_or_is_counted() -> None:
    """Pipes that fill up, one that does not exist, none at all; and heads that free some space."""
    seed = 6
    draw = random.Random(seed)
    receiving = Receiving(pipes=3, pipe_flits=64, rate=0.8, seed=seed)
    ports = [0, 1, 2, 9]  # the last has no rule
    frames = [udp(FIRST_PORT + draw.choice(ports), draw.choice([60, 100, 600]), number=i) for i in range(200)]

    async def story() -> None:
        for frame in frames:
            receiving.enter(frame)
            await receiving.bench.cycles(draw.randrange(12))
            if draw.random() < 0.2:
                head = draw.randrange(64)
                pipe = draw.randrange(3)
                receiving.writes.append({"index": pipe, "head": 1, "data": head << 32})
                receiving.operations.items.append({"kind": PipeOperationKind.HEAD_CHECK, "index": pipe})

    receiving.run(story)
    admitted = sum(verdict.cause == DropCause.NONE for verdict in receiving.verdicts.got)
    flits = {int.from_bytes(b"".join(pipe_flits(frame)[:1]), "little"): len(pipe_flits(frame)) for frame in frames}
    arrived = [flits[data] for _, data in receiving.written() if data in flits]
    counts = Counter(cause.name for cause in receiving.dropped)
    print(f"seed {seed}: {admitted} admitted, {len(arrived)} arrived, {dict(sorted(counts.items()))}")
    assert sum(arrived) == len(receiving.written()), "frames arrive whole"
    assert receiving.pulses["stored"] == len(arrived)
    assert admitted == len(arrived) + len(receiving.dropped)
    assert set(counts) == {"NO_FLOW", "PIPE_FULL"}


# --- beyond upstream --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1.0, 0.4])
def test_a_pipe_in_header_mode_takes_every_frame_whole_behind_a_line_that_tells_of_it(rate: float) -> None:
    """Beside one without: that takes sound IPv4 packets, and only these, without what lies behind them."""
    seed = 8
    draw = random.Random(seed)
    receiving = Receiving(pipes=2, rate=rate, seed=seed)
    kinds = [ARP, IPV6, b"\x55", udp(FIRST_PORT + 9) + bytes(range(1, 200)), udp(FIRST_PORT + 9, 1514)]
    to_headers = [draw.choice(kinds) for _ in range(40)]
    to_others = [udp(FIRST_PORT + 1, size) + bytes(draw.randrange(100)) for size in draw.choices([60, 70, 300], k=40)]
    frames = [frame for pair in zip(to_headers, to_others, strict=True) for frame in pair]

    async def story() -> None:
        receiving.fallback = {"enable": 1, "mask": 0}  # to pipe 0 goes all that has no rule
        receiving.set_header_mode(0)
        await receiving.bench.cycles(2)
        for frame in frames:
            receiving.enter(frame)
            await receiving.bench.until(lambda: not receiving.wire.items)
            await receiving.bench.cycles(20)

    receiving.run(story)
    expected: dict[int, list[bytes]] = {0: [], 1: []}
    for frame, arrival in zip(frames, receiving.arrivals(), strict=True):
        if steering_key(frame) == steering_key(udp(FIRST_PORT + 1)):
            expected[1] += pipe_flits(frame)
        else:
            expected[0] += [header_line(frame, steering_key(frame), arrival=arrival, drops=0), *flits(frame)]
    for pipe, lines in expected.items():
        got = [(line, data) for line, data in receiving.written() if (line - RINGS) >> 16 == pipe]
        assert [line for line, _ in got] == list(range(line_of(pipe), line_of(pipe) + len(lines)))
        assert [data.to_bytes(64, "little") for _, data in got] == lines, f"pipe {pipe}, seed {seed}"
    assert receiving.pulses["stored"] == len(frames)
    assert not receiving.dropped


def test_without_header_mode_what_is_no_sound_ip_packet_is_dropped_and_the_headers_count_it() -> None:
    receiving = Receiving()

    async def story() -> None:
        receiving.fallback = {"enable": 1, "mask": 0}
        for frame in (ARP, IPV6, udp(FIRST_PORT)[:50]):
            receiving.enter(frame)
        await receiving.drained()
        receiving.set_header_mode(0)
        await receiving.bench.cycles(2)
        receiving.enter(ARP)

    receiving.run(story)
    assert [cause.name for cause in receiving.dropped] == ["NOT_IP", "NOT_IP", "BAD_IP_LENGTH"]
    header = header_line(ARP, Key(), arrival=receiving.arrivals()[3], drops=3)
    assert [data.to_bytes(64, "little") for _, data in receiving.written()] == [header, *flits(ARP)]


def test_pipes_take_ipv6_up_to_its_end_if_they_are_set_to() -> None:
    receiving = Receiving()
    assert (refusal(IPV6), refusal(IPV6, accept_ipv6=True)) == ("not_ip", "none")

    async def story() -> None:
        receiving.fallback = {"enable": 1, "mask": 0}
        for accepts in (0, 1, 0):
            receiving.settings = receiving.settings | {"accept_ipv6": accepts}
            receiving.enter(IPV6)
            await receiving.drained()

    receiving.run(story)
    assert [cause.name for cause in receiving.dropped] == ["NOT_IP"] * 2
    receiving.check([(0, IPV6)])


def test_frames_carry_how_long_they_were_under_way_while_time_stamps_are_on() -> None:
    receiving = Receiving()
    frames = [udp(FIRST_PORT, 200, number=i) for i in range(6)]

    async def story() -> None:
        for i, frame in enumerate(frames):
            receiving.timestamp = {"offset": 50 + i, "enable": i % 3 != 0}
            receiving.enter(frame)
            await receiving.drained()

    receiving.run(story)
    arrived = [
        stamped(frame, 50 + i, arrival) if i % 3 else frame
        for i, (frame, arrival) in enumerate(zip(frames, receiving.arrivals(), strict=True))
    ]
    receiving.check([(0, frame) for frame in arrived])


def test_rings_have_the_sizes_that_were_set_when_they_were_enabled() -> None:
    """The pipe's of 8 flits, and the notification buffer's of 16 slots; both go round."""
    receiving = Receiving(pipe_flits=8)
    receiving.settings["notification_ring"] = 4
    frames = [udp(FIRST_PORT, 100, number=i) for i in range(20)]

    async def story() -> None:
        receiving.settings = {"pipe_ring": 6, "notification_ring": 6}
        for i, frame in enumerate(frames, 1):
            receiving.enter(frame)
            await receiving.drained()
            receiving.writes.append({"index": 0, "head": 1, "data": 2 * i % 8 << 32})
            receiving.operations.items.append({"kind": PipeOperationKind.HEAD_CHECK, "index": 0})
            receiving.writes.append({"index": FIRST_NOTIFICATION_BUFFER_PAGE, "head": 1, "data": i % 16 << 32})
            await receiving.drained()

    receiving.run(story)
    receiving.check([(0, frame) for frame in frames])
    assert receiving.notifications() == [(NOTIFICATIONS + i % 16, 0, 2 * (i + 1) % 8) for i in range(20)]


@pytest.mark.parametrize("per_packet", [0, 1])
def test_each_packet_notifies_if_they_are_set_to(per_packet: int) -> None:
    receiving = Receiving()

    async def story() -> None:
        receiving.settings = receiving.settings | {"notify_per_packet": per_packet}
        for i in range(5):
            receiving.enter(udp(FIRST_PORT, 100, number=i))

    receiving.run(story)
    count = 5 if per_packet else 1
    assert receiving.notifications() == [(NOTIFICATIONS + i, 0, 2 * i + 2) for i in range(count)]
    assert receiving.pulses["notified"] == count


def test_head_checks_that_find_the_queue_full_are_merged_and_counted() -> None:
    """While the host takes nothing, more come than may wait; none of them is held up."""
    receiving = Receiving(rate=0)
    checks = 8 * TINY.pipe_operations

    async def story() -> None:
        for i in range(100):
            receiving.enter(udp(FIRST_PORT, number=i))
        await receiving.bench.cycles(200)
        for _ in range(checks):
            receiving.operations.items.append({"kind": PipeOperationKind.HEAD_CHECK, "index": 0})
        await receiving.bench.until(lambda: not receiving.operations.items)
        receiving.host.rate = 1

    receiving.run(story)
    print(f"{receiving.pulses['merged']} of {checks} head checks were merged")
    assert checks - 2 * TINY.pipe_operations <= receiving.pulses["merged"] < checks


# --- order and time ---------------------------------------------------------------------------------------------------


@covers("C-012")
def test_an_answer_leaves_behind_every_packet_that_was_decided_before() -> None:
    receiving = Receiving()

    async def story() -> None:
        for i in range(5):
            receiving.enter(udp(FIRST_PORT, 1514, number=i))
        await receiving.bench.until(lambda: bool(receiving.host.got))
        receiving.operations.items.append({"kind": PipeOperationKind.REGISTER_READ, "index": 0, "tag": 77})

    receiving.run(story)
    kinds = [beat.kind for beat in receiving.host.got]
    at = kinds.index(HostWriteKind.MMIO_RESPONSE)
    answer = receiving.host.got[at]
    notifications = 1
    assert answer.tag == 77
    assert answer.data & 0xFFFFFFFF == at - notifications, "the tail that it tells is that of the flits before it"
    assert 0 < at < len(kinds) - 1


@covers("C-152")
def test_standing_still_while_idle_changes_nothing() -> None:
    """A path whose clock stops whenever it is idle and no input comes cannot be told from one that runs."""
    seed = 7
    draw = random.Random(seed)
    pulses = ("dropped", "stored", "merged", "notified", "lost", "insert_failed")
    shadow = Shadow(ReceivePath(TINY), ReceivePath(TINY), pulses)
    receiving = Receiving(pipes=2, pipe_flits=64, rate=0.7, seed=seed, shadow=shadow)

    async def story() -> None:
        for i in range(60):
            frames = [udp(FIRST_PORT + draw.randrange(3), draw.choice([60, 60, 600]), number=i)] * draw.choice(
                [0, 1, 3]
            )
            for frame in frames:
                receiving.enter(frame)
            pipe = draw.randrange(2)
            if draw.random() < 0.2:
                receiving.writes.append({"index": pipe, "mode": 1, "data": draw.getrandbits(1)})
            receiving.timestamp = {"offset": 50, "enable": draw.getrandbits(1)}
            for _ in range(draw.choice([0, 0, 1, 2])):
                operation = {"index": pipe, "kind": draw.choice(list(PipeOperationKind.__members__.values()))}
                receiving.operations.items.append(operation)
            if draw.random() < 0.5:
                receiving.writes.append({"index": pipe, "head": 1, "data": draw.randrange(64) << 32})
            await receiving.bench.cycles(draw.choice([1, 3, 40, 40]))

    receiving.run(story)
    print(f"seed {seed}: stood still in {shadow.stopped} of {receiving.bench.cycle} cycles")
    assert shadow.stopped > receiving.bench.cycle // 10


def test_a_flood_of_head_checks_of_a_full_notification_ring_forgets_no_pipe() -> None:
    """Each owes a notification, faster than they can be noted."""
    pipes = 4
    receiving = Receiving(pipes=pipes)

    def notified() -> list[int]:
        lines = [beat for beat in receiving.host.got if beat.kind == HostWriteKind.WRITE and beat.address < RINGS]
        return [beat.data >> 64 & 0xFFFFFFFF for beat in lines]

    def write_head(head: int) -> None:
        receiving.writes.append({"index": FIRST_NOTIFICATION_BUFFER_PAGE, "head": 1, "data": head << 32})

    async def story() -> None:
        for pipe in range(pipes):
            receiving.enter(udp(FIRST_PORT + pipe))
        await receiving.drained()
        write_head(pipes + 1)
        checked = [*[0] * 60, *range(1, pipes), *[0] * 20]
        receiving.operations.items.extend({"kind": PipeOperationKind.HEAD_CHECK, "index": pipe} for pipe in checked)
        await receiving.drained()
        assert len(notified()) == pipes
        merged = receiving.pulses["merged"]
        write_head(pipes)
        receiving.freed.items.append(0)
        await receiving.drained()
        assert receiving.pulses["merged"] == merged, "what was owed is no head check"
        assert sorted(notified()[pipes:]) == list(range(pipes))

    receiving.run(story)
