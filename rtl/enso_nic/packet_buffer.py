"""Where admitted frames wait for their pipe."""

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.config import NicConfig
from enso_nic.layouts import BufferedFlit, PacketRead


class PacketBuffer(wiring.Component):
    """A ring of flits: frames go in one by one, rolled back if they turn out bad, and come out in the same order.

    Guarantees: ``has_room`` means that a frame of the maximum length that begins now fits; a dropped frame takes 1
    cycle, whatever its length.
    Latency: 1 cycle from a read to its first flit; a flit per cycle, across frames too. Back-pressure on ``o`` stops
    reads, never writes: the writer asks ``has_room`` first.
    """

    flit: In(stream.Signature(BufferedFlit, always_ready=True))
    has_room: Out(1)
    read: In(stream.Signature(PacketRead))  # only of frames that were committed
    o: Out(stream.Signature(512))
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._config = config
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = self._config.packet_buffer_flits
        m.submodules.flits = flits = memory.Memory(shape=512, depth=depth, init=[])
        write, read = flits.write_port(), flits.read_port()

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

        # the memory's output register is the output; it holds while stalled
        advance = ~self.o.valid | self.o.ready
        shown = Signal(8)  # flits of this frame read so far
        issue = self.read.valid & ~self.read.payload.drop & advance
        is_last = shown + 1 == self.read.payload.flits
        m.d.comb += [
            read.addr.eq(read_index),
            read.en.eq(issue),
            self.o.payload.eq(read.data),
            self.read.ready.eq(self.read.payload.drop | (advance & is_last)),
        ]
        with m.If(advance):
            m.d.sync += self.o.valid.eq(issue)
        with m.If(issue):
            m.d.sync += [read_index.eq(read_index + 1), shown.eq(shown + 1)]
            with m.If(is_last):
                m.d.sync += shown.eq(0)
        with m.Elif(self.read.valid & self.read.payload.drop):
            m.d.sync += read_index.eq(read_index + self.read.payload.flits)

        m.d.comb += self.idle.eq(~self.read.valid & ~self.o.valid & ~self.flit.valid)
        return m
