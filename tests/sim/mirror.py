"""A component with the NIC's ports that shows, in what it writes and sends, the cycles in which things reached it."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFO

from enso_nic.layouts import EthernetTx, HostWrite, HostWriteKind, ReadRequest
from enso_nic.ports import NicSignature

# registers: byte addresses of the 8-byte words that may be written
LINE, READ, BURST, ALARM = 0, 8, 16, 24
SIZES = 32
"""Reads as max_payload + 16 * max_read + 256 * bus_master + 512 * reset; each other word as the cycle."""


class Command(data.Struct):
    """Value of READ and BURST."""

    line: 40  # address / 64
    flits: 8
    count: 16  # BURST: writes of `flits` lines each, one after the other


class Mirror(wiring.Component):
    """Mirrors time.

    - A frame's last beat: two cycles later a line is offered for the address in LINE, which then goes on by 64. It
      holds the cycle of that beat, the count of frames before, and the beat's data from byte 16 on.
    - READ: one read request, tags in turn. Each line that comes back is sent as a frame of 64 bytes whose last 8 bytes
      are, from bit 0, the cycle (32 bits), tag (8), index (3), last and error.
    - BURST: ``count`` writes of ``flits`` lines; all lines are numbered from 0 on, in their first 8 bytes.
    - ALARM: when ``cycle`` reaches the value, a line that holds the cycle is written as for a frame.
    - Each MMIO read but that of SIZES is answered by the cycle in which it came; other MMIO writes are ignored.
    """

    def __init__(self) -> None:
        super().__init__(NicSignature())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        host = self.host
        m.submodules.lines = lines = SyncFIFO(width=512, depth=64)  # of frames
        m.submodules.out = out = SyncFIFO(width=HostWrite.as_shape().size, depth=64)
        m.submodules.frames = frames = SyncFIFO(width=EthernetTx.as_shape().size, depth=256)
        m.submodules.reads = reads = SyncFIFO(width=ReadRequest.as_shape().size, depth=16)
        item = Signal(HostWrite)
        line, seen, alarm = Signal(58), Signal(64), Signal(64, init=(1 << 64) - 1)
        burst, burst_flit, number = Signal(Command), Signal(8), Signal(64)
        tag = Signal(8)
        sizes = Cat(host.max_payload, host.max_read, host.bus_master, host.reset)
        request = data.View(ReadRequest, reads.w_data)

        m.d.comb += [
            self.ready.eq(1),
            self.wake_at.eq(alarm),
            self.quiescent.eq(~(lines.r_rdy | out.r_rdy | frames.r_rdy | reads.r_rdy | (burst.count != 0))),
            host.to_host.valid.eq(out.r_rdy),
            host.to_host.payload.eq(out.r_data),
            out.r_en.eq(host.to_host.ready),
            host.read_request.valid.eq(reads.r_rdy),
            host.read_request.payload.eq(reads.r_data),
            reads.r_en.eq(host.read_request.ready),
            self.ethernet_tx.valid.eq(frames.r_rdy),
            self.ethernet_tx.payload.eq(frames.r_data),
            frames.r_en.eq(self.ethernet_tx.ready),
            out.w_data.eq(item),
            item.flits.eq(1),
            item.first.eq(1),
            item.last.eq(1),
        ]
        rx, mmio, completion = self.ethernet_rx, host.mmio_request, host.read_completion

        # one item for the host per cycle: frame, alarm, burst, MMIO answer
        m.d.comb += [
            lines.w_en.eq(rx.valid & rx.payload.last),
            lines.w_data.eq(Cat(self.cycle, seen, rx.payload.data[128:])),
        ]
        with m.If(lines.w_en):
            m.d.sync += seen.eq(seen + 1)
        with m.If(lines.r_rdy & (burst_flit == 0)):
            m.d.comb += [out.w_en.eq(1), item.address.eq(line), item.data.eq(lines.r_data)]
            with m.If(out.w_rdy):
                m.d.comb += lines.r_en.eq(1)
                m.d.sync += line.eq(line + 1)
        with m.Elif((self.cycle >= alarm) & (burst_flit == 0)):
            m.d.comb += [out.w_en.eq(1), item.address.eq(line), item.data.eq(self.cycle)]
            with m.If(out.w_rdy):
                m.d.sync += [line.eq(line + 1), alarm.eq(~0)]
        with m.Elif(burst.count != 0):
            m.d.comb += [
                out.w_en.eq(1),
                item.address.eq(burst.line),
                item.flits.eq(burst.flits),
                item.first.eq(burst_flit == 0),
                item.last.eq(burst_flit + 1 == burst.flits),
                item.data.eq(number),
            ]
            with m.If(out.w_rdy):
                m.d.sync += [number.eq(number + 1), burst_flit.eq(Mux(item.last, 0, burst_flit + 1))]
                with m.If(item.last):
                    m.d.sync += [burst.line.eq(burst.line + burst.flits), burst.count.eq(burst.count - 1)]
        with m.Elif(mmio.valid):
            command = data.View(Command, mmio.payload.data)
            m.d.comb += mmio.ready.eq(Mux(mmio.payload.write, reads.w_rdy, out.w_rdy))
            with m.If(~mmio.payload.write):
                m.d.comb += [
                    out.w_en.eq(1),
                    item.kind.eq(HostWriteKind.MMIO_RESPONSE),
                    item.tag.eq(mmio.payload.tag),
                    item.data.eq(Mux(mmio.payload.address == SIZES // 8, sizes, self.cycle)),
                ]
            with m.Elif(mmio.payload.enables.all()), m.Switch(mmio.payload.address):
                with m.Case(LINE // 8):
                    m.d.sync += line.eq(mmio.payload.data >> 6)
                with m.Case(READ // 8):
                    m.d.comb += [
                        reads.w_en.eq(1),
                        request.address.eq(command.line),
                        request.flits.eq(command.flits),
                        request.tag.eq(tag),
                    ]
                    m.d.sync += tag.eq(tag + 1)
                with m.Case(BURST // 8):
                    m.d.sync += burst.eq(command)
                with m.Case(ALARM // 8):
                    m.d.sync += alarm.eq(mmio.payload.data)

        sent = data.View(EthernetTx, frames.w_data)
        answer = completion.payload
        m.d.comb += [
            completion.ready.eq(1),
            frames.w_en.eq(completion.valid),
            sent.data.eq(Cat(answer.data[:448], self.cycle[:32], answer.tag, answer.index, answer.last, answer.error)),
            sent.keep.eq(~0),
            sent.last.eq(1),
        ]
        return m
