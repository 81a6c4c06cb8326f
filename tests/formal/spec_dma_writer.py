"""The DMA writer: data before the notification that covers it, and whole writes."""

from amaranth.hdl import Mux, Signal

from enso_nic.dma_writer import DmaWriter
from enso_nic.layouts import HostWriteKind
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rest, promise_rules

COUNT_BITS = 12
"""Of counters of lines: more than can be on their way at once."""


def dma_writer() -> Specification:
    dut = DmaWriter()
    spec = Specification("dma_writer", dut)
    m = spec.m
    obey(spec)
    spec.lemmas_of_queues()
    promise_rules(spec)
    begun, rest, job, emit, lines = (spec.inner(name) for name in ("begun", "rest", "job", "emit", "lines"))
    spec.lemma("what is left of a job is lines, or its notification", ~begun | (rest.flits != 0) | rest.notify)
    shown = spec.inner("shown")

    # lines that left this block, and those of the jobs that it took
    gone, taken = Signal(COUNT_BITS), Signal(COUNT_BITS)
    is_line = emit & (lines != 0)
    m.d.sync += gone.eq(gone + is_line)
    with m.If(emit & ~begun):
        m.d.sync += taken.eq(taken + job.flits)
    spec.lemma(
        "of the jobs taken all lines have left but the rest of the last one",
        taken == (gone + Mux(begun, rest.flits, 0))[:COUNT_BITS],
    )
    tells = emit & (lines == 0) & ~shown.is_answer
    whole = Mux(begun, taken, (taken + job.flits)[:COUNT_BITS])
    spec.promise(
        "data before its notification: it leaves when all lines of its job have left", when=tells, then=gone == whole
    )
    o = dut.o.payload
    is_write = o.kind == HostWriteKind.WRITE
    spec.promise(
        "a beat that is not the last of its write has another one behind it",
        when=dut.o.valid & ~o.last,
        then=begun & (rest.flits != 0),
    )
    spec.promise(
        "the first beat says where, and how many",
        when=dut.o.valid & o.first & ~o.last,
        then=is_write & (o.flits == (rest.flits + 1)[:4]),
    )
    spec.promise(
        "no write begins while bus_master is 0",
        when=spec.before(emit & ~dut.bus_master),
        then=~is_write | spec.before(begun & (lines != 0)),
    )
    spec.promise("answers have one beat", when=dut.o.valid & ~is_write, then=o.first & o.last)
    promise_rest(spec, dut.idle)
    return spec
