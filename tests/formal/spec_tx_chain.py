"""From a tail write to its completions: TX request fetch, reader and TX requests behind each other, searched.

Their real RTL is wired as in the TX path; host and packetiser answer when they like, the host in any order.
"""

from dataclasses import replace

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.config import TINY
from enso_nic.layouts import HostWrite, ReadKind, ReadRequest, TxRequestLine
from enso_nic.ordered_reader import OrderedReader
from enso_nic.registers import SMALLEST_RING
from enso_nic.tx_request_fetch import TxRequestFetch
from enso_nic.tx_requests import TxRequests
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey

OUTSTANDING, TAGS, MAX_READ = 4, 2, 2
CONFIG = replace(TINY, notification_buffers=2, data_tags=OUTSTANDING // 2, request_tags=TAGS)
RING_BITS = SMALLEST_RING.bit_length() - 1
TAILS, TAIL_BITS = 2, 2
"""Tail writes, and bits of their values: so that the search passes through the pipeline with all that may follow."""
SET_UP, PIPELINE = 6, 11
"""Cycles until the buffers are enabled; 5 from a tail write to its job, 2 to the read, 2 from its answer, 1 to the job
of data, 1 from its end to the completion."""


class Tail(data.Struct):
    """What software writes to the tx_tail of a notification buffer."""

    buffer: 1
    value: TAIL_BITS


class Answer(data.Struct):
    """The host answers the next line of a read."""

    tag: range(TAGS)
    is_malformed: 1  # the slot that lies there asks for 0 bytes


def ring_base(buffer: Value) -> Value:
    """First line of the TX ring of this notification buffer."""
    return Cat(Const(0, 5), ~buffer, buffer)


class TxChain(wiring.Component):
    """Two notification buffers with rings of 8 slots, both enabled; jobs end in order, when ``ends`` says so."""

    tail: In(stream.Signature(Tail))
    answer: In(stream.Signature(Answer, always_ready=True))
    ends: In(1)
    read: Out(stream.Signature(ReadRequest, always_ready=True))
    answered: Out(1)  # a line
    completion: Out(stream.Signature(HostWrite))
    rests: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fetch = fetch = TxRequestFetch(CONFIG)
        m.submodules.reader = reader = OrderedReader(TAGS, 0, 64)
        m.submodules.requests = requests = TxRequests(CONFIG)
        wiring.connect(m, fetch.slots, reader.job)
        wiring.connect(m, reader.line, requests.slot)
        wiring.connect(m, requests.completion, wiring.flipped(self.completion))

        enabled, is_set_up, tails = Signal(2), Signal(), Signal(2, init=TAILS)
        access, tail = fetch.access, self.tail.payload
        m.d.comb += [
            is_set_up.eq(enabled == 2),
            access.valid.eq(Mux(is_set_up, self.tail.valid & (tails != 0), fetch.ready)),
            self.tail.ready.eq(is_set_up & access.ready & (tails != 0)),
            access.payload.buffer.eq(Mux(is_set_up, tail.buffer, enabled[0])),
            access.payload.word.eq(~is_set_up),
            access.payload.write.eq(1),
            access.payload.enables.eq(Mux(is_set_up, 1, 3)),
            access.payload.data.eq(Mux(is_set_up, tail.value, ring_base(enabled[0]) << 6)),
            fetch.answer.ready.eq(1),
            fetch.settings.notification_ring.eq(RING_BITS),
            fetch.asked_buffer.eq(requests.completing),
            requests.generation.eq(fetch.generation),
            requests.config.ready.eq(1),
        ]
        m.d.sync += [
            enabled.eq(enabled + (access.valid & access.ready & ~is_set_up)),
            tails.eq(tails - (self.tail.valid & self.tail.ready)),
        ]

        # the host: of each tag the lines that are to come, and the next one
        request, completion = reader.read_request, reader.read_completion.payload
        left = Array(Signal(2, name=f"left{tag}") for tag in range(TAGS))
        index = Array(Signal(1, name=f"index{tag}") for tag in range(TAGS))
        asked, slot = self.answer.payload, data.View(TxRequestLine, completion.data)
        m.d.comb += [
            request.ready.eq(1),
            self.read.valid.eq(request.valid),
            self.read.payload.eq(request.payload),
            reader.sent.eq(request.valid),
            reader.sent_tag.eq(request.payload.tag),
            reader.max_read.eq(MAX_READ),
            reader.bus_master.eq(1),
            self.answered.eq(self.answer.valid & (left[asked.tag] != 0)),
            reader.read_completion.valid.eq(self.answered),
            completion.tag.eq(asked.tag),
            completion.index.eq(index[asked.tag]),
            completion.last.eq(left[asked.tag] == 1),
            slot.signal.eq(1),
            slot.address.eq(64),
            slot.length.eq(Mux(asked.is_malformed, 0, 64)),
        ]
        with m.If(self.answered):
            m.d.sync += [left[asked.tag].eq(left[asked.tag] - 1), index[asked.tag].eq(index[asked.tag] + 1)]
        with m.If(request.valid):
            m.d.sync += [left[request.payload.tag[0]].eq(request.payload.flits), index[request.payload.tag[0]].eq(0)]

        # the packetiser
        jobs = Signal(3)
        m.d.comb += [requests.job.ready.eq(1), requests.done.valid.eq(self.ends & (jobs != 0))]
        m.d.sync += jobs.eq(jobs + requests.job.valid - requests.done.valid)
        waits = Cat(self.completion.valid, request.valid, requests.job.valid, reader.line.valid, fetch.slots.valid)
        idle = fetch.idle & reader.idle & requests.idle & is_set_up & ~self.tail.valid
        m.d.comb += self.rests.eq(idle & ~waits.any() & (jobs == 0) & ~Cat(*left).any())
        return m


def tx_chain() -> Specification:
    dut = TxChain()
    spec = Specification(
        "TX chain",
        dut,
        f"2 buffers, rings of 8 slots, {TAGS} reads of at most 2 slots, 4 requests outstanding, {TAILS} tails up to 3",
        search_to=SET_UP + 2 * PIPELINE,
    )
    obey(spec)
    m, marked = spec.m, spec.constant(1, "marked")
    base, request = ring_base(marked), dut.read.payload

    def mine(line: Value) -> Value:
        return line[RING_BITS:] == base[RING_BITS:]

    tail, fetched, completed = (Signal(RING_BITS, name=name) for name in ("tail", "fetched", "completed"))
    other_tail, asked = Signal(TAIL_BITS), dut.tail.payload
    with m.If(dut.tail.valid & dut.tail.ready & (asked.buffer != marked)):
        m.d.sync += other_tail.eq(asked.value)
    spec.assume(
        "software moves tails forward, by less than a ring",
        ~dut.tail.valid | (asked.value > Mux(asked.buffer == marked, tail, other_tail)),
    )
    with m.If(dut.tail.valid & dut.tail.ready & (dut.tail.payload.buffer == marked)):
        m.d.sync += tail.eq(dut.tail.payload.value)
    done, line = dut.completion, dut.completion.payload.address
    reads, writes = dut.read.valid & mine(request.address), done.valid & mine(line)
    written = Signal(4)
    with m.If(reads):
        m.d.sync += fetched.eq(fetched + request.flits)
    with m.If(writes & done.ready):
        m.d.sync += completed.eq(completed + 1)
    came, gone = Signal(4), Signal(4)  # slots of both buffers that the host gave, and completions
    m.d.sync += [came.eq(came + dut.answered), gone.eq(gone + (done.valid & done.ready))]
    m.d.comb += written.eq(came - gone)
    spec.promise(
        "slots are fetched in the order of their ring, each once",
        when=reads,
        then=(request.address == (base | fetched)) & (request.flits != 0),
        is_bounded=True,
    )
    spec.promise(
        "completions are written in the order of the slots of their buffer, each over its slot, once",
        when=writes,
        then=line == (base | completed),
        is_bounded=True,
    )
    spec.promise(
        "no completion is written before its slot was fetched and the host gave it",
        when=writes,
        then=(completed != fetched) & (written != 0),
        is_bounded=True,
    )
    spec.promise(
        "nothing is written but over slots of the two rings",
        when=done.valid,
        then=mine(line) | (line[RING_BITS:] == ring_base(~marked)[RING_BITS:]),
        is_bounded=True,
    )
    spec.promise(
        "at rest each slot that software published was fetched and completed",
        when=dut.rests & (came != 0),
        then=(fetched == tail) & (completed == tail) & (came == gone),
        is_bounded=True,
    )
    slot = spec.inner("requests").slot
    spec.promise(
        "TX requests get lines of slots only, none in error while the host answers all",
        when=slot.valid,
        then=(slot.payload.kind == ReadKind.REQUEST) & ~slot.payload.error,
        is_bounded=True,
    )
    return spec
