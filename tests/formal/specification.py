"""What is assumed of a block's inputs and promised of its outputs, as a circuit beside it.

    spec = Specification("index set", IndexSet(4))
    spec.assume("an index that waits stays", ...)
    spec.promise("each index leaves once", when=dut.o.valid, then=...)

A promise has to hold in each cycle up to which every assumption has held. The reset input is free like all others: what
is proven holds with resets at any time. Memories begin with any contents, registers with their reset values.
"""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from types import FrameType
from typing import Any
from unittest.mock import patch

from amaranth.back import rtlil
from amaranth.hdl import Cat, Const, Fragment, Module, Mux, ShapeLike, Signal, Value, ValueLike, _nir
from amaranth.hdl._ir import Instance, PortDirection
from amaranth.hdl._mem import MemoryInstance
from amaranth.lib import wiring
from amaranth.utils import ceil_log2

BROKEN, REACHED = "broken{}", "reached{}"
"""Names of outputs, by the number of a promise."""


@dataclass(frozen=True)
class Promise:
    """One property: in each cycle, ``then`` if ``when``."""

    text: str
    when: Value
    then: Value
    is_lemma: bool = False  # about registers inside: no property of its own
    helps: bool = False  # later ones may use it
    is_bounded: bool = False  # no proof is known: it is only searched up to a depth


def _without_contents(emitter: rtlil.ModuleEmitter, index: int, memory: _nir.Memory) -> None:
    """Says nothing of a memory's initial contents: they may be any."""


class Specification:
    """A block between free inputs, with promises.

    Attributes
    ----------
    m
        The module around the block, for whatever the promises need to remember. Its registers are reset with the block.
    dut
        The block.
    assumptions, promises
        In the order in which they were given.

    Parameters
    ----------
    block
        Its name in tables.
    component
        The block; its inputs are free.
    sizes
        What is smaller than in the tiny NIC, for tables.
    search_to
        Of several blocks behind each other, where no proof is tried: the cycle that a search must get to. So that it
        does, memories begin with zeros, and no reset comes behind the first cycle.
    """

    def __init__(self, block: str, component: wiring.Component, sizes: str = "", *, search_to: int = 0) -> None:
        self.block, self.dut, self.sizes, self.search_to = block, component, sizes, search_to
        self.m = Module()
        self.assumptions: list[str] = []
        self.promises: list[Promise] = []
        self._assumed: list[Value] = []
        self._inputs: dict[str, tuple[Value, PortDirection]] = {}
        self._locals: dict[int, tuple[object, dict[str, Any]]] = {}
        sys.setprofile(self._remember)
        try:
            self._fragment = Fragment.get(component, None)
        finally:
            sys.setprofile(None)
        self.m.submodules.dut = self._fragment
        for path, member, each in component.signature.flatten(component):
            value = Value.cast(each)
            if member.flow == wiring.In and isinstance(value, Signal):
                self._inputs["__".join(map(str, path))] = (value, PortDirection.Input)

    def _remember(self, frame: FrameType, event: str, argument: object) -> None:
        """Keep the variables of each ``elaborate`` that ends, so that lemmas can speak of them."""
        if event == "return" and frame.f_code.co_name == "elaborate":
            block = frame.f_locals["self"]
            self._locals[id(block)] = (block, dict(frame.f_locals))

    def assume(self, text: str, holds: ValueLike) -> None:
        """Whatever breaks ``holds`` is no behaviour of the NIC; ``text`` says who sees to it."""
        self.assumptions.append(text)
        self._assumed.append(Value.cast(holds).bool())

    def promise(
        self, text: str, *, then: ValueLike, when: ValueLike = 1, helps: bool = False, is_bounded: bool = False
    ) -> None:
        """``then`` holds in each cycle with ``when``, which must be possible; the proofs of later ones may use it.

        With ``is_bounded`` no proof is tried: a counterexample is looked for up to a depth.
        """
        when, holds = Value.cast(when), Value.cast(then).bool()
        when = when if isinstance(when, Const) else when.bool()
        self.promises.append(Promise(text, when, holds, helps=helps, is_bounded=is_bounded))

    def lemma(self, text: str, holds: ValueLike) -> None:
        """A promise about registers inside, with a proof of its own, which the proofs of others may use."""
        self.promises.append(Promise(text, Value.cast(1), Value.cast(holds).bool(), is_lemma=True, helps=True))

    def lemmas_of_queues(self) -> None:
        """The pointers of each queue of the standard library fit to its level."""
        for path, fragment in _parts(self._fragment, ""):
            signals = {signal.name: signal for signal in _driven(fragment)}
            if {"produce", "consume"} <= signals.keys():
                level = signals.get("inner_level", signals.get("level"))
                depth = next(
                    each._data.depth for each, _, _ in fragment.subfragments if isinstance(each, MemoryInstance)
                )
                produce, consume = signals["produce"], signals["consume"]
                ahead = Mux(produce < consume, produce + depth - consume, produce - consume)
                self.lemma(
                    f"{path}: its pointers fit to its level",
                    (produce < depth) & (consume < depth) & (level <= depth)
                    & ((ahead == level) | ((ahead == 0) & (level == depth))),
                )  # fmt: skip

    def free(self, shape: ShapeLike, name: str) -> Signal:
        """An input that may be anything in each cycle.

        Raises
        ------
        ValueError
            The block has an input of this name, which would be cut off.
        """
        if name in self._inputs:
            raise ValueError(f"{self.block}: {name} is an input already")
        signal = Signal(shape, name=name)
        self._inputs[name] = (Value.cast(signal), PortDirection.Input)
        return signal

    def constant(self, shape: ShapeLike, name: str) -> Signal:
        """A value that may be anything, and stays."""
        drawn, kept, value = self.free(shape, name), Signal(shape, reset_less=True), Signal(shape)
        is_first = Signal(init=1, reset_less=True)
        self.m.d.comb += Value.cast(value).eq(Mux(is_first, Value.cast(drawn), Value.cast(kept)))
        self.m.d.sync += [Value.cast(kept).eq(Value.cast(value)), is_first.eq(0)]
        return value

    def before(self, value: ValueLike, *, init: int = 0) -> Signal:
        """``value`` as it was in the cycle before; ``init`` in the first one."""
        cast = Value.cast(value)
        kept = Signal(len(cast), init=init, name="before")
        self.m.d.sync += kept.eq(cast)
        return kept

    def inner(self, path: str) -> Any:
        """What a local variable of ``elaborate`` was at its end: of the block, or behind dots of a block inside it.

        Raises
        ------
        LookupError
            There is none.
        """
        *blocks, name = path.split(".")
        place: Any = self.dut
        for each in blocks:
            place = self._locals[id(place)][1][each]
        if name not in self._locals[id(place)][1]:
            raise LookupError(f"{self.block}: no {path}")
        return self._locals[id(place)][1][name]

    def queue(self, path: str) -> dict[str, Signal]:
        """The registers of the queue of the standard library at ``path``, by their names."""
        fragment = dict(_parts(self._fragment, ""))[path]
        return {signal.name: signal for signal in _driven(fragment)}

    def word(self, path: str, address: ValueLike) -> Signal:
        """What the memory at ``path`` holds at this address now.

        Raises
        ------
        TypeError
            There is no memory.
        """
        fragment = self._fragment
        for name in path.split("."):
            fragment = next(part for part, part_name, _ in fragment.subfragments if part_name == name)
        if not isinstance(fragment, MemoryInstance):
            raise TypeError(f"{self.block}: {path} is no memory")
        read = Signal(fragment._data.shape, name="word")
        place = Signal(ceil_log2(fragment._data.depth), name="word_address")
        self.m.d.comb += place.eq(address)
        fragment.read_port(domain="comb", addr=place, data=Value.cast(read), en=Const(1), transparent_for=())
        return read

    def rtlil(self) -> str:
        """The circuit: output BROKEN of n is 1 when promise n is broken, REACHED when its ``when`` is true."""
        m, ports = self.m, dict(self._inputs)
        holds = [~each.when | each.then for each in self.promises]
        # by induction over time: a helper may use that all helpers held before, and those named earlier now
        held = Signal(init=1, reset_less=True)
        m.d.sync += held.eq(
            held & Cat(*self._assumed, *(h for h, p in zip(holds, self.promises, strict=True) if p.helps)).all()
        )
        now = Signal()
        m.d.comb += now.eq(held & Cat(self._assumed).all())
        for number, each in enumerate(self.promises):
            broken, reached = Signal(), Signal()
            m.d.comb += [broken.eq(now & ~holds[number]), reached.eq(now & each.when)]
            if each.helps:
                before, now = now, Signal()
                m.d.comb += now.eq(before & holds[number])
            ports[BROKEN.format(number)] = (broken, PortDirection.Output)
            ports[REACHED.format(number)] = (reached, PortDirection.Output)
        any_contents = patch.object(rtlil.ModuleEmitter, "emit_memory", _without_contents)
        with nullcontext() if self.search_to else any_contents:
            text, _ = rtlil.convert_fragment(Fragment.get(m, None), ports, "spec", emit_src=False)
        return str(text)


def _parts(fragment: Fragment, path: str) -> Iterator[tuple[str, Fragment]]:
    """Each fragment inside, by its path."""
    for part, name, _ in fragment.subfragments:
        if not isinstance(part, Instance | MemoryInstance):
            place = f"{path}.{name}".removeprefix(".")
            yield place, part
            yield from _parts(part, place)


def _driven(fragment: Fragment) -> Iterator[Signal]:
    """Signals that statements of this fragment assign, not those of its parts."""
    if isinstance(fragment, Instance | MemoryInstance):
        return
    for statements in fragment.statements.values():
        for statement in statements:
            yield from (signal for signal in statement._lhs_signals() if isinstance(signal, Signal))
