"""Arithmetic on bits that more than one block needs, in forms that hardware and Verilator both do well."""

from amaranth.hdl import Cat, Const, Module, Signal, Value

from enso_nic.config import FLIT_BYTES


def count_ones(m: Module, bits: Value) -> Value:
    """Number of ones in 64 bits, by adding neighbours."""
    for width in (1, 2, 4, 8, 16, 32):
        mask = sum(((1 << width) - 1) << position for position in range(0, 64, 2 * width))
        sums = Signal(64, name=f"ones_in_{2 * width}")
        m.d.comb += sums.eq((bits & mask) + ((bits >> width) & mask))
        bits = sums
    return bits[:7]


def byte_mask(count: Signal) -> Value:
    """512 bits of which the lowest ``count`` bytes (0..64) are ones."""
    ones = Const((1 << 8 * FLIT_BYTES) - 1, 8 * FLIT_BYTES)
    return ones >> Cat(Const(0, 3), (FLIT_BYTES - count)[:7])
