"""Stores TX frames until they are whole: the wire side never pauses inside a frame."""

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.bits import NEVER_BOTH, network_order, replaced
from enso_nic.config import FLIT_BYTES, NicConfig
from enso_nic.layouts import EthernetTx, RateLimitSetting, TimestampSetting, TxFlit
from enso_nic.rate_limiter import RateLimiter

NO_DEADLINE = (1 << 64) - 1


class StoredFlit(data.Struct):
    """A TxFlit of which no more is known than the wire needs."""

    data: 512
    bytes: 7
    first: 1
    last: 1


class TxFrameBuffer(wiring.Component):
    """A ring of flits, of which only whole frames are shown, each when its rate limit lets it go, with a time stamp.

    A flit that is ``first`` takes the place of a frame that did not end: so an unfinished frame costs nothing, and
    blocks nothing. A frame begins only when one of the maximum length has room, so that it never waits half way. The
    stamp is the low 32 bits of ``tick`` in the cycle before a frame's first beat is shown; the setting of that cycle
    counts.

    Guarantees: frames leave in order; ``ethernet_tx.valid`` holds from a frame's first beat to its last; ``tx_frames``
    pulses with each last beat taken.
    Latency: 2 cycles from a frame's last flit to its first beat. A flit per cycle in and out.
    ``idle``: until ``deadline``, only a transfer on one of its streams can change what it does.
    """

    flit: In(stream.Signature(TxFlit))  # at most a maximum frame from one ``first`` to the next
    ethernet_tx: Out(stream.Signature(EthernetTx))
    timestamp: In(TimestampSetting)
    rate_limit: In(RateLimitSetting)
    tick: In(64)  # 5 ns
    tx_frames: Out(1)
    deadline: Out(64)  # cycle in which a frame may be let go; all ones: none waits
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._depth, self._maximum_frame_flits = config.tx_buffer_flits, config.maximum_frame_flits
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.flits = flits = memory.Memory(shape=StoredFlit, depth=self._depth, init=[], attrs=NEVER_BOTH)
        write, read = flits.write_port(), flits.read_port()
        m.submodules.limiter = limiter = RateLimiter()

        # one bit more than an address, so that full and empty differ
        whole, shown = Signal(range(2 * self._depth)), Signal(range(2 * self._depth))  # the end of each
        used, place, length = Signal.like(whole), Signal.like(whole), Signal.like(whole)
        flit = self.flit.payload
        begun = Signal(range(self._maximum_frame_flits + 1))  # flits of the frame that is coming
        m.d.comb += [
            used.eq(whole - shown),
            self.flit.ready.eq(used <= self._depth - self._maximum_frame_flits),
            place.eq(whole),
            write.addr.eq(place),
            write.data.data.eq(flit.data),
            write.data.bytes.eq(flit.bytes),
            write.data.first.eq(flit.first),
            write.data.last.eq(flit.last),
            write.en.eq(self.flit.valid & self.flit.ready),
        ]
        with m.If(~flit.first):
            m.d.comb += place.eq(whole + begun)
        m.d.comb += length.eq(place + 1)
        with m.If(write.en):
            m.d.sync += begun.eq(length - whole)
            with m.If(flit.last):
                m.d.sync += whole.eq(length)

        # the memory's output register is the output; it holds while stalled
        advance, take, waits, inside = Signal(), Signal(), Signal(), Signal()  # inside: of a frame that is going
        beat = self.ethernet_tx.payload
        stamped, stamp = Signal(512), Signal(32)
        shows_first = Signal()
        m.d.comb += [
            advance.eq(~self.ethernet_tx.valid | self.ethernet_tx.ready),
            shows_first.eq(~inside | (self.ethernet_tx.valid & read.data.last)),
            waits.eq((whole != shown) & shows_first & ~limiter.may_start),
            take.eq((whole != shown) & advance & ~waits),
            read.addr.eq(shown),
            read.en.eq(take),
            stamped.eq(read.data.data),
            beat.data.eq(stamped),
            beat.keep.eq(Const((1 << FLIT_BYTES) - 1, FLIT_BYTES) >> (FLIT_BYTES - read.data.bytes)[:6]),
            beat.last.eq(read.data.last),
            self.tx_frames.eq(self.ethernet_tx.valid & self.ethernet_tx.ready & beat.last),
        ]
        with m.If(advance):
            m.d.sync += self.ethernet_tx.valid.eq(take)
            with m.If(self.ethernet_tx.valid & read.data.last):
                m.d.sync += inside.eq(0)
        with m.If(take):
            m.d.sync += [shown.eq(shown + 1), inside.eq(1)]

        timestamp, is_stamped = Signal(TimestampSetting), Signal()
        with m.If(take):
            m.d.sync += [timestamp.eq(self.timestamp), stamp.eq(self.tick)]
        m.d.comb += is_stamped.eq(timestamp.enable & read.data.first & self.ethernet_tx.valid)
        with m.If(is_stamped):
            m.d.comb += stamped.eq(replaced(m, read.data.data, timestamp.offset, network_order(stamp)))

        m.d.comb += [
            limiter.setting.eq(self.rate_limit),
            limiter.tick.eq(self.tick),
            limiter.charge.eq(take),
            self.deadline.eq(NO_DEADLINE),
            self.idle.eq(~take & ~(waits & limiter.is_due)),
        ]
        with m.If(waits):
            m.d.comb += self.deadline.eq(limiter.deadline)
        return m
