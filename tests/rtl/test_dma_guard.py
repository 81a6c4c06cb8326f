"""DmaGuard: what its tables allow passes unchanged, all else as something that touches nothing."""

import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from enso_nic.config import TINY
from enso_nic.dma_guard import RING_STEPS, SLOT_STEPS, DmaGuard
from enso_nic.layouts import ReadKind
from enso_nic.registers import (
    MAY_CONFIGURE,
    RX_HEAD,
    RX_MEM_LOW,
    TX_MEM_LOW,
    notification_buffer_register,
    pipe_owner_register,
    pipe_register,
    window_register,
)
from tests.rtl.contract import covers
from tests.rtl.stream_bench import Bench, Sink, Source

LOW, HIGH, BOTH = 0x0F, 0xF0, 0xFF
PIPE_RING, NOTIFICATION_RING = 3, 4
"""Sizes: 2 ** this many lines."""
FIRST, END = 0x5_0000_1000, 0x5_0000_9000
"""The window of buffer 1, which owns pipe 3; buffer 2 has the next one, and owns pipe 6."""
SLOTS_BYTES = 64 << NOTIFICATION_RING
DATA, CONFIG = 1, 2


class Guarding:
    """The block and its streams, with the tables filled."""

    def __init__(self, *, on: bool = True, rate: float = 1.0, seed: int = 1) -> None:
        self.block = block = DmaGuard(TINY)
        self.on = on
        self.accesses, self.passed = Source(block.i, rate=rate), Sink(block.o, rate)
        self.slots, self.judged = Source(block.slot_i, rate=rate), Sink(block.slot_o, rate)
        self.forbidden: list[int] = []
        self.refusals: list[tuple[int, int, int]] = []
        """Page, address, and whether it was a ring."""
        self.bench = Bench(
            block, [self.accesses, self.passed, self.slots, self.judged], seed, self.each_cycle
        )  # fmt: skip
        self._shown: int | None = None
        self.idle = 0

    def each_cycle(self, context: Any, cycle: int) -> None:
        block = self.block
        context.set(block.settings, {"guard": self.on, "pipe_ring": PIPE_RING, "notification_ring": NOTIFICATION_RING})
        self.idle = context.get(block.idle)
        if context.get(block.slot_o.valid):
            forbidden = context.get(block.forbidden)
            assert self._shown in (None, forbidden), "the judgement of a slot that waits has changed"
            self._shown = forbidden
            if context.get(block.slot_o.ready):
                self.forbidden.append(forbidden)
                self._shown = None
        for pulse in (block.refused_ring, block.refused_request):
            if context.get(pulse):
                told = context.get(block.refused_page), context.get(block.refused_address)
                self.refusals.append((*told, int(pulse is block.refused_ring)))

    def write(self, address: int, data: int, enables: int = BOTH) -> None:
        self.accesses.items.append({"address": address // 8, "write": 1, "data": data, "enables": enables, "tag": 9})

    def allow(self, buffer: int, first: int, end: int) -> None:
        self.write(window_register(buffer), first)
        self.write(window_register(buffer) + 8, end)

    def ask(self, address: int, length: int, signal: int = DATA, **others: int) -> None:
        self.slots.items.append({"data": signal | address << 64 | length << 128, "buffer": 1, **others})

    def simulate(self, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """With the tables filled, and what this led to forgotten."""

        async def whole() -> None:
            await self.bench.until(lambda: bool(self.bench.context.get(self.block.ready)))
            self.allow(1, FIRST, END)
            self.allow(2, END | MAY_CONFIGURE, 2 * END)
            self.write(pipe_owner_register(3), 1)
            self.write(pipe_owner_register(6), 2)
            await self.done()
            self.passed.got.clear()
            await story()

        self.bench.simulate(whole)

    async def done(self) -> None:
        """All that was offered has passed."""
        await self.bench.until(lambda: not self.accesses.items and not self.slots.items)
        await self.bench.cycles(1)


def passes(it: Guarding, *accesses: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    """Write (address, data, enables) one after the other; what became of each: the same, as far as it is allowed."""

    async def story() -> None:
        for access in accesses:
            it.write(*access)
        await it.done()

    it.simulate(story)
    assert all((each.write, each.tag) == (1, 9) for each in it.passed.got)
    return [(8 * each.address, each.data, each.enables) for each in it.passed.got]


PIPE, FOREIGN_PIPE = pipe_register(3, RX_MEM_LOW), pipe_register(6, RX_MEM_LOW)
RX, TX = (notification_buffer_register(1, register) for register in (RX_MEM_LOW, TX_MEM_LOW))
REFUSED = (0, BOTH)


@pytest.mark.parametrize(
    ("register", "value"),
    [
        (PIPE, FIRST | 1),
        (PIPE, END - 1024 | 1),
        (RX, FIRST),
        (RX, END - SLOTS_BYTES),
        (TX, FIRST + 64),
        (TX, END - SLOTS_BYTES + 63),  # bits within a line mean nothing
        (PIPE + 64 * 63, FIRST + 1024 | 1),  # pages repeat
        (FOREIGN_PIPE, END + 1024 | 2),
    ],
)
def test_a_ring_inside_of_its_window_passes(register: int, value: int) -> None:
    it = Guarding()
    assert passes(it, (register, value, BOTH)) == [(register, value, BOTH)]
    assert it.refusals == []


@pytest.mark.parametrize(
    ("register", "value"),
    [
        (PIPE, FIRST - 1024 | 1),
        (PIPE, END | 1),
        (PIPE, 1),
        (PIPE, 1 << 63 | FIRST | 1),
        (RX, FIRST - 64),
        (RX, END - SLOTS_BYTES + 64),
        (TX, FIRST - 64),
        (TX, (1 << 64) - 64),
        (notification_buffer_register(2, RX_MEM_LOW), FIRST),
        (notification_buffer_register(3, RX_MEM_LOW), FIRST),  # it has no window
    ],
)
@covers("C-176", "C-179")
def test_a_ring_that_leaves_its_window_becomes_a_write_of_0(register: int, value: int) -> None:
    it = Guarding()
    assert passes(it, (register, value, BOTH)) == [(register, *REFUSED)]
    assert it.refusals == [(register // 4096, value, 1)]


@pytest.mark.parametrize(
    ("pipe", "buffer"), [(3, 2), (3, 0), (6, 1), (7, 1), (3, 1 + TINY.notification_buffers), (3, 1 | 512)]
)
@covers("C-177")
def test_a_pipe_that_names_another_buffer_than_its_owner_becomes_a_write_of_0(pipe: int, buffer: int) -> None:
    it, register = Guarding(), pipe_register(pipe, RX_MEM_LOW)
    assert passes(it, (register, FIRST | buffer, BOTH)) == [(register, *REFUSED)]


def test_an_owner_that_does_not_exist_owns_nothing() -> None:
    it, buffer = Guarding(), 1 + TINY.notification_buffers
    written = passes(it, (pipe_owner_register(3), buffer, BOTH), (PIPE, FIRST | buffer, BOTH))
    assert written[1] == (PIPE, *REFUSED)


def test_halves_that_are_written_apart_are_judged_together() -> None:
    low, high = (FIRST | 1) & 0xFFFFFFFF, FIRST & ~0xFFFFFFFF
    it = Guarding()
    fine = [(PIPE, low, LOW), (PIPE, high, HIGH)]
    fine += [(RX, low, LOW), (TX, low + 64, LOW), (TX, high, HIGH), (RX, high, HIGH)]
    wrong = [(PIPE, low - 1024, LOW), (PIPE, high, HIGH)]
    assert passes(it, *fine, *wrong) == [*fine, wrong[0], (PIPE, *REFUSED)]
    assert it.refusals == [(3, FIRST - 1024 | 1, 1)]


def test_after_a_refusal_the_lower_half_is_0_too() -> None:
    """As software reads it: another upper half alone does not bring the old lower one back."""
    it = Guarding()
    accesses = [(PIPE, (1 << 40) | (FIRST & 0xFFFFFFFF) | 1, BOTH), (PIPE, FIRST & ~0xFFFFFFFF, HIGH)]
    assert passes(it, *accesses) == [(PIPE, *REFUSED), (PIPE, *REFUSED)]
    assert it.refusals[1] == (3, FIRST & ~0xFFFFFFFF, 1)


@pytest.mark.parametrize(
    ("address", "data", "enables"),
    [
        (PIPE, 0, BOTH),  # it closes a ring
        (PIPE, END, LOW),  # so does this
        (PIPE, 1 << 60, 0x7F),  # no whole register
        (pipe_register(3, RX_HEAD), 1 << 63, BOTH),
        (pipe_register(TINY.pipes, RX_MEM_LOW), 1 << 63, BOTH),  # it does not exist
        (notification_buffer_register(TINY.notification_buffers, TX_MEM_LOW), 1 << 63, BOTH),
        (pipe_register(3, TX_MEM_LOW), 1 << 63, BOTH),  # a pipe has none
        (window_register(2), 0, BOTH),
    ],
)
def test_what_enables_no_ring_passes(address: int, data: int, enables: int) -> None:
    it = Guarding()
    assert passes(it, (address, data, enables)) == [(address - address % 8, data, enables)]
    assert it.refusals == []


@covers("C-180")
def test_without_the_guard_all_passes_in_the_cycle_in_which_it_comes() -> None:
    it = Guarding(on=False)

    async def story() -> None:
        for address in (PIPE, RX, TX, window_register(1)):
            it.write(address, 1 << 63)
        for signal in (DATA, CONFIG):
            it.ask(1 << 63, 64, signal)
        await it.done()

    it.simulate(story)
    assert it.passed.got_at[-4:] == it.accesses.taken_at[-4:] == [it.passed.got_at[-4] + turn for turn in range(4)]
    assert [each.data for each in it.passed.got] == [1 << 63] * 4
    assert it.judged.got_at == [it.judged.got_at[0], it.judged.got_at[0] + 1]
    assert (it.forbidden, it.refusals) == ([0, 0], [])


def test_a_checked_write_takes_three_cycles_more_and_no_other_does() -> None:
    it, shown = Guarding(), 0

    async def story() -> None:
        nonlocal shown
        shown = it.bench.cycle
        for address in (PIPE, PIPE, pipe_register(3, RX_HEAD)):
            it.write(address, FIRST | 1)
        await it.done()

    it.simulate(story)
    each = RING_STEPS + 1
    assert [cycle - shown for cycle in it.passed.got_at[-3:]] == [each - 1, 2 * each - 1, 2 * each]


# --- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "length", "allowed"),
    [
        (FIRST, 64, True),
        (FIRST, END - FIRST, True),
        (END - 64, 1, True),
        (END - 64, 65, False),
        (FIRST - 64, 64, False),
        (END, 1, False),
        (0, 64, False),
        ((1 << 64) - 64, 128, False),  # it does not wrap around
    ],
)
@covers("C-178", "C-179")
def test_data_is_sent_from_the_window_of_its_buffer_only(address: int, length: int, allowed: bool) -> None:
    it = Guarding()

    async def story() -> None:
        it.ask(address, length)
        await it.done()

    it.simulate(story)
    assert it.forbidden == [not allowed]
    assert it.refusals == ([] if allowed else [(8193, address, 0)])


@covers("C-178")
def test_config_requests_need_leave() -> None:
    it = Guarding()

    async def story() -> None:
        it.ask(1, 0, CONFIG)
        it.ask(FIRST, 0, CONFIG)
        it.ask(1, 0, CONFIG, buffer=2)
        await it.done()

    it.simulate(story)
    assert it.forbidden == [1, 1, 0]


def test_what_is_no_request_is_not_judged() -> None:
    """A slot that could not be read, and the mark of a closed buffer."""
    it = Guarding()

    async def story() -> None:
        it.ask(0, 64, error=1)
        it.ask(0, 64, kind=ReadKind.CLOSE)
        await it.done()

    it.simulate(story)
    assert it.forbidden == [0, 0]


def test_a_slot_takes_two_cycles_more() -> None:
    it, shown = Guarding(), 0

    async def story() -> None:
        nonlocal shown
        shown = it.bench.cycle
        for _ in range(3):
            it.ask(FIRST, 64)
        await it.done()

    it.simulate(story)
    assert [cycle - shown for cycle in it.judged.got_at] == [(SLOT_STEPS + 1) * turn + SLOT_STEPS for turn in range(3)]


def test_a_slot_that_was_shown_keeps_its_judgement_when_the_guard_is_switched() -> None:
    for before, after, expected in ((True, False, [1, 0]), (False, True, [0, 1])):
        it = Guarding(on=before)

        async def story(it: Guarding = it, after: bool = after) -> None:
            it.judged.rate = 0
            it.ask(0, 64)
            it.ask(0, 64)
            await it.bench.cycles(6)
            it.on = after
            await it.bench.cycles(3)
            it.judged.rate = 1
            await it.done()

        it.simulate(story)
        assert it.forbidden == expected


# --- everything at once -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_written_and_asked_it_keeps_to_its_tables(seed: int) -> None:
    it, draw = Guarding(rate=0.6, seed=seed), random.Random(seed)
    window = {1: (FIRST, END), 2: (END, 2 * END)}
    expected: list[tuple[int, int, int]] = []
    asked: list[int] = []
    lows: dict[int, int] = {}

    def near(draw: random.Random) -> int:
        return draw.choice([FIRST, END, 2 * END, 0]) + 64 * draw.randrange(-20, 20) & (1 << 64) - 1

    async def story() -> None:
        for _ in range(150):
            pipe, buffer = draw.choice([3, 6, 7]), draw.choice([1, 2])
            register = draw.choice([pipe_register(pipe, RX_MEM_LOW), *(RX, TX)])
            is_pipe = register not in (RX, TX)
            value, enables = near(draw) | (draw.randrange(4) if is_pipe else 0), draw.choice([LOW, HIGH, BOTH])
            it.write(register, value, enables)
            low = value & 0xFFFFFFFF if enables & LOW else lows.get(register, 0)
            address, lines = value & ~0xFFFFFFFF | low, 8 if is_pipe else 16
            owner = {3: 1, 6: 2, 7: 0}[pipe] if is_pipe else 1
            first = address & (~0x3FF if is_pipe else ~0x3F)
            start, end = window.get(owner, (0, 0))
            fits = start <= first and first + 64 * lines <= end and (not is_pipe or address & 0x3FF == owner)
            refused = enables & HIGH == HIGH and address != 0 and not fits
            expected.append((register, 0, BOTH) if refused else (register, value, enables))
            lows[register] = 0 if refused else low
            data, length = near(draw), draw.randrange(1, 3000)
            it.ask(data, length, buffer=buffer)
            start, end = window[buffer]
            asked.append(not (start <= data and data + 64 * -(-length // 64) <= end))
        await it.bench.until(lambda: not it.accesses.items and not it.slots.items, 20_000)

    it.simulate(story)
    assert [(8 * each.address, each.data, each.enables) for each in it.passed.got] == expected
    assert it.forbidden == asked
    assert 0 < sum(asked) < len(asked)
    assert 0 < sum(kind for *_, kind in it.refusals) < len(expected)


def test_it_is_idle_unless_something_is_on_its_way() -> None:
    it = Guarding()

    async def story() -> None:
        await it.bench.cycles(2)
        assert it.idle
        it.judged.rate = 0
        it.ask(FIRST, 64)
        for expected in (0, 0, 1, 1):
            await it.bench.cycles(1)
            assert it.idle == expected
        it.judged.rate = 1
        await it.done()

    it.simulate(story)
