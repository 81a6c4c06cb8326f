"""Cuts the data of TX requests into frames."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.bits import byte_mask
from enso_nic.config import FLIT_BYTES, MINIMUM_FRAME, NicConfig
from enso_nic.layouts import (
    MOST_FRAGMENTS,
    FrameHeader,
    ReadKind,
    ReadLine,
    TxCompletionCode,
    TxFlit,
    TxResult,
    TxRewind,
    UnfinishedFrame,
)

ETHERNET_HEADER = 14
MINIMUM_IP_LENGTH = 20
IPV4_ETHERTYPE = 0x0800
IPV4_VERSION = 4
IPV6_ETHERTYPE = 0x86DD
IPV6_VERSION = 6
IPV6_HEADER = 40


class Measured(data.Struct):
    """A line of a request, and what a frame that began in it, or behind it if it is a header, would be."""

    data: 512
    kind: ReadKind
    address: 58
    available: 7  # bytes of the request in this line
    buffer: 10
    first: 1  # of the request
    last: 1
    error: 1
    framed: 1
    frame_bytes: 14  # meaningless if it is unsendable
    unsendable: 1


class Packetiser(wiring.Component):
    """Makes frames of request data, of the length that the data says.

    That is the length in the IPv4 or IPv6 header; anything else is a frame up to the end of its request. In a framed
    request a header line before each frame says the length instead, and is not sent.

    Each frame begins at a flit. One may go on in later requests of the same notification buffer, if each one before
    ended with a whole flit. Meanwhile it is unfinished, and holds back the completions of its buffer from that of the
    request in which it began on. If data of another buffer comes in between, its flits are forgotten; where they lie in
    host memory is not. When the buffer's next data request then comes, ``rewind`` asks for all that was read from that
    request on to be read again, behind the fragments of its frame; lines of the old epoch are ignored.

    A frame that is too long, an IPv4 length below 20, a header line of length 0, a request that ends inside a flit of
    an unfinished frame, and a host read error drop the frame and the rest of that request. A fifth completion to be
    held back, or the closing of the buffer, drops its unfinished frame. ``tx_error`` pulses once for each of these.

    Guarantees: ``flit`` never has more flits in a frame than a maximum frame; it may begin a frame without having ended
    the one before, which is then void; ``done`` gives the result of each request, in order, when its last flit has been
    taken.
    Latency: 2 cycles. A line per cycle. Back-pressure on ``flit`` reaches ``line`` in the same cycle. After reset it
    clears its memory (a cycle per notification buffer), then is ``ready``.
    ``idle``: only a transfer on one of its streams can change its state.
    """

    line: In(stream.Signature(ReadLine))
    flit: Out(stream.Signature(TxFlit))
    done: Out(stream.Signature(TxResult, always_ready=True))
    rewind: Out(stream.Signature(TxRewind, always_ready=True))
    tx_error: Out(1)
    ready: Out(1)
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._maximum_frame, self._buffers = config.maximum_frame, config.notification_buffers
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        measured_valid, measured = Signal(), Signal(Measured)
        decide, take_measured, epoch, is_stale = Signal(), Signal(), Signal(), Signal()

        # of each buffer, the unfinished frame whose flits were forgotten
        m.submodules.table = table = memory.Memory(shape=UnfinishedFrame, depth=self._buffers, init=[])
        write, read = table.write_port(), table.read_port()
        row, swept = read.data, Signal(range(self._buffers + 1))
        m.d.comb += self.ready.eq(swept == self._buffers)
        with m.If(~self.ready):
            m.d.sync += swept.eq(swept + 1)
            m.d.comb += [write.addr.eq(swept), write.en.eq(1)]

        # measure
        line = self.line.payload
        rest, later_rest = Signal(20), Signal(20)  # bytes of the request from this line on
        byte = [line.data.word_select(i, 8) for i in range(20)]
        there = [Mux(rest > i, byte[i], 0) for i in range(20)]  # what is not of the request counts as 0
        header_line = data.View(FrameHeader, line.data)
        ethertype, version = Signal(16), Signal(4)
        frame_bytes, is_empty = Signal(32), Signal()  # is_empty: the length that the data says cannot be
        is_long, most = Signal(), self._maximum_frame
        m.d.comb += [
            ethertype.eq(Cat(byte[13], byte[12])),
            version.eq(there[14][4:]),  # so the bytes before it are there, too
            rest.eq(Mux(line.first, line.length, later_rest)),
            is_stale.eq(line.epoch != epoch),
            read.addr.eq(line.buffer),
            read.en.eq(self.line.valid & self.line.ready & ~is_stale),
            # a row that is written is not read in the same cycle
            self.line.ready.eq(self.ready & (is_stale | ((~measured_valid | decide) & ~write.en))),
        ]
        with m.If(line.framed):
            m.d.comb += [frame_bytes.eq(header_line.length), is_empty.eq(header_line.length == 0)]
            m.d.comb += is_long.eq(header_line.length > most)
        with m.Elif((ethertype == IPV4_ETHERTYPE) & (version == IPV4_VERSION)):
            ip_length = Cat(there[17], there[16])
            m.d.comb += [frame_bytes.eq(ip_length + ETHERNET_HEADER), is_empty.eq(ip_length < MINIMUM_IP_LENGTH)]
            m.d.comb += is_long.eq(ip_length > most - ETHERNET_HEADER)
        with m.Elif((ethertype == IPV6_ETHERTYPE) & (version == IPV6_VERSION)):
            payload_length = Cat(there[19], there[18])
            m.d.comb += frame_bytes.eq(payload_length + (ETHERNET_HEADER + IPV6_HEADER))
            m.d.comb += is_long.eq(payload_length > most - (ETHERNET_HEADER + IPV6_HEADER))
        with m.Else():
            m.d.comb += [frame_bytes.eq(rest), is_long.eq(rest > most)]
        with m.If(take_measured):
            m.d.sync += measured_valid.eq(0)
        with m.If(read.en):
            m.d.sync += [
                measured_valid.eq(1),
                later_rest.eq(rest - FLIT_BYTES),
                measured.data.eq(line.data),
                measured.kind.eq(line.kind),
                measured.address.eq(line.address),
                measured.available.eq(Mux(rest >= FLIT_BYTES, FLIT_BYTES, rest[:6])),
                measured.buffer.eq(line.buffer),
                measured.first.eq(line.first),
                measured.last.eq(line.last),
                measured.error.eq(line.error),
                measured.framed.eq(line.framed),
                measured.frame_bytes.eq(frame_bytes),
                measured.unsendable.eq(is_empty | is_long),
            ]

        # decide
        decided_valid, decided, decided_bytes = Signal(), Signal(TxFlit), Signal(7)
        has_flit, has_result, result, take_decided = Signal(), Signal(), Signal(TxResult), Signal()
        can_decide, spill, conflict = Signal(), Signal(), Signal()
        inside, owner, missing = Signal(), Signal(10), Signal(14)  # of an unfinished frame; the bytes that it lacks
        has_begun = Signal()  # it had more than its header line
        frame = Signal(UnfinishedFrame)  # what of it is in earlier requests, once there are any
        skip, failed = Signal(), Signal()  # the rest of this request; whether a line of it was an error
        is_request, is_fragment, has_data, is_mine = Signal(), Signal(), Signal(), Signal()
        is_mark_of_request = Signal()
        m.d.comb += [
            is_request.eq(measured.kind == ReadKind.REQUEST),
            is_fragment.eq(measured.kind == ReadKind.FRAGMENT),
            is_mark_of_request.eq(measured.kind == ReadKind.NOTHING),
            has_data.eq(is_request | is_fragment),
            is_mine.eq(inside & (measured.buffer == owner)),
            can_decide.eq(measured_valid & (~decided_valid | take_decided)),
            spill.eq(measured_valid & has_data & measured.first & inside & ~is_mine),
            conflict.eq(can_decide & is_request & measured.first & ~inside & (row.held != 0)),
            decide.eq(can_decide & ~spill & ~conflict),
            take_measured.eq(decide | conflict),
        ]
        with m.If(spill):
            m.d.comb += [write.addr.eq(owner), write.data.eq(frame), write.en.eq(1)]
            m.d.sync += [inside.eq(0), frame.held.eq(0)]
        m.d.sync += self.rewind.valid.eq(conflict)
        with m.If(conflict):
            m.d.sync += [
                epoch.eq(~epoch),
                self.rewind.payload.count.eq(row.count),
                self.rewind.payload.framed.eq(row.framed),
                self.rewind.payload.fragments.eq(row.fragments),
            ]

        # of a line with data
        held, is_header, frame_rest, used = Signal(3), Signal(), Signal(14), Signal(7)
        ends_frame, drop, keep, stays, is_over = Signal(), Signal(), Signal(), Signal(), Signal()
        is_cut = Signal()  # the request has fewer bytes in this line than the frame
        begins_part, part, count, part_address, part_flits = Signal(), Signal(8), Signal(3), Signal(58), Signal(8)
        holds, drops_unfinished = Signal(), Signal()
        m.d.comb += [
            held.eq(Mux(is_mine, frame.held, row.held)),
            is_header.eq(measured.framed & ~inside),
            frame_rest.eq(Mux(inside, missing, measured.frame_bytes)),
            # less than a line of the frame is left, or just one; asked so, because <= would be a chain of carries
            ends_frame.eq(~is_header & ((frame_rest[6:] == 0) | (frame_rest == FLIT_BYTES))),
            is_cut.eq(Mux(ends_frame, frame_rest[:7] > measured.available, measured.available != FLIT_BYTES)),
            used.eq(Mux(ends_frame, frame_rest, FLIT_BYTES)),
            drop.eq(~skip & (measured.error | (~inside & measured.unsendable) | is_cut)),
            keep.eq(~skip & ~drop),
            stays.eq(keep & ~ends_frame & measured.last),
            holds.eq(Mux(has_data, stays & is_request, is_mark_of_request & (held != 0)) & (held != MOST_FRAGMENTS)),
            drops_unfinished.eq(
                Mux(
                    has_data,
                    stays & is_request & (held == MOST_FRAGMENTS),
                    (held == MOST_FRAGMENTS) | (~is_mark_of_request & (held != 0)),
                )
            ),
            is_over.eq((has_data & ((keep & ends_frame) | drop)) | drops_unfinished),
            begins_part.eq(~inside | measured.first),
            part.eq(Mux(begins_part, 1, part_flits + 1)),
            count.eq(Mux(inside, frame.count, 0)),
        ]
        with m.If(decide & has_data):
            m.d.sync += [
                inside.eq(keep & ~ends_frame & ~drops_unfinished),
                owner.eq(measured.buffer),
                has_begun.eq(~is_header),
                missing.eq(Mux(is_header, frame_rest, frame_rest - FLIT_BYTES)),
                skip.eq((skip | drop) & ~(is_request & measured.last)),
                failed.eq((failed | (is_request & measured.error)) & ~measured.last),
                part_flits.eq(part),
                frame.held.eq(Mux(is_over, 0, held + holds)),
                frame.count.eq(count + stays),
            ]
            with m.If(begins_part):
                m.d.sync += part_address.eq(measured.address)
            with m.If(~inside):
                m.d.sync += frame.framed.eq(measured.framed)
            with m.If(stays):
                fragment = frame.fragments[count[:2]]
                m.d.sync += [
                    fragment.address.eq(Mux(begins_part, measured.address, part_address)),
                    fragment.flits.eq(part),
                ]
            with m.If(~inside & (row.held != 0)):  # it was read again: its row ends
                m.d.comb += [write.addr.eq(measured.buffer), write.en.eq(1)]
        with m.Elif(decide & is_mine):
            m.d.sync += [inside.eq(holds), frame.held.eq(Mux(holds, held + 1, 0))]
        with m.Elif(decide & (held != 0)):
            m.d.comb += [
                write.addr.eq(measured.buffer),
                write.data.eq(row),
                write.data.held.eq(Mux(holds, held + 1, 0)),
                write.en.eq(1),
            ]

        # results: those of fragments count for the request that follows them
        now, before = Signal(TxResult), Signal(TxResult)
        m.d.comb += [
            now.released.eq(before.released),
            now.released_code.eq(before.released_code),
            now.held.eq(holds),
            now.place.eq(held),
            now.code.eq(Mux(failed | measured.error, TxCompletionCode.READ_ERROR, TxCompletionCode.OK)),
            self.tx_error.eq(decide & ((has_data & drop) | drops_unfinished)),
        ]
        with m.If(is_over & (held != 0)):
            m.d.comb += [now.released.eq(held), now.released_code.eq(TxCompletionCode.OK)]
            with m.If(drops_unfinished):
                m.d.comb += now.released_code.eq(TxCompletionCode.UNFINISHED)
            with m.Elif(is_fragment & measured.error):
                m.d.comb += now.released_code.eq(TxCompletionCode.READ_ERROR)
        with m.If(has_data & drops_unfinished):
            m.d.comb += now.code.eq(TxCompletionCode.UNFINISHED)
        with m.If(decide):
            m.d.sync += [
                before.eq(now),
                decided.data.eq(measured.data),
                decided_bytes.eq(used),
                decided.first.eq(~inside | ~has_begun),
                decided.last.eq(ends_frame),
                has_flit.eq(has_data & keep & ~is_header),
                has_result.eq(measured.last & ~is_fragment),
                result.eq(now),
            ]
            with m.If(measured.last & ~is_fragment):
                m.d.sync += before.eq(0)
        with m.If(decide | take_decided):
            m.d.sync += decided_valid.eq(decide)

        # mask and pad
        flit = self.flit.payload
        is_short = decided.first & decided.last & (decided_bytes < MINIMUM_FRAME)
        m.d.comb += [
            take_decided.eq(decided_valid & (~has_flit | self.flit.ready)),
            self.flit.valid.eq(decided_valid & has_flit),
            flit.data.eq(decided.data & byte_mask(decided_bytes)),
            flit.bytes.eq(Mux(is_short, MINIMUM_FRAME, decided_bytes)),
            flit.first.eq(decided.first),
            flit.last.eq(decided.last),
            self.done.valid.eq(take_decided & has_result),
            self.done.payload.eq(result),
        ]

        m.d.comb += self.idle.eq(self.ready & ~spill & ~take_measured & ~take_decided & ~self.rewind.valid)
        return m
