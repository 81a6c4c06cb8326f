"""The reader of host memory: no read crosses a boundary, and lines leave as they were asked for."""

from amaranth.hdl import Mux, Signal

from enso_nic.layouts import ReadKind
from enso_nic.ordered_reader import OrderedReader
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rules

TAGS = 4


def ordered_reader() -> Specification:
    dut = OrderedReader(TAGS, 0, 64)
    spec = Specification("ordered_reader", dut, "4 tags")
    m = spec.m
    obey(spec)
    promise_rules(spec)
    job, request = dut.job.payload, dut.read_request.payload
    most = spec.constant(4, "most")
    spec.assume(
        "max_read is 2, 4 or 8 lines, and stays while reads are on their way",
        (dut.max_read == most) & ((most == 2) | (most == 4) | (most == 8)),
    )
    spec.assume(
        "a job asks for lines unless it is a mark (tx_request_fetch, tx_requests)",
        ~dut.job.valid | ((job.flits != 0) == ((job.kind == ReadKind.REQUEST) | (job.kind == ReadKind.FRAGMENT))),
    )
    beyond = request.address[:3] & (most - 1)[:3]
    spec.promise(
        "no read crosses a boundary of max_read, so none crosses 4 kB",
        when=dut.read_request.valid,
        then=(request.flits != 0) & (beyond + request.flits <= most),
    )
    spec.promise(
        "no read begins while bus_master is 0",
        when=spec.before(~dut.bus_master & (~dut.read_request.valid | dut.read_request.ready)),
        then=~dut.read_request.valid,
    )

    # tags
    spec.assume("what is sent is what was shown (transmit)", ~dut.sent | (dut.sent_tag < TAGS))
    taken, freed = spec.inner("taken"), spec.inner("freed")
    spec.lemma("at most all tags are taken", (taken - freed)[: len(taken)] <= TAGS)
    asked, accepted, at_hand = Signal(16), Signal(16), spec.inner("job")
    lines = spec.inner("flits")
    issue = spec.inner("issue")
    with m.If(dut.job.valid & dut.job.ready):
        m.d.sync += accepted.eq(accepted + job.flits)
    with m.If(issue):
        m.d.sync += asked.eq(asked + lines)
    spec.assume("nothing is cancelled, which forgets lines on purpose", ~dut.cancel)
    waits = Mux(spec.inner("is_active"), at_hand.flits, 0)
    spec.promise("each line of each job is asked for once", then=(asked + waits)[:16] == accepted)
    spec.promise("no tag is taken while all are", when=issue, then=(taken - freed)[: len(taken)] < TAGS)
    spec.promise("a line leaves only of a read that was taken", when=spec.inner("take"), then=taken != freed)

    # one tag, any: its request is shown, then on its way to the host, then its answer is, and then it is complete
    tag, on_its_way = spec.constant(range(TAGS), "tag"), Signal()
    complete, gave_up, oldest = (spec.inner(name) for name in ("complete", "gave_up", "oldest_tag"))
    in_flight, old, lives = (spec.inner(f"guard.{name}") for name in ("in_flight", "old", "lives"))
    is_shown = dut.read_request.valid & (request.tag == tag)
    is_sent = dut.sent & (dut.sent_tag == tag)
    with m.If(is_sent):
        m.d.sync += on_its_way.eq(0)
    with m.Elif(is_shown & dut.read_request.ready):
        m.d.sync += on_its_way.eq(1)
    spec.assume(
        "each request is sent once, after it was taken (transmit)",
        ~is_sent | on_its_way | (is_shown & dut.read_request.ready),
    )
    is_answered = lives & (in_flight & ~old).bit_select(tag, 1)
    is_taken = (tag - freed)[: len(tag)] < (taken - freed)[: len(taken)]
    waits_for_answer = is_taken & ~complete.bit_select(tag, 1) & ~(gave_up & (oldest == tag))
    spec.lemma("after a reset no tag is taken", lives | (taken == freed))
    spec.lemma("a request, or its answer, is on its way", is_shown + on_its_way + is_answered <= 1)
    spec.lemma("only of a tag that waits", ~(is_shown | on_its_way | is_answered) | waits_for_answer)
    spec.promise(
        "no place of the memory is read while it is written",
        when=spec.inner("take") & (oldest == tag) & spec.inner("arrives"),
        then=spec.inner("tag") != tag,
    )
    return spec
