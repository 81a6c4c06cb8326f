"""Any sequence of packets, head writes, requests, register reads, stalls and resets, judged by the golden model."""

import dataclasses
import itertools
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import cocotb
from cocotb.task import bridge, resume
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisSideeffectWarning

from enso_nic import registers
from enso_nic.config import FLIT_BYTES, TINY
from tests.rtl.contract import covers
from tests.rtl.golden import GoldenNic
from tests.rtl.golden.steering import Key
from tests.rtl.host_model import BASE
from tests.rtl.nic_bench import BOTH, HIGH, LOW, Conditions, NicBench, start_clock
from tests.rtl.nic_frames import DESTINATION, MACS, SOURCE, SOURCE_PORT, counting, ipv4, tcp, udp
from tests.rtl.nic_software import (
    Software,
    config_slot,
    data_slot,
    fallback_slot,
    flow_slot,
    rate_limit_slot,
    timestamp_slot,
)

CONFIG = dataclasses.replace(TINY, commit_taps=True)
RING, SLOTS = CONFIG.pipe_flits, CONFIG.notification_slots
PIPES, BUFFERS, PORTS = 4, 2, 6
"""Pipe p belongs to buffer p % BUFFERS. Ports without a rule, and pipes that are closed, occur too."""
MOST_REQUESTS = SLOTS - 1 - 4
"""Published at once: an unfinished frame may hold back four completions before them."""
HOST_BYTES = 8 << 20
EXAMPLES = 200


class Run:
    """A NIC with open rings, and what has been done to it."""

    def __init__(self, dut: Any, conditions: Conditions) -> None:
        self.bench = NicBench(dut, CONFIG, conditions, HOST_BYTES)
        self.software = Software(self.bench, CONFIG)
        self.frames = 0
        self.rests: dict[int, bytes] = {}
        """Requests that go on with the frame which a buffer left unfinished."""

    @property
    def golden(self) -> GoldenNic:
        assert self.bench.golden is not None
        return self.bench.golden

    async def begin(self, pin: str, start: int, slot: int, *, answers: bool = True) -> None:
        """Reset, and open all rings at these indices."""
        await self.bench.reset(pin, answers=answers)
        self.software = Software(self.bench, CONFIG)
        await self.open(start, slot)

    async def open(self, start: int, slot: int) -> None:
        """Open all rings at these indices."""
        self.rests.clear()
        for buffer in range(BUFFERS):
            self.software.open_buffer(buffer, start=slot, tx_start=slot)
        for pipe in range(PIPES):
            self.software.open_pipe(pipe, pipe % BUFFERS, start=start)
        await self.software.publish(0, *(flow_slot(udp_key(pipe), pipe) for pipe in range(PIPES - 1)))

    def number(self) -> int:
        self.frames += 1
        return self.frames


def udp_key(port: int) -> Key:
    return Key(destination_port=port, destination_address=DESTINATION)


def tcp_key(port: int) -> Key:
    return Key(port, SOURCE_PORT, DESTINATION, SOURCE)


FRAMES: dict[str, Callable[[int, int, int], bytes]] = {
    "udp": udp,
    "tcp": lambda port, size, number: tcp(port, max(size, 54), number),
    "syn": lambda port, size, number: tcp(port, max(size, 54), number, flags=2),
    "icmp": lambda port, size, number: ipv4(counting(size, number), protocol=1),
    "trailer": lambda port, size, number: udp(port, 50, number) + counting(size, number),
    "ipv6": lambda port, size, number: MACS[:12] + b"\x86\xdd" + counting(size, number),
    "false length": lambda port, size, number: ipv4(counting(size, number), total=21 + size),
    "runt": lambda port, size, number: udp(port, 60, number)[: 1 + size % 59],
}


class Action(Protocol):
    """Something that happens to the NIC, while what was begun before may still go on."""

    async def do(self, run: Run) -> None: ...


@dataclass(frozen=True)
class Receive:
    """Frames come from the wire, back to back, to one port or to several in turn."""

    kind: str
    port: int
    size: int
    count: int
    spread: int = 0
    bad: bool = False

    async def do(self, run: Run) -> None:
        for number in range(self.count):
            port = (self.port + number * self.spread) % PORTS
            run.bench.receive(FRAMES[self.kind](port, self.size, run.number()), bad=self.bad)


@dataclass(frozen=True)
class Head:
    """Software gives room back, up to some flits before the newest tail."""

    pipe: int
    keep: int

    async def do(self, run: Run) -> None:
        tail = run.golden.receive.pipes[self.pipe].tail
        run.software.write_head(self.pipe, (tail - self.keep) % run.software.pipe_flits)


@dataclass(frozen=True)
class SameHead:
    """Software writes its last head again, perhaps often: each time it is told of what lies there."""

    pipe: int
    times: int

    async def do(self, run: Run) -> None:
        for _ in range(self.times):
            run.software.write_head(self.pipe, run.golden.receive.pipes[self.pipe].head.latest)


@dataclass(frozen=True)
class WildHead:
    """Software writes a head that may be anywhere."""

    pipe: int
    head: int

    async def do(self, run: Run) -> None:
        run.software.write_head(self.pipe, self.head)


@dataclass(frozen=True)
class WildIndices:
    """Software writes tail and head of a pipe at once, and they may be anywhere."""

    pipe: int
    indices: int

    async def do(self, run: Run) -> None:
        run.bench.write(registers.pipe_register(self.pipe, registers.RX_TAIL), self.indices, BOTH)


@dataclass(frozen=True)
class TakeNotifications:
    """Software has read all notifications of a buffer."""

    buffer: int

    async def do(self, run: Run) -> None:
        run.software.write_notification_head(self.buffer, run.golden.to_host.rings[self.buffer].tail)


@dataclass(frozen=True)
class Send:
    """Frames lie one after the other, perhaps cut into several requests, published at once; the last may be spoilt."""

    buffer: int
    sizes: tuple[int, ...]
    cuts: tuple[int, ...] = ()
    spoil: str = ""
    keeps: bool = False
    """The last request comes later, or never."""
    framed: bool = False

    async def do(self, run: Run) -> None:
        frames = [udp(9, size, run.number()) for size in self.sizes]
        if self.framed:
            frames = [piece for frame in frames for piece in (len(frame).to_bytes(4, "little") + bytes(60), frame)]
        if self.spoil == "other":
            frames[-1] = MACS[:12] + b"\x88\xb5" + frames[-1][14:]
        if self.spoil == "short":
            frames[-1] = frames[-1][:16] + b"\0\x10" + frames[-1][18:]
        address, length = run.software.place(*frames)
        if self.spoil == "cut":
            length -= 1
        if self.spoil == "unfinished":
            length = max(length - 1, FLIT_BYTES) // FLIT_BYTES * FLIT_BYTES
        cuts = sorted({cut * FLIT_BYTES for cut in self.cuts if cut * FLIT_BYTES < length} | {0})
        if self.spoil == "poison":
            run.bench.host.poisoned.add(address + cuts[-1])
        requests = [
            data_slot(address + start, end - start, framed=self.framed)
            for start, end in zip(cuts, [*cuts[1:], length], strict=True)
        ]
        if self.keeps and len(requests) > 1:
            run.rests[self.buffer] = requests.pop()
        await run.software.publish(self.buffer, *requests)


@dataclass(frozen=True)
class GoOn:
    """What a frame lacked is published."""

    buffer: int

    async def do(self, run: Run) -> None:
        if self.buffer in run.rests:
            await run.software.publish(self.buffer, run.rests.pop(self.buffer))


@dataclass(frozen=True)
class Stamp:
    """Time stamps are switched on or off."""

    buffer: int
    enable: bool
    offset: int

    async def do(self, run: Run) -> None:
        await run.software.publish(self.buffer, timestamp_slot(enable=self.enable, offset=self.offset))


@dataclass(frozen=True)
class Limit:
    """TX is slowed down, or not."""

    buffer: int
    enable: bool
    denominator: int

    async def do(self, run: Run) -> None:
        request = rate_limit_slot(enable=self.enable, numerator=10, denominator=self.denominator)
        await run.software.publish(self.buffer, request)


@dataclass(frozen=True)
class SendEach:
    """Frames that are requests of their own, published at once."""

    buffer: int
    sizes: tuple[int, ...]

    async def do(self, run: Run) -> None:
        places = [run.software.place(udp(9, size, run.number())) for size in self.sizes]
        await run.software.publish(self.buffer, *(data_slot(*place) for place in places))


@dataclass(frozen=True)
class SendWrong:
    """A request that cannot be served."""

    buffer: int
    kind: str

    async def do(self, run: Run) -> None:
        address, length = run.software.place(udp(9, 200))
        request = {
            "unaligned": data_slot(address + 8, length),
            "empty": data_slot(address, 0),
            "outside": data_slot(BASE - 4096, 1000),
            "config": config_slot(77),
        }[self.kind]
        await run.software.publish(self.buffer, request)


@dataclass(frozen=True)
class Rule:
    """Frames of a kind to a port go to a pipe, that may not exist; or no more; or it is asked whether they do."""

    buffer: int
    kind: str
    port: int
    pipe: int
    number: int

    async def do(self, run: Run) -> None:
        key = tcp_key(self.port) if self.kind == "tcp" else udp_key(self.port)
        await run.software.publish(self.buffer, flow_slot(key, self.pipe, self.number))


@dataclass(frozen=True)
class Crowd:
    """So many rules at once that others are moved, or that the table is full; or as many are deleted."""

    buffer: int
    first: int
    count: int
    number: int

    async def do(self, run: Run) -> None:
        for port in range(self.first, self.first + self.count):
            await run.software.publish(self.buffer, flow_slot(udp_key(port), port % PIPES, self.number))


@dataclass(frozen=True)
class Fallback:
    """Frames without a rule go to some pipes, by hash or in turn, or nowhere."""

    buffer: int
    pipes: int
    mask: int
    round_robin: bool

    async def do(self, run: Run) -> None:
        await run.software.publish(self.buffer, fallback_slot(self.pipes, self.mask, round_robin=self.round_robin))


@dataclass(frozen=True)
class HeaderMode:
    """A pipe takes every frame, or only what upstream software can walk; and where frames without a key go."""

    pipe: int
    on: bool
    buffer: int

    async def do(self, run: Run) -> None:
        run.software.set_header_mode(self.pipe, on=self.on)
        await run.software.publish(self.buffer, flow_slot(Key(), self.pipe))


@dataclass(frozen=True)
class Modes:
    """Each packet notifies, or not; pipes take IPv6, or not."""

    modes: int

    async def do(self, run: Run) -> None:
        run.software.set_modes(registers.Mode(self.modes))


@dataclass(frozen=True)
class Resize:
    """All rings are closed, once nothing is on its way to them, and opened again with other sizes."""

    pipe_flits: int
    slots: int
    start: int
    slot: int

    async def do(self, run: Run) -> None:
        await run.bench.settle()
        run.software.set_ring_sizes(self.pipe_flits, self.slots)
        await run.open(self.start % self.pipe_flits, self.slot % self.slots)


@dataclass(frozen=True)
class Restart:
    """Software resets the NIC in the middle of everything."""

    start: int
    slot: int

    async def do(self, run: Run) -> None:
        await run.bench.read(registers.extension_register("magic"))
        await run.bench.restart()
        run.software = Software(run.bench, CONFIG)
        await run.open(self.start, self.slot)


@dataclass(frozen=True)
class Read:
    """A register is read; nobody waits for the answer."""

    page: int
    word: int

    async def do(self, run: Run) -> None:
        run.bench.post_read(self.page * registers.PAGE_BYTES + 8 * self.word)


@dataclass(frozen=True)
class Close:
    """A pipe is closed."""

    pipe: int

    async def do(self, run: Run) -> None:
        run.software.close_pipe(self.pipe)


@dataclass(frozen=True)
class Move:
    """A pipe is closed, and opened anew, once nothing can be on its way to it, for any notification buffer."""

    pipe: int
    buffer: int
    start: int

    async def do(self, run: Run) -> None:
        run.software.close_pipe(self.pipe)
        await run.bench.read(registers.pipe_register(self.pipe, registers.RX_MEM_LOW))
        run.software.open_pipe(self.pipe, self.buffer, start=self.start)


@dataclass(frozen=True)
class Deafen:
    """A notification buffer is closed for RX, or opened again where it was."""

    buffer: int
    open: bool

    async def do(self, run: Run) -> None:
        register = registers.notification_buffer_register(self.buffer, registers.RX_MEM_LOW)
        address = run.software.slot_address(self.buffer, 0, tx=False)
        run.bench.write(register, address, BOTH if self.open else LOW)
        if self.open:
            run.bench.write(register, address, HIGH)


@dataclass(frozen=True)
class Hold:
    """The host or the wire takes, or answers, nothing for a while."""

    what: str
    cycles: int

    async def do(self, run: Run) -> None:
        run.bench.hold(self.what, cycles=self.cycles)


@dataclass(frozen=True)
class TakeBusMaster:
    """The host forbids the NIC its memory for a while."""

    cycles: int

    async def do(self, run: Run) -> None:
        run.bench.set_host(bus_master=False)
        await run.bench.cycles(self.cycles)
        run.bench.set_host(bus_master=True)


@dataclass(frozen=True)
class Pause:
    """Time goes by."""

    cycles: int

    async def do(self, run: Run) -> None:
        await run.bench.cycles(self.cycles)


@dataclass(frozen=True)
class Settle:
    """All that was begun ends."""

    async def do(self, run: Run) -> None:
        await run.bench.settle()


@dataclass(frozen=True)
class Reset:
    """Reset in the middle of everything; reads under way are answered late, or never."""

    pin: str
    start: int
    slot: int
    answers: bool

    async def do(self, run: Run) -> None:
        await run.begin(self.pin, self.start, self.slot, answers=self.answers)


@dataclass(frozen=True)
class Example:
    """What Hypothesis varies, and shrinks."""

    conditions: Conditions
    start: int
    slot: int
    actions: list[Action]


pipes, buffers, ports = (st.integers(0, limit - 1) for limit in (PIPES, BUFFERS, PORTS))
flits, slots = st.integers(0, RING - 1), st.integers(0, SLOTS - 1)
sizes = st.one_of(st.integers(42, 200), st.sampled_from([60, 64, 65, 128, 1514, 1515, 600]), st.integers(42, 1514))
sendable = st.one_of(st.integers(42, 200), st.integers(42, 1514))
counts = st.sampled_from([1, 1, 2, 3, 8, 30, 70])
flow_requests = st.sampled_from([0x1, 0x1, 0x1, 0x100, 0x101])
shares = st.sampled_from([100, 100, 100, 80, 40, 15])
pages = st.one_of(
    st.integers(0, PIPES),
    st.integers(registers.FIRST_NOTIFICATION_BUFFER_PAGE, registers.FIRST_NOTIFICATION_BUFFER_PAGE + BUFFERS),
    st.just(registers.FIRST_EXTENSION_PAGE),
)
actions = st.one_of(
    st.builds(Receive, st.just("udp"), ports, sizes, counts, st.just(1)),
    st.builds(Receive, st.just("udp"), pipes, sizes, counts),
    st.builds(Receive, st.just("udp"), pipes, st.just(60), counts),
    st.builds(Receive, st.sampled_from(sorted(FRAMES)), ports, sizes, counts),
    st.builds(Receive, st.sampled_from(sorted(FRAMES)), ports, sizes, counts, st.just(1), st.booleans()),
    st.builds(Head, pipes, st.one_of(st.integers(0, 9), flits)),
    st.builds(SameHead, pipes, st.sampled_from([1, 2, SLOTS, 2 * SLOTS])),
    st.builds(SameHead, pipes, st.sampled_from([1, 2, SLOTS, 2 * SLOTS])),
    st.builds(Head, pipes, st.just(0)),
    st.builds(WildHead, pipes, st.integers(0, (1 << 32) - 1)),
    st.builds(WildIndices, pipes, st.integers(0, (1 << 64) - 1)),
    st.builds(TakeNotifications, buffers),
    st.builds(TakeNotifications, buffers),
    st.builds(
        Send,
        buffers,
        st.lists(sendable, min_size=1, max_size=5).map(tuple),
        st.lists(st.integers(0, 60), max_size=3).map(tuple),
        st.sampled_from(["", "", "", "", "other", "short", "poison", "cut", "unfinished", "unfinished"]),
        st.booleans(),
        st.sampled_from([False, False, True]),
    ),
    st.builds(SendEach, buffers, st.lists(sendable, min_size=1, max_size=MOST_REQUESTS).map(tuple)),
    st.builds(GoOn, buffers),
    st.builds(Stamp, buffers, st.booleans(), st.integers(0, 70)),
    st.builds(Limit, buffers, st.booleans(), st.sampled_from([10, 20, 40])),
    st.builds(SendWrong, buffers, st.sampled_from(["unaligned", "empty", "outside", "config"])),
    st.builds(Rule, buffers, st.sampled_from(["udp", "tcp"]), ports, st.integers(0, PIPES), flow_requests),
    st.builds(Crowd, buffers, st.sampled_from([0, 40, 70]), st.sampled_from([20, 40]), flow_requests),
    st.builds(Fallback, buffers, st.sampled_from([0, 1, 1]), st.sampled_from([0, 1, 3, 0xFFFFFFFF]), st.booleans()),
    st.builds(Read, pages, st.integers(0, 70)),
    st.builds(Read, st.just(registers.FIRST_PIPE_MODE_PAGE), st.integers(0, PIPES)),
    st.builds(Read, st.just(registers.FIRST_PIPE_DROPS_PAGE), st.integers(0, PIPES)),
    st.builds(HeaderMode, pipes, st.booleans(), buffers),
    st.builds(HeaderMode, pipes, st.just(True), buffers),
    st.builds(Modes, st.sampled_from([0, 0, *range(8)])),
    st.builds(Resize, st.sampled_from([32, 64, 128]), st.sampled_from([SLOTS, 2 * SLOTS]), flits, slots),
    st.builds(Restart, flits, slots),
    st.builds(Close, pipes),
    st.builds(Move, pipes, st.integers(0, BUFFERS), flits),
    st.builds(Deafen, buffers, st.booleans()),
    st.builds(
        Hold, st.sampled_from(["to_host", "read_request", "ethernet_tx", "read_completion"]), st.integers(1, 400)
    ),
    st.builds(TakeBusMaster, st.integers(1, 60)),
    st.builds(Pause, st.integers(1, 40)),
    st.builds(Settle),
    st.builds(Reset, st.sampled_from(["rst", "host__reset"]), flits, slots, st.booleans()),
)
conditions = st.builds(
    Conditions,
    to_host=shares,
    read_request=shares,
    read_completion=shares,
    wire_out=shares,
    wire_in=shares,
    mmio=shares,
    read_delay=st.sampled_from([0, 0, 10, 200]),
    shuffled=st.booleans(),
    max_payload=st.sampled_from([8, 4, 2]),
    max_read=st.sampled_from([8, 4, 2]),
    seed=st.integers(0, 1000),
)
# lists of lists are longer than a list, and shrink as well
sequences = st.lists(st.lists(actions, max_size=10), max_size=10).map(lambda parts: list(itertools.chain(*parts)))
examples = st.builds(Example, conditions, flits, slots, sequences)


@cocotb.test()
@covers("C-029", "C-043", "C-044", "C-049", "C-056", "C-103", "C-104", "C-147", "C-149", "C-151", "C-153", "C-160")
async def the_nic_does_what_the_model_does(dut: Any) -> None:
    start_clock(dut)
    # cocotb loads pytest's plugins, which leaves Hypothesis thinking that it still starts up
    warnings.simplefilter("ignore", HypothesisSideeffectWarning)
    totals: Counter[str] = Counter()

    async def judge(example: Example) -> None:
        run = Run(dut, example.conditions)
        await run.begin("rst", example.start, example.slot)
        await run.bench.settle()
        for action in example.actions:
            await action.do(run)
        await run.bench.settle()
        counters = await run.software.counters()
        await run.bench.settle()
        assert {name: counters[name] for name in run.golden.counters} == dict(run.golden.counters)
        totals.update(run.golden.counters, cycles=run.bench.now)

    run_judge = resume(judge)

    @seed(cocotb.RANDOM_SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        print_blob=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(examples)
    def whatever_happens(example: Example) -> None:
        run_judge(example)

    await bridge(whatever_happens)()
    print(f"{EXAMPLES} examples: {dict(totals)}")
    usual = {"rx_admitted", "tx_frames", "notifications", "lost_notifications", "pipe_full", "no_flow", "tx_error"}
    assert usual <= set(totals), "the examples were too tame"
