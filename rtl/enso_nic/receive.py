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
    ConfigCode,
    DropCause,
    EthernetRx,
    Fallback,
    FlowOperation,
    HostWrite,
    NicSettings,
    NotificationOutcome,
    NotificationTap,
    PipeOperation,
    RegisterWrite,
    RetryTap,
    TimestampSetting,
)
from enso_nic.notifier import Notifier
from enso_nic.operation_queue import OperationQueue
from enso_nic.owed_notifications import OwedNotifications
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
            "freed": In(stream.Signature(10)),
            "write": In(stream.Signature(RegisterWrite, always_ready=True)),
            "flow": In(stream.Signature(FlowOperation)),
            "flow_code": Out(ConfigCode),
            "fallback": In(Fallback),
            "timestamp": In(TimestampSetting),
            "tick": In(64),
            "settings": In(NicSettings),
            "to_host": Out(stream.Signature(HostWrite)),
            "max_payload": In(4),
            "bus_master": In(1),
            "is_open": In(1),
            "verdict": Out(stream.Signature(AdmissionTap, always_ready=True)),
            "dropped": Out(DropCause),
            "stored": Out(1),
            "merged": Out(1),
            "notified": Out(1),
            "owed": Out(1),
            "lost": Out(1),
            "insert_failed": Out(1),
            "ready": Out(1),
            "idle": Out(1),
        }
        if config.commit_taps:
            ports["commit_tap"] = Out(stream.Signature(CommitTap, always_ready=True))
            ports["retry_tap"] = Out(stream.Signature(RetryTap, always_ready=True))
            ports["notification_tap"] = Out(stream.Signature(NotificationTap, always_ready=True))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.parser = parser = RxParser(config)
        m.submodules.packet_buffer = packet_buffer = PacketBuffer(config)
        m.submodules.flow_director = flow_director = FlowDirector(config)
        m.submodules.pipe_manager = pipe_manager = PipeManager(config)
        m.submodules.notifier = notifier = Notifier(config)
        m.submodules.writer = writer = DmaWriter()
        # neither overflows: an admitted frame has at least one flit in the packet buffer
        m.submodules.steered = steered = fifo.SyncFIFOBuffered(
            width=len(flow_director.steered.payload.as_value()), depth=config.packet_buffer_flits
        )
        m.submodules.details = details = fifo.SyncFIFOBuffered(
            width=len(flow_director.details.as_value()), depth=config.packet_buffer_flits
        )
        m.submodules.operations = operations = OperationQueue(config)
        m.submodules.owed = owed = OwedNotifications(config)

        wiring.connect(m, wiring.flipped(self.ethernet_rx), parser.i)
        wiring.connect(m, parser.flit, packet_buffer.flit)
        wiring.connect(m, parser.frame, flow_director.frame)
        wiring.connect(m, wiring.flipped(self.flow), flow_director.flow)
        wiring.connect(m, wiring.flipped(self.operation), operations.i)
        wiring.connect(m, operations.o, pipe_manager.operation)
        wiring.connect(m, pipe_manager.o, notifier.i)
        wiring.connect(m, notifier.owe, owed.owe)
        wiring.connect(m, wiring.flipped(self.freed), owed.freed)
        wiring.connect(m, owed.retry, operations.retry)
        wiring.connect(m, notifier.o, writer.i)
        wiring.connect(m, writer.read, packet_buffer.read)
        wiring.connect(m, packet_buffer.o, writer.flit)
        wiring.connect(m, writer.o, wiring.flipped(self.to_host))
        wiring.connect(m, parser.verdict, wiring.flipped(self.verdict))
        if config.commit_taps:
            wiring.connect(m, pipe_manager.commit_tap, wiring.flipped(self.commit_tap))
            wiring.connect(m, operations.tap, wiring.flipped(self.retry_tap))
            m.d.comb += self.notification_tap.valid.eq(notifier.notified | notifier.owe.valid | notifier.lost)
            with m.If(notifier.owe.valid):
                m.d.comb += self.notification_tap.payload.outcome.eq(NotificationOutcome.OWED)
            with m.Elif(notifier.lost):
                m.d.comb += self.notification_tap.payload.outcome.eq(NotificationOutcome.LOST)
        tables = (flow_director, operations, pipe_manager, notifier, owed)
        blocks = (parser, packet_buffer, flow_director, pipe_manager, notifier, writer, operations, owed)
        m.d.comb += [
            steered.w_data.eq(flow_director.steered.payload),
            steered.w_en.eq(flow_director.steered.valid),
            pipe_manager.frame.payload.as_value().eq(steered.r_data),
            pipe_manager.frame.valid.eq(steered.r_rdy),
            steered.r_en.eq(pipe_manager.frame.ready),
            details.w_data.eq(flow_director.details),
            details.w_en.eq(flow_director.steered.valid),
            packet_buffer.details.payload.as_value().eq(details.r_data),
            packet_buffer.details.valid.eq(details.r_rdy),
            details.r_en.eq(packet_buffer.details.ready),
            notifier.can_owe.eq(owed.has_room),
            *(
                each.eq(value)
                for block in (pipe_manager, notifier)
                for each, value in (
                    (block.write.payload, self.write.payload),
                    (block.write.valid, self.write.valid),
                    (block.settings, self.settings),
                )
            ),
            parser.has_room.eq(packet_buffer.has_room),
            parser.is_open.eq(self.is_open),
            parser.accept_ipv6.eq(self.settings.accept_ipv6),
            parser.full_tuple.eq(self.settings.full_tuple),
            parser.timestamp.eq(self.timestamp),
            parser.tick.eq(self.tick),
            flow_director.fallback.eq(self.fallback),
            self.flow_code.eq(flow_director.flow_code),
            writer.max_payload.eq(self.max_payload),
            writer.bus_master.eq(self.bus_master),
            self.dropped.eq(pipe_manager.dropped),
            self.stored.eq(pipe_manager.stored),
            self.merged.eq(operations.tap.valid & operations.tap.payload.is_check),
            self.notified.eq(notifier.notified),
            self.owed.eq(notifier.owe.valid),
            self.lost.eq(notifier.lost),
            self.insert_failed.eq(flow_director.insert_failed),
            self.ready.eq(Cat(block.ready for block in tables).all()),
            self.idle.eq(Cat(block.idle for block in blocks).all() & (steered.level == 0)),
        ]
        return m
