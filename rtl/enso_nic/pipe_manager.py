"""The RX pipes: where each packet goes in its ring, and when software must be told."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.config import NicConfig
from enso_nic.layouts import (
    CommitTap,
    DropCause,
    PipeOperation,
    PipeOperationKind,
    PipeState,
    RegisterWrite,
    RingAddress,
    RxCommand,
    RxCommandKind,
    SteeredFrame,
)
from enso_nic.registers import FIRST_NOTIFICATION_BUFFER_PAGE

HISTORY = 3  # decisions that a read of the memories may miss: read address, read data, write back
QUEUE_DEPTH = 16


class Issued(data.Struct):
    """What travels from the arbiter to the decision."""

    operation: PipeOperation
    flits: 8
    is_packet: 1
    miss: 1


class PipeManager(wiring.Component):
    """Takes one operation per cycle: a packet, a head check, a tail write or a register read; operations go first.

    The reactive rule, per pipe: a packet notifies unless the pipe is armed, and arms it. A head check notifies and
    arms if the pipe holds data, else disarms it. A packet that does not fit, or whose pipe is disabled, is dropped and
    changes nothing.

    ``write`` stores heads and addresses at once. A write of the low address word disables the pipe, one of the high
    word enables it if the address is then not 0. The head check that follows a head write is a ``operation`` of its
    own.

    Guarantees: decisions on one pipe are exact back to back; a packet never overtakes the 1 free flit that each ring
    keeps; commands leave in the order of the decisions, so that a register read's answer, which is a command too,
    comes after each packet that was decided before it.
    Latency: 4 cycles to the command when nothing waits. Back-pressure on ``o`` stops both inputs.
    After reset it clears its tables; before ``ready`` it takes nothing.
    """

    def __init__(self, config: NicConfig) -> None:
        self._config = config
        ports = {
            "frame": In(stream.Signature(SteeredFrame)),
            "operation": In(stream.Signature(PipeOperation)),
            "write": In(stream.Signature(RegisterWrite, always_ready=True)),
            "o": Out(stream.Signature(RxCommand)),
            "dropped": Out(DropCause),  # NO_FLOW, PIPE_FULL or PIPE_DISABLED for one cycle per frame, else NONE
            "ready": Out(1),
            "idle": Out(1),
        }
        if config.commit_taps:
            ports["commit_tap"] = Out(stream.Signature(CommitTap, always_ready=True))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipes, ring_mask = self._config.pipes, self._config.pipe_flits - 1
        m.submodules.queue = queue = fifo.SyncFIFO(width=len(self.o.payload.as_value()), depth=QUEUE_DEPTH)
        m.d.comb += [
            self.o.payload.as_value().eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
        ]

        m.submodules.state = states = memory.Memory(shape=PipeState, depth=pipes, init=[])
        m.submodules.heads = heads = memory.Memory(shape=32, depth=pipes, init=[])
        m.submodules.low = lows = memory.Memory(shape=32, depth=pipes, init=[])
        m.submodules.high = highs = memory.Memory(shape=32, depth=pipes, init=[])
        m.submodules.enabled = enables = memory.Memory(shape=1, depth=pipes, init=[])
        state_write, state_read = states.write_port(), states.read_port()
        reads = [state_read, *(each.read_port() for each in (heads, lows, highs, enables))]
        _, head_read, low_read, high_read, enable_read = reads

        sweep = Signal(range(pipes + 1))
        m.d.comb += self.ready.eq(sweep == pipes)
        with m.If(~self.ready):
            m.d.sync += sweep.eq(sweep + 1)

        # registers that need no order with packets
        written = self.write.payload
        mine = self.write.valid & (written.index < pipes)
        for port, enable, value in (
            (heads.write_port(), written.head, written.data[32:]),
            (lows.write_port(), written.low, written.data[:32]),
            (highs.write_port(), written.high, written.data[32:]),
            (enables.write_port(), written.low | written.high, written.high),
        ):
            m.d.comb += [
                port.addr.eq(Mux(self.ready, written.index, sweep)),
                port.data.eq(Mux(self.ready, value, 0)),
                port.en.eq(~self.ready | (mine & enable)),
            ]

        # choose; a place in the queue is kept for all that was chosen
        outstanding = Signal(range(QUEUE_DEPTH + 1))
        issued = Signal(Issued)
        issue = Signal()
        m.d.comb += issue.eq((self.operation.valid | self.frame.valid) & (outstanding != QUEUE_DEPTH) & self.ready)
        with m.If(self.operation.valid):
            m.d.comb += [issued.operation.eq(self.operation.payload), self.operation.ready.eq(issue)]
        with m.Else():
            m.d.comb += [
                issued.operation.index.eq(self.frame.payload.pipe),
                issued.flits.eq(self.frame.payload.flits),
                issued.miss.eq(self.frame.payload.miss),
                issued.is_packet.eq(1),
                self.frame.ready.eq(issue),
            ]
        m.d.comb += [port.addr.eq(issued.operation.index) for port in reads]

        # read: the memories answer in the next cycle, and are registered in the one after
        read_valid, decide_valid = Signal(), Signal()
        reading, deciding = Signal(Issued), Signal(Issued)
        stored_state, head, address = Signal(PipeState), Signal(32), Signal(RingAddress)
        enable, exists = Signal(), Signal()
        m.d.sync += [
            read_valid.eq(issue),
            reading.eq(issued),
            decide_valid.eq(read_valid),
            deciding.eq(reading),
            stored_state.eq(state_read.data),
            head.eq(head_read.data),
            address.low.eq(low_read.data),
            address.high.eq(high_read.data),
            enable.eq(enable_read.data),
            exists.eq(reading.operation.index < pipes),
        ]

        # decide, from the newest state: that of an earlier decision if its write was too late for the read
        results = [Signal(PipeState, name=f"result{age}") for age in range(HISTORY + 1)]
        result_index = [Signal(14, name=f"result_index{age}") for age in range(HISTORY + 1)]
        result_valid = [Signal(name=f"result_valid{age}") for age in range(HISTORY + 1)]
        is_recent = Signal(HISTORY)
        m.d.sync += is_recent.eq(
            Cat(result_valid[age] & (result_index[age] == reading.operation.index) for age in range(HISTORY))
        )
        state = Signal(PipeState)
        m.d.comb += state.eq(stored_state)
        for age in reversed(range(HISTORY)):
            with m.If(is_recent[age]):
                m.d.comb += state.eq(results[age + 1])

        tail, free = Signal(20), Signal(20)
        is_enabled, holds_data = Signal(), Signal()
        m.d.comb += [
            tail.eq(state.tail & ring_mask),
            free.eq((head - tail - 1) & ring_mask),
            is_enabled.eq(enable & exists & (address.as_value() != 0)),
            holds_data.eq(((head - tail) & ring_mask) != 0),
        ]
        operation, kind = deciding.operation, deciding.operation.kind
        command, new_state = Signal(RxCommand), results[0]
        cause, push = Signal(DropCause), Signal()
        next_tail = (tail + deciding.flits) & ring_mask
        line = Signal(58)
        # the low 10 bits of the address are the notification buffer; lines have 64 bytes
        m.d.comb += line.eq(Cat(address.low[10:], address.high) << 4)
        m.d.comb += [
            result_index[0].eq(operation.index),
            result_valid[0].eq(decide_valid & exists),
            new_state.eq(state),
            command.flits.eq(deciding.flits),
            command.address.eq(line + tail),
            command.offset.eq(tail),
            command.pipe.eq(operation.index),
            command.tail.eq(tail),
            command.buffer.eq(address.low[:10]),
            command.word.eq(operation.word),
            command.index.eq(operation.index),
            command.tag.eq(operation.tag),
            command.data.eq(operation.data),
        ]
        with m.If(deciding.is_packet):
            m.d.comb += push.eq(1)
            with m.If(deciding.miss):
                m.d.comb += cause.eq(DropCause.NO_FLOW)
            with m.Elif(~is_enabled):
                m.d.comb += cause.eq(DropCause.PIPE_DISABLED)
            with m.Elif(deciding.flits > free):
                m.d.comb += cause.eq(DropCause.PIPE_FULL)
            with m.Else():
                m.d.comb += [
                    command.notify.eq(~state.armed),
                    command.tail.eq(next_tail),
                    new_state.tail.eq(next_tail),
                    new_state.armed.eq(1),
                ]
            m.d.comb += command.kind.eq(Mux(cause == DropCause.NONE, RxCommandKind.PACKET, RxCommandKind.DROP))
        with m.Else(), m.Switch(kind):
            with m.Case(PipeOperationKind.HEAD_CHECK, PipeOperationKind.RETRY):
                m.d.comb += [
                    command.kind.eq(RxCommandKind.CHECK),
                    command.notify.eq(is_enabled & holds_data),
                    new_state.armed.eq(is_enabled & holds_data),
                    push.eq(command.notify),
                ]
            with m.Case(PipeOperationKind.TAIL_WRITE):
                m.d.comb += [
                    command.kind.eq(RxCommandKind.TAIL_WRITE),
                    new_state.tail.eq(operation.data[:32]),
                    push.eq(operation.index >= FIRST_NOTIFICATION_BUFFER_PAGE),
                ]
            with m.Case(PipeOperationKind.REGISTER_READ):
                m.d.comb += [command.kind.eq(RxCommandKind.READ), push.eq(1)]
                with m.If(exists & (operation.word == 0)):
                    m.d.comb += command.data.eq(Cat(state.tail, head))
                with m.Elif(exists & (operation.word == 1)):
                    m.d.comb += command.data.eq(address)

        # write back
        for age in range(HISTORY):
            m.d.sync += [
                results[age + 1].eq(results[age]),
                result_index[age + 1].eq(result_index[age]),
                result_valid[age + 1].eq(result_valid[age]),
            ]
        pushed, queued = Signal(), Signal(RxCommand)
        m.d.sync += [
            pushed.eq(decide_valid & push),
            queued.eq(command),
            self.dropped.eq(Mux(decide_valid, cause, DropCause.NONE)),
        ]
        m.d.comb += [
            state_write.addr.eq(Mux(self.ready, result_index[1], sweep)),
            state_write.data.eq(Mux(self.ready, results[1].as_value(), 0)),
            state_write.en.eq(~self.ready | result_valid[1]),
            queue.w_data.eq(queued),
            queue.w_en.eq(pushed),
        ]
        left = queue.r_rdy & queue.r_en
        came_to_nothing = decide_valid & ~push
        m.d.sync += outstanding.eq(outstanding + issue - left - came_to_nothing)
        m.d.comb += self.idle.eq(self.ready & (outstanding == 0) & ~self.operation.valid & ~self.frame.valid)

        if self._config.commit_taps:
            tap = self.commit_tap.payload
            m.d.comb += [
                self.commit_tap.valid.eq(decide_valid),
                tap.packet.eq(deciding.is_packet),
                tap.kind.eq(kind),
                tap.index.eq(operation.index),
                tap.tag.eq(operation.tag),
                tap.flits.eq(deciding.flits),
                tap.head.eq(head),
                tap.tail.eq(state.tail),
                tap.enabled.eq(is_enabled),
                tap.cause.eq(cause),
                tap.notify.eq(command.notify),
            ]
        return m
