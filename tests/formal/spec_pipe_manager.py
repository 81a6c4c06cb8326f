"""The pipe manager, seen from one pipe, whichever: what it decides, however close, and where data goes."""

from dataclasses import dataclass, replace

from amaranth.hdl import Cat, Const, Mux, Signal, Value
from amaranth.lib import data

from enso_nic.config import TINY
from enso_nic.layouts import (
    DropCause,
    PipeOperationKind,
    PipeState,
    RingAddress,
    RingSetting,
    RxCommandKind,
)
from enso_nic.pipe_manager import INDEX_BITS, QUEUE_DEPTH, PipeManager
from enso_nic.registers import LARGEST_PIPE_RING, SMALLEST_RING
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rest, promise_rules

SMALLEST, LARGEST = SMALLEST_RING.bit_length() - 1, LARGEST_PIPE_RING.bit_length() - 1

CONFIG = replace(TINY, pipes=4)


@dataclass(frozen=True)
class OnePipe:
    """What is known of the marked pipe without looking into the block: the registers as software wrote them."""

    index: Signal
    address: Signal
    ring: Signal
    head: Signal
    state: Signal
    is_decided: Signal  # in this cycle


def _one_pipe(spec: Specification, dut: PipeManager) -> OnePipe:
    m = spec.m
    index = spec.constant(range(CONFIG.pipes), "marked")
    address, ring, head = Signal(RingAddress), Signal(RingSetting), Signal(32)
    written = dut.write.payload
    with m.If(dut.write.valid & (written.index == index) & dut.ready):
        with m.If(written.low):
            m.d.sync += address.low.eq(written.data[:32])
        with m.If(written.high):
            m.d.sync += address.high.eq(written.data[32:])
        with m.If(written.head):
            m.d.sync += head.eq(written.data[32:])
        with m.If(written.low | written.high):
            m.d.sync += [ring.enabled.eq(written.high), ring.size.eq(dut.settings.pipe_ring)]

    # the state by the rules of each decision, one after the other
    state, decided = Signal(PipeState), Signal()
    results, valid, indices = (spec.inner(name) for name in ("results", "result_valid", "result_index"))
    m.d.comb += decided.eq(valid[0] & (indices[0] == index))
    with m.If(decided):
        m.d.sync += state.eq(results[0])

    # what links it to the memories
    spec.lemma("the sweep ends behind the last pipe", spec.inner("sweep") <= CONFIG.pipes)
    swept = dut.ready | (spec.inner("sweep") > index)
    spec.lemma(
        "before the tables are clear nobody has written registers", dut.ready | ~Cat(address, ring, head, state).any()
    )
    for name, value in (("low", address.low), ("high", address.high), ("ring", ring), ("heads", head)):
        holds = Value.cast(spec.word(name, index)) == Value.cast(value)
        spec.lemma(f"the memory {name} holds what software wrote", ~swept | holds)
    is_written = valid[1] & (indices[1] == index)
    stored = Value.cast(spec.word("state", index))
    spec.lemma(
        "the memory of states lags one decision behind",
        ~swept | (Mux(is_written, results[1].as_value(), stored) == state.as_value()),
    )
    stages = [spec.inner("read_valid"), spec.inner("decide_valid")]
    spec.lemma("nothing is decided before the tables are clear", dut.ready | ~Cat(valid[:2], stages).any())
    queue = spec.inner("queue")
    spec.lemma(
        "what was chosen and did not leave is in a stage or in the queue",
        (spec.inner("outstanding") == stages[0] + stages[1] + spec.inner("pushed") + queue.level)
        & (spec.inner("outstanding") <= QUEUE_DEPTH),
    )
    return OnePipe(index, address, ring, head, state, decided)


def pipe_manager() -> Specification:
    dut = PipeManager(CONFIG)
    spec = Specification("pipe_manager", dut, "4 pipes")
    m = spec.m
    obey(spec)
    spec.assume("the ring size that is set is legal (extension_page)", _legal(dut))
    spec.lemmas_of_queues()
    promise_rules(spec)
    pipe = _one_pipe(spec, dut)
    promise_rest(spec, dut.idle)
    command, deciding = spec.inner("command"), spec.inner("deciding")
    now = spec.inner("decide_valid") & (deciding.operation.index == pipe.index)

    # what the decision may have seen: registers as they were when it was chosen
    def then(value: Signal) -> Signal:
        return spec.before(spec.before(value))

    address, ring, head = then(pipe.address), then(pipe.ring), then(pipe.head)
    is_enabled, size = ring[0] & (address != 0), ring[1:6]
    mask = ((1 << size) - 1)[:INDEX_BITS]
    tail = pipe.state.tail & mask
    used = (tail - head)[:INDEX_BITS] & mask

    spec.promise(
        "each decision starts from the one before on its pipe, however close",
        when=now,
        then=spec.inner("state") == pipe.state,
        helps=True,
    )
    spec.promise(
        "each decision sees the registers as they were when it was chosen",
        when=now,
        helps=True,
        then=(spec.inner("head") == head)
        & (spec.inner("address").as_value() == address)
        & (spec.inner("is_enabled") == is_enabled)
        & (spec.inner("ring_mask") == mask),
    )
    places = now & (command.kind == RxCommandKind.PACKET) & deciding.is_packet
    spec.promise("data goes only to an enabled ring", when=places, then=is_enabled)
    spec.promise(
        "data goes to the ring that software gave, of the size at its enabling",
        when=places,
        then=(command.base == Cat(Const(0, 4), address[10:])) & (command.size == size),
    )
    spec.promise(
        "data begins inside the ring, whatever head and tail hold", when=places, then=(command.offset & ~mask) == 0
    )
    spec.promise(
        "data goes behind the tail, and the tail behind the data",
        when=places,
        then=(command.offset == tail) & (command.tail == ((tail + command.flits) & mask)),
    )
    # mask & ~used flits are free: in bits of a mask, a - 1 - b is the complement of b - a
    spec.promise("data never reaches the head: one flit stays free", when=places, then=command.flits <= (mask & ~used))
    spec.promise(
        "a packet that is placed has its flits, and at least one, if it has bytes",
        when=places
        & (deciding.frame.end != 0)
        & (deciding.frame.length != 0)
        & (deciding.frame.end <= deciding.frame.length)
        & (deciding.frame.length <= TINY.maximum_frame),
        then=command.flits != 0,
    )

    # the reactive rule
    packet, check = deciding.is_packet, _is_check(deciding)
    told = Signal()  # software has, or will get, a notification since the last check that found nothing
    with m.If(now & (packet | check) & command.notify & spec.inner("push")):
        m.d.sync += told.eq(1)
    with m.Elif(now & ~packet & check):
        m.d.sync += told.eq(0)
    dropped = now & packet & (spec.inner("cause") != DropCause.NONE)
    spec.lemma("an armed pipe was notified", ~pipe.state.armed | told)
    spec.promise("a packet that arms nothing new finds its pipe notified", when=places & ~command.notify, then=told)
    spec.promise(
        "a packet that is placed leaves its pipe armed",
        when=spec.before(places & ~dut.settings.notify_per_packet),
        then=pipe.state.armed,
    )
    spec.promise(
        "a head check with data left notifies and leaves its pipe armed",
        when=now & ~packet & check & is_enabled & (used != 0),
        then=command.notify & spec.inner("push") & spec.inner("new_state").armed,
    )
    spec.promise(
        "a drop leaves tail and arming as they were",
        when=spec.before(dropped),
        then=(pipe.state.tail == spec.before(pipe.state.tail)) & (pipe.state.armed == spec.before(pipe.state.armed)),
    )
    return spec


def wake_up() -> Specification:
    dut = PipeManager(CONFIG)
    spec = Specification("pipe_manager", dut, "4 pipes")
    spec.assume("the ring size that is set is legal (extension_page)", _legal(dut))
    _no_lost_wake_up(spec, dut, _one_pipe(spec, dut))
    return spec


def _legal(dut: PipeManager) -> Value:
    return (dut.settings.pipe_ring >= SMALLEST) & (dut.settings.pipe_ring <= LARGEST)


def _no_lost_wake_up(spec: Specification, dut: PipeManager, pipe: OnePipe) -> None:
    """Unread data implies armed, or a check that is still to be decided."""
    m, written = spec.m, dut.write.payload
    reading, deciding, issued = (spec.inner(name) for name in ("reading", "deciding", "issued"))
    mine = dut.write.valid & dut.ready & (written.index == pipe.index)
    under_way = [
        valid & (each.operation.index == pipe.index)
        for each, valid in ((reading, spec.inner("read_valid")), (deciding, spec.inner("decide_valid")))
    ]
    checks = [
        each & ~stage.is_packet & _is_check(stage) for each, stage in zip(under_way, (reading, deciding), strict=True)
    ]
    asked = Signal()  # software wrote the head, and no check was chosen since
    with m.If(mine & written.head):
        m.d.sync += asked.eq(1)
    with m.Elif(spec.inner("issue") & ~issued.is_packet & _is_check(issued) & (issued.operation.index == pipe.index)):
        m.d.sync += asked.eq(0)
    spec.assume("no packet disarms: the mode notification per packet is off", ~dut.settings.notify_per_packet)
    spec.assume(
        "software writes rx_tail only while the pipe is disabled and nothing of it is under way",
        ~(under_way[1] & ~deciding.is_packet & (deciding.operation.kind == PipeOperationKind.TAIL_WRITE))
        | ~pipe.ring.enabled,
    )
    spec.assume(
        "software enables the pipe with head = tail, when nothing of it is under way (it has read rx_mem as 0)",
        ~(mine & written.high) | (~Cat(under_way).any() & (pipe.head == pipe.state.tail)),
    )
    is_enabled = pipe.ring.enabled & (pipe.address.as_value() != 0)
    unread = ((pipe.head - pipe.state.tail)[:INDEX_BITS] & ((1 << pipe.ring.size) - 1)[:INDEX_BITS]) != 0
    spec.promise(
        "no lost wake-up: unread data means notified, or a check that is still to come",
        when=is_enabled & unread & ~asked & ~Cat(checks).any(),
        then=pipe.state.armed,
    )


def _is_check(each: data.View) -> Value:
    kind = each.operation.kind
    return (kind == PipeOperationKind.HEAD_CHECK) | (kind == PipeOperationKind.RETRY)
