"""Which tags the host may still answer: reads that never end, end too late, or were begun before a reset."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

NO_DEADLINE = (1 << 64) - 1


class ReadTags(wiring.Component):
    """Watches the reads of one reader, whose tags are taken and freed in a circle.

    A read that was not answered ``timeout`` cycles after it was sent is given up as soon as it is the oldest. Its tag,
    and at a reset those of all reads under way, stay reserved until their answers end, or for another ``timeout``
    cycles; what comes for them is ignored. Registers that tell this survive resets.

    Guarantees: ``accepts`` only answers of the reader's own reads, so that no late one is taken for a new one.
    Latency: all outputs follow their inputs in the same cycle.
    ``idle``: until ``deadline`` nothing changes without an input.

    Parameters
    ----------
    tags
        Reads in flight, a power of two.
    timeout
        Cycles.
    """

    def __init__(self, tags: int, timeout: int) -> None:
        self._tags, self._timeout = tags, timeout
        tag = ceil_log2(tags)
        super().__init__(
            {
                "cycle": In(64),
                "sent": In(1),  # the host took a request
                "sent_tag": In(tag),
                "answered": In(1),  # a line comes
                "answered_tag": In(tag),
                "answered_last": In(1),
                "accepts": Out(1),  # the line is for the reader
                "next_tag": In(tag),
                "next_is_free": Out(1),
                "oldest_waits": In(1),  # there is an oldest read, and it lacks lines
                "oldest_tag": In(tag),
                "expires": Out(1),  # the oldest read is given up, in this cycle
                "deadline": Out(64),  # cycle; all ones: none
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.deadlines = deadlines = memory.Memory(shape=64, depth=self._tags, init=[])
        deadline_write, deadline_read = deadlines.write_port(), deadlines.read_port(domain="comb")

        in_flight = Signal(self._tags, reset_less=True)  # sent, and their answers have not ended
        old = Signal(self._tags, reset_less=True)  # of those, the ones that nobody waits for
        old_until = Signal(64, reset_less=True)
        lives = Signal()  # not in reset
        sent, ended, expired, released = (
            Signal(self._tags, name=name) for name in ("sent_now", "ended_now", "expired_now", "released_now")
        )
        still_in_flight, until, oldest_runs, is_over = Signal(self._tags), Signal(64), Signal(), Signal()
        m.d.comb += [
            until.eq(self.cycle + self._timeout),
            deadline_write.addr.eq(self.sent_tag),
            deadline_write.data.eq(until),
            deadline_write.en.eq(self.sent),
            deadline_read.addr.eq(self.oldest_tag),
            self.accepts.eq(self.answered & (in_flight & ~old).bit_select(self.answered_tag, 1)),
            self.next_is_free.eq(~in_flight.bit_select(self.next_tag, 1)),
            oldest_runs.eq(self.oldest_waits & (in_flight & ~old).bit_select(self.oldest_tag, 1)),
            self.expires.eq(oldest_runs & (self.cycle >= deadline_read.data)),
            is_over.eq((old != 0) & (self.cycle >= old_until)),
            sent.eq(self.sent << self.sent_tag),
            ended.eq((self.answered & self.answered_last) << self.answered_tag),
            expired.eq(self.expires << self.oldest_tag),
            released.eq(Mux(is_over, old, 0)),
            still_in_flight.eq((in_flight | sent) & ~ended & ~released),
        ]
        m.d.sync += [
            in_flight.eq(still_in_flight),
            old.eq((old | expired) & still_in_flight),
            lives.eq(1),
        ]
        with m.If(self.expires):
            m.d.sync += old_until.eq(until)
        with m.If(~lives):
            m.d.sync += [old.eq(still_in_flight), old_until.eq(until)]

        with m.If(oldest_runs & ((old == 0) | (deadline_read.data < old_until))):
            m.d.comb += self.deadline.eq(deadline_read.data)
        with m.Elif(old != 0):
            m.d.comb += self.deadline.eq(old_until)
        with m.Else():
            m.d.comb += self.deadline.eq(NO_DEADLINE)
        m.d.comb += self.idle.eq(lives & ~self.expires & ~is_over)
        return m
