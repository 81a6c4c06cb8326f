"""IndexSet: each index leaves once after it came, however often it came before."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal

from enso_nic.index_set import IndexSet
from tests.rtl.stream_bench import Bench, Sink, Source

SIZE = 8


def play(indices: list[int], *, rate_in: float = 1.0, rate_out: float = 1.0, seed: int = 1) -> tuple[Source, Sink]:
    block = IndexSet(SIZE)
    source, sink = Source(block.i, indices, rate_in), Sink(block.o, rate_out)
    bench = Bench(block, [source, sink], seed)

    async def story() -> None:
        await bench.until(lambda: not source.items and bool(bench.context.get(block.idle)), 5000)

    bench.simulate(story)
    return source, sink


def test_indices_leave_in_the_order_in_which_they_came() -> None:
    assert play([5, 0, 7, 3])[1].got == [5, 0, 7, 3]


def test_an_index_that_waits_counts_once() -> None:
    assert play([5, 5, 2, 5, 2, 5], rate_out=0.01)[1].got in ([5, 2], [5, 2, 5])


@pytest.mark.parametrize("seed", range(5))
def test_an_index_leaves_after_it_came_and_never_more_often(seed: int) -> None:
    print(f"seed {seed}")
    draw = random.Random(seed)
    came = [draw.randrange(SIZE) for _ in range(200)]
    source, sink = play(came, rate_in=draw.random(), rate_out=draw.random() ** 2 + 0.02, seed=seed)
    for index in range(SIZE):
        arrivals = [at for at, what in zip(source.taken_at, came, strict=True) if what == index]
        departures = [at for at, what in zip(sink.got_at, sink.got, strict=True) if what == index]
        assert len(departures) <= len(arrivals)
        if arrivals:
            assert departures[-1] > arrivals[-1]


def test_a_reset_forgets_all_indices() -> None:
    block, reset = IndexSet(SIZE), Signal()
    source, sink = Source(block.i, range(SIZE)), Sink(block.o)
    bench = Bench(ResetInserter(reset)(block), [source, sink])

    async def story() -> None:
        await bench.until(lambda: not source.items)
        assert not sink.got, "none leaves while some come"
        bench.context.set(reset, 1)
        await bench.cycles(1)
        bench.context.set(reset, 0)
        source.items.extend(reversed(range(SIZE)))
        await bench.until(lambda: len(sink.got) == SIZE)

    bench.simulate(story)
    assert sink.got == list(reversed(range(SIZE)))


def test_it_is_not_idle_while_an_index_waits_at_its_output() -> None:
    block = IndexSet(SIZE)
    source, sink = Source(block.i, [5]), Sink(block.o, 0)
    bench = Bench(block, [source, sink])

    async def story() -> None:
        await bench.until(lambda: bool(bench.context.get(block.o.valid)))
        await bench.cycles(3)
        assert not bench.context.get(block.idle)

    bench.simulate(story)
