"""TX requests: what each asks for, and its completion, in order."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.config import NicConfig
from enso_nic.layouts import (
    ConfigCode,
    ConfigRequest,
    HostWrite,
    HostWriteKind,
    ReadJob,
    ReadLine,
    TxCompletion,
    TxCompletionCode,
    TxCompletionLine,
    TxRequestLine,
)

CONFIG_SIGNAL = 2
FLIT_SHIFT = 6


class TxRequests(wiring.Component):
    """Takes the slots of TX rings one by one, passes on what they ask for, and writes each slot's completion.

    A slot with signal 2 is a config request: it leaves on ``config``, whose far side accepts it once it took effect,
    and says on ``config_code`` in that cycle how it ended; later slots wait until then. Any other is a data request,
    which leaves on ``job``; its code comes back on ``done`` when its last flit has been handed on. Addresses off 64
    bytes, length 0 and slots that could not be read complete with an error and ask for nothing. Of the length its low
    20 bits count.

    Guarantees: completions leave in the order of the slots, each a write of one line over its slot.
    Latency: 1 cycle from a slot to its request; 2 from ``done`` to its completion. Throughput: a slot per cycle.
    Back-pressure: slots wait while their request does, or while ``2 * data_tags`` completions are outstanding.
    ``idle``: only a transfer on one of its streams can change its state.
    """

    slot: In(stream.Signature(ReadLine))
    job: Out(stream.Signature(ReadJob))
    config: Out(stream.Signature(ConfigRequest))
    config_code: In(ConfigCode)  # valid when ``config`` is accepted
    done: In(stream.Signature(TxCompletionCode, always_ready=True))  # one per job, in order
    completion: Out(stream.Signature(HostWrite))
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._outstanding = 2 * config.data_tags
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = len(Signal(TxCompletion).as_value())
        m.submodules.waiting = waiting = fifo.SyncFIFO(width=width, depth=self._outstanding)
        # at most as many as ``waiting`` has, so it cannot overflow
        m.submodules.codes = codes = fifo.SyncFIFO(width=len(self.done.payload.as_value()), depth=self._outstanding)

        # the slot at hand
        line = data.View(TxRequestLine, self.slot.payload.data)
        is_held, held, asks_config = Signal(), Signal(TxCompletion), Signal()
        body, buffer, framed = Signal(384), Signal(10), Signal()
        leaves, load = Signal(), Signal()
        m.d.comb += [load.eq(~is_held | leaves), self.slot.ready.eq(load)]
        is_config = line.signal == CONFIG_SIGNAL
        is_wrong = (line.address[:FLIT_SHIFT] != 0) | (line.length == 0)
        with m.If(load):
            m.d.sync += [
                is_held.eq(self.slot.valid),
                held.slot.eq(self.slot.payload.address),
                held.address.eq(Mux(self.slot.payload.error, 0, line.address)),
                held.length.eq(Mux(self.slot.payload.error, 0, line.length)),
                held.code.eq(TxCompletionCode.OK),
                held.has_data.eq(0),
                asks_config.eq(0),
                body.eq(self.slot.payload.data[128:]),
                buffer.eq(self.slot.payload.buffer),
                framed.eq(line.framed),
            ]
            with m.If(self.slot.payload.error):
                m.d.sync += held.code.eq(TxCompletionCode.READ_ERROR)
            with m.Elif(is_config):
                m.d.sync += asks_config.eq(1)
            with m.Elif(is_wrong):
                m.d.sync += held.code.eq(TxCompletionCode.MALFORMED)
            with m.Else():
                m.d.sync += held.has_data.eq(1)

        can_ask = is_held & waiting.w_rdy
        asked = Signal(TxCompletion)
        m.d.comb += asked.eq(held)
        with m.If(asks_config):
            m.d.comb += asked.code.eq(self.config_code)
        m.d.comb += [
            self.job.valid.eq(can_ask & held.has_data),
            self.job.payload.address.eq(held.address[FLIT_SHIFT:]),
            self.job.payload.flits.eq((held.length + ((1 << FLIT_SHIFT) - 1)) >> FLIT_SHIFT),
            self.job.payload.buffer.eq(buffer),
            self.job.payload.length.eq(held.length),
            self.job.payload.framed.eq(framed),
            self.config.valid.eq(can_ask & asks_config),
            self.config.payload.id.eq(held.address),
            self.config.payload.body.eq(body),
            leaves.eq(can_ask & Mux(held.has_data, self.job.ready, Mux(asks_config, self.config.ready, 1))),
            waiting.w_data.eq(asked),
            waiting.w_en.eq(leaves),
        ]

        # the oldest completion
        oldest = data.View(TxCompletion, waiting.r_data)
        written = Signal(TxCompletionLine)
        completion = self.completion.payload
        m.d.comb += [
            codes.w_data.eq(self.done.payload),
            codes.w_en.eq(self.done.valid),
            codes.r_en.eq(waiting.r_en & oldest.has_data),
            waiting.r_en.eq(self.completion.valid & self.completion.ready),
            self.completion.valid.eq(waiting.r_rdy & (~oldest.has_data | codes.r_rdy)),
            written.address.eq(oldest.address),
            written.length.eq(oldest.length),
            written.code.eq(Mux(oldest.has_data, codes.r_data, oldest.code)),
            completion.data.eq(written),
            completion.address.eq(oldest.slot),
            completion.flits.eq(1),
            completion.first.eq(1),
            completion.last.eq(1),
            completion.kind.eq(HostWriteKind.WRITE),
        ]

        m.d.comb += self.idle.eq(~leaves)
        return m
