"""bits: each function does in hardware what a line of Python says."""

import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from amaranth.hdl import Module, Signal, Value
from amaranth.sim import Simulator

from enso_nic.bits import adds_up, byte_mask, count_kept, network_order, replaced
from enso_nic.config import FLIT_BYTES

BITS = 8 * FLIT_BYTES


def results(function: Callable[..., Value], widths: tuple[int, ...], inputs: Iterable[tuple[int, ...]]) -> list[int]:
    """What ``function`` gives for each of ``inputs``, in as many bits as it gives."""
    m, got = Module(), []
    signals = [Signal(width) for width in widths]
    value = function(m, *signals) if function in (count_kept, replaced) else function(*signals)
    o = Signal(len(value))
    m.d.comb += o.eq(value)

    async def testbench(context: Any) -> None:
        for values in inputs:
            for signal, each in zip(signals, values, strict=True):
                context.set(signal, each)
            got.append(context.get(o))

    simulator = Simulator(m)
    simulator.add_testbench(testbench)
    simulator.run()
    return got


def test_the_bytes_that_a_beat_has_are_counted() -> None:
    counts = range(FLIT_BYTES + 1)
    assert results(count_kept, (64,), [((1 << count) - 1,) for count in counts]) == [*counts]


def test_a_mask_covers_the_lowest_bytes() -> None:
    counts = range(FLIT_BYTES + 1)
    assert results(byte_mask, (7,), [(count,) for count in counts]) == [(1 << 8 * count) - 1 for count in counts]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_network_order_is_the_other_order_of_bytes(size: int) -> None:
    draw = random.Random(size)
    words = [draw.randbytes(size) for _ in range(20)]
    got = results(network_order, (8 * size,), [(int.from_bytes(word, "little"),) for word in words])
    assert got == [int.from_bytes(word, "big") for word in words]


def test_a_word_replaces_the_bytes_from_its_offset_on_and_no_others() -> None:
    """At any offset; what of the word is beyond the flit is cut off."""
    draw = random.Random(2)
    cases = [(draw.randbytes(FLIT_BYTES), offset, draw.randbytes(4)) for offset in range(FLIT_BYTES)]
    inputs = [(int.from_bytes(flit, "little"), offset, int.from_bytes(word, "little")) for flit, offset, word in cases]
    got = [value.to_bytes(FLIT_BYTES, "little") for value in results(replaced, (BITS, 6, 32), inputs)]
    assert got == [(flit[:offset] + word + flit[offset + 4 :])[:FLIT_BYTES] for flit, offset, word in cases]


def test_a_sum_is_compared() -> None:
    """In 6 bits, of which the second term has 3."""
    cases = [(a, b, total) for a in range(64) for b in range(8) for total in range(64)]
    assert results(adds_up, (6, 3, 6), cases) == [(a + b) % 64 == total for a, b, total in cases]
