"""Reads of host memory whose lines come out in the order in which they were asked for."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.bits import NEVER_BOTH
from enso_nic.layouts import ReadCompletion, ReadJob, ReadKind, ReadLine, ReadRequest
from enso_nic.read_tags import ReadTags

REQUEST_FLITS = 8
TOLD_BY_LINES = ("kind", "epoch", "buffer", "generation", "length", "framed")
"""What each line says of its job."""


class Chunk(data.Struct):
    """One read request of a job, kept by its tag until its lines have left."""

    kind: ReadKind
    epoch: 1
    address: 58
    flits: 4  # 0: nothing was asked for
    buffer: 10
    generation: 8
    length: 20
    framed: 1
    job_begins: 1
    job_ends: 1


class StoredLine(data.Struct):
    """One line of a completion."""

    data: 512
    error: 1


class OrderedReader(wiring.Component):
    """Cuts jobs into read requests, and puts the lines of their completions back in order.

    A request has at most ``max_read`` lines and crosses no ``max_read``-aligned boundary. Each takes the next tag of
    ``first_tag`` to ``first_tag + tags - 1`` in turn, with 8 lines of buffer, so that a completion always has a
    place. Completions of different tags may come in any order, each in as many pieces as it likes. If one ends early,
    the lines that are missing are errors. A read that is given up (see ReadTags) gives errors only; completions that
    nobody waits for are ignored. A job without lines gives one line in its place, and asks for nothing.
    ``cancel`` forgets what has not been asked for; its jobs do not end then, but whatever was asked for still leaves.

    Guarantees: each line of each job leaves ``line`` once, in order; no request starts while ``bus_master`` is 0.
    Latency: 2 cycles from a job to its first request; 2 from a request's last line to its first line out.
    Throughput: a line and a request per cycle. Back-pressure on ``line`` holds tags back, and with them requests.
    ``idle``: until ``deadline``, only a transfer on one of its streams, ``sent`` or ``cancel`` can change its state; a
    wait for completions is idle.

    Parameters
    ----------
    tags
        Requests in flight, a power of two.
    first_tag
        A multiple of ``tags``.
    timeout
        Cycles after which a read is given up.
    """

    job: In(stream.Signature(ReadJob))
    line: Out(stream.Signature(ReadLine))
    read_request: Out(stream.Signature(ReadRequest))
    read_completion: In(stream.Signature(ReadCompletion, always_ready=True))
    max_read: In(4)  # lines: 2, 4 or 8
    bus_master: In(1)
    cycle: In(64)
    sent: In(1)  # the host took the request with ``sent_tag``, one of this reader's
    sent_tag: In(8)
    cancel: In(1)
    timed_out: Out(1)  # a pulse per read that is given up
    deadline: Out(64)  # cycle; all ones: none
    idle: Out(1)

    def __init__(self, tags: int, first_tag: int, timeout: int) -> None:
        if first_tag % tags:
            raise ValueError(f"OrderedReader: first_tag {first_tag} is no multiple of the {tags} tags")
        self._tags, self._first_tag, self._timeout = tags, first_tag, timeout
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.chunks = chunks = memory.Memory(shape=Chunk, depth=self._tags, init=[])
        m.submodules.lines = lines = memory.Memory(
            shape=StoredLine, depth=self._tags * REQUEST_FLITS, init=[], attrs=NEVER_BOTH
        )
        m.submodules.ends = ends = memory.Memory(shape=3, depth=self._tags, init=[])  # each tag's last line
        chunk_write, chunk_read = chunks.write_port(), chunks.read_port(domain="comb")
        end_write, end_read = ends.write_port(), ends.read_port(domain="comb")
        line_write, line_read = lines.write_port(), lines.read_port()

        # tags are taken and freed in a circle; one bit more than a tag, so that none and all differ
        taken, freed = Signal(range(2 * self._tags)), Signal(range(2 * self._tags))
        next_tag, oldest_tag = Signal(range(self._tags)), Signal(range(self._tags))
        complete = Signal(self._tags)
        m.d.comb += [next_tag.eq(taken), oldest_tag.eq(freed)]
        none_taken = taken == freed
        all_taken = (taken ^ freed) == self._tags
        m.submodules.guard = guard = ReadTags(self._tags, self._timeout)

        # ask
        job, is_active = Signal(ReadJob), Signal()  # flits: those not yet asked for
        room, flits = Signal(4), Signal(4)
        job_begins, job_ends, issue, asks = Signal(), Signal(), Signal(), Signal()
        request = self.read_request
        m.d.comb += [
            room.eq(self.max_read - (job.address[:3] & (self.max_read - 1))),
            flits.eq(Mux(job.flits < room, job.flits, room)),
            job_ends.eq(job.flits == flits),
            asks.eq(job.flits != 0),
            issue.eq(
                is_active
                & ~all_taken
                & guard.next_is_free
                & (~asks | (self.bus_master & (~request.valid | request.ready)))
            ),
            chunk_write.addr.eq(next_tag),
            chunk_write.data.address.eq(job.address),
            chunk_write.data.flits.eq(flits),
            *(chunk_write.data[name].eq(job[name]) for name in TOLD_BY_LINES),
            chunk_write.data.job_begins.eq(job_begins),
            chunk_write.data.job_ends.eq(job_ends),
            chunk_write.en.eq(issue),
            self.job.ready.eq(~is_active | (issue & job_ends)),
        ]
        with m.If(request.ready):
            m.d.sync += request.valid.eq(0)
        with m.If(issue & asks):
            m.d.sync += [
                request.valid.eq(1),
                request.payload.address.eq(job.address),
                request.payload.flits.eq(flits),
                request.payload.tag.eq(self._first_tag + next_tag),
            ]
        with m.If(issue):
            m.d.sync += [
                taken.eq(taken + 1),
                job_begins.eq(0),
                job.address.eq(job.address + flits),
                job.flits.eq(job.flits - flits),
                is_active.eq(~job_ends),
            ]
        with m.If(self.job.valid & self.job.ready):
            m.d.sync += [job.eq(self.job.payload), is_active.eq(1), job_begins.eq(1)]
        with m.If(self.cancel):
            m.d.sync += is_active.eq(0)

        # keep what comes
        completion, arrives = self.read_completion.payload, guard.accepts
        tag = completion.tag[: len(next_tag)]
        oldest_is_complete, gave_up = Signal(), Signal()
        m.d.comb += [
            line_write.addr.eq(Cat(completion.index, tag)),
            line_write.data.data.eq(completion.data),
            line_write.data.error.eq(completion.error),
            line_write.en.eq(arrives),
            end_write.addr.eq(tag),
            end_write.data.eq(completion.index),
            end_write.en.eq(arrives & completion.last),
        ]
        m.d.comb += [
            oldest_is_complete.eq(complete.bit_select(oldest_tag, 1)),
            guard.cycle.eq(self.cycle),
            guard.sent.eq(self.sent),
            guard.sent_tag.eq(self.sent_tag),
            guard.answered.eq(self.read_completion.valid),
            guard.answered_tag.eq(tag),
            guard.answered_last.eq(completion.last),
            guard.next_tag.eq(next_tag),
            guard.oldest_waits.eq(~none_taken & ~oldest_is_complete & ~gave_up),
            guard.oldest_tag.eq(oldest_tag),
            self.timed_out.eq(guard.expires),
            self.deadline.eq(guard.deadline),
        ]
        begun, ended = issue << next_tag, end_write.en << tag
        m.d.sync += complete.eq((complete & ~begun) | ended | Mux(asks, 0, begun))
        with m.If(guard.expires):
            m.d.sync += gave_up.eq(1)

        # show; the memory's output register is the output, and holds while stalled
        chunk = chunk_read.data
        shown = Signal(3)  # lines of the oldest tag that have been read
        advance, take, chunk_ends = Signal(), Signal(), Signal()
        line, is_missing = Signal(ReadLine), Signal()
        m.d.comb += [
            chunk_read.addr.eq(oldest_tag),
            end_read.addr.eq(oldest_tag),
            advance.eq(~self.line.valid | self.line.ready),
            take.eq(~none_taken & (oldest_is_complete | gave_up) & advance),
            chunk_ends.eq(shown + 1 >= chunk.flits),
            line_read.addr.eq(Cat(shown, oldest_tag)),
            line_read.en.eq(take),
            self.line.payload.eq(line),
            self.line.payload.data.eq(line_read.data.data),
            self.line.payload.error.eq(line_read.data.error | is_missing),
        ]
        with m.If(advance):
            m.d.sync += self.line.valid.eq(take)
        with m.If(take):
            m.d.sync += [
                shown.eq(Mux(chunk_ends, 0, shown + 1)),
                freed.eq(freed + chunk_ends),
                line.address.eq(chunk.address + shown),
                *(line[name].eq(chunk[name]) for name in TOLD_BY_LINES),
                line.first.eq(chunk.job_begins & (shown == 0)),
                line.last.eq(chunk_ends & chunk.job_ends),
                is_missing.eq(gave_up | (shown > end_read.data)),
            ]
            with m.If(chunk_ends):
                m.d.sync += gave_up.eq(0)

        m.d.comb += self.idle.eq(~issue & ~take & guard.idle)
        return m
