"""HostWriteArbiter: writes stay whole, completions go first, an offer stands."""

import random
from typing import Any

import pytest

from enso_nic.host_write_arbiter import HostWriteArbiter
from tests.rtl.contract import covers
from tests.rtl.stream_bench import Bench, Sink, Source, fields

RX, TX = 1, 2
"""Which input a beat came from: its tag."""


def beats(source: int, number: int, length: int) -> list[dict[str, Any]]:
    """A write of so many beats."""
    return [
        {
            "data": number << 8 | i,
            "address": 8 * number,
            "flits": length,
            "first": i == 0,
            "last": i == length - 1,
            "tag": source,
        }
        for i in range(length)
    ]


class Arbitration:
    """An arbiter between writes of RX and completions of TX."""

    def __init__(
        self,
        rx: list[dict[str, Any]],
        tx: list[dict[str, Any]],
        rates: tuple[float, float, float] = (1, 1, 1),
        seed: int = 1,
    ) -> None:
        self.block = HostWriteArbiter()
        self.given = {RX: list(rx), TX: list(tx)}
        self.rx, self.tx = Source(self.block.rx, rx, rates[0]), Source(self.block.tx, tx, rates[1])
        self.out = Sink(self.block.o, rates[2])
        self.bench = Bench(self.block, [self.rx, self.tx, self.out], seed)

    async def done(self) -> None:
        await self.bench.until(lambda: not self.rx.items and not self.tx.items, 10000)

    def of(self, source: int) -> list[dict[str, Any]]:
        return [fields(beat) for beat in self.out.got if beat.tag == source]

    def check(self) -> None:
        for source, given in self.given.items():
            got = [{name: beat[name] for name in given[0]} for beat in self.of(source)]
            assert got == given, f"beats of {source}"
        open_write = None
        for beat in self.out.got:
            assert open_write in (None, beat.tag), "a beat of the other input within a write"
            open_write = None if beat.last else beat.tag


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("rates", [(1, 1, 1), (0.5, 0.3, 0.7), (0.9, 0.9, 0.4), (0.3, 1, 1)])
@covers("C-143", "C-147")
def test_both_inputs_leave_whole_and_in_order(rates: tuple[float, float, float], seed: int) -> None:
    """Also while a write's next beat is late; ``Sink`` checks that a stalled offer does not change."""
    draw = random.Random(seed)
    writes = {
        source: [beat for number in range(60) for beat in beats(source, number, draw.choice([1, 1, 2, 8]))]
        for source in (RX, TX)
    }
    arbitration = Arbitration(writes[RX], writes[TX], rates, seed)
    arbitration.bench.simulate(arbitration.done)
    arbitration.check()


@covers("C-144")
def test_completions_go_first_between_writes() -> None:
    rx = [beat for number in range(4) for beat in beats(RX, number, 3)]
    tx = [beat for number in range(3) for beat in beats(TX, number, 1)]
    arbitration = Arbitration(rx, [])
    arbitration.given[TX] = tx

    async def story() -> None:
        await arbitration.bench.cycles(1)
        arbitration.tx.items.extend(tx)
        await arbitration.done()

    arbitration.bench.simulate(story)
    arbitration.check()
    assert [beat.tag for beat in arbitration.out.got] == [RX] * 3 + [TX] * 3 + [RX] * 9


def test_a_beat_passes_in_the_cycle_in_which_it_is_offered() -> None:
    arbitration = Arbitration(beats(RX, 0, 8), beats(TX, 0, 1))
    arbitration.bench.simulate(arbitration.done)
    assert arbitration.out.got_at == list(range(9))
    assert arbitration.tx.taken_at == [0]
    assert arbitration.rx.taken_at == list(range(1, 9))
