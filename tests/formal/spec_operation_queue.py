"""The operation queue: each pipe is checked after its last head write."""

from dataclasses import replace

from amaranth.hdl import Signal, Value, ValueLike
from amaranth.lib import data

from enso_nic.config import TINY
from enso_nic.layouts import PipeOperationKind
from enso_nic.operation_queue import OperationQueue
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rest, promise_rules


def operation_queue() -> Specification:
    dut = OperationQueue(replace(TINY, pipes=2, pipe_operations=2))
    spec = Specification("operation_queue", dut, "2 pipes, 2 operations")
    obey(spec)
    spec.lemmas_of_queues()
    promise_rules(spec)
    promise_rest(spec, dut.idle)
    marked = spec.constant(1, "marked")

    def concerns(each: data.View, kind: ValueLike) -> Value:
        return (each.kind == kind) & (each.index == marked)

    due = Signal()  # the marked pipe must still be checked
    comes = dut.i.valid & dut.i.ready & concerns(dut.i.payload, PipeOperationKind.HEAD_CHECK)
    owed = dut.retry.valid & dut.retry.ready & (dut.retry.payload == marked)
    leaves = dut.o.valid & (
        concerns(dut.o.payload, PipeOperationKind.HEAD_CHECK) | concerns(dut.o.payload, PipeOperationKind.RETRY)
    )
    with spec.m.If(comes | owed):
        spec.m.d.sync += due.eq(1)
    with spec.m.Elif(leaves & dut.o.ready):
        spec.m.d.sync += due.eq(0)
    spec.promise(
        "a check that came, or a notification that is owed, keeps the queue busy until its pipe is checked",
        when=dut.idle,
        then=~due,
        is_bounded=True,
    )
    others = Signal(4)  # tail writes and reads that are in the queue
    is_other = dut.i.valid & dut.i.ready & (dut.i.payload.kind != PipeOperationKind.HEAD_CHECK)
    other_leaves = dut.o.valid & (
        (dut.o.payload.kind == PipeOperationKind.TAIL_WRITE) | (dut.o.payload.kind == PipeOperationKind.REGISTER_READ)
    )
    spec.assume(
        "retries come on their own stream (mmio)", ~dut.i.valid | (dut.i.payload.kind != PipeOperationKind.RETRY)
    )
    spec.m.d.sync += others.eq(others + is_other - (other_leaves & dut.o.ready))
    spec.promise("no tail write and no read leaves that did not come", when=other_leaves, then=others != 0)
    spec.promise("nor does one get lost", when=dut.idle, then=others == 0)
    spec.promise(
        "whatever the queue holds, a head check is taken if nothing is owed and the set can take it",
        when=dut.i.valid
        & concerns(dut.i.payload, PipeOperationKind.HEAD_CHECK)
        & spec.inner("merged").i.ready
        & ~spec.inner("offers_retry"),
        then=dut.i.ready,
    )
    return spec
