"""The packetiser: no frame is too long, or of two buffers; each request has one result, behind its last flit."""

from amaranth.hdl import Cat, Mux, Signal

from enso_nic.config import TINY
from enso_nic.layouts import ReadKind
from enso_nic.packetiser import Packetiser
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rules


def packetiser() -> Specification:
    dut = Packetiser(TINY)
    spec = Specification("packetiser", dut)
    m, flit = spec.m, dut.flit.payload
    obey(spec)
    line, takes_in = dut.line.payload, spec.inner("read").en
    job, job_ended = Signal(len(Cat(line.buffer, line.kind))), Signal(init=1)  # of the last line that was not ignored
    with m.If(takes_in):
        m.d.sync += [job.eq(Cat(line.buffer, line.kind)), job_ended.eq(line.last)]
    spec.assume(
        "lines of a job follow one another, but for those that are ignored (ordered_reader)",
        ~takes_in | line.first | ((job == Cat(line.buffer, line.kind)) & ~job_ended),
    )
    spec.lemmas_of_queues()
    promise_rules(spec)
    most = TINY.maximum_frame
    measured, decide, has_data = spec.inner("measured"), spec.inner("decide"), spec.inner("has_data")
    inside, has_begun, missing = (spec.inner(name) for name in ("inside", "has_begun", "missing"))
    keep, is_header = spec.inner("keep"), spec.inner("is_header")
    begins = ~inside | ~has_begun

    # flits of the frame at hand, up to the one that is decided, and up to the last one that was taken
    made, taken = Signal(8), Signal(8)
    with m.If(decide & has_data & keep & ~is_header):
        m.d.sync += made.eq(Mux(begins, 1, made + 1))
    next_taken = Mux(flit.first, 1, taken + 1)[: len(taken)]
    with m.If(dut.flit.valid & dut.flit.ready):
        m.d.sync += taken.eq(next_taken)
    spec.lemma(
        "a frame that may be sent is not too long, nor is one that a header line announces empty",
        ~spec.inner("measured_valid")
        | measured.unsendable
        | ((measured.frame_bytes <= most) & ((measured.frame_bytes != 0) | ~measured.framed)),
    )
    spec.lemma("what was decided is what is shown next", made == Mux(dut.flit.valid, next_taken, taken))
    spec.lemma(
        "what an unfinished frame lacks, and what it has, are no more than a frame",
        ~inside | ((missing != 0) & (Mux(has_begun, (made << 6) + missing, missing) <= most)),
    )
    spec.lemma("flits of a frame are counted", ~dut.flit.valid | (made <= TINY.maximum_frame_flits))
    spec.promise(
        "no frame has more flits than the longest one",
        when=dut.flit.valid,
        then=next_taken <= TINY.maximum_frame_flits,
    )

    # whose data they are
    owner, of_data = spec.inner("owner"), (job[10:] == ReadKind.REQUEST) | (job[10:] == ReadKind.FRAGMENT)
    made_of, taken_of = Signal(10), Signal(10)
    with m.If(decide & has_data & keep & ~is_header):
        m.d.sync += made_of.eq(measured.buffer)
    with m.If(dut.flit.valid & dut.flit.ready):
        m.d.sync += taken_of.eq(made_of)
    spec.lemma(
        "what is measured is the last line of its job",
        ~spec.inner("measured_valid") | ((job == Cat(measured.buffer, measured.kind)) & (job_ended == measured.last)),
    )
    spec.lemma(
        "data that goes on belongs to the owner of the unfinished frame",
        ~inside | ~of_data | Mux(spec.inner("measured_valid"), measured.first, job_ended) | (job[:10] == owner),
    )
    spec.lemma("flits of an unfinished frame are its owner's", ~inside | ~has_begun | (made_of == owner))
    spec.lemma("what was taken last was made last", Mux(dut.flit.valid, flit.first, 0) | (made_of == taken_of))
    spec.promise(
        "all flits of a frame are data of one notification buffer",
        when=dut.flit.valid & ~flit.first,
        then=made_of == taken_of,
    )
    spec.promise(
        "a flit that is not a frame's last one is full",
        when=dut.flit.valid & ~flit.last,
        then=flit.bytes == 64,
    )

    # requests and marks that were taken in, and results
    asked, told = Signal(4), Signal(4)
    is_end = decide & measured.last & (measured.kind != ReadKind.FRAGMENT)
    m.d.sync += [asked.eq(asked + is_end), told.eq(told + dut.done.valid)]
    waits = spec.inner("decided_valid") & spec.inner("has_result")
    spec.promise(
        "each request and each mark has one result, in order: none before its last line was decided, none twice",
        then=asked == (told + waits)[: len(asked)],
    )
    spec.promise(
        "a result comes when the flit of its request's last line is taken, if it has one",
        when=dut.done.valid & spec.inner("has_flit"),
        then=dut.flit.valid & dut.flit.ready,
    )
    spec.promise(
        "a rewind comes without a result (which tx_requests assumes)",
        when=dut.rewind.valid,
        then=~dut.done.valid,
    )
    return spec
