"""TxRequestFetch: the TX registers of the notification buffers, and the slots that tail writes publish."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from amaranth.hdl import ResetInserter, Signal
from amaranth.utils import exact_log2

from enso_nic.config import TINY
from enso_nic.layouts import ReadKind
from enso_nic.tx_request_fetch import TxRequestFetch
from tests.rtl.contract import covers
from tests.rtl.stream_bench import Bench, Port, Sink, Source

SLOTS = TINY.notification_slots
INDICES, MEMORY = 0, 1
LOW, HIGH, BOTH = 1, 2, 3
BASE = 0x0001_2345_6780_0000


class Fetching:
    """The block and its three streams; ``write`` and ``read`` queue accesses. ``ring``: the setting."""

    def __init__(self) -> None:
        self.block = TxRequestFetch(TINY)
        self.access, self.answer, self.slots = (
            Source(self.block.access),
            Sink(self.block.answer),
            Sink(self.block.slots),
        )
        self.reset = Signal()
        ports: list[Port] = [self.access, self.answer, self.slots]
        self.bench = Bench(ResetInserter(self.reset)(self.block), ports, each_cycle=self.each_cycle)
        self.idle: list[int] = []
        self.ring = exact_log2(SLOTS)

    def each_cycle(self, context: Any, cycle: int) -> None:
        context.set(self.block.settings.notification_ring, self.ring)
        self.idle.append(context.get(self.block.idle))

    def write(self, buffer: int, word: int, low: int = 0, high: int = 0, enables: int = BOTH) -> None:
        data = low | high << 32
        self.access.items.append({"buffer": buffer, "word": word, "write": 1, "enables": enables, "data": data})

    def write_tail(self, buffer: int, tail: int) -> None:
        self.write(buffer, INDICES, low=tail, enables=LOW)

    def read(self, buffer: int, word: int) -> None:
        self.access.items.append({"buffer": buffer, "word": word})

    def enable(self, buffer: int, base: int = BASE, start: int = 0) -> None:
        """As software does it: both indices at ``start``, then the address."""
        self.write(buffer, INDICES, start, start)
        self.write(buffer, MEMORY, base & 0xFFFFFFFF, base >> 32)

    async def settle(self) -> None:
        await self.bench.until(lambda: not self.access.items)
        await self.bench.cycles(40)
        assert self.idle[-1]

    def simulate(self, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.bench.simulate(story)

    @property
    def jobs(self) -> list[tuple[int, int, int]]:
        """(buffer, line address, slots) of each job."""
        return [(job.buffer, job.address, job.flits) for job in self.slots.got if job.kind == ReadKind.REQUEST]

    @property
    def closed(self) -> list[int]:
        """Buffers that were closed."""
        return [job.buffer for job in self.slots.got if job.kind == ReadKind.CLOSE and not job.flits]


@pytest.fixture
def fetching() -> Fetching:
    return Fetching()


@covers("C-009", "C-154")
def test_registers_are_0_after_reset_and_read_as_written(fetching: Fetching) -> None:
    for buffer in range(TINY.notification_buffers):
        fetching.read(buffer, INDICES)
        fetching.read(buffer, MEMORY)
    fetching.write(3, INDICES, 5, 5)
    fetching.write(3, MEMORY, 0x80001000, 0xFFFF0001)
    fetching.write(2, INDICES, 6, 7, enables=HIGH)
    fetching.write(2, MEMORY, 8, 9, enables=LOW)
    fetching.write(1, MEMORY, 8, 9, enables=0)
    for buffer, word in [(3, INDICES), (3, MEMORY), (2, INDICES), (2, MEMORY), (1, MEMORY)]:
        fetching.read(buffer, word)
    fetching.simulate(fetching.settle)
    assert fetching.answer.got == [0] * 8 + [5 | 5 << 32, 0xFFFF0001_80001000, 7 << 32, 8, 0]
    assert fetching.access.taken_at[0] >= TINY.notification_buffers, "no access before the sweep has ended"


def test_a_reset_clears_all_registers(fetching: Fetching) -> None:
    buffers = range(TINY.notification_buffers)
    for buffer in buffers:
        fetching.enable(buffer, start=5)

    async def story() -> None:
        await fetching.settle()
        fetching.bench.context.set(fetching.reset, 1)
        await fetching.bench.cycles(1)
        fetching.bench.context.set(fetching.reset, 0)
        for buffer in buffers:
            fetching.read(buffer, INDICES)
            fetching.read(buffer, MEMORY)
            fetching.write_tail(buffer, 7)  # the enabling, too, was cleared
        await fetching.settle()

    fetching.simulate(story)
    assert fetching.answer.got == [0] * 2 * len(buffers)
    assert fetching.jobs == []


@covers("C-005")
def test_a_buffer_that_does_not_exist_ignores_writes_and_reads_0(fetching: Fetching) -> None:
    fetching.enable(TINY.notification_buffers)
    fetching.write_tail(TINY.notification_buffers, 3)
    for buffer in (TINY.notification_buffers, 0, 1023):
        fetching.read(buffer, INDICES)
        fetching.read(buffer, MEMORY)
    fetching.simulate(fetching.settle)
    assert fetching.answer.got == [0] * 6
    assert not fetching.jobs


@covers("C-093", "C-094")
def test_a_tail_write_asks_for_the_slots_from_head_and_moves_head_at_once(fetching: Fetching) -> None:
    fetching.enable(1, start=3)
    fetching.write_tail(1, 5)

    async def story() -> None:
        await fetching.settle()
        fetching.read(1, INDICES)
        await fetching.settle()

    fetching.simulate(story)
    assert fetching.jobs == [(1, BASE // 64 + 3, 2)]
    assert fetching.answer.got == [5 | 5 << 32]


@covers("C-093", "C-096")
def test_slots_that_wrap_are_asked_for_in_two_jobs(fetching: Fetching) -> None:
    fetching.enable(0, start=SLOTS - 2)

    async def story() -> None:
        for tail in (SLOTS - 1, 3, 0):
            fetching.write_tail(0, tail)
            await fetching.settle()

    fetching.simulate(story)
    line = BASE // 64
    assert fetching.jobs == [(0, line + SLOTS - 2, 1), (0, line + SLOTS - 1, 1), (0, line, 3), (0, line + 3, SLOTS - 3)]


@covers("C-095", "C-097")
def test_indices_beyond_the_ring_count_modulo_its_size(fetching: Fetching) -> None:
    fetching.enable(0, start=3 * SLOTS + 4)

    async def story() -> None:
        fetching.write_tail(0, 7 * SLOTS + 4)
        await fetching.settle()
        assert not fetching.jobs
        fetching.write_tail(0, 0xFFFFFFF0 + 6)
        await fetching.settle()
        fetching.read(0, INDICES)
        await fetching.settle()

    fetching.simulate(story)
    assert fetching.jobs == [(0, BASE // 64 + 4, 2)]
    assert fetching.answer.got == [0xFFFFFFF6 * (1 + (1 << 32))]


def test_a_ring_has_the_size_that_was_set_when_it_was_enabled(fetching: Fetching) -> None:
    """The high word enables: what is set when the low one is written, or later, does not count."""
    line = BASE // 64

    async def story() -> None:
        for buffer, ring in ((1, 3), (2, 15), (3, 5)):
            fetching.ring = ring
            fetching.enable(buffer, start=2**ring - 2)
            await fetching.settle()
        fetching.ring = 4
        for buffer in (1, 2, 3):
            fetching.write_tail(buffer, 1)
            await fetching.settle()
        assert fetching.jobs == [
            *((1, line + 6, 2), (1, line, 1)),
            *((2, line + 2**15 - 2, 2), (2, line, 1)),
            *((3, line + 30, 2), (3, line, 1)),
        ]
        fetching.write_tail(2, 0)
        await fetching.settle()
        assert fetching.jobs[-1] == (2, line + 1, 2**15 - 1)
        fetching.write(1, MEMORY, low=BASE & 0xFFFFFFFF, enables=LOW)
        await fetching.settle()
        fetching.ring = 6
        fetching.write(1, MEMORY, high=BASE >> 32, enables=HIGH)
        await fetching.settle()
        fetching.ring = 7
        fetching.write(1, INDICES, low=1, high=62)
        await fetching.settle()

    fetching.simulate(story)
    assert fetching.jobs[-2:] == [(1, line + 62, 2), (1, line, 1)]


@covers("C-019", "C-098")
def test_a_disabled_buffer_fetches_nothing_and_keeps_its_head(fetching: Fetching) -> None:
    fetching.write(0, INDICES, 2, 1)
    fetching.enable(1)
    fetching.write(1, MEMORY, low=0x1000, enables=LOW)
    fetching.write_tail(1, 2)
    fetching.write(2, MEMORY)  # address 0
    fetching.write_tail(2, 2)

    async def story() -> None:
        await fetching.settle()
        assert not fetching.jobs
        fetching.write(1, MEMORY, high=7, enables=HIGH)
        await fetching.settle()
        assert not fetching.jobs, "enabling fetches nothing by itself"
        fetching.read(1, INDICES)
        fetching.write_tail(1, 2)
        await fetching.settle()

    fetching.simulate(story)
    assert fetching.closed == [1]
    assert fetching.answer.got == [2]
    assert fetching.jobs == [(1, 0x7_0000_1000 // 64, 2)]


def test_closing_an_enabled_buffer_is_marked_behind_the_slots_before(fetching: Fetching) -> None:
    fetching.write(1, MEMORY, low=0x1000, enables=LOW)
    fetching.enable(1)
    fetching.enable(2)
    fetching.slots.rate = 0

    async def story() -> None:
        fetching.write_tail(1, 3)
        await fetching.bench.cycles(40)
        for _ in range(2):
            fetching.write(1, MEMORY, low=0x1000, enables=LOW)
        fetching.write(1, MEMORY, low=0x2000, high=7)
        fetching.write_tail(1, 5)
        await fetching.bench.cycles(40)
        fetching.slots.rate = 1
        await fetching.settle()

    fetching.simulate(story)
    assert [(job.kind, job.buffer, job.flits) for job in fetching.slots.got] == [
        (ReadKind.REQUEST, 1, 3),
        (ReadKind.CLOSE, 1, 0),
        (ReadKind.REQUEST, 1, 2),
    ]
    assert fetching.jobs[1] == (1, 0x7_0000_2000 // 64 + 3, 2)


@covers("C-099")
def test_a_ring_that_is_closed_begins_its_next_generation_at_once(fetching: Fetching) -> None:
    """Whoever reads that it is closed knows that. Jobs tell the generation of their slots."""
    generations: list[int] = []

    def generation() -> int:
        fetching.bench.context.set(fetching.block.asked_buffer, 2)
        return int(fetching.bench.context.get(fetching.block.generation))

    async def story() -> None:
        for turn in range(3):
            fetching.enable(2)
            fetching.write_tail(2, 3)
            await fetching.settle()
            assert generation() == turn
            fetching.write(2, MEMORY, 0, enables=LOW)
            fetching.write(2, MEMORY, 0, enables=HIGH)
            fetching.read(2, MEMORY)
            await fetching.bench.until(lambda: len(fetching.answer.got) > len(generations))
            generations.append(generation())
            await fetching.settle()

    fetching.simulate(story)
    assert generations == [1, 2, 3]
    assert [job.generation for job in fetching.slots.got if job.kind == ReadKind.REQUEST] == [0, 1, 2]


def test_a_high_word_that_leaves_no_address_closes_a_ring_too(fetching: Fetching) -> None:
    fetching.enable(2, base=7 << 32)
    fetching.write(2, MEMORY, 0, 0, enables=HIGH)

    async def story() -> None:
        await fetching.settle()

    fetching.simulate(story)
    assert fetching.closed == [2]


def test_buffers_wait_their_turn_once_each_while_the_output_is_stalled(fetching: Fetching) -> None:
    fetching.slots.rate = 0
    buffers = range(TINY.notification_buffers)
    for buffer in buffers:
        fetching.enable(buffer, BASE + (buffer << 20))
    for buffer in buffers:
        for tail in range(1, 8):
            fetching.write_tail(buffer, tail)

    async def story() -> None:
        await fetching.settle()  # accesses never wait for the output
        fetching.slots.rate = 1
        await fetching.settle()

    fetching.simulate(story)
    assert sum(flits for _, _, flits in fetching.jobs) == 7 * len(buffers)
    assert len(fetching.jobs) <= len(buffers) + 1, "only the first was served before the output stalled"
    for buffer in buffers:
        expected = BASE // 64 + (buffer << 14)
        for _, address, flits in [job for job in fetching.jobs if job[0] == buffer]:
            assert address == expected
            expected += flits


def test_accesses_that_never_pause_delay_a_buffer_by_one(fetching: Fetching) -> None:
    fetching.enable(0)
    fetching.write_tail(0, 1)
    for _ in range(50):
        fetching.read(1, INDICES)

    async def story() -> None:
        await fetching.settle()
        assert fetching.slots.got_at[0] < fetching.access.taken_at[5]

    fetching.simulate(story)


def test_a_stalled_answer_stalls_accesses_and_loses_nothing(fetching: Fetching) -> None:
    fetching.answer.rate = 0.2
    fetching.enable(0)
    for tail in range(1, 20):
        fetching.write(0, INDICES, tail, tail)
        fetching.read(0, INDICES)
    fetching.simulate(fetching.settle)
    assert fetching.answer.got == [tail | tail << 32 for tail in range(1, 20)]


def test_latencies_are_as_documented(fetching: Fetching) -> None:
    fetching.enable(0)

    async def story() -> None:
        await fetching.settle()
        fetching.write_tail(0, 1)
        await fetching.settle()
        assert fetching.slots.got_at[0] - fetching.access.taken_at[-1] == 5
        fetching.read(0, INDICES)
        await fetching.settle()
        assert fetching.answer.got_at[0] - fetching.access.taken_at[-1] == 2

    fetching.simulate(story)
