"""Arithmetic on bits that more than one block needs, in forms that hardware and Verilator both do well."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from enso_nic.config import FLIT_BYTES, FLIT_SHIFT

NEVER_BOTH = {"no_rw_check": 1}
"""Attribute of a memory of which no row is read in the cycle in which it is written, which must be proven: so synthesis
spends nothing on what would then be read.
"""


def count_kept(m: Module, keep: Value) -> Value:
    """How many of 64 bits are ones, of which each 1 has only ones below it: 7 bits, by halving."""
    is_full, bits = keep[63], []
    rest = keep[:63]
    while half := len(rest) // 2:
        bits.append(rest[half])
        halved = Signal(half, name=f"kept_in_{half}")
        m.d.comb += halved.eq(Mux(rest[half], rest[half + 1 :], rest[:half]))
        rest = halved
    bits.append(rest[0])
    return Cat(*(bit & ~is_full for bit in reversed(bits)), is_full)


def flits(size: Value) -> Value:
    """How many flits ``size`` bytes take."""
    return (size + (FLIT_BYTES - 1)) >> FLIT_SHIFT


def byte_mask(count: Signal) -> Value:
    """512 bits of which the lowest ``count`` bytes (0..64) are ones."""
    ones = Const((1 << 8 * FLIT_BYTES) - 1, 8 * FLIT_BYTES)
    return ones >> Cat(Const(0, 3), (FLIT_BYTES - count)[:7])


def adds_up(a: Value, b: Value, total: Value) -> Value:
    """Whether ``a + b`` is ``total`` in its bits, without a chain of carries: they are what the total says."""
    a, b = (a | Const(0, len(total)))[: len(total)], (b | Const(0, len(total)))[: len(total)]
    carries = Cat(Const(0, 1), (a & b) | ((a ^ b) & ~total))[: len(total)]
    return (a ^ b ^ carries) == total


def network_order(word: Value) -> Value:
    """The bytes of ``word`` the other way round: a number as it stands on the wire, or the number that stands there."""
    return Cat(word.word_select(byte, 8) for byte in reversed(range(len(word) // 8)))


def replaced(m: Module, flit: Value, offset: Value, word: Value) -> Value:
    """``flit`` with the 4 bytes of ``word`` from byte ``offset`` on."""
    # turned as its bytes would lie if the flit were made of such words: so each byte has a choice of two
    turned, is_there = Signal(32), Signal(FLIT_BYTES)
    with m.Switch(offset[:2]):
        for by in range(4):
            with m.Case(by):
                m.d.comb += turned.eq(word.rotate_left(8 * by))
    m.d.comb += is_there.eq(Const(0b1111, 4) << offset)
    return Cat(
        Mux(is_there[byte], turned.word_select(byte % 4, 8), flit.word_select(byte, 8)) for byte in range(FLIT_BYTES)
    )
