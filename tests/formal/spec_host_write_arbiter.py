"""The arbiter of host writes: beats of one write stay together."""

from amaranth.hdl import Signal, Value
from amaranth.lib import stream

from enso_nic.host_write_arbiter import HostWriteArbiter
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rules


def in_whole_writes(spec: Specification, each: stream.Interface) -> Value:
    """Each write begins with ``first``, and nothing else begins before its ``last``."""
    begun = Signal(name="begun")
    with spec.m.If(each.valid & each.ready):
        spec.m.d.sync += begun.eq(~each.payload.last)
    return ~each.valid | (each.payload.first == ~begun)


def host_write_arbiter() -> Specification:
    dut = HostWriteArbiter()
    spec = Specification("host_write_arbiter", dut)
    obey(spec)
    spec.assume("rx: beats of a write are consecutive (dma_writer)", in_whole_writes(spec, dut.rx))
    spec.assume("tx: beats of a write are consecutive (tx_requests: each has one)", in_whole_writes(spec, dut.tx))
    promise_rules(spec)
    whole = in_whole_writes(spec, dut.o)
    begun, is_tx = Signal(), Signal()
    with spec.m.If(dut.o.valid & dut.o.ready):
        spec.m.d.sync += [begun.eq(~dut.o.payload.last), is_tx.eq(dut.tx.ready)]
    locked, choice = spec.inner("locked"), spec.inner("kept_choice")
    spec.lemma("inside a write it is locked to its source", ~begun | (locked & (choice == is_tx)))
    sides = [Signal(name=f"begun_{name}") for name in ("rx", "tx")]
    for side, each in zip(sides, (dut.rx, dut.tx), strict=True):
        with spec.m.If(each.valid & each.ready):
            spec.m.d.sync += side.eq(~each.payload.last)
    spec.lemma(
        "at most the chosen source is inside a write", (sides[0] == (begun & ~is_tx)) & (sides[1] == (begun & is_tx))
    )
    spec.promise("the beats of a write stay together", when=dut.o.valid, then=whole)
    spec.promise(
        "inside a write all beats are of one source",
        when=begun & dut.o.valid,
        then=dut.tx.ready == (dut.o.ready & is_tx),
    )
    return spec
