"""The DMA guard: which host memory each notification buffer may have the NIC touch, and which pipes are its own."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.bits import flits
from enso_nic.config import FLIT_SHIFT, NicConfig
from enso_nic.layouts import (
    GuardWindow,
    MmioRequest,
    NicSettings,
    ReadKind,
    ReadLine,
    TxRequestLine,
)
from enso_nic.registers import (
    FIRST_NOTIFICATION_BUFFER_PAGE,
    FIRST_PIPE_OWNER_PAGE,
    FIRST_WINDOW_PAGE,
    PIPE_TABLE_PAGES,
    WINDOW_PAGES,
)
from enso_nic.tx_requests import CONFIG_SIGNAL

RING_STEPS, SLOT_STEPS = 3, 2
"""Cycles that a checked register write, and a checked slot, wait."""


class DmaGuard(wiring.Component):
    """Stands before the MMIO decoder and before the TX requests, and lets pass what is allowed.

    Two tables, written on privileged pages: the owner of each pipe, a notification buffer; and the window of each
    notification buffer: the host memory that it may have touched, and whether it may send config requests.

    While ``settings.guard`` is 1: a register write that would enable a ring outside of its buffer's window, or a pipe
    with another buffer than its owner, passes as a write of 0 to the whole address instead, so that the ring is
    disabled and software reads 0. A TX request for data outside of the window, or a config request without leave,
    passes with ``forbidden``. Either is counted, and told as ``refused_page`` and ``refused_address``. What was checked
    is not checked again: a window is to be changed while the rings of its buffer are closed.

    Guarantees: while ``settings.guard`` is 0, all passes as it comes, in the same cycle. Accesses, and slots, keep
    their order. Latency with the guard: 3 cycles for a write that enables a ring, 2 for a slot; 0 for all else.
    Back-pressure: as the blocks behind it. After reset it clears its tables, then is ``ready``: nothing is allowed.
    ``idle``: only a transfer on one of its streams can change its state.
    """

    i: In(stream.Signature(MmioRequest))
    o: Out(stream.Signature(MmioRequest))
    slot_i: In(stream.Signature(ReadLine))
    slot_o: Out(stream.Signature(ReadLine))
    forbidden: Out(1)  # of the slot that slot_o shows
    settings: In(NicSettings)
    refused_ring: Out(1)  # a pulse each
    refused_request: Out(1)
    refused_page: Out(14)  # of whom the pulse tells
    refused_address: Out(64)  # that it named; of a config request: its id
    ready: Out(1)
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._pipes, self._buffers = config.pipes, config.notification_buffers
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request = self.i.payload
        page, word = Signal(15), Signal(3)
        low, high = request.enables[:4].all(), request.enables[4:].all()
        m.d.comb += [page.eq(request.address >> 9), word.eq(request.address[:3])]
        is_pipe = page < min(self._pipes, FIRST_NOTIFICATION_BUFFER_PAGE)
        is_buffer = (page >= FIRST_NOTIFICATION_BUFFER_PAGE) & (page < FIRST_NOTIFICATION_BUFFER_PAGE + self._buffers)
        is_tx = word == 3
        names_ring = request.write & (((is_pipe | is_buffer) & (word == 1)) | (is_buffer & is_tx))

        # what each table holds; after reset nothing
        entries = max(self._pipes, 2 * self._buffers)
        sweep = Signal(range(entries + 1))
        m.d.comb += self.ready.eq(sweep == entries)
        with m.If(~self.ready):
            m.d.sync += sweep.eq(sweep + 1)
        taken, passed = Signal(), self.o.payload
        m.d.comb += taken.eq(self.i.valid & self.i.ready)
        entry, value = request.address, Cat(request.data[:32], Mux(high, request.data[32:], 0))
        is_owner = (page >= FIRST_PIPE_OWNER_PAGE) & (page < FIRST_PIPE_OWNER_PAGE + PIPE_TABLE_PAGES)
        is_window = (page >= FIRST_WINDOW_PAGE) & (page < FIRST_WINDOW_PAGE + WINDOW_PAGES)
        has_pipe, has_buffer = entry[:13] < self._pipes, entry[1:11] < self._buffers
        sets = taken & request.write & low
        stores_low = taken & names_ring & passed.enables[:4].all()

        def table(name: str, depth: int, width: int, *, place: Value, stored: Value, enable: Value) -> memory.Memory:
            m.submodules[name] = kept = memory.Memory(shape=width, depth=depth, init=[])
            port = kept.write_port()
            m.d.comb += [
                port.addr.eq(Mux(self.ready, place, sweep)),
                port.data.eq(Mux(self.ready, stored, 0)),
                port.en.eq(~self.ready | enable),
            ]
            return kept

        line, may_configure = value[FLIT_SHIFT:], value[0]
        owners = table("owners", self._pipes, 10, place=entry, stored=value[:10], enable=sets & is_owner & has_pipe)
        windows = [
            table(
                name, self._buffers, len(stored), place=entry[1:11], stored=stored,
                enable=sets & is_window & has_buffer & (entry[0] == half),
            )
            for half, (name, stored) in enumerate((("firsts", Cat(line, may_configure)), ("ends", line)))
        ]  # fmt: skip
        # lower halves of the addresses, for software that writes them apart
        ring = Cat(page[: (self._buffers - 1).bit_length()], is_tx)
        pipe_lows, buffer_lows = (
            table(name, depth, 32, place=place, stored=passed.data[:32], enable=stores_low & owner)
            for name, depth, place, owner in (
                ("pipe_lows", self._pipes, page, is_pipe), ("buffer_lows", 2 * self._buffers, ring, is_buffer)
            )
        )  # fmt: skip

        def window_of(buffer: Value, enable: Value | int) -> Signal:
            window, ports = Signal(GuardWindow), [each.read_port() for each in windows]
            m.d.comb += [each.eq(given) for port in ports for each, given in ((port.addr, buffer), (port.en, enable))]
            m.d.comb += window.as_value().eq(Cat(*(port.data for port in ports)))
            return window

        # rings: the low half and the owner are read, then the window; then it is judged
        looked, refuses, needs = Signal(range(RING_STEPS + 1)), Signal(), Signal()
        owner, pipe_low, buffer_low = owners.read_port(), pipe_lows.read_port(), buffer_lows.read_port()
        m.d.comb += [owner.addr.eq(page), pipe_low.addr.eq(page), buffer_low.addr.eq(ring)]
        window = window_of(Mux(is_pipe, owner.data, page[:10]), 1)
        stored_low = Mux(is_pipe, pipe_low.data, buffer_low.data)
        address = Signal(64)
        m.d.comb += [
            needs.eq(self.settings.guard & names_ring & high),
            address.eq(Cat(Mux(low, request.data[:32], stored_low), request.data[32:])),
        ]
        # a pipe's ring begins at a multiple of 1024, below which its buffer is named
        first = Mux(is_pipe, Cat(Const(0, 4), address[10:]), address[FLIT_SHIFT:])
        lines = 1 << Mux(is_pipe, self.settings.pipe_ring, self.settings.notification_ring)
        is_owned = ~is_pipe | ((address[:10] == owner.data) & (owner.data < self._buffers))
        with m.If(looked == RING_STEPS - 1):
            m.d.sync += refuses.eq((address != 0) & ~(is_owned & _holds(window, first, lines)))
        with m.If(taken):
            m.d.sync += looked.eq(0)
        with m.Elif(self.i.valid & needs & (looked != RING_STEPS)):
            m.d.sync += looked.eq(looked + 1)
        m.d.comb += [
            self.o.valid.eq(self.i.valid & (~needs | (looked == RING_STEPS))),
            self.i.ready.eq(self.o.ready & self.o.valid),
            passed.eq(request),
            self.refused_ring.eq(taken & needs & refuses),
        ]
        with m.If(needs & refuses):
            m.d.comb += [passed.data.eq(0), passed.enables.eq(0xFF)]

        # slots: the window is read, then it is judged; one that was shown stays as it was judged
        slot = self.slot_i.payload
        asked = data.View(TxRequestLine, slot.data)
        is_config = asked.signal == CONFIG_SIGNAL
        seen, slot_refuses = Signal(range(SLOT_STEPS + 1)), Signal()
        was_shown, was_free, is_free = Signal(), Signal(), Signal()
        slot_window = window_of(slot.buffer, seen == 0)
        inside = _holds(slot_window, asked.address[FLIT_SHIFT:], flits(asked.length))
        asks = (slot.kind == ReadKind.REQUEST) & ~slot.error
        m.d.comb += [
            is_free.eq(Mux(was_shown, was_free, ~self.settings.guard)),
            self.slot_o.payload.eq(slot),
            self.slot_o.valid.eq(self.slot_i.valid & (is_free | (seen == SLOT_STEPS))),
            self.slot_i.ready.eq(self.slot_o.ready & self.slot_o.valid),
            self.forbidden.eq(~is_free & slot_refuses),
            self.refused_request.eq(self.slot_i.valid & self.slot_i.ready & self.forbidden),
            self.refused_page.eq(Mux(self.refused_ring, page, FIRST_NOTIFICATION_BUFFER_PAGE + slot.buffer)),
            self.refused_address.eq(Mux(self.refused_ring, address, asked.address)),
        ]
        m.d.sync += [was_shown.eq(self.slot_o.valid & ~self.slot_o.ready), was_free.eq(is_free)]
        with m.If(self.slot_i.valid & self.slot_i.ready):
            m.d.sync += seen.eq(0)
        with m.Elif(self.slot_i.valid & (seen != SLOT_STEPS)):
            m.d.sync += seen.eq(seen + 1)
        with m.If(seen == 1):
            m.d.sync += slot_refuses.eq(asks & Mux(is_config, ~slot_window.may_configure, ~inside))
        m.d.comb += self.idle.eq(~self.i.valid & ~(self.slot_i.valid & ~is_free & (seen != SLOT_STEPS)))
        return m


def _holds(window: Value, first: Value, lines: Value) -> Value:
    """Whether so many lines from ``first`` on lie in the window."""
    return (first >= window.first) & (first + lines <= window.end)
