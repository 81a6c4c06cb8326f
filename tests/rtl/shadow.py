"""Shows that a block which says it is idle may be left without a clock."""

from typing import Any, Generic, TypeVar

from amaranth.hdl import Const, EnableInserter, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

Block = TypeVar("Block", bound=wiring.Component)


class Shadow(Generic[Block]):
    """A second block with the inputs of ``original``, whose clock stops while it is ``idle`` and no input comes.

    ``pulses`` are outputs that tell of one event in one cycle: while there is one, the clock does not stop.
    """

    def __init__(self, original: Block, shadow: Block, pulses: tuple[str, ...] = ()) -> None:
        self.original, self._shadow, self._runs = original, shadow, Signal()
        self.top = Module()
        self.top.submodules.original = original
        self.top.submodules.shadow = EnableInserter(self._runs)(shadow)
        self.stopped = 0

        self._inputs: list[tuple[Value, Value]] = []
        self._outputs: list[tuple[str, Value, Value, Value]] = []  # the last: while 0, a payload means nothing
        self._events = [Value.cast(getattr(shadow, name)) for name in pulses]
        members = zip(original.signature.flatten(original), shadow.signature.flatten(shadow), strict=True)
        for (path, member, mine), (_, _, its) in members:
            if isinstance(its, Const):
                continue  # a stream that is always ready
            values = Value.cast(mine), Value.cast(its)
            if member.flow == In:
                self._inputs.append(values)
                self._events += [values[1]] if path[-1] == "valid" else []
            else:
                has_meaning = getattr(shadow, path[0]).valid if path[-1] == "payload" else Const(1)
                self._outputs.append((".".join(map(str, path)), *values, has_meaning))

    def follow(self, context: Any) -> None:
        """Give it this cycle's inputs, stop it or not, and compare all outputs that mean something."""
        for mine, its in self._inputs:
            context.set(its, context.get(mine))
        stops = context.get(self._shadow.idle) and not any(context.get(event) for event in self._events)
        context.set(self._runs, not stops)
        self.stopped += stops
        for name, mine, its, has_meaning in self._outputs:
            if context.get(has_meaning):
                assert context.get(mine) == context.get(its), f"{name} differs after {self.stopped} stops"
