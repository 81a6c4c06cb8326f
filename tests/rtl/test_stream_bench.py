"""The benches' sink notices a block that breaks a stream rule."""

from collections.abc import Callable

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out

from tests.rtl.stream_bench import Bench, Sink


class Source(wiring.Component):
    """Offers 5 for ever. ``spoil`` adds what is wrong to the module; the signal is 1 in the cycle after a refusal."""

    o: Out(stream.Signature(8))

    def __init__(self, spoil: Callable[[Module, "Source", Signal], None]) -> None:
        self._spoil = spoil
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m, refused = Module(), Signal()
        m.d.sync += refused.eq(self.o.valid & ~self.o.ready)
        m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(5)]
        self._spoil(m, self, refused)
        return m


def nothing(m: Module, source: Source, refused: Signal) -> None:
    pass


def withdraws(m: Module, source: Source, refused: Signal) -> None:
    m.d.comb += source.o.valid.eq(~refused)


def changes(m: Module, source: Source, refused: Signal) -> None:
    m.d.comb += source.o.payload.eq(5 + refused)


def waits_for_ready(m: Module, source: Source, refused: Signal) -> None:
    m.d.comb += source.o.valid.eq(source.o.ready)


def run(spoil: Callable[[Module, Source, Signal], None]) -> list[int]:
    source = Source(spoil)
    sink = Sink(source.o, 0.5)
    bench = Bench(source, [sink])

    async def story() -> None:
        await bench.cycles(30)

    bench.simulate(story)
    return sink.got


def test_a_sound_source_passes() -> None:
    assert set(run(nothing)) == {5}


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (withdraws, "valid was withdrawn before ready"),
        (changes, "a stalled payload changed"),
        (waits_for_ready, "valid depends on ready"),
    ],
)
def test_a_broken_rule_is_named(spoil: Callable[[Module, Source, Signal], None], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        run(spoil)
