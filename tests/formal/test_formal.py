"""The proofs: the quick ones here, all of them by `make prove`."""

from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from tests.formal.catalogue import SPECIFICATIONS
from tests.formal.engine import Circuit, Finding, Verdict
from tests.formal.prove import Proof, Row, _good, prove
from tests.formal.seeded import BUGS, first_broken, notice_all
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rules, waits_for_ready

QUICK = ("output_gate", "extension_page")
SECONDS = 60


class Pass(wiring.Component):
    """A stream handed on; ``patience`` says for how many cycles it stays."""

    i: In(stream.Signature(4))
    o: Out(stream.Signature(4))

    def __init__(self, *, gives_up: bool, waits: bool) -> None:
        self._gives_up, self._waits = gives_up, waits
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        waited = Signal(2)
        m.d.sync += waited.eq(waited + (self.o.valid & ~self.o.ready))
        hides = (waited == 3) if self._gives_up else 0
        m.d.comb += [
            self.o.payload.eq(self.i.payload),
            self.o.valid.eq(self.i.valid & ~hides & (self.o.ready if self._waits else 1)),
            self.i.ready.eq(self.o.ready & self.o.valid),
        ]
        return m


def rules_of(component: wiring.Component) -> Specification:
    spec = Specification("pass", component)
    obey(spec)
    promise_rules(spec)
    return spec


@pytest.mark.parametrize("name", QUICK)
def test_what_these_blocks_promise_holds_in_every_cycle(name: str, tmp_path: Path) -> None:
    rows = prove(name, tmp_path, SECONDS).rows
    assert rows
    assert [row.text for row in rows if not row.is_proven] == []


@pytest.mark.long
def test_a_seeded_bug_is_noticed(tmp_path: Path) -> None:
    (noticed,) = notice_all(tmp_path, ["output_gate"])
    assert noticed.promise == "o: what is valid stays until it is taken"


@pytest.mark.long
def test_the_present_rtl_breaks_nothing(tmp_path: Path) -> None:
    assert first_broken("output_gate", tmp_path) == ""


def test_each_specification_has_a_seeded_bug_that_applies() -> None:
    assert {name for name, _ in BUGS} == set(SPECIFICATIONS)
    for _, bug in BUGS:
        assert bug.mutated()


@pytest.mark.long
def test_a_stream_that_gives_up_is_refuted_and_one_that_does_not_is_proven(tmp_path: Path) -> None:
    assert Circuit(rules_of(Pass(gives_up=False, waits=False)), tmp_path / "good").prove(0, SECONDS).verdict is (
        Verdict.PROVEN
    )
    bad = Circuit(rules_of(Pass(gives_up=True, waits=False)), tmp_path / "bad")
    assert bad.prove(0, SECONDS).verdict is Verdict.REFUTED
    found = bad.search(0, 20, SECONDS)
    assert (found.verdict, found.depth) == (Verdict.REFUTED, 3)


def test_a_stream_that_waits_for_its_ready_is_found_in_the_netlist() -> None:
    assert waits_for_ready(Pass(gives_up=False, waits=False)) == []
    assert waits_for_ready(Pass(gives_up=False, waits=True)) == ["o"]


@pytest.mark.long
def test_a_promise_about_what_never_happens_is_not_reached(tmp_path: Path) -> None:
    component = Pass(gives_up=False, waits=False)
    spec = Specification("pass", component)
    spec.assume("nothing comes", ~component.i.valid)
    spec.promise("vacuous", when=component.o.valid, then=0)
    circuit = Circuit(spec, tmp_path)
    assert circuit.prove(0, SECONDS).verdict is Verdict.PROVEN
    assert circuit.reach(0, 20, SECONDS).verdict is not Verdict.REFUTED


class SinceReset(wiring.Component):
    """``o`` from the eighth cycle behind a reset on; ``word`` of a memory that nothing writes."""

    o: Out(1)
    word: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.kept = kept = Memory(shape=1, depth=2, init=[])
        m.d.comb += self.word.eq(kept.read_port(domain="comb").data)
        since = Signal(3)
        m.d.sync += since.eq(since + (since != 7))
        m.d.comb += self.o.eq(since == 7)
        return m


def since_reset(search_to: int = 0) -> Specification:
    block = SinceReset()
    spec = Specification("block", block, search_to=search_to)
    spec.promise("it stays", when=spec.before(block.o, init=0), then=block.o)
    was = Signal(reset_less=True)
    spec.m.d.sync += was.eq(block.o)
    spec.promise("it stays, also through a reset", when=was, then=block.o)
    spec.promise("the memory holds 0", then=~block.word)
    return spec


@pytest.mark.long
def test_resets_and_memories_contents_are_free(tmp_path: Path) -> None:
    circuit = Circuit(since_reset(), tmp_path)
    verdicts = [circuit.prove(number, SECONDS).verdict for number in range(3)]
    assert verdicts == [Verdict.PROVEN, Verdict.REFUTED, Verdict.REFUTED]


@pytest.mark.long
def test_a_search_through_several_blocks_has_one_reset_and_blank_memories(tmp_path: Path) -> None:
    circuit = Circuit(since_reset(search_to=20), tmp_path)
    assert [circuit.search(number, 21, SECONDS).verdict for number in range(3)].count(Verdict.REFUTED) == 0
    assert circuit.reach(1, 21, SECONDS).verdict is Verdict.REFUTED


@pytest.mark.parametrize(("depth", "is_good"), [(9, False), (10, True)])
def test_a_search_must_get_to_where_its_specification_says(depth: int, *, is_good: bool) -> None:
    row = Row("chain", "chain", "it holds", False, Finding(Verdict.UNKNOWN, depth, 0, "bmc"), 3, search_to=10)
    assert _good([Proof(since_reset(search_to=10), [row])], []) is is_good


def test_names_of_what_is_not_there_or_taken_are_errors() -> None:
    spec = SPECIFICATIONS["output_gate"]()
    with pytest.raises(LookupError, match="no nothing"):
        spec.inner("nothing")
    with pytest.raises(ValueError, match="close is an input already"):
        spec.free(1, "close")
    assert "broken0" in spec.rtlil()
