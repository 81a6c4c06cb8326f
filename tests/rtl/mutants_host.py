"""Seeded bugs of host writes and registers, and of the RX path as a whole."""

from tests.rtl.mutant import Mutant

HOST_MUTANTS = (
    # --- host writes --------------------------------------------------------------------------------------------------
    Mutant(
        "dma_writer",
        "a notification leaves before its data",
        """pass
        with m.Elif(is_packet & ~data_done):""",
        """told = Signal()
        with m.Elif(is_packet & item.notify & (done == 0) & ~told):
            m.d.comb += [
                notification.signal.eq(1),
                notification.pipe.eq(item.pipe),
                notification.tail.eq(item.tail),
                beat.address.eq(item.slot),
                emit.eq(advance & self.bus_master),
            ]
            with m.If(emit):
                m.d.sync += told.eq(1)
        with m.Elif(is_packet & ~data_done):""",
    ),
    Mutant(
        "dma_writer",
        "a notification leaves in place of the last flit of its data",
        "is_packet = item.kind == RxCommandKind.PACKET",
        "is_packet = (item.kind == RxCommandKind.PACKET) & ~(item.notify & (remaining == 1))",
    ),
    Mutant(
        "dma_writer",
        "a write crosses a max_payload boundary",
        "to_boundary.eq(self.max_payload - (line[:3] & (self.max_payload - 1)[:3]))",
        "to_boundary.eq(self.max_payload)",
    ),
    Mutant(
        "dma_writer",
        "a write crosses the end of a ring",
        "burst.eq(Mux(~wrapped & (to_ring_end < shorter), to_ring_end, shorter))",
        "burst.eq(shorter)",
    ),
    Mutant(
        "dma_writer",
        "a packet that wraps goes on behind its ring",
        "line.eq(item.address + done - Mux(wrapped, self._ring_flits, 0))",
        "line.eq(item.address + done)",
    ),
    Mutant(
        "dma_writer",
        "data is written without bus_master",
        "advance & self.flit.valid & (self.bus_master | ~is_first)",
        "advance & self.flit.valid",
    ),
    Mutant(
        "dma_writer",
        "bus_master stops inside a write",
        "advance & self.flit.valid & (self.bus_master | ~is_first)",
        "advance & self.flit.valid & self.bus_master",
    ),
    Mutant(
        "dma_writer",
        "notifications are written without bus_master",
        "emit.eq(advance & self.bus_master)",
        "emit.eq(advance)",
    ),
    Mutant(
        "dma_writer",
        "an answer waits for bus_master",
        """beat.data.eq(item.data),
                emit.eq(advance),""",
        """beat.data.eq(item.data),
                emit.eq(advance & self.bus_master),""",
    ),
    Mutant(
        "host_write_arbiter",
        "a completion interleaves inside an RX write",
        "Mux(locked, kept_choice, self.tx.valid)",
        "self.tx.valid",
    ),
    Mutant(
        "host_write_arbiter",
        "a write is over with its first beat",
        "locked.eq(~(self.o.ready & self.o.payload.last))",
        "locked.eq(~self.o.ready)",
    ),
    Mutant(
        "host_write_arbiter",
        "a stalled beat is replaced by a completion",
        "with m.If(self.o.valid):",
        "with m.If(self.o.valid & self.o.ready):",
    ),
    # --- registers ----------------------------------------------------------------------------------------------------
    Mutant(
        "mmio",
        "byte enables of the low register are ignored",
        "low = request.enables[:4].all()",
        "low = request.enables[:4].any()",
    ),
    Mutant(
        "mmio",
        "a head write checks nothing",
        "needs_check = is_index & high & is_pipe",
        "needs_check = is_index & high & is_pipe & low",
    ),
    Mutant(
        "mmio",
        "a head write of a notification buffer frees nothing",
        "tells_freed = is_index & high & is_buffer",
        "tells_freed = is_index & high & is_buffer & low",
    ),
    Mutant(
        "mmio",
        "a write of tail and head writes no tail",
        "needs_tail = is_index & low & ~tail_sent",
        "needs_tail = is_index & low & ~high & ~tail_sent",
    ),
    Mutant(
        "mmio",
        "a write of an address is one of a head",
        "self.write.payload.head.eq(is_index & high)",
        "self.write.payload.head.eq(high)",
    ),
    Mutant(
        "mmio",
        "a page without an owner is another's",
        "operation.index.eq(Mux(is_pipe | is_buffer, page, FIRST_EXTENSION_PAGE))",
        "operation.index.eq(page)",
    ),
    Mutant(
        "mmio",
        "accesses do not wait for the sweep",
        "with m.If(self.i.valid & self.is_open):",
        "with m.If(self.i.valid):",
    ),
    Mutant(
        "mmio",
        "a counter that is read changes while the answer waits",
        "Mux(is_extension, count, 0)",
        "Mux(is_extension, self.extension_data, 0)",
    ),
    Mutant(
        "mmio",
        "a TX register is asked for twice",
        "self.tx_access.valid.eq(~tx_asked)",
        "self.tx_access.valid.eq(1)",
    ),
    Mutant(
        "counters",
        "an event beside another of its kind is not counted",
        "events[cause.name.lower()] = at_door | (self.dropped == cause)",
        "events[cause.name.lower()] = at_door",
    ),
    Mutant(
        "counters",
        "tx_error is not counted",
        '"flow_inserts_failed", "tx_error")',
        '"flow_inserts_failed")',
    ),
    Mutant(
        "counters",
        "every verdict counts as admitted",
        "admitted = self.verdict.valid & (self.verdict.payload.cause == DropCause.NONE)",
        "admitted = self.verdict.valid",
    ),
    # --- the RX path --------------------------------------------------------------------------------------------------
    Mutant(
        "receive",
        "the RX path is idle while frames wait for the pipe manager",
        "Cat(block.idle for block in blocks).all() & (steered.level == 0)",
        "parser.idle & writer.idle",
    ),
    Mutant(
        "receive",
        "the notifier does not know whether more can be owed",
        "notifier.can_owe.eq(owed.has_room)",
        "notifier.can_owe.eq(1)",
    ),
)
