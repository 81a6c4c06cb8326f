"""Cuts the data of TX requests into frames."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.bits import byte_mask
from enso_nic.config import FLIT_BYTES, MINIMUM_FRAME, NicConfig
from enso_nic.layouts import FrameHeader, ReadLine, TxCompletionCode, TxFlit

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

    Each frame begins at a flit. One may go on in the next request, if that is of the same notification buffer and
    this one ended with a whole flit. A frame that is too long, an IPv4 length below 20, a header line of length 0, a request that ends
    inside a flit of an unfinished frame, and a host read error drop the frame and the rest of that request; a request
    of another buffer drops the frame that the one before left unfinished. ``tx_error`` pulses once for each of these.

    Guarantees: ``flit`` never has more flits in a frame than a maximum frame; it may begin a frame without having ended
    the one before, which is then void; ``done`` gives each request's code, in order, when its last flit has been taken.
    Latency: 2 cycles. A line per cycle. Back-pressure on ``flit`` reaches ``line`` in the same cycle.
    ``idle``: only a transfer on one of its streams can change its state.
    """

    line: In(stream.Signature(ReadLine))
    flit: Out(stream.Signature(TxFlit))
    done: Out(stream.Signature(TxCompletionCode, always_ready=True))
    tx_error: Out(1)
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._maximum_frame = config.maximum_frame
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        measured_valid, measured = Signal(), Signal(Measured)
        decided_valid, decided, decided_bytes = Signal(), Signal(TxFlit), Signal(7)
        has_flit, ends_request, code = Signal(), Signal(), Signal(TxCompletionCode)
        take_measured, take_decided = Signal(), Signal()

        # measure
        line = self.line.payload
        rest, later_rest = Signal(20), Signal(20)  # bytes of the request from this line on
        header = [Mux(rest > i, line.data.word_select(i, 8), 0) for i in range(20)]
        header_line = data.View(FrameHeader, line.data)
        ethertype, version = Signal(16), Signal(4)
        frame_bytes, is_empty = Signal(32), Signal()  # is_empty: the length that the data says cannot be
        m.d.comb += [
            ethertype.eq(Cat(header[13], header[12])),
            version.eq(header[14][4:]),
            rest.eq(Mux(line.first, line.length, later_rest)),
            self.line.ready.eq(~measured_valid | take_measured),
        ]
        with m.If(line.framed):
            m.d.comb += [frame_bytes.eq(header_line.length), is_empty.eq(header_line.length == 0)]
        with m.Elif((ethertype == IPV4_ETHERTYPE) & (version == IPV4_VERSION)):
            ip_length = Cat(header[17], header[16])
            m.d.comb += [frame_bytes.eq(ip_length + ETHERNET_HEADER), is_empty.eq(ip_length < MINIMUM_IP_LENGTH)]
        with m.Elif((ethertype == IPV6_ETHERTYPE) & (version == IPV6_VERSION)):
            m.d.comb += frame_bytes.eq(Cat(header[19], header[18]) + ETHERNET_HEADER + IPV6_HEADER)
        with m.Else():
            m.d.comb += frame_bytes.eq(rest)
        with m.If(self.line.ready):
            m.d.sync += measured_valid.eq(self.line.valid)
        with m.If(self.line.valid & self.line.ready):
            m.d.sync += [
                later_rest.eq(rest - FLIT_BYTES),
                measured.data.eq(line.data),
                measured.available.eq(Mux(rest >= FLIT_BYTES, FLIT_BYTES, rest[:6])),
                measured.buffer.eq(line.buffer),
                measured.first.eq(line.first),
                measured.last.eq(line.last),
                measured.error.eq(line.error),
                measured.framed.eq(line.framed),
                measured.frame_bytes.eq(frame_bytes),
                measured.unsendable.eq(is_empty | (frame_bytes > self._maximum_frame)),
            ]

        # decide
        inside, owner, missing = Signal(), Signal(10), Signal(14)  # of an unfinished frame; the bytes that it lacks
        has_begun, is_header = Signal(), Signal()  # the unfinished frame had more than its header line
        skip, failed = Signal(), Signal()  # the rest of this request; whether a line of it was an error
        abandon, decide, drop, keep = Signal(), Signal(), Signal(), Signal()
        frame_rest, used = Signal(14), Signal(7)  # bytes of the frame from this line on, and in it
        ends_frame = Signal()
        m.d.comb += [
            abandon.eq(measured_valid & inside & measured.first & (measured.buffer != owner)),
            decide.eq(measured_valid & ~abandon & (~decided_valid | take_decided)),
            take_measured.eq(decide),
            frame_rest.eq(Mux(inside, missing, measured.frame_bytes)),
            is_header.eq(measured.framed & ~inside),
            ends_frame.eq(~is_header & (frame_rest <= FLIT_BYTES)),
            used.eq(Mux(ends_frame, frame_rest, FLIT_BYTES)),
            drop.eq(measured.error | (~inside & measured.unsendable) | (used > measured.available)),
            keep.eq(~skip & ~drop),
            self.tx_error.eq(abandon | (decide & ~skip & drop)),
        ]
        with m.If(abandon):
            m.d.sync += inside.eq(0)
        with m.If(decide):
            m.d.sync += [
                inside.eq(keep & ~ends_frame),
                owner.eq(measured.buffer),
                has_begun.eq(~is_header),
                missing.eq(Mux(is_header, frame_rest, frame_rest - FLIT_BYTES)),
                skip.eq((skip | drop) & ~measured.last),
                failed.eq((failed | measured.error) & ~measured.last),
                decided.data.eq(measured.data),
                decided_bytes.eq(used),
                decided.first.eq(~inside | ~has_begun),
                decided.last.eq(ends_frame),
                has_flit.eq(keep & ~is_header),
                ends_request.eq(measured.last),
                code.eq(Mux(failed | measured.error, TxCompletionCode.READ_ERROR, TxCompletionCode.OK)),
            ]
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
            self.done.valid.eq(take_decided & ends_request),
            self.done.payload.eq(code),
        ]

        m.d.comb += self.idle.eq(~abandon & ~decide & ~take_decided)
        return m
