"""ExtensionPage: each event counts once, settings take what they accept, and every word shows what it should."""

import random
from collections import Counter
from typing import Any

import pytest
from amaranth.hdl import Elaboratable, ResetInserter, Signal
from amaranth.sim import Simulator

from enso_nic.config import FULL, TINY
from enso_nic.extension_page import PULSES, ExtensionPage
from enso_nic.layouts import DropCause
from enso_nic.registers import COUNTERS, DROP_CAUSES, EXTENSION_WORDS
from tests.rtl.contract import covers
from tests.rtl.stream_bench import fields

BEHIND_THE_DOOR: tuple[Any, ...] = (
    DropCause.NOT_IP,
    DropCause.BAD_IP_LENGTH,
    DropCause.NO_FLOW,
    DropCause.PIPE_FULL,
    DropCause.PIPE_DISABLED,
)
AT_THE_DOOR: tuple[Any, ...] = tuple(
    cause for cause in DropCause.__members__.values() if cause not in (*BEHIND_THE_DOOR, DropCause.TX_ERROR)
)
REFUSALS: tuple[Any, ...] = (DropCause.NONE, DropCause.NOT_IP, DropCause.BAD_IP_LENGTH)
IDENTITY = {
    "magic": int.from_bytes(b"HermNIC\0", "little"),
    "version": 2,
    "capabilities": 0x3FF,
    "pipes": TINY.pipes,
    "notification_buffers": TINY.notification_buffers,
    "maximum_frame": 1514,
    "packet_buffer_flits": TINY.packet_buffer_flits,
}
SETTINGS = {
    "pipe_ring_flits": TINY.pipe_flits,
    "notification_ring_slots": TINY.notification_slots,
    "modes": 0,
    "reset": 0,
    "guard": 0,
}
REFUSED = {"refused_page": 0, "refused_address": 0}
AFTER_RESET = IDENTITY | SETTINGS | REFUSED | dict.fromkeys(COUNTERS, 0)
PIPE_SIZES, NOTIFICATION_SIZES = ([1 << exponent for exponent in range(3, last + 1)] for last in (20, 15))


def page(context: Any, block: ExtensionPage) -> dict[str, int]:
    words = {}
    for name, word in EXTENSION_WORDS.items():
        context.set(block.word, word.number)
        words[name] = context.get(block.data)
    return words


async def write(context: Any, block: ExtensionPage, number: int, data: int) -> None:
    context.set(block.write.payload, {"word": number, "data": data})
    context.set(block.write.valid, 1)
    assert not context.get(block.idle)
    await context.tick()
    context.set(block.write.valid, 0)


def simulate(testbench: Any, block: Elaboratable) -> None:
    simulator = Simulator(block)
    simulator.add_clock(4e-9)
    simulator.add_testbench(testbench)
    simulator.run()


@covers("C-160", "C-161")
def test_every_event_counts_once_whatever_happens_beside_it() -> None:
    seed = 1
    draw, block, expected = random.Random(seed), ExtensionPage(TINY), Counter[str]()

    async def testbench(context: Any) -> None:
        for cycle in range(500):
            verdict, dropped = draw.choice(AT_THE_DOOR), draw.choice([DropCause.NONE, *BEHIND_THE_DOOR])
            has_verdict, timeouts = draw.getrandbits(1), draw.choice([0, 0, 1, 2])
            pulses = {name: draw.choice([0, 0, 1]) for name in PULSES}
            context.set(block.verdict.valid, has_verdict)
            context.set(block.verdict.payload.cause, verdict)
            context.set(block.verdict.payload.refusal, draw.choice(REFUSALS))
            context.set(block.dropped, dropped)
            context.set(block.read_timeouts, timeouts)
            for name, value in pulses.items():
                context.set(getattr(block, name), value)
            assert context.get(block.idle) == (
                not has_verdict and dropped == DropCause.NONE and not timeouts and not any(pulses.values())
            )
            await context.tick()

            expected.update(pulses | {"read_timeouts": timeouts})
            if has_verdict:
                expected["rx_frames"] += 1
                expected["rx_admitted" if verdict == DropCause.NONE else verdict.name.lower()] += 1
            if dropped != DropCause.NONE:
                expected[dropped.name.lower()] += 1
            if cycle % 50 == 0:
                assert page(context, block) == AFTER_RESET | expected, f"seed {seed}"

    simulate(testbench, block)
    assert set(expected) == set(COUNTERS), "each counter has counted"


def test_each_drop_cause_has_its_counter() -> None:
    assert [cause.name.lower() for cause in DropCause.__members__.values()] == ["none", *DROP_CAUSES]


@pytest.mark.parametrize("event", [*PULSES, "read_timeouts", "dropped", "verdict"])
def test_it_is_not_idle_while_something_is_to_be_counted(event: str) -> None:
    block = ExtensionPage(TINY)

    async def testbench(context: Any) -> None:
        assert context.get(block.idle)
        context.set(block.verdict.valid if event == "verdict" else getattr(block, event), 1)
        assert not context.get(block.idle)

    simulate(testbench, block)


@covers("C-159")
def test_words_that_are_none_read_as_0() -> None:
    block = ExtensionPage(TINY)
    last = max(word.number for word in EXTENSION_WORDS.values())

    async def testbench(context: Any) -> None:
        context.set(block.refused_requests, 1)  # counted by the last word
        await context.tick()
        for number in sorted(set(range(512)) - {word.number for word in EXTENSION_WORDS.values()}):
            context.set(block.word, number)
            assert context.get(block.data) == 0, f"word {number}"
        context.set(block.word, last)
        assert context.get(block.data) == 1

    simulate(testbench, block)


def test_the_page_says_what_it_is() -> None:
    for config, sizes in ((TINY, {}), (FULL, {"pipes": 8192, "notification_buffers": 1024})):
        block = ExtensionPage(config)

        async def testbench(context: Any, block: ExtensionPage = block, sizes: dict[str, int] = sizes) -> None:
            words = page(context, block)
            assert words["magic"].to_bytes(8, "little") == b"HermNIC\0"
            assert words["version"] == 2
            assert words == words | sizes

        simulate(testbench, block)


def test_each_word_has_its_place() -> None:
    """Software has these numbers: they stay."""
    numbers = {name: word.number for name, word in EXTENSION_WORDS.items()}
    assert [numbers[name] for name in IDENTITY] == list(range(7))
    assert [numbers[name] for name in SETTINGS] == list(range(16, 21))
    assert [numbers[name] for name in REFUSED] == [24, 25]
    assert [numbers[name] for name in COUNTERS] == list(range(32, 32 + len(COUNTERS)))
    assert [name for name, word in EXTENSION_WORDS.items() if word.writable] == list(SETTINGS)


# --- settings ---------------------------------------------------------------------------------------------------------


def test_after_reset_rings_have_the_sizes_of_the_configuration_and_modes_are_off() -> None:
    for config, pipe_ring, notification_ring in ((TINY, 6, 4), (FULL, 15, 14)):
        block = ExtensionPage(config)
        expected = {"pipe_ring": pipe_ring, "notification_ring": notification_ring}

        async def testbench(context: Any, block: ExtensionPage = block, expected: dict[str, int] = expected) -> None:
            off = dict.fromkeys(("notify_per_packet", "accept_ipv6", "full_tuple", "guard"), 0)
            assert fields(context.get(block.settings)) == expected | off
            assert not context.get(block.wants_reset)

        simulate(testbench, block)


@pytest.mark.parametrize(
    ("name", "setting", "accepted"),
    [
        ("pipe_ring_flits", "pipe_ring", PIPE_SIZES),
        ("notification_ring_slots", "notification_ring", NOTIFICATION_SIZES),
    ],
)
def test_a_ring_takes_powers_of_two_within_its_range_and_ignores_the_rest(
    name: str, setting: str, accepted: list[int]
) -> None:
    block, word, draw = ExtensionPage(TINY), EXTENSION_WORDS[name], random.Random(3)
    powers = [1 << exponent for exponent in range(64)]
    others = [0, *(size - 1 for size in powers), *(size + 1 for size in powers), *(size << 32 for size in accepted)]
    values = [*powers, *others]
    draw.shuffle(values)

    async def testbench(context: Any) -> None:
        expected = AFTER_RESET[name]
        for value in values:
            await write(context, block, word.number, value)
            expected = value if value in accepted else expected
            assert page(context, block) == AFTER_RESET | {name: expected}, f"after {value}"
            assert 1 << context.get(block.settings)[setting] == expected

    simulate(testbench, block)


def test_modes_are_a_bit_each_and_other_bits_are_ignored() -> None:
    block, word = ExtensionPage(TINY), EXTENSION_WORDS["modes"]

    async def testbench(context: Any) -> None:
        for value in (1, 2, 4, 3, 0, 8, 6, (1 << 64) - 3, (1 << 64) - 1, 1 << 32):
            await write(context, block, word.number, value)
            settings = context.get(block.settings)
            modes = (settings.notify_per_packet, settings.accept_ipv6, settings.full_tuple)
            assert modes == (value & 1, value >> 1 & 1, value >> 2 & 1)
            assert page(context, block) == AFTER_RESET | {"modes": value & 7}

    simulate(testbench, block)


def test_the_guard_is_switched_by_its_lowest_bit() -> None:
    block, word = ExtensionPage(TINY), EXTENSION_WORDS["guard"]

    async def testbench(context: Any) -> None:
        for value in (1, 3, 0, 2, (1 << 64) - 1, 1 << 32):
            await write(context, block, word.number, value)
            assert context.get(block.settings.guard) == value & 1
            assert page(context, block) == AFTER_RESET | {"guard": value & 1}

    simulate(testbench, block)


@covers("C-179")
@pytest.mark.parametrize("counter", ["refused_rings", "refused_requests"])
def test_the_last_refusal_is_told(counter: str) -> None:
    block = ExtensionPage(TINY)

    async def testbench(context: Any) -> None:
        for count, (number, address) in enumerate(((8193, 1 << 63), (5, 64)), 1):
            context.set(block.refused_page, number)
            context.set(block.refused_address, address)
            context.set(getattr(block, counter), 1)
            await context.tick()
            context.set(getattr(block, counter), 0)
            context.set(block.refused_page, 77)
            await context.tick()
            told = {counter: count, "refused_page": number, "refused_address": address}
            assert page(context, block) == AFTER_RESET | told

    simulate(testbench, block)


def test_a_reset_is_wanted_once_its_key_is_written_and_from_then_on() -> None:
    block, word = ExtensionPage(TINY), EXTENSION_WORDS["reset"]

    async def testbench(context: Any) -> None:
        for value in (0, 2, 3, 1 << 32 | 1, 1 << 63):
            await write(context, block, word.number, value)
            assert not context.get(block.wants_reset), f"by {value}"
        await write(context, block, word.number, 1)
        for _ in range(3):
            assert context.get(block.wants_reset)
            assert not context.get(block.idle)
            await context.tick()
        await write(context, block, word.number, 0)
        assert context.get(block.wants_reset)
        assert page(context, block) == AFTER_RESET, "it reads as 0"

    simulate(testbench, block)


def test_a_reset_forgets_what_was_set_and_counted() -> None:
    block, reset = ExtensionPage(TINY), Signal()

    async def testbench(context: Any) -> None:
        for name, value in (("pipe_ring_flits", 8), ("notification_ring_slots", 8), ("modes", 3), ("reset", 1)):
            await write(context, block, EXTENSION_WORDS[name].number, value)
        for port in (block.verdict.valid, block.read_timeouts, *(getattr(block, name) for name in PULSES)):
            context.set(port, 1)
        await context.tick()
        assert page(context, block) == AFTER_RESET | {
            "pipe_ring_flits": 8,
            "notification_ring_slots": 8,
            "modes": 3,
            **dict.fromkeys(("rx_frames", "rx_admitted", "read_timeouts", *PULSES), 1),
        }
        context.set(reset, 1)
        await context.tick()
        assert page(context, block) == AFTER_RESET
        assert not context.get(block.wants_reset)

    simulate(testbench, ResetInserter(reset)(block))


def test_a_write_changes_no_other_word() -> None:
    """Whatever number it names, of all that there are."""
    block = ExtensionPage(TINY)
    writable = {word.number for word in EXTENSION_WORDS.values() if word.writable}

    async def testbench(context: Any) -> None:
        for number in set(range(512)) - writable:
            for data in (1, 8, (1 << 64) - 1):
                await write(context, block, number, data)
        assert page(context, block) == AFTER_RESET
        assert not context.get(block.wants_reset)

    simulate(testbench, block)


def test_without_a_write_nothing_is_written() -> None:
    block = ExtensionPage(TINY)

    async def testbench(context: Any) -> None:
        for word in EXTENSION_WORDS.values():
            for data in (1, 8):
                context.set(block.write.payload, {"word": word.number, "data": data})
                await context.tick()
        assert page(context, block) == AFTER_RESET
        assert not context.get(block.wants_reset)

    simulate(testbench, block)
