"""The whole TX path: from tx_tail writes to frames on the wire."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from enso_nic.config import NicConfig
from enso_nic.layouts import (
    ConfigCode,
    ConfigRequest,
    EthernetTx,
    HostWrite,
    NicSettings,
    RateLimitSetting,
    ReadCompletion,
    ReadLine,
    ReadRequest,
    TimestampSetting,
    TxRegisterAccess,
)
from enso_nic.ordered_reader import OrderedReader
from enso_nic.packetiser import Packetiser
from enso_nic.tx_frame_buffer import TxFrameBuffer
from enso_nic.tx_request_fetch import TxRequestFetch
from enso_nic.tx_requests import TxRequests

FIRST_REQUEST_TAG = 128
"""Host reads of TX slots have tags from here, those of packet data from 0."""


class TransmitPath(wiring.Component):
    """Fetches the slots that software publishes, reads the data they name, sends it as frames, and completes the slots.

    Guarantees: the requests of a notification buffer complete in order, and so do all as long as none leaves a frame
    unfinished; reads of slots go before reads of data;
    host read completions are always taken; nothing but its outputs' back-pressure can stop it for longer than a host
    read may take (see ReadTags). A reset forgets all but which answers are still to come.
    Latency: 8 cycles from a tx_tail write to its first read request. Throughput: a flit per cycle.
    Before ``ready`` it takes no access. ``idle`` means that it does the same however long the clock stands still,
    until an input comes or ``deadline``; a wait for host reads is idle, a valid output is not.
    """

    access: In(stream.Signature(TxRegisterAccess))
    answer: Out(stream.Signature(64))  # one per access that is a read
    slot: Out(stream.Signature(ReadLine))  # to the DMA guard
    guarded_slot: In(stream.Signature(ReadLine))  # and back
    forbidden: In(1)  # the guarded slot is
    config: Out(stream.Signature(ConfigRequest))  # accepted once it took effect
    config_code: In(ConfigCode)  # how it ended, in the cycle in which it is accepted
    completion: Out(stream.Signature(HostWrite))
    read_request: Out(stream.Signature(ReadRequest))
    read_completion: In(stream.Signature(ReadCompletion, always_ready=True))
    ethernet_tx: Out(stream.Signature(EthernetTx))
    max_read: In(4)  # flits per read: 2, 4 or 8
    bus_master: In(1)
    settings: In(NicSettings)
    timestamp: In(TimestampSetting)
    rate_limit: In(RateLimitSetting)
    cycle: In(64)
    tick: In(64)  # 5 ns
    ready: Out(1)
    idle: Out(1)
    deadline: Out(64)  # cycle; all ones: none
    tx_error: Out(1)  # a pulse per drop, see Packetiser
    tx_frames: Out(1)  # a pulse per frame sent
    lost_completions: Out(1)  # a pulse per completion whose ring was closed
    read_timeouts: Out(2)  # host reads given up in this cycle

    def __init__(self, config: NicConfig) -> None:
        self._config = config
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fetch = fetch = TxRequestFetch(self._config)
        timeout = self._config.read_timeout_cycles
        m.submodules.slot_reader = slot_reader = OrderedReader(self._config.request_tags, FIRST_REQUEST_TAG, timeout)
        m.submodules.requests = requests = TxRequests(self._config)
        m.submodules.data_reader = data_reader = OrderedReader(self._config.data_tags, 0, timeout)
        m.submodules.packetiser = packetiser = Packetiser(self._config)
        m.submodules.frame_buffer = frame_buffer = TxFrameBuffer(self._config)

        outer = wiring.flipped(self)
        connect(m, outer.access, fetch.access)
        connect(m, fetch.answer, outer.answer)
        connect(m, fetch.slots, slot_reader.job)
        connect(m, slot_reader.line, outer.slot)
        connect(m, outer.guarded_slot, requests.slot)
        connect(m, requests.config, outer.config)
        connect(m, requests.job, data_reader.job)
        connect(m, data_reader.line, packetiser.line)
        connect(m, packetiser.flit, frame_buffer.flit)
        connect(m, packetiser.done, requests.done)
        connect(m, packetiser.rewind, requests.rewind)
        connect(m, requests.completion, outer.completion)
        connect(m, frame_buffer.ethernet_tx, outer.ethernet_tx)

        readers = [slot_reader, data_reader]
        is_slot_tag = self.read_completion.payload.tag >= FIRST_REQUEST_TAG
        sent_is_slot_tag = self.read_request.payload.tag >= FIRST_REQUEST_TAG
        for reader, is_meant, sent_is_meant in (
            (slot_reader, is_slot_tag, sent_is_slot_tag),
            (data_reader, ~is_slot_tag, ~sent_is_slot_tag),
        ):
            m.d.comb += [
                reader.max_read.eq(self.max_read),
                reader.bus_master.eq(self.bus_master),
                reader.cycle.eq(self.cycle),
                reader.sent.eq(self.read_request.valid & self.read_request.ready & sent_is_meant),
                reader.sent_tag.eq(self.read_request.payload.tag),
                reader.read_completion.payload.eq(self.read_completion.payload),
                reader.read_completion.valid.eq(self.read_completion.valid & is_meant),
            ]

        # a request that was shown must stay, so it is registered where slots overtake data
        can_take = ~self.read_request.valid | self.read_request.ready
        m.d.comb += [
            slot_reader.read_request.ready.eq(can_take),
            data_reader.read_request.ready.eq(can_take & ~slot_reader.read_request.valid),
        ]
        with m.If(can_take):
            m.d.sync += [
                self.read_request.valid.eq(slot_reader.read_request.valid | data_reader.read_request.valid),
                self.read_request.payload.eq(
                    Mux(
                        slot_reader.read_request.valid,
                        slot_reader.read_request.payload.as_value(),
                        data_reader.read_request.payload.as_value(),
                    )
                ),
            ]

        def earlier(one: Value, other: Value) -> Value:
            return Mux(one < other, one, other)

        reads_deadline = Signal(64)
        m.d.comb += [
            requests.config_code.eq(self.config_code),
            requests.forbidden.eq(self.forbidden),
            fetch.settings.eq(self.settings),
            fetch.asked_buffer.eq(requests.completing),
            requests.generation.eq(fetch.generation),
            self.lost_completions.eq(requests.lost),
            frame_buffer.timestamp.eq(self.timestamp),
            frame_buffer.rate_limit.eq(self.rate_limit),
            frame_buffer.tick.eq(self.tick),
            self.read_timeouts.eq(slot_reader.timed_out + data_reader.timed_out),
            reads_deadline.eq(earlier(slot_reader.deadline, data_reader.deadline)),
            self.deadline.eq(earlier(reads_deadline, frame_buffer.deadline)),
            data_reader.cancel.eq(requests.cancel),
            self.ready.eq(fetch.ready & packetiser.ready),
            self.tx_error.eq(packetiser.tx_error),
            self.tx_frames.eq(frame_buffer.tx_frames),
        ]

        # a transfer between blocks changes them, and so may anything outside that takes what is shown
        idle = [fetch.idle, requests.idle, packetiser.idle, frame_buffer.idle, slot_reader.idle, data_reader.idle]
        inner = [fetch.slots, slot_reader.line, requests.job, data_reader.line, packetiser.flit, packetiser.done]
        outputs = [self.answer, self.config, self.completion, self.read_request, self.ethernet_tx]
        changes = [
            self.access.valid,
            ~Cat(idle).all(),
            *(each.valid & each.ready for each in [*inner, *(reader.read_request for reader in readers)]),
            *(each.valid for each in outputs),
        ]
        m.d.comb += self.idle.eq(~Cat(changes).any())
        return m
