"""The write planner: where lines go, and which notification belongs to which of them."""

from amaranth.hdl import Mux, Signal, Value

from enso_nic.layouts import RxCommandKind
from enso_nic.registers import LARGEST_PIPE_RING, SMALLEST_RING
from enso_nic.write_planner import WritePlanner
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rest

SMALLEST, LARGEST = SMALLEST_RING.bit_length() - 1, LARGEST_PIPE_RING.bit_length() - 1
COUNT_BITS = 12
"""Of counters of lines: more than can be on their way at once."""


def _lawful_item(item: Value, payload: Signal) -> Value:
    """What the pipe manager promises of a packet's place."""
    is_packet = payload.kind == RxCommandKind.PACKET
    return (
        ~item
        | ~is_packet
        | (
            (payload.flits != 0)
            & (payload.flits < (1 << payload.size))
            & (payload.offset < (1 << payload.size))
            & (payload.base[:4] == 0)
            & (payload.size >= SMALLEST)
            & (payload.size <= LARGEST)
        )
    )


def write_planner() -> Specification:
    dut = WritePlanner()
    spec = Specification("write_planner", dut)
    m = spec.m
    obey(spec)
    item, job = dut.i.payload, dut.job
    spec.assume(
        "a packet fits into its ring, which begins at a multiple of 1 kB (pipe_manager)",
        _lawful_item(dut.i.valid, item),
    )
    spec.assume(
        "it gets packets, checks and answers (dma_writer, notifier)",
        ~dut.i.valid
        | (item.kind == RxCommandKind.PACKET)
        | (item.kind == RxCommandKind.READ)
        | ((item.kind == RxCommandKind.CHECK) & item.notify),
    )
    spec.assume("an answer notifies nobody (pipe_manager)", ~(item.kind == RxCommandKind.READ) | ~item.notify)
    most = spec.constant(4, "most")
    spec.assume(
        "max_payload is 2, 4 or 8 lines, and stays while writes are on their way",
        (dut.max_payload == most) & ((most == 2) | (most == 4) | (most == 8)),
    )
    spec.assume("a job is taken only while there is one (dma_writer)", ~dut.take | dut.has_job)

    planned, ends = spec.inner("planned"), spec.inner("ends")
    begins, grows = spec.inner("begins"), spec.inner("grows")
    is_growing, next_line = spec.inner("is_growing"), spec.inner("next_line")
    beyond = job.address[:3] & (most - 1)[:3]
    spec.lemma(
        "of the item at hand less than all is planned",
        (planned == 0) | (dut.i.valid & (item.kind == RxCommandKind.PACKET) & (planned < item.flits)),
    )
    spec.lemma("an item is cut at boundaries only", (planned == 0) | (((item.offset + planned) & (most - 1))[:3] == 0))
    spec.lemma(
        "a job that may grow ends at the next line",
        ~dut.has_job | ~is_growing | ((next_line == (job.address + job.flits)[:58]) & (job.flits != 0) & ~job.notify),
    )
    spec.promise(
        "no write crosses a boundary of max_payload",
        when=dut.has_job & (job.flits != 0),
        then=beyond + job.flits <= most,
        helps=True,
    )

    # the ring of the packet that began the job
    base, size = Signal(58), Signal(5)
    with m.If(begins):
        m.d.sync += [base.eq(item.base), size.eq(item.size)]
    from_base = (job.address - base)[:58]
    spec.lemma(
        "the ring is lawful",
        ~dut.has_job | (job.flits == 0) | ((base[:4] == 0) & (size >= SMALLEST) & (size <= LARGEST)),
    )
    spec.promise(
        "all lines of a write lie in the ring of the packet that began it",
        when=dut.has_job & (job.flits != 0),
        helps=True,
        then=(from_base < (1 << size)) & (from_base + job.flits <= (1 << size)),
    )

    # lines, counted
    accepted, taken = Signal(COUNT_BITS), Signal(COUNT_BITS)
    lines = Mux(item.kind == RxCommandKind.PACKET, item.flits, 0)
    with m.If(dut.i.valid & dut.i.ready):
        m.d.sync += accepted.eq(accepted + lines)
    with m.If(dut.take):
        m.d.sync += taken.eq(taken + job.flits)
    in_job = Mux(dut.has_job, job.flits, 0)
    spec.promise(
        "each line of each packet is in one job: none is lost, none comes twice",
        then=(taken + in_job)[:COUNT_BITS] == (accepted + planned)[:COUNT_BITS],
        helps=True,
    )
    covers, told, notified = Signal(COUNT_BITS), Signal(COUNT_BITS), Signal(COUNT_BITS)
    with m.If((begins | grows) & ends):
        m.d.sync += covers.eq(accepted + lines)
    spec.promise(
        "a job's notification covers what its job ends with, no later line and no missing one",
        when=dut.has_job & job.notify,
        then=((taken + job.flits)[:COUNT_BITS] == covers) & (planned == 0),
    )
    with m.If(dut.i.valid & dut.i.ready & item.notify):
        m.d.sync += told.eq(told + 1)
    with m.If(dut.take & job.notify):
        m.d.sync += notified.eq(notified + 1)
    spec.promise("each notification is in one job", then=(notified + (dut.has_job & job.notify))[:COUNT_BITS] == told)
    spec.promise(
        "a job that waits does not shrink",
        when=spec.before(dut.has_job & ~dut.take),
        then=dut.has_job & (job.flits >= spec.before(job.flits)) & (job.address == spec.before(job.address)),
    )
    promise_rest(spec, dut.idle, busy=dut.take)
    return spec
