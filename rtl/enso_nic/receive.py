"""The RX path: from the wire to the host."""

from amaranth.hdl import Cat, Module
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.config import NicConfig
from enso_nic.dma_writer import DmaWriter
from enso_nic.flow_director import FlowDirector
from enso_nic.layouts import (
    AdmissionTap,
    CommitTap,
    ConfigRequest,
    DropCause,
    EthernetRx,
    HostWrite,
    PipeOperation,
    RegisterWrite,
)
from enso_nic.notifier import Notifier
from enso_nic.packet_buffer import PacketBuffer
from enso_nic.pipe_manager import PipeManager
from enso_nic.rx_parser import RxParser


class ReceivePath(wiring.Component):
    """Parser, packet buffer, flow director, pipe manager, notifier and DMA writer, in this order.

    Guarantees: what its blocks guarantee; an admitted frame reaches its pipe or is counted as dropped.
    Latency: 21 cycles from a frame's last beat to its first host-write beat when nothing waits: parser 2, flow director
    6, queue 2, pipe manager 4, notifier 4, DMA writer 3. A host-write beat per cycle while frames wait.
    Back-pressure on ``to_host`` fills the packet buffer, then frames are dropped whole at the door as
    PACKET_BUFFER_FULL.
    """

    def __init__(self, config: NicConfig) -> None:
        self._config = config
        ports = {
            "ethernet_rx": In(stream.Signature(EthernetRx, always_ready=True)),
            "operation": In(stream.Signature(PipeOperation)),
            "write": In(stream.Signature(RegisterWrite, always_ready=True)),
            "config": In(stream.Signature(ConfigRequest)),
            "to_host": Out(stream.Signature(HostWrite)),
            "max_payload": In(4),
            "bus_master": In(1),
            "is_open": In(1),
            "verdict": Out(stream.Signature(AdmissionTap, always_ready=True)),
            "dropped": Out(DropCause),
            "notified": Out(1),
            "lost": Out(1),
            "insert_failed": Out(1),
            "ready": Out(1),
            "idle": Out(1),
        }
        if config.commit_taps:
            ports["commit_tap"] = Out(stream.Signature(CommitTap, always_ready=True))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.parser = parser = RxParser(config)
        m.submodules.packet_buffer = packet_buffer = PacketBuffer(config)
        m.submodules.flow_director = flow_director = FlowDirector(config)
        m.submodules.pipe_manager = pipe_manager = PipeManager(config)
        m.submodules.notifier = notifier = Notifier(config)
        m.submodules.writer = writer = DmaWriter(config)
        # never overflows: an admitted frame has at least one flit in the packet buffer
        m.submodules.steered = steered = fifo.SyncFIFOBuffered(
            width=len(flow_director.steered.payload.as_value()), depth=config.packet_buffer_flits
        )
        m.submodules.operations = operations = fifo.SyncFIFOBuffered(
            width=len(self.operation.payload.as_value()), depth=config.pipe_operations
        )

        wiring.connect(m, wiring.flipped(self.ethernet_rx), parser.i)
        wiring.connect(m, parser.flit, packet_buffer.flit)
        wiring.connect(m, parser.frame, flow_director.frame)
        wiring.connect(m, wiring.flipped(self.config), flow_director.config)
        wiring.connect(m, pipe_manager.o, notifier.i)
        wiring.connect(m, notifier.o, writer.i)
        wiring.connect(m, writer.read, packet_buffer.read)
        wiring.connect(m, packet_buffer.o, writer.flit)
        wiring.connect(m, writer.o, wiring.flipped(self.to_host))
        wiring.connect(m, parser.verdict, wiring.flipped(self.verdict))
        if config.commit_taps:
            wiring.connect(m, pipe_manager.commit_tap, wiring.flipped(self.commit_tap))
        blocks = (parser, packet_buffer, flow_director, pipe_manager, notifier, writer)
        m.d.comb += [
            steered.w_data.eq(flow_director.steered.payload),
            steered.w_en.eq(flow_director.steered.valid),
            pipe_manager.frame.payload.as_value().eq(steered.r_data),
            pipe_manager.frame.valid.eq(steered.r_rdy),
            steered.r_en.eq(pipe_manager.frame.ready),
            operations.w_data.eq(self.operation.payload),
            operations.w_en.eq(self.operation.valid),
            self.operation.ready.eq(operations.w_rdy),
            pipe_manager.operation.payload.as_value().eq(operations.r_data),
            pipe_manager.operation.valid.eq(operations.r_rdy),
            operations.r_en.eq(pipe_manager.operation.ready),
            *(
                each.eq(value)
                for block in (pipe_manager, notifier)
                for each, value in (
                    (block.write.payload, self.write.payload),
                    (block.write.valid, self.write.valid),
                )
            ),
            parser.has_room.eq(packet_buffer.has_room),
            parser.is_open.eq(self.is_open),
            writer.max_payload.eq(self.max_payload),
            writer.bus_master.eq(self.bus_master),
            self.dropped.eq(pipe_manager.dropped),
            self.notified.eq(notifier.notified),
            self.lost.eq(notifier.lost),
            self.insert_failed.eq(flow_director.insert_failed),
            self.ready.eq(flow_director.ready & pipe_manager.ready & notifier.ready),
            self.idle.eq(
                Cat(block.idle for block in blocks).all() & (steered.level == 0) & (operations.level == 0)
            ),
        ]
        return m
