"""TX requests: what each asks for, in order, and again if need be; and their completions."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.bits import flits
from enso_nic.config import FLIT_SHIFT, NicConfig
from enso_nic.layouts import (
    MOST_FRAGMENTS,
    ConfigCode,
    ConfigRequest,
    HostWrite,
    HostWriteKind,
    ReadJob,
    ReadKind,
    ReadLine,
    TxCompletionCode,
    TxCompletionLine,
    TxRequest,
    TxRequestLine,
    TxResult,
    TxRewind,
)

CONFIG_SIGNAL = 2


class TxRequests(wiring.Component):
    """Takes the slots of TX rings one by one, passes on what they ask for, and writes each slot's completion.

    A slot with signal 2 is a config request: it leaves on ``config``, whose far side accepts it once it took effect,
    and says on ``config_code`` in that cycle how it ended; later slots wait until then. Any other is a data request.
    Addresses off 64 bytes, length 0, slots that could not be read and ``forbidden`` ones are errors and ask for
    nothing. Of the length its low 20 bits count.

    Each slot, and each mark of a closed buffer, leaves on ``job``, those that ask for no data as a job without lines;
    its result comes back on ``done``. A ``rewind`` has the jobs whose results did not come issued again, behind the
    fragments that it names, with the other ``epoch``; ``cancel`` then tells the reader to forget the job at hand.

    Guarantees: completions leave in the order of the slots of their notification buffer, each a write of one line over
    its slot; where a result holds completions back, those of other buffers go on. A completion whose ring was closed
    since (``generation`` is another) is ``lost``, unless it was shown already: so whoever has read that a ring is
    closed will find nothing written to it.
    Latency: 1 cycle from a slot to its job; 1 from ``done`` to its completion. Throughput: a slot per cycle; 2 cycles
    for each completion that was held back.
    Back-pressure: slots wait while ``2 * data_tags`` results and completions are outstanding.
    ``idle``: only a transfer on one of its streams can change its state.
    """

    slot: In(stream.Signature(ReadLine))
    forbidden: In(1)  # the slot that is shown may not have what it asks for
    job: Out(stream.Signature(ReadJob))
    config: Out(stream.Signature(ConfigRequest))
    config_code: In(ConfigCode)  # valid when ``config`` is accepted
    done: In(stream.Signature(TxResult, always_ready=True))  # one per slot and mark, in order
    rewind: In(stream.Signature(TxRewind, always_ready=True))  # never together with ``done``
    cancel: Out(1)
    completion: Out(stream.Signature(HostWrite))
    completing: Out(10)  # the buffer of the oldest completion
    generation: In(8)  # that it has now, in the same cycle
    lost: Out(1)
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._outstanding, self._buffers = 2 * config.data_tags, config.notification_buffers
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.requests = requests = memory.Memory(shape=TxRequest, depth=self._outstanding, init=[])
        request_write = requests.write_port()
        issue_read, oldest_read = requests.read_port(domain="comb"), requests.read_port(domain="comb")
        # one bit more than an address, so that full and empty differ
        added, issued, finished, completed = (
            Signal(range(2 * self._outstanding), name=name) for name in ("added", "issued", "finished", "completed")
        )

        # the slot at hand
        slot, request = self.slot.payload, Signal(TxRequest)
        line = data.View(TxRequestLine, slot.data)
        has_room, is_config, is_wrong = Signal(), Signal(), Signal()
        m.d.comb += [
            has_room.eq((added ^ completed) != self._outstanding),
            is_config.eq(
                (slot.kind == ReadKind.REQUEST) & ~slot.error & ~self.forbidden & (line.signal == CONFIG_SIGNAL)
            ),
            is_wrong.eq((line.address[:FLIT_SHIFT] != 0) | (line.length == 0)),
            self.slot.ready.eq(has_room & (~is_config | self.config.ready)),
            self.config.valid.eq(self.slot.valid & has_room & is_config),
            self.config.payload.id.eq(line.address),
            self.config.payload.body.eq(slot.data[128:]),
            request.slot.eq(slot.address),
            request.buffer.eq(slot.buffer),
            request.generation.eq(slot.generation),
            request.address.eq(line.address),
            request.length.eq(line.length),
            request.framed.eq(line.framed),
            request.kind.eq(ReadKind.NOTHING),
            request_write.addr.eq(added),
            request_write.data.eq(request),
            request_write.en.eq(self.slot.valid & self.slot.ready),
        ]
        with m.If(slot.kind == ReadKind.CLOSE):
            m.d.comb += request.kind.eq(ReadKind.CLOSE)
        with m.Elif(slot.error):
            m.d.comb += [request.code.eq(TxCompletionCode.READ_ERROR), request.address.eq(0), request.length.eq(0)]
        with m.Elif(self.forbidden):
            m.d.comb += request.code.eq(TxCompletionCode.FORBIDDEN)
        with m.Elif(is_config):
            m.d.comb += request.code.eq(self.config_code)
        with m.Elif(is_wrong):
            m.d.comb += request.code.eq(TxCompletionCode.MALFORMED)
        with m.Else():
            m.d.comb += request.kind.eq(ReadKind.REQUEST)
        m.d.sync += added.eq(added + request_write.en)

        # what is asked for: fragments to be read again, then requests
        current, job, issue = issue_read.data, self.job.payload, Signal()
        again, fragments_asked, asks_fragment = Signal(TxRewind), Signal(3), Signal()
        fragment, has_lines, epoch = again.fragments[fragments_asked[:2]], Signal(), Signal()
        m.d.comb += [
            issue_read.addr.eq(issued),
            asks_fragment.eq(fragments_asked != again.count),
            has_lines.eq(current.kind == ReadKind.REQUEST),
            self.job.valid.eq(asks_fragment | (issued != added)),
            issue.eq(self.job.valid & self.job.ready),
            job.epoch.eq(epoch),
            job.buffer.eq(current.buffer),
            job.generation.eq(current.generation),
        ]
        with m.If(asks_fragment):
            m.d.comb += [
                job.kind.eq(ReadKind.FRAGMENT),
                job.address.eq(fragment.address),
                job.flits.eq(fragment.flits),
                job.length.eq(fragment.flits << FLIT_SHIFT),
                job.framed.eq(again.framed),
            ]
        with m.Else():
            m.d.comb += [
                job.kind.eq(current.kind),
                job.address.eq(current.address[FLIT_SHIFT:]),
                job.flits.eq(Mux(has_lines, flits(current.length), 0)),
                job.length.eq(current.length),
                job.framed.eq(current.framed),
            ]
        with m.If(issue):
            m.d.sync += [fragments_asked.eq(fragments_asked + asks_fragment), issued.eq(issued + ~asks_fragment)]
        m.d.sync += finished.eq(finished + self.done.valid)
        m.d.comb += self.cancel.eq(self.rewind.valid)
        with m.If(self.rewind.valid):
            m.d.sync += [again.eq(self.rewind.payload), fragments_asked.eq(0), issued.eq(finished), epoch.eq(~epoch)]

        # the oldest completion: what its result releases, then itself
        m.submodules.held = held = memory.Memory(shape=TxRequest, depth=MOST_FRAGMENTS * self._buffers, init=[])
        held_write, held_read = held.write_port(), held.read_port()
        # never more than there are outstanding, so it cannot overflow
        m.submodules.results = results = fifo.SyncFIFO(width=len(self.done.payload.as_value()), depth=self._outstanding)
        result, oldest, due = data.View(TxResult, results.r_data), oldest_read.data, Signal(TxRequest)
        place, was_read, releases, is_shown, pop = Signal(3), Signal(), Signal(), Signal(), Signal()
        code, written, completion = Signal(8), Signal(TxCompletionLine), self.completion.payload
        wants, was_shown, goes = Signal(), Signal(), Signal()
        m.d.comb += [
            results.w_data.eq(self.done.payload),
            results.w_en.eq(self.done.valid),
            oldest_read.addr.eq(completed),
            releases.eq(results.r_rdy & (place != result.released)),
            held_read.addr.eq(Cat(place[:2], oldest.buffer)),
            held_read.en.eq(releases & ~was_read),
            is_shown.eq(results.r_rdy & ~releases & ~result.held & (oldest.kind != ReadKind.CLOSE)),
            wants.eq(Mux(releases, was_read, is_shown)),
            self.completing.eq(due.buffer),
            self.lost.eq(wants & ~was_shown & (due.generation != self.generation)),
            self.completion.valid.eq(wants & ~self.lost),
            goes.eq(wants & (self.completion.ready | self.lost)),
            due.eq(Mux(releases, held_read.data.as_value(), oldest.as_value())),
            code.eq(Mux(releases, result.released_code, result.code)),
            pop.eq(results.r_rdy & ~releases & (~is_shown | goes)),
            results.r_en.eq(pop),
            held_write.addr.eq(Cat(result.place, oldest.buffer)),
            held_write.data.eq(oldest),
            held_write.en.eq(pop & result.held),
            written.address.eq(due.address),
            written.length.eq(due.length),
            written.code.eq(Mux(due.kind == ReadKind.REQUEST, code, due.code)),
            completion.data.eq(written),
            completion.address.eq(due.slot),
            completion.flits.eq(1),
            completion.first.eq(1),
            completion.last.eq(1),
            completion.kind.eq(HostWriteKind.WRITE),
        ]
        m.d.sync += [
            was_read.eq(releases & ~goes),
            was_shown.eq(self.completion.valid & ~self.completion.ready),
            completed.eq(completed + pop),
        ]
        with m.If(releases & goes):
            m.d.sync += place.eq(place + 1)
        with m.If(pop):
            m.d.sync += place.eq(0)

        m.d.comb += self.idle.eq(~(held_read.en | self.lost | (pop & ~is_shown)))
        return m
