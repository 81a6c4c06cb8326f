"""The parser: each frame has one fate, and comes in whole or not at all."""

from dataclasses import replace

from amaranth.hdl import Mux, Signal

from enso_nic.config import TINY
from enso_nic.layouts import DropCause
from enso_nic.rx_parser import RxParser
from tests.formal.specification import Specification


def rx_parser() -> Specification:
    config = replace(TINY, maximum_frame=256)
    dut = RxParser(config)
    spec = Specification("rx_parser", dut, "frames of at most 256 bytes")
    m = spec.m
    beat = dut.i.payload
    spec.assume(
        "a beat has 64 bytes, the last one of a frame at least one, from the lowest on (the MAC)",
        ~dut.i.valid | (beat.keep[0] & ((beat.keep & (beat.keep + 1)[:64]) == 0) & (beat.last | beat.keep.all())),
    )
    flit, most = dut.flit.payload, config.maximum_frame_flits
    # two cycles from a beat to its flit
    valid, last, error = (
        spec.before(spec.before(each)) for each in (dut.i.valid, dut.i.valid & dut.i.payload.last, dut.i.payload.error)
    )
    ends = flit.commit | flit.rollback
    spec.promise("each beat leads to one flit, two cycles later", then=dut.flit.valid == valid)
    spec.promise(
        "a frame ends where the wire says so, and is committed or rolled back, not both",
        when=dut.flit.valid,
        then=(ends == last) & ~(flit.commit & flit.rollback),
    )
    spec.promise("one verdict per frame", then=dut.verdict.valid == (valid & last))
    admitted = dut.verdict.payload.cause == DropCause.NONE
    spec.promise(
        "the verdict is what happens to the frame",
        when=dut.verdict.valid,
        then=(flit.commit == admitted) & (flit.rollback == ~admitted),
    )
    spec.promise(
        "a frame goes to the flow director in the cycle in which it is committed, and only then",
        then=dut.frame.valid == (dut.flit.valid & flit.commit),
    )
    spec.promise("no frame that the MAC calls bad is committed", when=dut.flit.valid & last & error, then=flit.rollback)
    spec.promise(
        "a frame that is committed is at most as long as a maximum one",
        when=dut.frame.valid,
        then=dut.frame.payload.length <= config.maximum_frame,
    )
    spec.promise(
        "a pipe without header mode gets no more of it than it has",
        when=dut.frame.valid & (dut.frame.payload.refusal == DropCause.NONE),
        then=dut.frame.payload.end <= dut.frame.payload.length,
    )

    # what the packet buffer relies on
    begun, keeps = Signal(8), Signal()
    with m.If(dut.flit.valid):
        m.d.sync += begun.eq(Mux(ends, 0, Mux(begun == most, most, begun + 1)))
        with m.If(begun == 0):
            m.d.sync += keeps.eq(flit.write)
    in_reset = Signal(init=1)  # since a reset no frame has ended: the one that it met is cut off
    with m.If(dut.flit.valid & ends):
        m.d.sync += in_reset.eq(0)
    spec.promise(
        "a frame is kept from its first flit on, or not at all",
        when=dut.flit.valid & (begun != 0) & ~in_reset,
        then=flit.write == (keeps & (begun < most)),
    )
    spec.promise(
        "what is committed was kept whole",
        when=dut.flit.valid & flit.commit & ~in_reset,
        then=flit.write & (begun < most) & ((begun == 0) | keeps),
    )
    spec.promise(
        "a frame is kept only if there was room when it began",
        when=dut.flit.valid & flit.write & (begun == 0) & ~in_reset,
        then=spec.before(dut.has_room),
    )
    return spec
