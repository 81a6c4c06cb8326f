"""Whether the frames of a FrameSource come back."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.layouts import EthernetTx
from onchip.frame_source import FrameSource


class FrameChecker(wiring.Component):
    """Compares frames, byte by byte, with those that a FrameSource of its own makes.

    Guarantees: once ``failed`` is set it stays. It takes a beat in each cycle.
    Latency: ``failed`` is set in the cycle behind the beat that differs.
    """

    i: In(stream.Signature(EthernetTx))
    frames: Out(32)  # that came and were right
    failed: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.source = source = FrameSource()
        came, due = self.i.payload, source.o.payload
        differs = Signal()
        kept = Cat(Mux(came.keep[byte], came.data.word_select(byte, 8), 0) for byte in range(64))
        m.d.comb += [
            source.enable.eq(1),
            source.o.ready.eq(self.i.valid),
            self.i.ready.eq(1),
            differs.eq((kept != due.data) | (came.keep != due.keep) | (came.last != due.last)),
        ]
        with m.If(self.i.valid):
            with m.If(differs):
                m.d.sync += self.failed.eq(1)
            with m.Elif(came.last & ~self.failed):
                m.d.sync += self.frames.eq(self.frames + 1)
        return m
