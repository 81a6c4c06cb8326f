"""Frames that two places can make alike: one sends them, the other knows what must come."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.layouts import EthernetTx

SHORTEST = 60
"""Bytes of the shortest frame."""
LONGEST = 315
LONGEST_FLITS = -(-LONGEST // 64)
_HEADER_BYTES = 38
"""Ethernet, IPv4 without options, and the ports; behind them the pattern begins."""
_DESTINATION = (0x0A000001, 1024)
"""Address and UDP port of all frames."""


class FrameSource(wiring.Component):
    """UDP frames of 60 to 315 bytes, numbered from 0: number and size decide each byte.

    Guarantees: an offered beat stays until it is taken; bytes behind a frame's end are 0. IPv4 lengths are right,
    checksums are 0. A frame's size follows from its number, and all sizes come.
    Latency: a beat per cycle. Back-pressure: nothing moves.

    Attributes
    ----------
    number
        Of the frame that is being sent.
    """

    enable: In(1)  # at the start of a frame: send it
    number: Out(32)
    o: Out(stream.Signature(EthernetTx))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, size = Signal(range(LONGEST_FLITS)), Signal(range(SHORTEST, LONGEST + 1), init=SHORTEST)
        left = Signal(range(SHORTEST, LONGEST + 1))  # bytes from this beat on
        last, frame = self.o.payload.last, self.o.payload
        m.d.comb += [
            left.eq(size - (beat << 6)),
            last.eq(left <= 64),
            frame.keep.eq(~(Const((1 << 64) - 1, 64) << left[:7]) | ~last.replicate(64)),
            self.o.valid.eq(self.enable | (beat != 0)),
        ]
        ip_size = Signal(16)
        m.d.comb += ip_size.eq(size - 14)
        header = self._header(ip_size)
        for byte in range(64):
            value = self._pattern(beat, byte)
            if byte < _HEADER_BYTES:
                value = Mux(beat == 0, header[byte], value)
            m.d.comb += frame.data.word_select(byte, 8).eq(Mux(frame.keep[byte], value, 0))
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += beat.eq(beat + 1)
            with m.If(last):
                m.d.sync += [
                    beat.eq(0),
                    self.number.eq(self.number + 1),
                    # 37 and 256, the number of sizes, have no common factor
                    size.eq(SHORTEST + (size - SHORTEST + 37)[:8]),
                ]
        return m

    def _header(self, ip_size: Signal) -> list[Value]:
        """Byte by byte."""
        address, port = _DESTINATION
        constants = {12: 0x08, 14: 0x45, 22: 64, 23: 17, 26: 10, 29: 2, 34: 0x10, 36: port >> 8, 37: port & 0xFF}
        constants |= {30 + i: address >> 8 * (3 - i) & 0xFF for i in range(4)}
        values: list[Value] = [Const(constants.get(byte, 0), 8) for byte in range(_HEADER_BYTES)]
        values[:6] = [Const(2 + i, 8) for i in range(6)]
        values[6:12] = [Const(18 + i, 8) for i in range(6)]
        values[16], values[17] = ip_size[8:], ip_size[:8]
        return values

    def _pattern(self, beat: Value, byte: int) -> Value:
        """A byte of the number, changed by place."""
        return self.number.word_select(byte % 4, 8) ^ Cat(Const(byte, 6), beat[:2])
