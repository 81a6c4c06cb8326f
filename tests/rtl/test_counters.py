"""Counters: each event counts once, and shows on its word of the extension page."""

import random
from collections import Counter
from typing import Any

from amaranth.sim import Simulator
from enso_nic.counters import Counters

from enso_nic.layouts import DropCause
from enso_nic.registers import EXTENSION_MAGIC, EXTENSION_VERSION, EXTENSION_WORDS
from tests.rtl.contract import covers

PULSES = ("tx_error", "tx_frames", "notifications", "owed_notifications", "lost_notifications")
BEHIND_THE_DOOR: tuple[Any, ...] = (DropCause.NO_FLOW, DropCause.PIPE_FULL, DropCause.PIPE_DISABLED)
AT_THE_DOOR: tuple[Any, ...] = tuple(
    cause for cause in DropCause.__members__.values() if cause not in (*BEHIND_THE_DOOR, DropCause.TX_ERROR)
)
CONSTANTS = {"magic": EXTENSION_MAGIC, "version": EXTENSION_VERSION}


def page(context: Any, block: Counters) -> dict[str, int]:
    words = {}
    for number, name in enumerate(EXTENSION_WORDS):
        context.set(block.word, number)
        words[name] = context.get(block.data)
    return words


def simulate(testbench: Any, block: Counters) -> None:
    simulator = Simulator(block)
    simulator.add_clock(4e-9)
    simulator.add_testbench(testbench)
    simulator.run()


@covers("C-160", "C-161")
def test_every_event_counts_once_whatever_happens_beside_it() -> None:
    seed = 1
    draw, block, expected = random.Random(seed), Counters(), Counter[str]()

    async def testbench(context: Any) -> None:
        for cycle in range(500):
            verdict, dropped = draw.choice(AT_THE_DOOR), draw.choice([DropCause.NONE, *BEHIND_THE_DOOR])
            has_verdict = draw.getrandbits(1)
            pulses = {name: draw.getrandbits(1) for name in (*PULSES, "flow_inserts_failed")}
            context.set(block.verdict.valid, has_verdict)
            context.set(block.verdict.payload.cause, verdict)
            context.set(block.dropped, dropped)
            for name, value in pulses.items():
                context.set(getattr(block, name), value)
            assert context.get(block.idle) == (
                not has_verdict and dropped == DropCause.NONE and not any(pulses.values())
            )
            await context.tick()

            expected.update(pulses)
            if has_verdict:
                expected["rx_frames"] += 1
                expected["rx_admitted" if verdict == DropCause.NONE else verdict.name.lower()] += 1
            if dropped != DropCause.NONE:
                expected[dropped.name.lower()] += 1
            if cycle % 50 == 0:
                assert page(context, block) == {name: expected[name] for name in EXTENSION_WORDS} | CONSTANTS, (
                    f"seed {seed}"
                )

    simulate(testbench, block)
    assert all(expected[name] for name in EXTENSION_WORDS if name not in CONSTANTS), "each counter has counted"


@covers("C-159")
def test_words_beyond_the_last_read_as_0() -> None:
    block = Counters()

    async def testbench(context: Any) -> None:
        context.set(block.tx_error, 1)  # counted by the last word
        await context.tick()
        for number in (len(EXTENSION_WORDS), 31, 32, 256, 511):
            context.set(block.word, number)
            assert context.get(block.data) == 0

    simulate(testbench, block)


@covers("C-158")
def test_the_page_says_what_it_is() -> None:
    block = Counters()

    async def testbench(context: Any) -> None:
        assert page(context, block)["magic"].to_bytes(8, "little") == b"HermNIC\0"
        assert page(context, block)["version"] == 1

    simulate(testbench, block)
