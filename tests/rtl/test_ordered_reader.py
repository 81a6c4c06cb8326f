"""OrderedReader: every line of every job, in order, whatever the host does."""

import random
from typing import Any

import pytest

from enso_nic.ordered_reader import OrderedReader
from tests.rtl.host_reads import HostReads
from tests.rtl.stream_bench import Bench, Sink, Source

TAGS, FIRST_TAG = 4, 128
BAD_LINE = 1005


def line_at(address: int) -> int | None:
    """Distinct contents in the low and the high bits of each line."""
    return None if address == BAD_LINE else address << 448 | (address ^ 0x5A5A)


class Reading:
    """A reader, the jobs it is given, and what it makes of them."""

    def __init__(
        self, jobs: list[dict[str, int]], *, seed: int = 1, rate: float = 1.0, max_read: int = 8, tags: int = TAGS
    ) -> None:
        self.block = OrderedReader(tags, FIRST_TAG)
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
        self.bench = Bench(self.block, [self.jobs, self.lines, self.host], seed, self.each_cycle)

    def each_cycle(self, context: Any, cycle: int) -> None:
        context.set(self.block.max_read, self.max_read)
        context.set(self.block.bus_master, self.bus_master)
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
