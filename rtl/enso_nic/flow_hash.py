"""The hash of the flow table: the final mix of Bob Jenkins's lookup3 over the three words of a flow key."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from enso_nic.layouts import FlowKey

SEED = 0xDEADBEEF + 12
STEPS = (("c", "b", 14), ("a", "c", 11), ("b", "a", 25), ("c", "b", 16), ("a", "c", 4), ("b", "a", 14), ("c", "b", 24))
"""Each step: first ^= second, first -= second rotated left by so many bits."""
STEPS_PER_STAGE = 2
LATENCY = -(-len(STEPS) // STEPS_PER_STAGE)


class FlowHash(wiring.Component):
    """Hashes a key each cycle. Latency: 4 cycles. It cannot stall.

    Parameters
    ----------
    variant
        Added to the seed: the sub-table's number 0..3, as in upstream Enso.
    """

    key: In(FlowKey)
    o: Out(32)

    def __init__(self, variant: int) -> None:
        self._variant = variant
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # upstream's order of the fields, from the least significant bit up
        key = self.key
        line = Cat(key.destination_port, key.destination_address, key.source_port, key.source_address)
        words: dict[str, Value] = {
            name: (line.word_select(i, 32) + SEED + self._variant)[:32] for i, name in enumerate("abc")
        }
        for stage in range(LATENCY):
            for first, second, rotation in STEPS[stage * STEPS_PER_STAGE : (stage + 1) * STEPS_PER_STAGE]:
                words[first] = ((words[first] ^ words[second]) - words[second].rotate_left(rotation))[:32]
            registers = {name: Signal(32, name=f"{name}{stage}") for name in words}
            m.d.sync += [registers[name].eq(words[name]) for name in words]
            words = dict(registers)
        m.d.comb += self.o.eq(words["c"])
        return m
