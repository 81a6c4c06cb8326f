"""The door of the NIC: which frames come in, how long they are, and what they are steered by."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.bits import byte_mask, count_ones
from enso_nic.config import FLIT_BYTES, NicConfig
from enso_nic.layouts import AdmissionTap, AdmittedFrame, BufferedFlit, DropCause, EthernetRx, FlowKey

ETHERNET_HEADER = 14
ETHERTYPE_IPV4 = 0x0800
PROTOCOL_TCP, PROTOCOL_UDP = 6, 17
TCP_SYN = 1 << 1
TCP_FLAGS_OFFSET = 13
# IP header lengths in words, up to which the ports, or the TCP flags too, lie within the first flit
LONGEST_WITH_PORTS = (FLIT_BYTES - 4 - ETHERNET_HEADER) // 4
LONGEST_WITH_FLAGS = (FLIT_BYTES - 1 - TCP_FLAGS_OFFSET - ETHERNET_HEADER) // 4


class IpHeader(data.Struct):
    """What the first flit tells of its frame, kept for the flits that follow."""

    key: FlowKey
    end: 17  # bytes of the frame up to the end of its IP packet
    is_ip: 1
    is_sound: 1  # header length and total length make sense
    has_room: 1  # the packet buffer could take a whole frame when this one began
    in_reset: 1


class RxParser(wiring.Component):
    """Decides about each frame by its last beat, and trims it to its IP length.

    Guarantees: one ``verdict`` per frame, in order; a frame is either committed whole or rolled back; bytes beyond the
    IP length are 0; ``frame`` is valid in the cycle of ``flit.commit``.
    Latency: 2 cycles from a beat to its flit. Takes a beat each cycle: a MAC cannot wait.
    The verdicts and their order are in docs/design.md.
    """

    i: In(stream.Signature(EthernetRx, always_ready=True))
    has_room: In(1)  # the packet buffer can take a maximum frame
    is_open: In(1)  # the tables are clear
    flit: Out(stream.Signature(BufferedFlit, always_ready=True))
    frame: Out(stream.Signature(AdmittedFrame, always_ready=True))
    verdict: Out(stream.Signature(AdmissionTap, always_ready=True))
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._config = config
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()

        # stage 1: count. Where a frame begins must outlive a reset in its middle.
        at_start = Signal(init=1, reset_less=True)
        flits_before = Signal(8)
        beat = Signal(EthernetRx)
        valid, first = Signal(), Signal()
        index, count = Signal(8), Signal(7)
        m.d.sync += valid.eq(self.i.valid)
        with m.If(self.i.valid):
            m.d.sync += [
                beat.eq(self.i.payload),
                first.eq(at_start),
                count.eq(count_ones(m, self.i.payload.keep)),
                index.eq(Mux(at_start, 0, flits_before)),
                # a giant must not come round to 0
                flits_before.eq(Mux(at_start, 1, flits_before + (flits_before != 0xFF))),
                at_start.eq(self.i.payload.last),
            ]

        # stage 2: judge
        parsed, header = self._parse(m, beat.data, count), Signal(IpHeader)
        kept = Signal(IpHeader, init={"in_reset": 1})  # a reset cuts off the frame that it meets
        m.d.comb += header.eq(Mux(first, parsed, kept))
        with m.If(valid):
            m.d.sync += kept.eq(header)

        length = Signal(15)
        m.d.comb += length.eq(index * FLIT_BYTES + count)
        cause = Signal(DropCause)
        with m.If(header.in_reset):
            m.d.comb += cause.eq(DropCause.IN_RESET)
        with m.Elif(beat.error):
            m.d.comb += cause.eq(DropCause.BAD_FRAME)
        with m.Elif(length > self._config.maximum_frame):
            m.d.comb += cause.eq(DropCause.TOO_LONG)
        with m.Elif(~header.is_ip):
            m.d.comb += cause.eq(DropCause.NOT_IP)
        with m.Elif(~header.is_sound | (header.end > length)):
            m.d.comb += cause.eq(DropCause.BAD_IP_LENGTH)
        with m.Elif(~header.has_room):
            m.d.comb += cause.eq(DropCause.PACKET_BUFFER_FULL)

        admissible = ~header.in_reset & header.is_ip & header.is_sound & header.has_room
        within = (index * FLIT_BYTES < header.end) & (index < self._config.maximum_frame_flits)
        remaining, kept_bytes = Signal(17), Signal(7)
        m.d.comb += [
            remaining.eq(header.end - index * FLIT_BYTES),
            kept_bytes.eq(Mux(remaining > FLIT_BYTES, FLIT_BYTES, remaining)),
        ]
        ends = valid & beat.last
        good = cause == DropCause.NONE
        m.d.sync += [
            self.flit.valid.eq(valid),
            self.flit.payload.write.eq(admissible & within),
            self.flit.payload.commit.eq(ends & good),
            self.flit.payload.rollback.eq(ends & ~good),
            self.frame.valid.eq(ends & good),
            self.verdict.valid.eq(ends),
        ]
        with m.If(valid):
            m.d.sync += [
                self.flit.payload.data.eq(beat.data & byte_mask(kept_bytes)),
                self.frame.payload.key.eq(header.key),
                self.frame.payload.flits.eq((header.end + FLIT_BYTES - 1) // FLIT_BYTES),
                self.verdict.payload.cause.eq(cause),
            ]
        m.d.comb += self.idle.eq(~valid & ~self.flit.valid)
        return m

    def _parse(self, m: Module, flit: Value, count: Value) -> Value:
        """The IpHeader of a frame's first flit, of which ``count`` bytes belong to the frame."""

        def field(offset: int, size: int) -> Value:
            """``size`` bytes in network order."""
            return Cat(flit.word_select(offset + size - 1 - i, 8) for i in range(size))

        header = Signal(IpHeader, name="parsed")
        header_words = field(14, 1)[:4]
        total_length = field(16, 2)
        fragment_offset = field(20, 2)[:13]
        protocol = field(23, 1)
        layer4 = header_words * 4  # offset from the IP header

        ports, flags = Signal(32), Signal(8)
        m.d.comb += [
            ports.eq(Array(field(14 + 4 * words, 4) for words in range(LONGEST_WITH_PORTS + 1))[header_words]),
            flags.eq(
                Array(field(14 + TCP_FLAGS_OFFSET + 4 * words, 1) for words in range(LONGEST_WITH_FLAGS + 1))[
                    header_words
                ]
            ),
        ]
        is_whole = fragment_offset == 0
        has_ports = (header_words <= LONGEST_WITH_PORTS) & (layer4 + 4 <= total_length)
        is_udp = (protocol == PROTOCOL_UDP) & is_whole & has_ports
        is_tcp = (
            (protocol == PROTOCOL_TCP)
            & is_whole
            & (header_words <= LONGEST_WITH_FLAGS)
            & (layer4 + TCP_FLAGS_OFFSET + 1 <= total_length)
        )
        is_connected = is_tcp & ((flags & TCP_SYN) == 0)

        m.d.comb += [
            header.key.destination_address.eq(field(30, 4)),
            header.end.eq(ETHERNET_HEADER + total_length),
            header.is_ip.eq((count > ETHERNET_HEADER) & (field(12, 2) == ETHERTYPE_IPV4) & (field(14, 1)[4:] == 4)),
            header.is_sound.eq((header_words >= 5) & (total_length >= layer4)),
            header.has_room.eq(self.has_room),
            header.in_reset.eq(~self.is_open),
        ]
        with m.If(is_udp | is_tcp):
            m.d.comb += header.key.destination_port.eq(ports[:16])
        with m.If(is_connected):
            m.d.comb += [header.key.source_port.eq(ports[16:]), header.key.source_address.eq(field(26, 4))]
        return header
