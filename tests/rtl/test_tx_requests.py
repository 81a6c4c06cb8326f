"""TxRequests: what each slot asks for, and completions in the order of the slots."""

import random
from collections import deque
from typing import Any

import pytest

from enso_nic.config import TINY
from enso_nic.layouts import ConfigCode, HostWriteKind, ReadKind
from enso_nic.tx_requests import TxRequests
from tests.rtl.contract import covers
from tests.rtl.stream_bench import Bench, Port, Sink, Source

OK, MALFORMED, READ_ERROR, UNFINISHED = 0, 1, 2, 6
STALE = 0x5A << 248 | 0xA5 << 148  # what software left behind the length, and above its 20 bits


def config_code(number: int) -> ConfigCode:
    """How the far side of these benches says that a config request of this id ends."""
    return tuple(ConfigCode)[number % len(ConfigCode)]


class Requesting:
    """The block and its streams; config requests end as ``config_code`` says, data requests with ``codes`` in turn."""

    def __init__(self, rate: float = 1.0, seed: int = 1) -> None:
        self.block = block = TxRequests(TINY)
        self.slots, self.done = Source(block.slot, rate=rate), Source(block.done, rate=rate)
        self.job, self.config, self.completion = (
            Sink(port, rate) for port in (block.job, block.config, block.completion)
        )
        self.rewind = Source(block.rewind)
        ports: list[Port] = [self.slots, self.done, self.rewind, self.job, self.config, self.completion]
        self.bench = Bench(block, ports, seed, self.each_cycle)
        self.asked = 0
        self.codes: deque[int] = deque()
        self.is_answered = True
        """Whether jobs get their results by themselves."""
        self._answered = 0
        self.generations = [0] * 4
        """Of the buffers, now."""
        self.lost = 0

    def each_cycle(self, context: Any, cycle: int) -> None:
        context.set(self.block.generation, self.generations[context.get(self.block.completing) % 4])
        self.lost += context.get(self.block.lost)
        request = context.get(self.block.config.payload)
        is_accepted = context.get(self.block.config.valid) and context.get(self.block.config.ready)
        # meaningless but in the cycle of the acceptance
        context.set(self.block.config_code, config_code(request.id if is_accepted else cycle))
        while self.is_answered and self._answered < len(self.job.got):
            if self.job.got[self._answered].kind == ReadKind.REQUEST:
                if not self.codes:
                    break
                self.done.items.append({"code": self.codes.popleft()})
            else:
                self.done.items.append({})
            self._answered += 1

    def ask(self, signal: int, address: int, length: int, *, error: bool = False, unused: int = STALE) -> None:
        """Queue a slot; the first is at line 1000, of buffer 0, the next at 1001, of buffer 1."""
        data = signal | address << 64 | length << 128 | unused
        self.slots.items.append({"data": data, "address": 1000 + self.asked, "buffer": self.asked % 4, "error": error})
        self.asked += 1

    def completed(self, count: int) -> Any:
        return lambda: len(self.completion.got) == count


def completion(signal: int, address: int, length: int, code: int) -> int:
    return signal | address << 64 | length << 128 | code << 192


@covers("C-048", "C-100", "C-101", "C-102", "C-103", "C-108")
def test_a_data_request_asks_for_its_lines_and_completes_with_the_code_that_comes_back() -> None:
    it = Requesting()
    it.ask(1, 0x1_0000_0040, 65)
    it.ask(0, 1 << 63, 0xFFFFF)
    it.ask(99, 0, 64)

    async def story() -> None:
        await it.bench.until(lambda: len(it.job.got) == 3)
        await it.bench.cycles(10)
        assert not it.completion.got, "a request completes only once its data was read"
        it.codes += [OK, READ_ERROR, OK]
        await it.bench.until(it.completed(3))
        assert it.completion.got_at[0] - it.done.taken_at[0] == 1

    it.bench.simulate(story)
    assert [(job.address, job.flits, job.length, job.buffer) for job in it.job.got] == [
        (0x1_0000_0040 >> 6, 2, 65, 0),
        (1 << 57, 1 << 14, 0xFFFFF, 1),
        (0, 1, 64, 2),
    ]
    assert [write.data for write in it.completion.got] == [
        completion(0, 0x1_0000_0040, 65, OK),
        completion(0, 1 << 63, 0xFFFFF, READ_ERROR),
        completion(0, 0, 64, OK),
    ]
    for number, write in enumerate(it.completion.got):
        assert (write.address, write.flits, write.first, write.last) == (1000 + number, 1, 1, 1)
        assert write.kind == HostWriteKind.WRITE


@pytest.mark.parametrize(("address", "length"), [(1, 64), (32, 64), (64, 0), (63, 0)])
@covers("C-105")
def test_a_malformed_request_completes_with_an_error_and_asks_for_nothing(address: int, length: int) -> None:
    it = Requesting()
    it.ask(1, address, length)

    async def story() -> None:
        await it.bench.until(it.completed(1))
        await it.bench.cycles(5)

    it.bench.simulate(story)
    assert it.completion.got[0].data == completion(0, address, length, MALFORMED)
    assert [(job.kind, job.flits) for job in it.job.got] == [(ReadKind.NOTHING, 0)]


@covers("C-106")
def test_a_slot_that_could_not_be_read_completes_with_an_error_and_asks_for_nothing() -> None:
    it = Requesting()
    it.ask(1, 4, 64, error=True)
    it.ask(2, 4, 64, error=True)

    async def story() -> None:
        await it.bench.until(it.completed(2))

    it.bench.simulate(story)
    assert [write.data for write in it.completion.got] == [completion(0, 0, 0, READ_ERROR)] * 2
    assert {job.kind for job in it.job.got} == {ReadKind.NOTHING}
    assert not it.config.got


@covers("C-130")
def test_a_config_request_takes_effect_before_it_completes_and_before_later_requests() -> None:
    it = Requesting()
    body = 0xBAD << 360 | 0x50
    it.ask(2, 4, 0, unused=body << 128)
    it.ask(1, 64, 64)
    it.config.rate = 0

    async def story() -> None:
        await it.bench.cycles(20)
        assert not it.job.got
        assert not it.completion.got
        it.config.rate = 1
        it.codes.append(OK)
        await it.bench.until(it.completed(2))

    it.bench.simulate(story)
    assert [(request.id, request.body) for request in it.config.got] == [(4, body)]
    assert it.completion.got[0].data == completion(0, 4, 0x50, OK)


@covers("C-131")
def test_a_config_request_of_any_id_is_passed_on_and_completes_with_its_code() -> None:
    it = Requesting(rate=0.7)
    ids = [0, 1, 2, 3, 4, 5, 0x101, 1 << 32 | 1, 1 << 63]
    for number in ids:
        it.ask(2, number, 0)

    async def story() -> None:
        await it.bench.until(it.completed(len(ids)))

    it.bench.simulate(story)
    assert [request.id for request in it.config.got] == ids
    assert [write.data for write in it.completion.got] == [
        completion(0, number, 0, config_code(number).value) for number in ids
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
@covers("C-102", "C-104", "C-147")
def test_completions_are_in_the_order_of_the_slots_whatever_stalls(seed: int) -> None:
    draw = random.Random(seed)
    it = Requesting(rate=0.5, seed=seed)
    expected, codes = [], deque[int]()
    for _ in range(200):
        kind = draw.choice(["data", "data", "malformed", "config", "error"])
        number, length = draw.randrange(1, 5), draw.randrange(1, 1 << 20)
        if kind == "data":
            code = draw.choice([OK, READ_ERROR])
            codes.append(code)
            it.ask(1, number * 64, length)
            expected.append(completion(0, number * 64, length, code))
        elif kind == "malformed":
            it.ask(1, number, length)
            expected.append(completion(0, number, length, MALFORMED))
        elif kind == "error":
            it.ask(1, number, length, error=True)
            expected.append(completion(0, 0, 0, READ_ERROR))
        else:
            it.ask(2, number, length)
            expected.append(completion(0, number, length, config_code(number).value))

    async def story() -> None:
        while not it.completed(200)():
            if codes and draw.random() < 0.2:
                it.codes.append(codes.popleft())
            before = it.bench.cycle
            assert before < 8000, f"{len(it.completion.got)} completions of 200 within {before} cycles"
            await it.bench.cycles(1)

    it.bench.simulate(story)
    assert [write.data for write in it.completion.got] == expected
    assert [write.address for write in it.completion.got] == list(range(1000, 1200))


def test_a_slot_is_taken_in_every_cycle_until_as_many_wait_as_may() -> None:
    it = Requesting()
    for _ in range(200):
        it.ask(1, 64, 64)

    async def story() -> None:
        await it.bench.cycles(100)

    it.bench.simulate(story)
    assert len(it.job.got) == 2 * TINY.data_tags
    assert it.slots.taken_at[:30] == list(range(30))


def held(place: int) -> dict[str, int]:
    return {"held": 1, "place": place}


@covers("C-104", "C-121", "C-123")
def test_a_completion_that_is_held_back_waits_for_its_release_and_other_buffers_go_on() -> None:
    it = Requesting()
    it.is_answered = False
    for number in range(12):  # three of each buffer
        it.ask(1, 64 * number, 64)
    results: list[dict[str, int]] = [{} for _ in range(12)]
    results[0], results[4] = held(0), held(1)
    results[1], results[5] = held(0), {"released": 1, "released_code": UNFINISHED, **held(0), "code": OK}
    results[8] = {"released": 2, "released_code": OK, "code": READ_ERROR}

    async def story() -> None:
        await it.bench.until(lambda: len(it.job.got) == 12)
        it.done.items += results
        await it.bench.until(it.completed(11))
        await it.bench.cycles(9)

    it.bench.simulate(story)
    order = [(write.address - 1000, write.data >> 192) for write in it.completion.got]
    codes = {1: UNFINISHED, 8: READ_ERROR}
    assert order == [(number, codes.get(number, OK)) for number in (2, 3, 1, 6, 7, 0, 4, 8, 9, 10, 11)]


def test_a_released_completion_without_data_keeps_its_own_code() -> None:
    it = Requesting()
    it.is_answered = False
    for _ in range(5):
        it.ask(1, 1, 64)

    async def story() -> None:
        await it.bench.until(lambda: len(it.job.got) == 5)
        it.done.items += [held(0), {}, {}, {}, {"released": 1, "released_code": UNFINISHED}]
        await it.bench.until(it.completed(5))

    it.bench.simulate(story)
    assert [write.address - 1000 for write in it.completion.got] == [1, 2, 3, 0, 4]
    assert {write.data >> 192 for write in it.completion.got} == {MALFORMED}


def test_a_closed_buffer_keeps_its_place_and_completes_nothing() -> None:
    it = Requesting()
    it.is_answered = False
    it.ask(1, 64, 64)
    it.slots.items.append({"kind": ReadKind.CLOSE, "buffer": 0})
    it.asked = 4
    it.ask(1, 128, 64)

    async def story() -> None:
        await it.bench.until(lambda: len(it.job.got) == 3)
        it.done.items += [held(0), {"released": 1, "released_code": UNFINISHED}, {}]
        await it.bench.until(it.completed(2))
        await it.bench.cycles(5)

    it.bench.simulate(story)
    assert [(job.kind, job.buffer) for job in it.job.got][1] == (ReadKind.CLOSE, 0)
    assert [write.data >> 192 for write in it.completion.got] == [UNFINISHED, OK]


def test_completions_of_a_ring_that_was_closed_are_lost_but_for_one_that_is_shown() -> None:
    """Those of other buffers, and of the ring that was opened since, are not."""
    it = Requesting()
    it.completion.rate = 0
    for buffer, generation in ((0, 0), (0, 0), (1, 0), (0, 1)):
        data = 1 | 64 << 64 | 64 << 128
        it.slots.items.append({"data": data, "address": it.asked, "buffer": buffer, "generation": generation})
        it.asked += 1
        it.codes.append(OK)

    async def story() -> None:
        await it.bench.until(lambda: bool(it.bench.context.get(it.block.completion.valid)))
        await it.bench.cycles(1)
        it.generations[0] = 1
        await it.bench.cycles(10)
        it.completion.rate = 1
        await it.bench.until(it.completed(3))
        await it.bench.cycles(10)

    it.bench.simulate(story)
    assert [write.address for write in it.completion.got] == [0, 2, 3]
    assert it.lost == 1


def test_held_back_completions_of_a_ring_that_was_closed_are_lost() -> None:
    it = Requesting()
    it.is_answered = False
    it.ask(1, 64, 64)
    it.asked = 4
    it.ask(1, 128, 64)

    async def story() -> None:
        await it.bench.until(lambda: len(it.job.got) == 2)
        it.generations[0] = 1
        it.done.items += [held(0), {"released": 1, "released_code": UNFINISHED}]
        await it.bench.cycles(30)

    it.bench.simulate(story)
    assert not it.completion.got
    assert it.lost == 2


def test_a_rewind_asks_again_from_the_oldest_without_a_result_behind_the_fragments() -> None:
    it = Requesting()
    it.is_answered = False
    for number in range(6):
        it.ask(1, 64 * number, 64)

    async def story() -> None:
        await it.bench.until(lambda: len(it.job.got) == 5)
        it.done.items += [{}, {}]
        await it.bench.until(lambda: not it.done.items)
        fragments = [{"address": 1 << 57, "flits": 3}, {"address": 9, "flits": 140}, {}, {}]
        it.rewind.items.append({"count": 2, "framed": 1, "fragments": fragments})
        await it.bench.until(lambda: len(it.job.got) >= 12)
        await it.bench.cycles(5)
        it.done.items += [{}] * 4
        await it.bench.until(it.completed(6))

    it.bench.simulate(story)
    first_epoch = [job for job in it.job.got if not job.epoch]
    again = [job for job in it.job.got if job.epoch]
    assert it.job.got == first_epoch + again
    assert [(job.kind, job.address, job.flits, job.length, job.buffer, job.framed) for job in again] == [
        (ReadKind.FRAGMENT, 1 << 57, 3, 192, 2, 1),
        (ReadKind.FRAGMENT, 9, 140, 140 * 64, 2, 1),
        *((ReadKind.REQUEST, number, 1, 64, number % 4, 0) for number in range(2, 6)),
    ]
    assert [write.address - 1000 for write in it.completion.got] == list(range(6))
