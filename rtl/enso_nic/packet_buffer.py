"""Where admitted frames wait for their pipe."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.bits import NEVER_BOTH, byte_mask, flits
from enso_nic.config import FLIT_BYTES, FLIT_SHIFT, NicConfig
from enso_nic.layouts import BufferedFlit, FrameDetails, FrameHeader, PacketRead


class PacketBuffer(wiring.Component):
    """Keeps frames until it is told whether they are bad, and shows what of each its pipe takes, in the same order.

    That is a FrameHeader if ``read`` asks for one, then ``kept`` bytes of the frame, in flits that end with zeros. Each
    read, also one that drops its frame, takes one item of ``details``.

    Guarantees: ``has_room`` means that a frame of the maximum length that begins now fits; a dropped frame takes 1
    cycle, whatever its length, and so do flits that are not kept.
    Latency: 1 cycle from a read to its first flit; a flit per cycle, across frames too. Back-pressure on ``o`` stops
    reads, never writes: the writer asks ``has_room`` first.
    """

    flit: In(stream.Signature(BufferedFlit, always_ready=True))
    has_room: Out(1)
    read: In(stream.Signature(PacketRead))  # only of frames that were committed
    details: In(stream.Signature(FrameDetails))
    o: Out(stream.Signature(512))
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._config = config
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = self._config.packet_buffer_flits
        m.submodules.flits = memory_of_flits = memory.Memory(shape=512, depth=depth, init=[], attrs=NEVER_BOTH)
        write, read = memory_of_flits.write_port(), memory_of_flits.read_port()

        # one bit more than an address, so that full and empty differ
        frame_start, write_index, read_index = (Signal(range(2 * depth)) for _ in range(3))
        next_write, following = Signal.like(write_index), Signal.like(write_index)
        used = Signal.like(write_index)
        m.d.comb += [
            write.addr.eq(write_index),
            write.data.eq(self.flit.payload.data),
            write.en.eq(self.flit.valid & self.flit.payload.write),
            next_write.eq(write_index + write.en),
            following.eq(next_write),
            # as this cycle leaves it: the next frame's first beat may be right behind
            used.eq(following - read_index),
            self.has_room.eq(depth - used >= self._config.maximum_frame_flits),
        ]
        m.d.sync += write_index.eq(following)
        with m.If(self.flit.valid & self.flit.payload.rollback):
            m.d.comb += following.eq(frame_start)
        with m.Elif(self.flit.valid & self.flit.payload.commit):
            m.d.sync += frame_start.eq(next_write)

        # what this cycle shows of the oldest frame
        wanted, can_read = self.read.payload, Signal()
        shown, shows_header, header_shown = Signal(8), Signal(), Signal()  # shown: flits of this frame so far
        flits_kept, flits_stored, bytes_left = Signal(8), Signal(8), Signal(14)
        ends, issue, advance = Signal(), Signal(), Signal()
        m.d.comb += [
            flits_kept.eq(flits(wanted.kept)),
            flits_stored.eq(flits(wanted.length)),
            bytes_left.eq(wanted.kept - (shown << FLIT_SHIFT)),
            advance.eq(~self.o.valid | self.o.ready),
            can_read.eq(self.read.valid & self.details.valid),
            shows_header.eq(wanted.header & ~header_shown),
            ends.eq(~shows_header & (shown + 1 == flits_kept)),
            issue.eq(can_read & ~wanted.drop & advance),
            self.read.ready.eq(self.details.valid & (wanted.drop | (advance & ends))),
            self.details.ready.eq(self.read.valid & self.read.ready),
        ]

        # the memory's output register is the output, but for a header; it holds while stalled
        is_header, header, mask_bytes = Signal(), Signal(FrameHeader), Signal(7)
        m.d.comb += [
            read.addr.eq(read_index),
            read.en.eq(issue & ~shows_header),
            self.o.payload.eq(Mux(is_header, header.as_value(), read.data & byte_mask(mask_bytes))),
        ]
        with m.If(advance):
            m.d.sync += self.o.valid.eq(issue)
        with m.If(issue):
            m.d.sync += [
                is_header.eq(shows_header),
                header_shown.eq(shows_header | (header_shown & ~ends)),
                mask_bytes.eq(Mux(bytes_left > FLIT_BYTES, FLIT_BYTES, bytes_left)),
            ]
            with m.If(shows_header):
                m.d.sync += [
                    header.length.eq(wanted.length),
                    header.hash.eq(self.details.payload.hash),
                    header.arrival.eq(self.details.payload.arrival),
                    header.drops.eq(wanted.drops),
                ]
            with m.Elif(ends):
                m.d.sync += [shown.eq(0), read_index.eq(read_index + flits_stored - shown)]
            with m.Else():
                m.d.sync += [shown.eq(shown + 1), read_index.eq(read_index + 1)]
        with m.Elif(can_read & wanted.drop):
            m.d.sync += read_index.eq(read_index + flits_stored)

        m.d.comb += self.idle.eq(~self.read.valid & ~self.o.valid & ~self.flit.valid)
        return m
