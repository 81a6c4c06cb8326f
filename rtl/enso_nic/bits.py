"""Arithmetic on bits that more than one block needs, in forms that hardware and Verilator both do well."""

from amaranth.hdl import Cat, Const, Module, Signal, Value

from enso_nic.config import FLIT_BYTES, FLIT_SHIFT


def count_ones(m: Module, bits: Value) -> Value:
    """Number of ones in 64 bits, by adding neighbours."""
    for width in (1, 2, 4, 8, 16, 32):
        mask = sum(((1 << width) - 1) << position for position in range(0, 64, 2 * width))
        sums = Signal(64, name=f"ones_in_{2 * width}")
        m.d.comb += sums.eq((bits & mask) + ((bits >> width) & mask))
        bits = sums
    return bits[:7]


def flits(size: Value) -> Value:
    """How many flits ``size`` bytes take."""
    return (size + (FLIT_BYTES - 1)) >> FLIT_SHIFT


def byte_mask(count: Signal) -> Value:
    """512 bits of which the lowest ``count`` bytes (0..64) are ones."""
    ones = Const((1 << 8 * FLIT_BYTES) - 1, 8 * FLIT_BYTES)
    return ones >> Cat(Const(0, 3), (FLIT_BYTES - count)[:7])


def network_order(word: Value) -> Value:
    """The bytes of ``word`` the other way round: a number as it stands on the wire, or the number that stands there."""
    return Cat(word.word_select(byte, 8) for byte in reversed(range(len(word) // 8)))


def replaced(flit: Value, offset: Value, word: Value) -> Value:
    """``flit`` with the bytes of ``word`` from byte ``offset`` on."""
    place = Cat(Const(0, 3), offset)
    mask = (Const((1 << len(word)) - 1, len(flit)) << place)[: len(flit)]
    return (flit & ~mask) | (word << place)[: len(flit)]
