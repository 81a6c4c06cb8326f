"""The TX frame buffer: the wire never pauses inside a frame, and frames leave as they came."""

from dataclasses import replace

from amaranth.hdl import Mux, Signal

from enso_nic.config import TINY
from enso_nic.tx_frame_buffer import TxFrameBuffer
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rules


def tx_frame_buffer() -> Specification:
    config = replace(TINY, maximum_frame=128, tx_buffer_flits=4)
    dut = TxFrameBuffer(config)
    spec = Specification("tx_frame_buffer", dut, "4 flits, frames of at most 2")
    m = spec.m
    flit = dut.flit.payload
    obey(spec)
    promise_rules(spec)
    begun, goes = Signal(2), dut.flit.valid & dut.flit.ready  # flits of the frame that is coming
    with m.If(goes):
        m.d.sync += begun.eq(Mux(flit.last, 0, Mux(flit.first, 1, begun + 1)))
    spec.assume(
        "a frame begins with first and has at most the maximum of flits (packetiser)",
        ~dut.flit.valid
        | Mux(flit.first, 1, (begun != 0) & (begun + 1 < config.maximum_frame_flits))
        | ((begun + 1 == config.maximum_frame_flits) & flit.last),
    )

    # each flit says how many flits of whole frames come before it
    came, taken, left = Signal(4), Signal(4), Signal(4)  # of whole frames: that ended, were read, were sent
    spec.assume(
        "the data of each flit says its number among those of whole frames",
        ~dut.flit.valid | (flit.data[:4] == (came + Mux(flit.first, 0, begun))[:4]),
    )
    spec.assume("no time stamps, which would overwrite these numbers", ~dut.timestamp.enable)
    with m.If(goes & flit.last):
        m.d.sync += came.eq(came + Mux(flit.first, 0, begun) + 1)
    beat, sent = dut.ethernet_tx.payload, dut.ethernet_tx.valid & dut.ethernet_tx.ready
    m.d.sync += [taken.eq(taken + spec.inner("take")), left.eq(left + sent)]

    depth, used, read = config.tx_buffer_flits, spec.inner("used"), spec.inner("read")
    spec.lemma(
        "a frame that began has room until it ends",
        (used <= depth)
        & (begun < config.maximum_frame_flits)
        & ((begun == 0) | ((spec.inner("begun") == begun) & (used <= depth - config.maximum_frame_flits))),
    )
    slot = spec.constant(range(depth), "slot")
    ahead, stored = Signal(range(depth)), spec.word("flits", slot)
    m.d.comb += ahead.eq(slot - spec.inner("shown"))
    spec.lemma("what came and was not read is stored", (came - taken)[:4] == used)
    spec.lemma(
        "each place holds the flit that belongs there",
        Mux(
            ahead < used,
            stored.data[:4] == (taken + ahead)[:4],
            (ahead - used >= begun) | (stored.data[:4] == (came + ahead - used)[:4]),
        ),
    )
    is_marked, valid = Signal(), dut.ethernet_tx.valid  # what is shown was read from the marked place, which may be any
    with m.If(spec.inner("take")):
        m.d.sync += is_marked.eq(spec.inner("shown")[: len(slot)] == slot)
    spec.lemma("what was read is shown until it is sent", (taken - left)[:4] == valid)
    spec.lemma("it is what was meant", ~valid | ~is_marked | (read.data.data[:4] == left))
    spec.lemma("what is shown belongs to a frame that is going", ~valid | spec.inner("inside"))
    # a frame that is whole ends: so behind each flit that is not its last there is another one
    spec.lemma("the last flit of what is whole is a frame's last", ~((used != 0) & (ahead == used - 1)) | stored.last)
    spec.lemma(
        "a flit that is shown and not its frame's last is not the last one",
        ~valid | ~is_marked | read.data.last | (used != 0),
    )
    spec.promise("the wire never pauses inside a frame", when=spec.before(sent & ~beat.last & is_marked), then=valid)
    spec.promise(
        "flits of whole frames leave once each, and in order", when=valid & is_marked, then=beat.data[:4] == left
    )
    spec.promise(
        "no place of the memory is read while it is written",
        when=spec.inner("take") & goes,
        then=(spec.inner("place") - spec.inner("shown"))[: len(slot)] != 0,
    )
    spec.promise("nothing leaves of a frame that did not end", when=dut.ethernet_tx.valid, then=left != came)
    return spec
