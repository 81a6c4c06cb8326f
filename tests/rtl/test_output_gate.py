"""OutputGate: a stream ends between items, and goes on where it ended."""

import random
from typing import Any

import pytest

from enso_nic.layouts import EthernetTx, ReadRequest
from enso_nic.output_gate import OutputGate
from tests.rtl.stream_bench import Bench, Sink, Source


class Gate:
    """A gate of frames (or of read requests), closed while ``closes``."""

    def __init__(self, shape: Any = EthernetTx, *, rate: float = 1.0, out_rate: float = 1.0, seed: int = 1) -> None:
        self.block = OutputGate(shape)
        self.source, self.sink = Source(self.block.i, rate=rate), Sink(self.block.o, out_rate)
        self.closes = self.is_closed = 0
        self.bench = Bench(self.block, [self.source, self.sink], seed, self.each_cycle)

    def each_cycle(self, context: Any, cycle: int) -> None:
        context.set(self.block.close, self.closes)
        self.is_closed = context.get(self.block.closed)
        if self.is_closed:
            assert not context.get(self.block.o.valid), "closed, and shows something"


def frames(count: int, beats: int) -> list[dict[str, int]]:
    return [{"data": beats * i + j, "last": j == beats - 1} for i in range(count) for j in range(beats)]


def test_open_it_passes_everything_at_once() -> None:
    gate = Gate()

    async def story() -> None:
        gate.source.items.extend(frames(4, 3))
        await gate.bench.until(lambda: not gate.source.items)

    gate.bench.simulate(story)
    assert gate.sink.got_at == gate.source.taken_at == list(range(12))


@pytest.mark.parametrize(("rate", "out_rate"), [(1.0, 1.0), (0.5, 0.7), (0.9, 0.3)])
@pytest.mark.parametrize("seed", [1, 2])
def test_it_closes_between_frames_and_loses_none(seed: int, rate: float, out_rate: float) -> None:
    draw = random.Random(seed)
    gate = Gate(rate=rate, out_rate=out_rate, seed=seed)
    items = frames(60, 3)

    async def story() -> None:
        gate.source.items.extend(items)
        while len(gate.sink.got) < len(items):
            gate.closes = 1
            await gate.bench.until(lambda: bool(gate.is_closed))
            assert len(gate.sink.got) % 3 == 0, f"seed {seed}: closed inside a frame"
            await gate.bench.cycles(draw.randrange(4))
            gate.closes = 0
            await gate.bench.cycles(draw.randrange(1, 12))

    gate.bench.simulate(story)
    assert [beat.data for beat in gate.sink.got] == list(range(180))


def test_a_stream_without_last_closes_after_what_is_shown() -> None:
    gate = Gate(ReadRequest, out_rate=0)

    async def story() -> None:
        gate.source.items.extend({"address": i, "flits": 8, "tag": i} for i in range(4))
        await gate.bench.cycles(2)
        gate.closes = 1
        await gate.bench.cycles(5)
        assert not gate.is_closed, "closed, though a request was shown and not taken"
        gate.sink.rate = 1
        await gate.bench.until(lambda: bool(gate.is_closed))
        assert [request.address for request in gate.sink.got] == [0]

    gate.bench.simulate(story)
