"""The door of the NIC: which frames come in, how long they are, and what they are steered by."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.bits import count_kept, network_order, replaced
from enso_nic.config import FLIT_BYTES, FLIT_SHIFT, NicConfig
from enso_nic.layouts import (
    AdmissionTap,
    AdmittedFrame,
    BufferedFlit,
    DropCause,
    EthernetRx,
    FlowKey,
    TimestampSetting,
)

ETHERNET_HEADER, IPV6_HEADER = 14, 40
ETHERTYPE_IPV4, ETHERTYPE_IPV6 = 0x0800, 0x86DD
FRAGMENT_BYTES = (20, 21)
STAMP_BYTES = 4
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
    is_ipv6: 1
    is_ip: 1  # of a version that pipes without header mode take
    is_sound: 1  # header length and total length make sense
    has_room: 1  # the packet buffer could take a whole frame when this one began
    in_reset: 1
    arrival: 64
    timestamp: TimestampSetting
    full_tuple: 1


class RxParser(wiring.Component):
    """Decides about each frame by its last beat whether it comes in, and tells what a pipe may make of it.

    While time stamps are on, the 4 bytes at their offset become the low 32 bits of the tick minus what they were, both
    in network order, before anything else looks at the frame. A fragment offset that they cover does not count.

    Guarantees: one ``verdict`` per frame, in order; a frame is either committed whole or rolled back; ``frame`` is
    valid in the cycle of ``flit.commit``. Bytes of the last flit beyond the frame may be anything.
    Latency: 2 cycles from a beat to its flit. Takes a beat each cycle: a MAC cannot wait.
    The verdicts and their order are in docs/design.md.
    """

    i: In(stream.Signature(EthernetRx, always_ready=True))
    has_room: In(1)  # the packet buffer can take a maximum frame
    is_open: In(1)  # the tables are clear
    accept_ipv6: In(1)  # pipes without header mode take IPv6
    full_tuple: In(1)  # keys have the source, too
    timestamp: In(TimestampSetting)
    tick: In(64)  # 5 ns
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
        timestamp, arrival = Signal(TimestampSetting), Signal(64)
        flit = Signal(512)
        m.d.comb += flit.eq(self.i.payload.data)
        with m.If(self.timestamp.enable & at_start):
            place = Cat(Const(0, 3), self.timestamp.offset)
            is_there = (self.i.payload.keep >> self.timestamp.offset)[:STAMP_BYTES]
            in_frame = Cat(bit.replicate(8) for bit in is_there)  # else garbage would borrow from what is
            sent = network_order((self.i.payload.data >> place)[: 8 * STAMP_BYTES] & in_frame)
            passed = (self.tick - sent)[: 8 * STAMP_BYTES]
            m.d.comb += flit.eq(replaced(m, self.i.payload.data, self.timestamp.offset, network_order(passed)))
        m.d.sync += valid.eq(self.i.valid)
        with m.If(self.i.valid):
            m.d.sync += [
                beat.eq(self.i.payload),
                beat.data.eq(flit),
                timestamp.eq(self.timestamp),
                arrival.eq(self.tick),
                first.eq(at_start),
                count.eq(count_kept(m, self.i.payload.keep)),
                index.eq(Mux(at_start, 0, flits_before)),
                # a giant must not come round to 0
                flits_before.eq(Mux(at_start, 1, flits_before + (flits_before != 0xFF))),
                at_start.eq(self.i.payload.last),
            ]

        # stage 2: judge
        parsed, header = self._parse(m, beat.data, count, timestamp), Signal(IpHeader)
        m.d.comb += [parsed.arrival.eq(arrival), parsed.timestamp.eq(timestamp)]
        kept = Signal(IpHeader, init={"in_reset": 1})  # a reset cuts off the frame that it meets
        m.d.comb += header.eq(Mux(first, parsed, kept))
        with m.If(valid):
            m.d.sync += kept.eq(header)

        length = Signal(15)
        m.d.comb += length.eq((index << FLIT_SHIFT) + count)
        cause = Signal(DropCause)
        with m.If(header.in_reset):
            m.d.comb += cause.eq(DropCause.IN_RESET)
        with m.Elif(beat.error):
            m.d.comb += cause.eq(DropCause.BAD_FRAME)
        with m.Elif(length > self._config.maximum_frame):
            m.d.comb += cause.eq(DropCause.TOO_LONG)
        with m.Elif(~header.has_room):
            m.d.comb += cause.eq(DropCause.PACKET_BUFFER_FULL)

        refusal = Signal(DropCause)
        with m.If(~header.is_ip):
            m.d.comb += refusal.eq(DropCause.NOT_IP)
        with m.Elif(~header.is_sound | (header.end > length)):
            m.d.comb += refusal.eq(DropCause.BAD_IP_LENGTH)
        has_key = ~refusal.as_value().any() & ~header.is_ipv6

        admissible = ~header.in_reset & header.has_room
        ends = valid & beat.last
        good = cause == DropCause.NONE
        m.d.sync += [
            self.flit.valid.eq(valid),
            self.flit.payload.write.eq(admissible & (index < self._config.maximum_frame_flits)),
            self.flit.payload.commit.eq(ends & good),
            self.flit.payload.rollback.eq(ends & ~good),
            self.frame.valid.eq(ends & good),
            self.verdict.valid.eq(ends),
        ]
        with m.If(valid):
            m.d.sync += [
                self.flit.payload.data.eq(beat.data),
                self.frame.payload.key.eq(Mux(has_key, header.key.as_value(), 0)),
                self.frame.payload.length.eq(length),
                self.frame.payload.end.eq(header.end),
                self.frame.payload.refusal.eq(refusal),
                self.frame.payload.arrival.eq(header.arrival),
                self.verdict.payload.cause.eq(cause),
                self.verdict.payload.refusal.eq(refusal),
                self.verdict.payload.timestamp.eq(header.timestamp),
                self.verdict.payload.full_tuple.eq(header.full_tuple),
            ]
        m.d.comb += self.idle.eq(~valid & ~self.flit.valid)
        return m

    def _parse(self, m: Module, flit: Value, count: Value, timestamp: data.View) -> data.View:
        """The IpHeader of a frame's first flit, of which ``count`` bytes belong to the frame."""

        def field(offset: int, size: int) -> Value:
            """``size`` bytes in network order."""
            return network_order(flit[8 * offset : 8 * (offset + size)])

        header = Signal(IpHeader, name="parsed")
        header_words, version = field(14, 1)[:4], field(14, 1)[4:]
        total_length = field(16, 2)
        total_words = total_length[2:]
        fragment_offset = field(20, 2)[:13]
        protocol = field(23, 1)

        ports, flags = Signal(32), Signal(8)
        m.d.comb += [
            ports.eq(Array(field(14 + 4 * words, 4) for words in range(LONGEST_WITH_PORTS + 1))[header_words]),
            flags.eq(
                Array(field(14 + TCP_FLAGS_OFFSET + 4 * words, 1) for words in range(LONGEST_WITH_FLAGS + 1))[
                    header_words
                ]
            ),
        ]
        first, last = FRAGMENT_BYTES
        hides_fragments = timestamp.enable & (timestamp.offset > first - STAMP_BYTES) & (timestamp.offset <= last)
        is_whole = (fragment_offset == 0) | hides_fragments
        has_ports = (header_words <= LONGEST_WITH_PORTS) & (total_words > header_words)
        is_udp = (protocol == PROTOCOL_UDP) & is_whole & has_ports
        is_tcp = (
            (protocol == PROTOCOL_TCP)
            & is_whole
            & (header_words <= LONGEST_WITH_FLAGS)
            # the length is 14 more than that of the header: 3 words, and half of one
            & (total_words + total_length[1] > header_words + TCP_FLAGS_OFFSET // 4)
        )
        is_connected = is_tcp & ((flags & TCP_SYN) == 0)

        m.d.comb += [
            header.key.destination_address.eq(field(30, 4)),
            header.is_ipv6.eq(
                (count > ETHERNET_HEADER) & (field(12, 2) == ETHERTYPE_IPV6) & (version == 6) & self.accept_ipv6
            ),
            header.is_ip.eq(
                header.is_ipv6 | ((count > ETHERNET_HEADER) & (field(12, 2) == ETHERTYPE_IPV4) & (version == 4))
            ),
            header.end.eq(
                Mux(header.is_ipv6, ETHERNET_HEADER + IPV6_HEADER + field(18, 2), ETHERNET_HEADER + total_length)
            ),
            header.is_sound.eq(header.is_ipv6 | ((header_words >= 5) & (total_words >= header_words))),
            header.has_room.eq(self.has_room),
            header.in_reset.eq(~self.is_open),
            header.full_tuple.eq(self.full_tuple),
        ]
        with m.If(is_udp | is_tcp):
            m.d.comb += header.key.destination_port.eq(ports[:16])
        with m.If(is_connected | ((is_udp | is_tcp) & self.full_tuple)):
            m.d.comb += header.key.source_port.eq(ports[16:])
        with m.If(is_connected | self.full_tuple):
            m.d.comb += header.key.source_address.eq(field(26, 4))
        return header
