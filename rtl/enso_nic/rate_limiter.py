"""The rate at which TX may send, in upstream's unit: a share of 200 M flits per second."""

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from enso_nic.layouts import RateLimitSetting

BURST_TICKS = 16
"""Credit of at most so many ticks is kept while nothing is sent: it makes up for what one frame starts late."""
ELAPSED_BITS = 26
"""Ticks are counted up to this many bits: more than any debt takes to be paid, with 9 kB frames and numerator 1."""


class RateLimiter(wiring.Component):
    """Credit for flits: ``numerator`` per tick, of which each flit costs ``denominator``.

    A frame may start while credit is above 0. It is charged as its flits go, also below 0, so no frame is interrupted.
    Credit follows ``tick``, not the clock, so it does not matter for how long the clock stood still. A numerator or a
    denominator of 0 is no limit.

    Guarantees: over any time, at most numerator / denominator flits per tick, plus 16 ticks' worth, plus one frame.
    Latency: ``may_start`` shows credit that was earned up to the cycle before. While it is 0, the first cycle in which
    it may change is ``deadline``, or later: whoever waits for it looks again then.
    """

    setting: In(RateLimitSetting)
    tick: In(64)  # 5 ns
    charge: In(1)  # a flit goes
    may_start: Out(1)
    is_due: Out(1)  # may_start will be 1 in the next cycle, unless a flit goes
    deadline: Out(64)  # cycle; meaningless while is_due

    def elaborate(self, platform: object) -> Module:
        m = Module()
        numerator, denominator = self.setting.numerator, self.setting.denominator
        is_limited = Signal()
        m.d.comb += is_limited.eq(self.setting.enable & (numerator != 0) & (denominator != 0))

        credit, since = Signal(signed(44)), Signal(64)  # credit as it was at tick ``since``
        passed, elapsed = Signal(64), Signal(ELAPSED_BITS)
        earned, most, now = Signal(signed(44)), Signal(signed(44)), Signal(signed(44))
        lacking, ticks = Signal(44), Signal(44)
        m.d.sync += since.eq(self.tick)
        m.d.comb += [self.may_start.eq(~is_limited | (credit > 0)), self.is_due.eq(1)]
        with m.If(~is_limited):
            m.d.sync += credit.eq(0)
        with m.Else():
            m.d.comb += [
                passed.eq(self.tick - since),
                elapsed.eq(Mux(passed[ELAPSED_BITS:] != 0, Const((1 << ELAPSED_BITS) - 1), passed)),
                earned.eq(credit + elapsed * numerator),
                most.eq(numerator * BURST_TICKS),
                now.eq(Mux(earned > most, most, earned)),
                self.is_due.eq(now > 0),
            ]
            m.d.sync += credit.eq(now - Mux(self.charge, denominator, 0))
        with m.If(~self.is_due):
            # no division: numerator < 2 ** bits, so that at least ``ticks`` must pass; what is then left waits again
            m.d.comb += lacking.eq(1 - now)
            for bits in range(1, 17):
                with m.If(numerator[bits - 1 :] == 1):
                    m.d.comb += ticks.eq(lacking >> bits)
            target = self.tick + Mux(ticks == 0, 1, ticks)
            # the first cycle in which floor(cycle * 4 / 5) is as much
            m.d.comb += self.deadline.eq((target * 5 + 3) >> 2)
        return m
