"""Stores TX frames until they are whole: the wire side never pauses inside a frame."""

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.config import FLIT_BYTES, NicConfig
from enso_nic.layouts import EthernetTx, TxFlit


class StoredFlit(data.Struct):
    """A TxFlit without its beginning."""

    data: 512
    bytes: 7
    last: 1


class TxFrameBuffer(wiring.Component):
    """A ring of flits, of which only whole frames are shown.

    A flit that is ``first`` takes the place of a frame that did not end: so an unfinished frame costs nothing, and
    blocks nothing. A frame begins only when one of the maximum length has room, so that it never waits half way.

    Guarantees: frames leave in order; ``ethernet_tx.valid`` holds from a frame's first beat to its last; ``tx_frames``
    pulses with each last beat taken.
    Latency: 2 cycles from a frame's last flit to its first beat. A flit per cycle in and out.
    ``idle``: only a transfer on one of its streams can change its state.
    """

    flit: In(stream.Signature(TxFlit))  # at most a maximum frame from one ``first`` to the next
    ethernet_tx: Out(stream.Signature(EthernetTx))
    tx_frames: Out(1)
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._depth, self._maximum_frame_flits = config.tx_buffer_flits, config.maximum_frame_flits
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.flits = flits = memory.Memory(shape=StoredFlit, depth=self._depth, init=[])
        write, read = flits.write_port(), flits.read_port()

        # one bit more than an address, so that full and empty differ
        whole, shown = Signal(range(2 * self._depth)), Signal(range(2 * self._depth))  # the end of each
        used, place, length = Signal.like(whole), Signal.like(whole), Signal.like(whole)
        flit = self.flit.payload
        begun = Signal(range(self._maximum_frame_flits + 1))  # flits of the frame that is coming
        m.d.comb += [
            used.eq(whole - shown),
            self.flit.ready.eq(used <= self._depth - self._maximum_frame_flits),
            place.eq(whole),
            write.addr.eq(place),
            write.data.data.eq(flit.data),
            write.data.bytes.eq(flit.bytes),
            write.data.last.eq(flit.last),
            write.en.eq(self.flit.valid & self.flit.ready),
        ]
        with m.If(~flit.first):
            m.d.comb += place.eq(whole + begun)
        m.d.comb += length.eq(place + 1)
        with m.If(write.en):
            m.d.sync += begun.eq(length - whole)
            with m.If(flit.last):
                m.d.sync += whole.eq(length)

        # the memory's output register is the output; it holds while stalled
        advance, take = Signal(), Signal()
        beat = self.ethernet_tx.payload
        m.d.comb += [
            advance.eq(~self.ethernet_tx.valid | self.ethernet_tx.ready),
            take.eq((whole != shown) & advance),
            read.addr.eq(shown),
            read.en.eq(take),
            beat.data.eq(read.data.data),
            beat.keep.eq(Const((1 << FLIT_BYTES) - 1, FLIT_BYTES) >> (FLIT_BYTES - read.data.bytes)[:6]),
            beat.last.eq(read.data.last),
            self.tx_frames.eq(self.ethernet_tx.valid & self.ethernet_tx.ready & beat.last),
        ]
        with m.If(advance):
            m.d.sync += self.ethernet_tx.valid.eq(take)
        with m.If(take):
            m.d.sync += shown.eq(shown + 1)

        m.d.comb += self.idle.eq(~take)
        return m
