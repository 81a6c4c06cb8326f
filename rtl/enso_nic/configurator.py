"""Config requests: what their ids mean, and the settings that they leave behind."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.layouts import (
    ConfigCode,
    ConfigFallback,
    ConfigFlow,
    ConfigRateLimit,
    ConfigRequest,
    ConfigTimestamp,
    Fallback,
    FlowOperation,
    FlowOperationKind,
    RateLimitSetting,
    TimestampSetting,
)

LAST_TIMESTAMP_OFFSET = 60
"""The last byte of the first flit at which a time stamp of 4 bytes still fits."""


class ConfigId(enum.Enum, shape=64):
    """All config requests there are; those from 0x100 are ours, the others upstream's."""

    FLOW_INSERT = 1
    TIMESTAMP = 2
    RATE_LIMIT = 3
    FALLBACK = 4
    FLOW_DELETE = 0x100
    FLOW_STATUS = 0x101


FLOW_OPERATIONS = {
    ConfigId.FLOW_INSERT: FlowOperationKind.INSERT,
    ConfigId.FLOW_DELETE: FlowOperationKind.DELETE,
    ConfigId.FLOW_STATUS: FlowOperationKind.STATUS,
}


class Configurator(wiring.Component):
    """Takes config requests one by one; requests about flow rules leave on ``flow``, the others become settings.

    Guarantees: a request is accepted when it took effect for all that comes later, with its code on ``config_code``
    in that cycle; for a flow rule that is when ``flow`` is accepted, with the code on ``flow_code``. Settings change in
    the cycle after. After reset all are off. A request with an unknown id changes nothing: UNKNOWN.
    Latency: 0 cycles, plus what the flow table takes. Back-pressure: requests wait while ``flow`` does.
    It has no work of its own, so it is always idle but for a request that waits.
    """

    config: In(stream.Signature(ConfigRequest))
    config_code: Out(ConfigCode)
    flow: Out(stream.Signature(FlowOperation))
    flow_code: In(ConfigCode)
    timestamp: Out(TimestampSetting)
    rate_limit: Out(RateLimitSetting)
    fallback: Out(Fallback)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request, body = self.config.payload, self.config.payload.body
        flow = data.View(ConfigFlow, body)
        m.d.comb += [
            self.flow.payload.rule.key.destination_port.eq(flow.destination_port),
            self.flow.payload.rule.key.source_port.eq(flow.source_port),
            self.flow.payload.rule.key.destination_address.eq(flow.destination_address),
            self.flow.payload.rule.key.source_address.eq(flow.source_address),
            self.flow.payload.rule.pipe.eq(flow.pipe),
        ]

        timestamp, rate_limit = data.View(ConfigTimestamp, body), data.View(ConfigRateLimit, body)
        fallback = data.View(ConfigFallback, body)
        is_late = Signal()
        m.d.comb += is_late.eq(timestamp.offset > LAST_TIMESTAMP_OFFSET)
        m.d.comb += self.config.ready.eq(1)
        with m.If(self.config.valid), m.Switch(request.id):
            for number, kind in FLOW_OPERATIONS.items():
                with m.Case(number):
                    m.d.comb += [
                        self.flow.valid.eq(1),
                        self.flow.payload.kind.eq(kind),
                        self.config.ready.eq(self.flow.ready),
                        self.config_code.eq(self.flow_code),
                    ]
            with m.Case(ConfigId.TIMESTAMP):
                m.d.sync += [
                    self.timestamp.enable.eq(timestamp.enable[-1]),
                    self.timestamp.offset.eq(Mux(is_late, LAST_TIMESTAMP_OFFSET, timestamp.offset)),
                ]
            with m.Case(ConfigId.RATE_LIMIT):
                m.d.sync += [
                    self.rate_limit.enable.eq(rate_limit.enable[-1]),
                    self.rate_limit.numerator.eq(rate_limit.numerator),
                    self.rate_limit.denominator.eq(rate_limit.denominator),
                ]
            with m.Case(ConfigId.FALLBACK):
                m.d.sync += [
                    self.fallback.enable.eq(fallback.pipes != 0),
                    self.fallback.mask.eq(fallback.mask),
                    self.fallback.round_robin.eq(fallback.round_robin[-1]),
                ]
            with m.Default():
                m.d.comb += self.config_code.eq(ConfigCode.UNKNOWN)
        return m
