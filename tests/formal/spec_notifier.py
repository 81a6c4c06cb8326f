"""The notifier, seen from one notification buffer, whichever: each notification has one fate, and one slot."""

from dataclasses import replace

from amaranth.hdl import Cat, Mux, Signal, Value

from enso_nic.config import TINY
from enso_nic.layouts import RingAddress, RingSetting, RxCommandKind
from enso_nic.notifier import INDEX_BITS, QUEUE_DEPTH, Notifier
from enso_nic.registers import FIRST_NOTIFICATION_BUFFER_PAGE, LARGEST_NOTIFICATION_RING, SMALLEST_RING
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rest, promise_rules

SMALLEST, LARGEST = SMALLEST_RING.bit_length() - 1, LARGEST_NOTIFICATION_RING.bit_length() - 1

CONFIG = replace(TINY, notification_buffers=2)


def notifier() -> Specification:
    dut = Notifier(CONFIG)
    spec = Specification("notifier", dut, "2 buffers")
    m = spec.m
    obey(spec)
    size_set = dut.settings.notification_ring
    spec.assume("the ring size that is set is legal (extension_page)", (size_set >= SMALLEST) & (size_set <= LARGEST))
    spec.lemmas_of_queues()
    promise_rules(spec)

    # the marked buffer: its registers as software wrote them, its tail by the decisions, one after the other
    marked = spec.constant(range(CONFIG.notification_buffers), "marked")
    address, ring, head, tail = Signal(RingAddress), Signal(RingSetting), Signal(32), Signal(32)
    written = dut.write.payload
    with m.If(dut.write.valid & dut.ready & (written.index == FIRST_NOTIFICATION_BUFFER_PAGE + marked)):
        with m.If(written.low):
            m.d.sync += address.low.eq(written.data[:32])
        with m.If(written.high):
            m.d.sync += address.high.eq(written.data[32:])
        with m.If(written.head):
            m.d.sync += head.eq(written.data[32:])
        with m.If(written.low | written.high):
            m.d.sync += [ring.enabled.eq(written.high), ring.size.eq(size_set)]
    results, valid, buffers = (spec.inner(name) for name in ("results", "result_valid", "result_buffer"))
    with m.If(valid[0] & (buffers[0] == marked)):
        m.d.sync += tail.eq(results[0])

    stages = [spec.inner("read_valid"), spec.inner("decide_valid")]
    spec.lemma("the sweep ends behind the last buffer", spec.inner("sweep") <= CONFIG.notification_buffers)
    swept = dut.ready | (spec.inner("sweep") > marked)
    spec.lemma("nothing is decided before the tables are clear", dut.ready | ~Cat(valid[:2], stages).any())
    spec.lemma("before that nobody has written registers", dut.ready | ~Cat(address, ring, head, tail).any())
    for name, value in (("low", address.low), ("high", address.high), ("ring", ring), ("heads", head)):
        holds = Value.cast(spec.word(name, marked)) == Value.cast(value)
        spec.lemma(f"the memory {name} holds what software wrote", ~swept | holds)
    is_written = valid[1] & (buffers[1] == marked)
    spec.lemma(
        "the memory of tails lags one decision behind",
        ~swept | (Mux(is_written, results[1], spec.word("tails", marked)) == tail),
    )
    outstanding = spec.inner("outstanding")
    spec.lemma(
        "what was accepted and did not leave is in a stage or in the queue",
        (outstanding == stages[0] + stages[1] + spec.inner("pushed") + spec.inner("queue").level)
        & (outstanding <= QUEUE_DEPTH),
    )
    promise_rest(spec, dut.idle)

    def then(value: Value) -> Signal:
        return spec.before(spec.before(value))

    decide, deciding, outgoing = spec.inner("decide_valid"), spec.inner("deciding"), spec.inner("outgoing")
    now = decide & (spec.inner("deciding_buffer") == marked)
    old_address, old_ring, old_head = then(address), then(ring), then(head)
    mask = ((1 << old_ring[1:5]) - 1)[:INDEX_BITS]
    spec.promise(
        "each decision starts from the tail that the one before on its buffer left, however close",
        when=now,
        then=spec.inner("tail") == tail,
        helps=True,
    )
    spec.promise(
        "each decision sees the registers as they were when it was accepted",
        when=now,
        helps=True,
        then=(spec.inner("head") == old_head)
        & (spec.inner("address").as_value() == old_address)
        & (spec.inner("enable") == old_ring[0])
        & (spec.inner("ring_mask") == mask),
    )
    told = now & deciding.notify & (deciding.kind != RxCommandKind.TAIL_WRITE) & (deciding.kind != RxCommandKind.READ)
    goes = told & outgoing.notify
    used = (tail - old_head)[:INDEX_BITS] & mask
    spec.promise("a notification is written only to an enabled ring", when=goes, then=old_ring[0] & (old_address != 0))
    spec.promise(
        "its slot lies inside the ring that software gave, whatever head and tail hold",
        when=goes,
        then=outgoing.slot == (old_address[6:] + (tail & mask))[:58],
    )
    spec.promise("it overwrites no slot that software has not read", when=goes, then=used != mask)
    spec.promise(
        "the tail moves on by one slot",
        when=spec.before(goes),
        then=tail == ((spec.before(tail) + 1) & spec.before(mask)),
    )
    fates = Cat(dut.notified, dut.lost, dut.owe.valid)
    spec.promise(
        "each notification is written, owed or lost: exactly one of them",
        when=spec.before(decide & deciding.notify & (deciding.kind != RxCommandKind.TAIL_WRITE)),
        then=(fates == 1) | (fates == 2) | (fates == 4),
    )
    spec.promise("nothing else is told of", when=~spec.before(decide & deciding.notify), then=fates == 0)
    spec.promise(
        "one is lost only if its ring is disabled",
        when=spec.before(told) & dut.lost,
        then=~(spec.before(old_ring[0] & (old_address != 0))),
    )
    return spec
