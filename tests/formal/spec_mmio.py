"""The MMIO decoder: what an access leads to, each exactly once, and in order."""

from amaranth.hdl import Signal

from enso_nic.layouts import PipeOperationKind
from enso_nic.mmio import MmioDecoder
from enso_nic.registers import FIRST_EXTENSION_PAGE, FIRST_NOTIFICATION_BUFFER_PAGE
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rest, promise_rules


def mmio() -> Specification:
    dut = MmioDecoder()
    spec = Specification("mmio", dut)
    m = spec.m
    obey(spec)
    spec.assume(
        "it is closed only by a reset, or behind a write of the extension page (nic)",
        dut.is_open | ~spec.before(dut.is_open) | spec.before(dut.extension_write.valid),
    )
    asked = Signal()  # the access at hand has asked for the TX register that it reads
    reads_tx = dut.tx_access.valid & dut.tx_access.ready & ~dut.i.payload.write
    with m.If(dut.i.valid & dut.i.ready):
        m.d.sync += asked.eq(0)
    with m.Elif(reads_tx):
        m.d.sync += asked.eq(1)
    spec.assume("a TX register is answered after it was asked for (tx_request_fetch)", ~dut.tx_answer.valid | asked)
    waits = Signal()  # the access at hand was there in the cycle before
    m.d.sync += waits.eq(dut.i.valid & ~dut.i.ready)
    request = dut.i.payload
    of_its_kind = ~dut.i.valid | (
        (
            ~spec.inner("tail_sent")
            | (request.write & spec.inner("is_rx") & spec.inner("is_index") & spec.inner("low") & spec.inner("high"))
        )
        & (~spec.inner("has_count") | (~request.write & spec.inner("is_extension")))
        & (~asked | (~request.write & spec.inner("is_tx")))
    )
    remembered = spec.inner("tail_sent") | spec.inner("has_count") | asked
    spec.lemma(
        "it remembers something only of an access that it let begin and that waits, such as whether it asked",
        (~remembered | (waits & dut.is_open)) & (spec.inner("tx_asked") == asked) & of_its_kind,
    )
    promise_rules(spec)
    promise_rest(spec, dut.idle)

    operation = dut.operation
    taken, page = dut.i.valid & dut.i.ready, spec.inner("page")
    is_head = dut.write.valid & dut.write.payload.head
    is_pipe = page < FIRST_NOTIFICATION_BUFFER_PAGE
    goes = operation.valid & operation.ready
    spec.promise(
        "a pipe's head is stored in the cycle in which its check goes to the pipe manager",
        when=is_head & is_pipe,
        then=goes & (operation.payload.kind == PipeOperationKind.HEAD_CHECK) & (operation.payload.index == page),
    )
    spec.promise(
        "a head of a notification buffer is stored in the cycle in which its room is told of",
        when=is_head & ~is_pipe,
        then=dut.freed.valid & dut.freed.ready,
    )
    is_check = operation.payload.kind == PipeOperationKind.HEAD_CHECK
    spec.promise("nobody asks for a check who writes no head", when=goes & is_check, then=is_head)
    is_read = operation.payload.kind == PipeOperationKind.REGISTER_READ
    spec.promise(
        "a read is one operation, in the cycle in which it is taken",
        when=taken & ~request.write,
        then=goes & is_read & (operation.payload.tag == request.tag),
    )
    spec.promise("nobody answers a read that was not taken", when=goes & is_read, then=taken & ~request.write)
    spec.promise(
        "registers are stored when their access is taken, and never by a read",
        when=dut.write.valid,
        then=taken & request.write,
    )
    stores = dut.write.valid | dut.extension_write.valid | (dut.tx_access.valid & request.write) | (goes & ~is_read)
    is_table = spec.inner("is_mode")
    spec.promise(
        "a page that nothing owns changes nothing",
        when=dut.i.valid & (page >= FIRST_EXTENSION_PAGE) & ~is_table & (page != FIRST_EXTENSION_PAGE),
        then=~stores,
    )
    spec.promise(
        "a register is written whole or not at all",
        when=dut.write.valid & ~dut.write.payload.mode,
        then=~((dut.write.payload.head | dut.write.payload.high) & ~request.enables[4:].all())
        & ~(dut.write.payload.low & ~request.enables[:4].all()),
    )
    return spec
