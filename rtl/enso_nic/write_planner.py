"""Where RX packets become host writes: cut at boundaries, and merged with what follows while they wait."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.bits import adds_up
from enso_nic.layouts import RxCommandKind, RxWrite, WriteJob


class WritePlanner(wiring.Component):
    """Turns packets, notifications and answers into jobs: at most one write of data, then at most one line behind it.

    Data is cut at each ``max_payload``-aligned boundary, of which the end of a ring is one. A job that still waits at
    the output when a packet comes that goes on where it ends takes that in too, up to the next boundary. A notification
    closes its job, so it never waits for later packets, nor are these merged across it.

    Guarantees: jobs keep the order of their items; merging delays nothing.
    Latency: 1 cycle. An item per cycle, or one per job that it is cut into. Back-pressure: while the job is not taken
    and cannot grow, ``i`` waits. The job is no stream, because it may grow while it waits.
    """

    i: In(stream.Signature(RxWrite))  # no drops; a packet's ring begins at a multiple of 16 lines, its offset is inside
    has_job: Out(1)
    job: Out(WriteJob)
    take: In(1)  # the job; only while there is one
    max_payload: In(4)  # lines: 2, 4 or 8
    idle: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        item, job = self.i.payload, self.job
        planned = Signal(8)  # lines of this item that are in jobs
        position, line, remaining = Signal(21), Signal(58), Signal(8)
        beyond_boundary, room = Signal(3), Signal(4)  # lines since the last one, and up to the next
        count, ends, is_packet = Signal(4), Signal(), Signal()
        m.d.comb += [
            is_packet.eq(item.kind == RxCommandKind.PACKET),
            position.eq((item.offset + planned) & ((1 << item.size) - 1)),
            # a ring begins at 1 kB
            line.eq(Cat(position[:4], item.base[4:] + position[4:])),
            # an item is cut at boundaries only
            beyond_boundary.eq(Mux(planned != 0, 0, item.offset[:3] & (self.max_payload - 1)[:3])),
            room.eq(self.max_payload - beyond_boundary),
            remaining.eq(Mux(is_packet, item.flits - planned, 0)),
            ends.eq(remaining <= room),
            count.eq(Mux(ends, remaining, room)),
        ]

        is_growing, next_line = Signal(), Signal(58)  # the job ends with data that others may follow, up to next_line
        begins, grows = Signal(), Signal()
        m.d.comb += [
            begins.eq(self.i.valid & (~self.has_job | self.take)),
            grows.eq(
                self.i.valid & self.has_job & ~self.take
                # it is not cut, since it begins beyond a boundary
                & is_growing & is_packet & adds_up(item.base, item.offset, next_line) & (beyond_boundary != 0)
            ),
            self.i.ready.eq((begins | grows) & ends),
        ]  # fmt: skip
        with m.If(self.take):
            m.d.sync += self.has_job.eq(0)
        with m.If(begins):
            m.d.sync += [
                self.has_job.eq(1),
                job.is_answer.eq(item.kind == RxCommandKind.READ),
                job.flits.eq(count),
                job.address.eq(line),
            ]
        with m.Elif(grows):
            m.d.sync += job.flits.eq(job.flits + count)
        with m.If(begins | grows):
            m.d.sync += [
                job.notify.eq(item.notify & ends),
                job.slot.eq(item.slot),
                job.pipe.eq(item.pipe),
                job.tail.eq(item.tail),
                job.tag.eq(item.tag),
                job.data.eq(item.data),
                is_growing.eq(is_packet & ~(item.notify & ends)),
                next_line.eq(line + count),
                planned.eq(Mux(ends, 0, planned + count)),
            ]
        m.d.comb += self.idle.eq(~self.i.valid & ~self.has_job)
        return m
