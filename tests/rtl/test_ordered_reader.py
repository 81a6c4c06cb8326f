"""OrderedReader: every line of every job, in order, whatever the host does."""

import random
from typing import Any

import pytest
from amaranth.hdl import ResetInserter, Signal

from enso_nic.layouts import ReadKind
from enso_nic.ordered_reader import OrderedReader
from enso_nic.read_tags import NO_DEADLINE
from tests.rtl.contract import covers
from tests.rtl.host_reads import HostReads
from tests.rtl.stream_bench import Bench, Sink, Source

TAGS, FIRST_TAG = 4, 128
BAD_LINE = 1005
TIMEOUT = 3000


def line_at(address: int) -> int | None:
    """Distinct contents in the low and the high bits of each line."""
    return None if address == BAD_LINE else address << 448 | (address ^ 0x5A5A)


class Reading:
    """A reader, the jobs it is given, and what it makes of them."""

    def __init__(
        self, jobs: list[dict[str, int]], *, seed: int = 1, rate: float = 1.0, max_read: int = 8, tags: int = TAGS
    ) -> None:
        self.block = OrderedReader(tags, FIRST_TAG, TIMEOUT)
        self.jobs = Source(self.block.job, jobs, rate)
        self.lines = Sink(self.block.line, rate)
        self.host = HostReads(
            self.block.read_request, self.block.read_completion, line_at, max_read, rate, shuffled=rate < 1
        )
        self.expected = [
            (job, job["address"] + index, index == 0, index == job["flits"] - 1)
            for job in jobs
            for index in range(job["flits"])
        ]
        self.max_read, self.bus_master = max_read, 1
        self.idle: list[int] = []
        self.skipped = 0  # cycles for which the clock stood still
        self.deadline = NO_DEADLINE
        self.timed_out_at: list[int] = []
        self.bench = Bench(self.block, [self.jobs, self.lines, self.host], seed, self.each_cycle)

    def each_cycle(self, context: Any, cycle: int) -> None:
        context.set(self.block.max_read, self.max_read)
        context.set(self.block.bus_master, self.bus_master)
        context.set(self.block.cycle, cycle + self.skipped)
        request = self.block.read_request
        context.set(self.block.sent, context.get(request.valid) and context.get(request.ready))
        context.set(self.block.sent_tag, context.get(request.payload.tag))
        self.deadline = context.get(self.block.deadline)
        if context.get(self.block.timed_out):
            self.timed_out_at.append(cycle + self.skipped)
        self.idle.append(context.get(self.block.idle))

    def has_all(self) -> bool:
        return len(self.lines.got) == len(self.expected)

    def check(self) -> None:
        for line, (job, address, first, last) in zip(self.lines.got, self.expected, strict=True):
            assert (line.address, line.first, line.last) == (address, first, last)
            assert (line.buffer, line.length) == (job["buffer"], job["length"])
            contents = line_at(address)
            assert line.error == (contents is None)
            assert contents is None or line.data == contents


def job(address: int, flits: int) -> dict[str, int]:
    return {"address": address, "flits": flits, "buffer": address % 1024, "length": flits * 64 - 1}


@pytest.mark.parametrize("max_read", [2, 4, 8])
@pytest.mark.parametrize("seed", [1, 2])
@covers("C-109", "C-110", "C-147")
def test_lines_leave_once_and_in_order_whatever_the_host_does(seed: int, max_read: int) -> None:
    draw = random.Random(seed)
    jobs = [
        job(draw.choice([0, 3, 1000, 1 << 57]) + draw.randrange(9), draw.choice([1, 2, 8, 9, 30])) for _ in range(25)
    ]
    reading = Reading(jobs, seed=seed, rate=0.6, max_read=max_read)

    async def story() -> None:
        await reading.bench.until(reading.has_all, 4000)
        await reading.bench.cycles(20)
        assert reading.idle[-1]

    reading.bench.simulate(story)
    reading.check()
    tags = [tag for _, _, tag in reading.host.requests]
    assert tags == [FIRST_TAG + i % TAGS for i in range(len(tags))], "tags are taken in a circle"


@covers("C-110")
def test_reads_are_as_long_as_boundaries_allow() -> None:
    reading = Reading([job(6, 12)])

    async def story() -> None:
        await reading.bench.until(reading.has_all)

    reading.bench.simulate(story)
    assert reading.host.requests == [(6, 2, 128), (8, 8, 129), (16, 2, 130)]


@pytest.mark.parametrize("flits", [1, 64])
def test_a_line_leaves_in_every_cycle(flits: int) -> None:
    """Also with jobs of one line each, as the host answers at once."""
    reading = Reading([job(64 * i, flits) for i in range(256 // flits)], tags=16)

    async def story() -> None:
        await reading.bench.until(reading.has_all)

    reading.bench.simulate(story)
    reading.check()
    cycles = reading.lines.got_at[-1] - reading.lines.got_at[0] + 1
    assert len(reading.lines.got) / cycles > 0.99, f"{len(reading.lines.got)} lines in {cycles}"


def test_a_first_request_leaves_two_cycles_after_its_job() -> None:
    reading = Reading([job(0, 1)])

    async def story() -> None:
        await reading.bench.until(reading.has_all)

    reading.bench.simulate(story)
    assert reading.host.requested_at[0] - reading.jobs.taken_at[0] == 2
    assert not reading.idle[reading.lines.got_at[0] - 1], "idle with a line on its way out"


@covers("C-145", "C-151")
def test_nothing_is_asked_for_without_bus_master_and_the_wait_is_idle() -> None:
    reading = Reading([job(0, 20)])
    reading.bus_master = 0

    async def story() -> None:
        await reading.bench.cycles(20)
        assert not reading.host.requests
        assert reading.idle[-1]
        reading.bus_master = 1
        await reading.bench.until(reading.has_all)

    reading.bench.simulate(story)
    reading.check()


@covers("C-151")
def test_a_wait_for_the_host_is_idle() -> None:
    reading = Reading([job(0, 100)])
    reading.host.holds = True

    async def story() -> None:
        await reading.bench.cycles(20)
        assert len(reading.host.requests) == TAGS
        assert all(reading.idle[-8:])
        reading.host.holds = False
        await reading.bench.until(reading.has_all)

    reading.bench.simulate(story)
    reading.check()
    assert not all(reading.idle)


def test_a_stalled_output_holds_requests_back() -> None:
    reading = Reading([job(0, 100)])
    reading.lines.rate = 0

    async def story() -> None:
        await reading.bench.cycles(100)
        assert len(reading.host.requests) == TAGS
        reading.lines.rate = 1
        await reading.bench.until(reading.has_all)

    reading.bench.simulate(story)
    reading.check()


@covers("C-107")
def test_an_answer_that_ends_early_makes_errors_of_the_lines_that_are_missing() -> None:
    reading = Reading([job(0, 8), job(8, 2)])
    completions = Source(reading.block.read_completion)
    requests = Sink(reading.block.read_request)
    bench = Bench(reading.block, [reading.jobs, reading.lines, completions, requests], 1, reading.each_cycle)

    async def story() -> None:
        await bench.until(lambda: len(requests.got) == 2)
        for tag, index, last, error in [(129, 0, 0, 0), (128, 0, 0, 0), (128, 1, 1, 1), (129, 1, 1, 0)]:
            completions.items.append({"tag": tag, "index": index, "last": last, "error": error, "data": tag + index})
        await bench.until(reading.has_all)

    bench.simulate(story)
    assert [line.error for line in reading.lines.got] == [0, 1, 1, 1, 1, 1, 1, 1, 0, 0]
    assert [line.data for line in reading.lines.got if not line.error] == [128, 129, 130]


# --- reads that are not answered, or too late -------------------------------------------------------------------------


class Unanswered(Reading):
    """A reader whose answers the test gives itself, line by line; the clock jumps to deadlines on demand."""

    def __init__(self, jobs: list[dict[str, int]]) -> None:
        super().__init__(jobs)
        self.completions = Source(self.block.read_completion)
        self.requests = Sink(self.block.read_request)
        self.bench = Bench(self.block, [self.jobs, self.lines, self.completions, self.requests], 1, self.each_cycle)

    def answer(self, tag: int, flits: int, data: int, first: int = 0) -> None:
        for index in range(first, flits):
            self.completions.items.append({"tag": tag, "index": index, "last": index == flits - 1, "data": data})

    async def jump(self) -> None:
        """Let the clock stand still until the deadline."""
        assert self.idle[-1]
        assert self.deadline != NO_DEADLINE
        self.skipped = self.deadline - self.bench.cycle
        await self.bench.cycles(3)


@covers("C-112")
def test_a_read_that_is_never_answered_is_given_up_and_its_lines_are_errors() -> None:
    it = Unanswered([job(0, 2), job(8, 1), job(16, 1)])

    async def story() -> None:
        await it.bench.until(lambda: len(it.requests.got) == 3)
        it.answer(FIRST_TAG, 1, 1)  # the first line, but not the last
        it.completions.items[-1]["last"] = 0
        it.answer(FIRST_TAG + 1, 1, 2)
        it.answer(FIRST_TAG + 2, 1, 3)
        await it.bench.cycles(8)
        assert it.deadline == it.requests.got_at[0] + TIMEOUT
        await it.jump()
        await it.bench.until(it.has_all)

    it.bench.simulate(story)
    assert [line.error for line in it.lines.got] == [1, 1, 0, 0]
    assert [line.data for line in it.lines.got[2:]] == [2, 3]
    assert it.timed_out_at == [it.requests.got_at[0] + TIMEOUT]


@covers("C-113")
def test_a_late_answer_is_ignored_and_its_tag_waits_for_it() -> None:
    it = Unanswered([job(8 * i, 1) for i in range(TAGS + 2)])

    async def story() -> None:
        await it.bench.until(lambda: len(it.requests.got) == TAGS)
        for tag in range(1, TAGS):
            it.answer(FIRST_TAG + tag, 1, tag)
        await it.bench.cycles(8)
        await it.jump()
        assert len(it.timed_out_at) == 1
        await it.bench.cycles(30)
        assert len(it.requests.got) == TAGS, "the next tag may still be answered"
        it.answer(FIRST_TAG, 1, 77)
        await it.bench.until(lambda: len(it.requests.got) == TAGS + 2)
        it.answer(FIRST_TAG, 1, 10)
        it.answer(FIRST_TAG + 1, 1, 11)
        await it.bench.until(it.has_all)

    it.bench.simulate(story)
    assert [line.data for line in it.lines.got][1:] == [1, 2, 3, 10, 11]
    assert [line.error for line in it.lines.got] == [1, 0, 0, 0, 0, 0]
    assert it.deadline == NO_DEADLINE


@covers("C-112")
def test_a_tag_that_is_never_answered_is_used_again_after_another_time_out() -> None:
    it = Unanswered([job(8 * i, 1) for i in range(TAGS + 1)])

    async def story() -> None:
        await it.bench.until(lambda: len(it.requests.got) == TAGS)
        for tag in range(1, TAGS):
            it.answer(FIRST_TAG + tag, 1, tag)
        await it.bench.cycles(8)
        await it.jump()
        await it.bench.cycles(30)
        await it.jump()
        await it.bench.until(lambda: len(it.requests.got) == TAGS + 1)
        it.answer(FIRST_TAG, 1, 10)
        await it.bench.until(it.has_all)

    it.bench.simulate(story)
    assert [line.data for line in it.lines.got][1:] == [1, 2, 3, 10]
    assert len(it.timed_out_at) == 1


@pytest.mark.parametrize("late", [True, False])
@covers("C-113")
def test_answers_of_reads_from_before_a_reset_are_not_taken_for_new_ones(late: bool) -> None:
    it = Unanswered([job(8 * i, 1) for i in range(2)])
    reset = Signal()
    it.bench = Bench(ResetInserter(reset)(it.block), [it.jobs, it.lines, it.completions, it.requests], 1, it.each_cycle)

    async def story() -> None:
        await it.bench.until(lambda: len(it.requests.got) == 2)
        it.bench.context.set(reset, 1)
        await it.bench.cycles(5)
        it.bench.context.set(reset, 0)
        it.jobs.items.append(job(800, 1))
        await it.bench.cycles(30)
        assert len(it.requests.got) == 2
        if late:
            it.answer(FIRST_TAG, 1, 77)
            it.answer(FIRST_TAG + 1, 1, 78)
        else:
            await it.jump()
        await it.bench.until(lambda: len(it.requests.got) == 3)
        it.answer(FIRST_TAG, 1, 10)
        await it.bench.until(lambda: len(it.lines.got) == 1)
        await it.bench.cycles(5)

    it.bench.simulate(story)
    assert [(line.address, line.data, line.error) for line in it.lines.got] == [(800, 10, 0)]
    assert it.deadline == NO_DEADLINE


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    """Of a read that was answered and waits behind the output, and of one that was not made."""
    it = Unanswered([job(0, 1), job(8, 1)])
    it.lines.rate = 0

    async def story() -> None:
        await it.bench.until(lambda: len(it.requests.got) == 2)
        for tag, data in [(0, 10), (1, 11), (1, 77), (2, 78)]:
            it.answer(FIRST_TAG + tag, 1, data)
        await it.bench.cycles(9)
        it.jobs.items.append(job(16, 1))
        await it.bench.until(lambda: len(it.requests.got) == 3)
        it.answer(FIRST_TAG + 2, 1, 12)
        it.lines.rate = 1
        await it.bench.until(lambda: len(it.lines.got) == 3)

    it.bench.simulate(story)
    assert [(line.data, line.error) for line in it.lines.got] == [(10, 0), (11, 0), (12, 0)]


# --- jobs without lines, and cancelled ones ---------------------------------------------------------------------------


def test_a_job_without_lines_keeps_its_place() -> None:
    it = Reading([job(0, 3), {**job(0, 0), "kind": ReadKind.CLOSE, "buffer": 5, "epoch": 1}, job(30, 2)])

    async def story() -> None:
        await it.bench.until(lambda: len(it.lines.got) == 6)

    it.bench.simulate(story)
    assert [(line.kind, line.first, line.last) for line in it.lines.got] == [
        (ReadKind.REQUEST, 1, 0),
        (ReadKind.REQUEST, 0, 0),
        (ReadKind.REQUEST, 0, 1),
        (ReadKind.CLOSE, 1, 1),
        (ReadKind.REQUEST, 1, 0),
        (ReadKind.REQUEST, 0, 1),
    ]
    assert (it.lines.got[3].buffer, it.lines.got[3].epoch) == (5, 1)
    assert len(it.host.requests) == 2


def test_a_cancelled_job_asks_for_nothing_more_and_the_next_begins_anew() -> None:
    it = Reading([job(0, 1000), job(4096, 3)])

    async def story() -> None:
        await it.bench.until(lambda: len(it.host.requests) == 3)
        it.bench.context.set(it.block.cancel, 1)
        await it.bench.cycles(1)
        it.bench.context.set(it.block.cancel, 0)
        await it.bench.until(lambda: bool(it.lines.got) and bool(it.lines.got[-1].last))

    it.bench.simulate(story)
    assert len(it.lines.got) < 70
    assert [(line.address, line.first) for line in it.lines.got[-3:]] == [(4096, 1), (4097, 0), (4098, 0)]
    assert not any(line.last for line in it.lines.got[:-1])
