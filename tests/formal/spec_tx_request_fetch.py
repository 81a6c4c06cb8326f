"""The TX request fetch: it asks for slots of enabled rings only, and for each published one once."""

from dataclasses import replace

from amaranth.hdl import Signal

from enso_nic.config import TINY
from enso_nic.layouts import ReadKind
from enso_nic.registers import LARGEST_NOTIFICATION_RING, SMALLEST_RING
from enso_nic.tx_request_fetch import INDEX_BITS, Step, TxRequestFetch
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rest, promise_rules


def tx_request_fetch() -> Specification:
    dut = TxRequestFetch(replace(TINY, notification_buffers=2))
    spec = Specification("tx_request_fetch", dut, "2 notification buffers")
    m = spec.m
    obey(spec)
    size_set = dut.settings.notification_ring
    spec.assume(
        "the ring size that is set is legal (extension_page)",
        (size_set >= SMALLEST_RING.bit_length() - 1) & (size_set <= LARGEST_NOTIFICATION_RING.bit_length() - 1),
    )
    spec.lemmas_of_queues()
    step, start, count, wrapped = (spec.inner(name) for name in ("step", "start", "count", "wrapped"))
    registers = spec.inner("stored")
    serves = step == Step.SERVE
    spec.lemma("a buffer is served only when all slots of the last one were asked for", ~serves | ~dut.slots.valid)
    spec.lemma("what wraps comes behind the end of the ring", (wrapped == 0) | (count != 0))
    promise_rules(spec)
    promise_rest(spec, dut.idle)

    # the ring of the buffer that was served last
    size, is_enabled = Signal(INDEX_BITS + 1), Signal()
    with m.If(serves):
        m.d.sync += [size.eq(1 << registers.ring), is_enabled.eq(registers.enabled)]
    slots = dut.slots.payload
    asks = count != 0
    spec.lemma("nothing is left to ask for, or there is a ring", (count == 0) | (size != 0))
    spec.promise("slots are asked for only of an enabled ring", when=asks, then=is_enabled)
    spec.promise(
        "they lie inside the ring, whatever head and tail hold",
        when=asks,
        helps=True,
        then=(start < size) & (start + count <= size) & (wrapped <= start),
    )
    spec.promise(
        "no slot is asked for twice by one tail write, nor a ring as a whole", when=asks, then=count + wrapped < size
    )
    spec.promise(
        "a request for slots is at least one line, a mark of a closed buffer none",
        when=dut.slots.valid,
        then=(slots.flits != 0) == (slots.kind == ReadKind.REQUEST),
    )
    reads = Signal(3)
    accepted = dut.access.valid & dut.access.ready & ~dut.access.payload.write
    m.d.sync += reads.eq(reads + accepted - (dut.answer.valid & dut.answer.ready))
    at_work = (step == Step.ACCESS) & ~spec.inner("access").write
    spec.promise("each read has one answer", then=reads == dut.answer.valid + at_work)
    return spec
