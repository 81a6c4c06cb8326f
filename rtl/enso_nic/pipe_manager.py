"""The RX pipes: where each packet goes in its ring, and when software must be told."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.bits import flits
from enso_nic.config import NicConfig
from enso_nic.layouts import (
    CommitTap,
    DropCause,
    NicSettings,
    PipeOperation,
    PipeOperationKind,
    PipeState,
    PipeWord,
    RegisterWrite,
    RingAddress,
    RingSetting,
    RxCommand,
    RxCommandKind,
    SteeredFrame,
)
from enso_nic.registers import FIRST_NOTIFICATION_BUFFER_PAGE

HISTORY = 3  # decisions that a read of the memories may miss: read address, read data, write back
QUEUE_DEPTH = 16


INDEX_BITS = 20
"""Of heads and tails, these take part in a ring's arithmetic; a ring may have as many lines."""


class Issued(data.Struct):
    """What travels from the arbiter to the decision."""

    operation: PipeOperation
    frame: SteeredFrame
    is_packet: 1


class PipeManager(wiring.Component):
    """Takes one operation per cycle: a packet, a head check, a tail write or a register read.

    Packets and the others take turns while both wait, so that no flood of either stops the other.

    The reactive rule, per pipe: a packet notifies unless the pipe is armed, and arms it. A head check notifies and
    arms if the pipe holds data, else disarms it. A packet that does not fit, that the pipe does not take, or whose pipe
    is disabled, is dropped and counted, and changes nothing else. With ``notify_per_packet`` a packet disarms the pipe.

    A pipe in header mode takes any frame, whole, behind a line that tells of it; another one takes what ``refusal``
    lets in, up to ``end``.

    ``write`` stores heads, addresses and modes at once. A write of the low address word disables the pipe, one of the
    high word enables it if the address is then not 0, with the ring size that is set then. The head check that follows
    a head write is an ``operation`` of its own.

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
            "settings": In(NicSettings),
            "o": Out(stream.Signature(RxCommand)),
            "dropped": Out(DropCause),  # for one cycle per frame; else NONE
            "stored": Out(1),  # a pulse per packet put into a pipe
            "ready": Out(1),
            "idle": Out(1),
        }
        if config.commit_taps:
            ports["commit_tap"] = Out(stream.Signature(CommitTap, always_ready=True))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipes = self._config.pipes
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
        m.submodules.ring = rings = memory.Memory(shape=RingSetting, depth=pipes, init=[])
        m.submodules.mode = modes = memory.Memory(shape=1, depth=pipes, init=[])
        state_write, state_read = states.write_port(), states.read_port()
        reads = [state_read, *(each.read_port() for each in (heads, lows, highs, rings, modes))]
        _, head_read, low_read, high_read, ring_read, mode_read = reads

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
            (rings.write_port(), written.low | written.high, Cat(written.high, self.settings.pipe_ring)),
            (modes.write_port(), written.mode, written.data[0]),
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
        packet_next = Signal()
        with m.If(issue):
            m.d.sync += packet_next.eq(~issued.is_packet)
        with m.If(self.operation.valid & ~(self.frame.valid & packet_next)):
            m.d.comb += [issued.operation.eq(self.operation.payload), self.operation.ready.eq(issue)]
        with m.Else():
            m.d.comb += [
                issued.operation.index.eq(self.frame.payload.pipe),
                issued.frame.eq(self.frame.payload),
                issued.is_packet.eq(1),
                self.frame.ready.eq(issue),
            ]
        m.d.comb += [port.addr.eq(issued.operation.index) for port in reads]

        # read: the memories answer in the next cycle, and are registered in the one after
        read_valid, decide_valid = Signal(), Signal()
        reading, deciding = Signal(Issued), Signal(Issued)
        stored_state, head, address = Signal(PipeState), Signal(32), Signal(RingAddress)
        is_enabled, exists, in_header_mode, ring_size = Signal(), Signal(), Signal(), Signal(5)
        ring_mask, ring_flits = Signal(INDEX_BITS), Signal(8)  # the lines that a frame takes
        has_pipe, takes_headers, newest = Signal(), Signal(), Signal(PipeState)

        m.d.sync += [
            read_valid.eq(issue),
            reading.eq(issued),
            decide_valid.eq(read_valid),
            deciding.eq(reading),
            stored_state.eq(newest),
            head.eq(head_read.data),
            address.low.eq(low_read.data),
            address.high.eq(high_read.data),
            is_enabled.eq(has_pipe & ring_read.data.enabled & ((low_read.data | high_read.data) != 0)),
            ring_size.eq(ring_read.data.size),
            ring_mask.eq((1 << ring_read.data.size) - 1),
            in_header_mode.eq(takes_headers),
            exists.eq(has_pipe),
            ring_flits.eq(Mux(takes_headers, flits(reading.frame.length) + 1, flits(reading.frame.end))),
        ]
        m.d.comb += [
            has_pipe.eq(reading.operation.index < pipes),
            takes_headers.eq(mode_read.data & ~reading.frame.miss & has_pipe),
        ]

        # decide, from the newest state: that of an earlier decision if its write was too late for the read
        results = [Signal(PipeState, name=f"result{age}") for age in range(HISTORY + 1)]
        result_index = [Signal(14, name=f"result_index{age}") for age in range(HISTORY + 1)]
        result_valid = [Signal(name=f"result_valid{age}") for age in range(HISTORY + 1)]
        is_recent, repeats = Signal(HISTORY), Signal()
        m.d.comb += [
            is_recent.eq(
                Cat(result_valid[age] & (result_index[age] == reading.operation.index) for age in range(HISTORY))
            ),
            newest.eq(state_read.data),
        ]
        for age in reversed(range(1, HISTORY)):
            with m.If(is_recent[age]):
                m.d.comb += newest.eq(results[age])
        # that of the cycle before is made only now
        m.d.sync += repeats.eq(is_recent[0])
        state = Signal(PipeState)
        m.d.comb += state.eq(Mux(repeats, results[1].as_value(), stored_state.as_value()))

        tail, free = Signal(INDEX_BITS), Signal(INDEX_BITS)
        holds_data, fits, stores = Signal(), Signal(), Signal()
        m.d.comb += [
            tail.eq(state.tail & ring_mask),
            free.eq((head + ~state.tail) & ring_mask),  # head - tail - 1
            holds_data.eq(((head ^ state.tail) & ring_mask) != 0),
        ]
        operation, kind = deciding.operation, deciding.operation.kind
        command, new_state = Signal(RxCommand), results[0]
        cause, push = Signal(DropCause), Signal()
        frame = deciding.frame
        next_tail = (tail + ring_flits) & ring_mask
        refuses = ~in_header_mode & (frame.refusal != DropCause.NONE)
        m.d.comb += [
            result_index[0].eq(operation.index),
            fits.eq(ring_flits <= free),
            stores.eq(~refuses & ~frame.miss & is_enabled & fits),
            # a frame that matched no rule has no pipe
            result_valid[0].eq(decide_valid & exists & ~(deciding.is_packet & frame.miss)),
            new_state.eq(state),
            command.flits.eq(ring_flits),
            # the low 10 bits of the address are the notification buffer; lines have 64 bytes
            command.base.eq(Cat(Const(0, 4), address.low[10:], address.high)),
            command.offset.eq(tail),
            command.size.eq(ring_size),
            command.read.header.eq(in_header_mode),
            command.read.length.eq(frame.length),
            command.read.kept.eq(Mux(in_header_mode, frame.length, frame.end)),
            command.read.drops.eq(state.drops),
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
            with m.If(refuses):
                m.d.comb += cause.eq(frame.refusal)
            with m.Elif(frame.miss):
                m.d.comb += cause.eq(DropCause.NO_FLOW)
            with m.Elif(~is_enabled):
                m.d.comb += cause.eq(DropCause.PIPE_DISABLED)
            with m.Elif(~fits):
                m.d.comb += cause.eq(DropCause.PIPE_FULL)
            with m.If(stores):
                m.d.comb += [
                    command.kind.eq(RxCommandKind.PACKET),
                    command.notify.eq(~state.armed),
                    command.tail.eq(next_tail),
                    new_state.tail.eq(next_tail),
                    new_state.armed.eq(~self.settings.notify_per_packet),
                ]
            with m.Else():
                m.d.comb += [
                    command.kind.eq(RxCommandKind.DROP),
                    command.read.drop.eq(1),
                    new_state.drops.eq(state.drops + 1),
                ]
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
                with m.If(exists), m.Switch(operation.word):
                    with m.Case(PipeWord.INDICES):
                        m.d.comb += command.data.eq(Cat(state.tail, head))
                    with m.Case(PipeWord.MEMORY):
                        m.d.comb += command.data.eq(address)
                    with m.Case(PipeWord.MODE):
                        m.d.comb += command.data.eq(in_header_mode)
                    with m.Case(PipeWord.DROPS):
                        m.d.comb += command.data.eq(state.drops)

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
            self.stored.eq(decide_valid & deciding.is_packet & stores),
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
                tap.miss.eq(frame.miss),
                tap.kind.eq(kind),
                tap.index.eq(operation.index),
                tap.tag.eq(operation.tag),
                tap.flits.eq(ring_flits),
                tap.head.eq(head),
                tap.tail.eq(state.tail),
                tap.enabled.eq(is_enabled),
                tap.header.eq(in_header_mode),
                tap.per_packet.eq(self.settings.notify_per_packet),
                tap.cause.eq(cause),
                tap.notify.eq(command.notify),
            ]
        return m
