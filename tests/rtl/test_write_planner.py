"""WritePlanner: writes that end at boundaries, and take in what comes while they wait, but wait for nothing."""

import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from enso_nic.layouts import RxCommandKind
from enso_nic.write_planner import WritePlanner
from tests.rtl.contract import covers
from tests.rtl.rx_writes import BASE, RING, Item, answer, check, lines_of, packet
from tests.rtl.stream_bench import Bench, Source

Job = dict[str, Any]
OTHER_BASE = BASE + 4 * RING
BEHIND = {"base": BASE, "offset": 1, "size": RING.bit_length() - 1, "flits": 3}
"""What an item that is no packet carries too, and means nothing: here where a packet of line 0 goes on."""


def jobs_of(items: list[Item], shown_at: dict[int, int], taken_at: list[int], max_payload: int) -> list[Job]:
    """The jobs of items that came at ``shown_at``, each as it must be when it is taken at ``taken_at``."""
    jobs: list[Job] = []
    end, owner = None, -1  # the line behind the last job, unless that is closed; the item that it ends with
    for number, item in enumerate(items):
        if item["kind"] == RxCommandKind.READ:
            jobs.append({"is_answer": 1, "flits": 0, "notify": 0, "tag": item["tag"], "data": item["data"]})
            end = None
            continue
        lines = lines_of(item)
        for line in lines:
            is_there = owner == number or (jobs and shown_at[number] < taken_at[len(jobs) - 1])
            if line == end and line % max_payload and is_there:
                jobs[-1]["flits"] += 1
            else:
                jobs.append({"is_answer": 0, "flits": 1, "notify": 0, "address": line})
            end, owner = line + 1, number
        if item.get("notify"):
            if not lines:
                jobs.append({"is_answer": 0, "flits": 0})
            jobs[-1] |= {"notify": 1, "slot": item["slot"], "pipe": item["pipe"], "tail": item["tail"]}
            end = None
    return jobs


class Planning:
    """A planner, whose jobs are taken in a share ``rate`` of the cycles in which there are any."""

    def __init__(
        self, items: list[Item], *, max_payload: int = 8, rate_in: float = 1.0, rate: float = 1.0, seed: int = 1
    ) -> None:
        self.block = WritePlanner()
        self.all_items, self.max_payload, self.rate = items, max_payload, rate
        self.items = Source(self.block.i, items, rate_in)
        self.shown_at: dict[int, int] = {}
        self.taken: list[Any] = []
        self.taken_at: list[int] = []
        self.has_job = self.had_item = False
        self._draw = random.Random(seed)
        self.bench = Bench(self.block, [self.items], seed, self.each_cycle)

    def each_cycle(self, context: Any, cycle: int) -> None:
        block = self.block
        context.set(block.max_payload, self.max_payload)
        self.has_job = bool(context.get(block.has_job))
        takes = self.has_job and (self.rate == 1 or self._draw.random() < self.rate)
        context.set(block.take, takes)
        assert self.has_job or not self.had_item, "an item that came in the cycle before waits for something"
        assert context.get(block.idle) == (not self.has_job and not self.items.shows)
        self.had_item = self.items.shows
        if takes:
            self.taken.append(context.get(block.job))
            self.taken_at.append(cycle)
        if self.items.shows:
            self.shown_at.setdefault(len(self.items.taken_at), cycle)

    async def done(self) -> None:
        await self.bench.until(lambda: not (self.items.items or self.had_item or self.has_job), 20_000)
        await self.bench.cycles(2)

    def run(self, story: Callable[[], Coroutine[Any, Any, None]] | None = None) -> list[tuple[int, int]]:
        """``story``, then all must be as the model has it; (address, flits) of the writes of data."""

        async def whole() -> None:
            if story is not None:
                await story()
            await self.done()

        self.bench.simulate(whole)
        expected = jobs_of(self.all_items, self.shown_at, self.taken_at, self.max_payload)
        got = [{name: getattr(job, name) for name in names} for job, names in zip(self.taken, expected, strict=True)]
        assert got == expected
        return [(job.address, job.flits) for job in self.taken if job.flits]

    def run_held(self) -> list[tuple[int, int]]:
        """As ``run``; the first job is not taken before all that can join it has come."""
        self.rate = 0

        async def story() -> None:
            await self.bench.cycles(len(self.all_items) + 10)
            self.rate = 1

        return self.run(story)


@covers("C-150")
def test_packets_that_come_while_a_write_waits_join_it_up_to_the_boundary() -> None:
    planning = Planning([packet(3 + number, 1) for number in range(9)])
    assert planning.run_held() == [(BASE + 3, 5), (BASE + 8, 1), (BASE + 9, 1), (BASE + 10, 1), (BASE + 11, 1)]


def test_the_first_part_of_a_packet_joins_and_the_rest_follows() -> None:
    assert Planning([packet(1, 2), packet(3, 12)]).run_held() == [(BASE + 1, 7), (BASE + 8, 7)]


def test_packets_that_need_not_wait_join_nothing() -> None:
    planning = Planning([packet(number, 1) for number in range(20)])
    assert planning.run() == [(BASE + number, 1) for number in range(20)]
    assert planning.taken_at == [cycle + 1 for cycle in planning.items.taken_at]


def test_a_packet_that_comes_as_the_write_is_taken_begins_another() -> None:
    planning = Planning([packet(0, 1), packet(1, 1)])
    assert planning.run() == [(BASE, 1), (BASE + 1, 1)]
    assert planning.items.taken_at[1] == planning.taken_at[0]


@pytest.mark.parametrize("max_payload", [2, 4, 8])
@pytest.mark.parametrize("flits", [1, 2, 7, 8, 9, 24])
def test_writes_end_at_max_payload_boundaries(flits: int, max_payload: int) -> None:
    for offset in range(9):
        writes = Planning([packet(offset, flits)], max_payload=max_payload).run()
        ends = [address + flits for address, flits in writes]
        assert all(end % max_payload == 0 for end in ends[:-1])
        assert all((address + count - 1) // max_payload == address // max_payload for address, count in writes)


@pytest.mark.parametrize("size", [3, 6, 15, 20])
def test_a_ring_goes_on_at_its_beginning_in_another_write(size: int) -> None:
    end = 2**size
    assert Planning([packet(end - 3, 6, size=size)]).run() == [(BASE + end - 3, 3), (BASE, 3)]
    across = Planning([packet(end - 2, 1, size=size), packet(end - 1, 3, size=size), packet(2, 1, size=size)])
    assert across.run_held() == [(BASE + end - 2, 2), (BASE, 2), (BASE + 2, 1)]


def test_a_packet_with_a_notification_closes_the_write_that_it_joins() -> None:
    planning = Planning([packet(0, 1), packet(1, 2, notify=1, slot=99, pipe=8, tail=77), packet(3, 1)])
    assert planning.run_held() == [(BASE, 3), (BASE + 3, 1)]
    job = planning.taken[0]
    assert (job.notify, job.slot, job.pipe, job.tail) == (1, 99, 8, 77)


def test_a_notification_follows_the_last_write_of_its_packet() -> None:
    planning = Planning([packet(6, 12, notify=1)])
    assert planning.run() == [(BASE + 6, 2), (BASE + 8, 8), (BASE + 16, 2)]
    assert [job.notify for job in planning.taken] == [0, 0, 1]


@pytest.mark.parametrize(
    "between",
    [
        check(5, 6, 7) | BEHIND,
        answer(8, 9) | BEHIND,
        packet(1, 1, base=OTHER_BASE),
        packet(1, 1, base=OTHER_BASE, notify=1),
    ],
)
@covers("C-049", "C-150")
def test_nothing_is_merged_across_another_item(between: Item) -> None:
    writes = Planning([packet(0, 1), between, packet(1, 1)]).run_held()
    assert [flits for _, flits in writes] == [1] * len(writes)
    assert [address for address, _ in writes if address < OTHER_BASE] == [BASE, BASE + 1]


@pytest.mark.parametrize("offset", [0, 2, 3, 9, 57])
def test_only_what_goes_on_where_the_write_ends_joins_it(offset: int) -> None:
    """Not what lies before or behind it, nor in another ring."""
    planning = Planning([packet(0, 1), packet(offset, 1)])
    assert planning.run_held() == [(BASE, 1), (BASE + offset, 1)]


def test_an_item_is_taken_in_each_cycle_or_one_per_job() -> None:
    items = [packet(0, 1), answer(1, 2), check(3, 4, 5), packet(5, 3, notify=1), packet(16, 8), packet(24, 8)]
    planning = Planning(items * 4)
    planning.run()
    assert planning.items.taken_at == list(range(24))
    held = Planning([packet(number, 1) for number in range(8)])
    held.run_held()
    assert held.items.taken_at == list(range(8))
    cut = Planning([packet(0, 24)] * 4)
    cut.run()
    assert cut.items.taken_at == [2, 5, 8, 11]


@pytest.mark.parametrize("max_payload", [2, 4, 8])
@pytest.mark.parametrize(("seed", "rate_in", "rate"), [(1, 1.0, 0.2), (2, 0.5, 0.5), (3, 0.9, 0.9), (4, 1.0, 0.1)])
def test_any_items_under_any_stalls_are_those_of_the_model(
    seed: int, rate_in: float, rate: float, max_payload: int
) -> None:
    """Of two rings, one of which begins where the other ends; most packets go on where the last one ended."""
    draw = random.Random(seed)
    rings = {BASE: 5, BASE + 32: 3}
    tails = dict.fromkeys(rings, 0)
    items: list[Item] = []
    for _ in range(250):
        base = draw.choice([BASE, BASE, BASE, BASE + 32])
        size = rings[base]
        flits = min(draw.choice([1, 1, 1, 1, 2, 3, 9, 30]), 2**size - 1)
        if draw.random() < 0.1:
            tails[base] = draw.randrange(2**size)
        place = {"base": base, "size": size, "slot": draw.getrandbits(58), "pipe": draw.getrandbits(13)}
        item = packet(tails[base], flits, notify=draw.random() < 0.2, **place, tail=draw.getrandbits(20))
        other = draw.choice([check(draw.getrandbits(58), 5, 6), answer(draw.getrandbits(8), draw.getrandbits(64))])
        items.append(item if draw.random() < 0.85 else other)
        if items[-1] is item:
            tails[base] = (tails[base] + flits) % 2**size
    planning = Planning(items, max_payload=max_payload, rate_in=rate_in, rate=rate, seed=seed)
    writes = planning.run()
    packets = [item for item in items if item["kind"] == RxCommandKind.PACKET]
    unmerged = jobs_of(packets, dict.fromkeys(range(len(packets)), 0), [0] * 9999, max_payload)
    print(f"seed {seed}: {len(packets)} packets in {len(writes)} writes, {len(unmerged)} if none were shared")
    assert len(writes) < len(unmerged)
