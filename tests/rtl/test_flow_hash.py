"""FlowHash: the hash that upstream's hardware computes."""

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from enso_nic.flow_hash import LATENCY, FlowHash
from tests.rtl.contract import covers
from tests.rtl.golden.steering import Key, lookup3

WEB_SERVER = Key(destination_port=80, destination_address=0xC0A80000)
# these were read off a simulation of upstream's RTL
CHECK_VALUES = [
    (WEB_SERVER, 0, 0x1F302F21),
    (WEB_SERVER, 1, 0x823999FA),
    (WEB_SERVER, 2, 0xD1966911),
    (WEB_SERVER, 3, 0xBE666DF4),
    (WEB_SERVER._replace(source_address=0x0A000001, source_port=8080), 0, 0x3707EB2C),
]


def hashes(keys: list[Key], variant: int) -> list[int]:
    """Of keys that come one per cycle, each read ``LATENCY`` cycles after its own."""
    block, seen = FlowHash(variant), []

    async def testbench(context: Any) -> None:
        for cycle in range(len(keys) + LATENCY):
            context.set(block.key, keys[min(cycle, len(keys) - 1)]._asdict())
            if cycle >= LATENCY:
                seen.append(context.get(block.o))
            await context.tick()

    simulator = Simulator(block)
    simulator.add_clock(4e-9)
    simulator.add_testbench(testbench)
    simulator.run()
    return seen


@pytest.mark.parametrize(("key", "variant", "expected"), CHECK_VALUES)
@covers("C-072")
def test_upstreams_values(key: Key, variant: int, expected: int) -> None:
    assert hashes([key], variant) == [expected]


@pytest.mark.parametrize("variant", range(4))
def test_a_key_each_cycle(variant: int) -> None:
    draw = random.Random(variant)
    keys = [Key(*(draw.getrandbits(width) for width in (16, 16, 32, 32))) for _ in range(100)]
    assert hashes(keys, variant) == [lookup3(key, variant) for key in keys]


def test_latency_is_four_cycles() -> None:
    assert LATENCY == 4
