"""Seeded bugs of host writes and registers, and of the RX path as a whole."""

from tests.rtl.mutant import Mutant

_PATH = "tests/rtl/test_receive.py"
# its tests together take long
_HEADERS = f"{_PATH}::test_a_pipe_in_header_mode_takes_every_frame_whole_behind_a_line_that_tells_of_it"
_IPV6 = f"{_PATH}::test_pipes_take_ipv6_up_to_its_end_if_they_are_set_to"
_LATENCY = f"{_PATH}::test_latency_from_the_last_beat_to_the_host"
_RINGS = f"{_PATH}::test_rings_have_the_sizes_that_were_set_when_they_were_enabled"
_FLOOD = f"{_PATH}::test_a_flood_of_head_checks_of_a_full_notification_ring_forgets_no_pipe"

HOST_MUTANTS = (
    # --- host writes --------------------------------------------------------------------------------------------------
    Mutant(
        "dma_writer",
        "a notification leaves before its data",
        "with m.If(lines != 0):",
        "with m.If((lines != 0) & (begun | ~shown.notify)):",
    ),
    Mutant(
        "dma_writer",
        "a notification leaves in place of the last flit of its data",
        "with m.If(lines != 0):",
        "with m.If((lines != 0) & ~(shown.notify & (lines == 1))):",
    ),
    Mutant(
        "dma_writer",
        "a dropped frame stays in the packet buffer",
        "reads.w_en.eq(self.i.valid & self.i.ready & is_frame)",
        "reads.w_en.eq(self.i.valid & self.i.ready & is_frame & ~is_drop)",
    ),
    Mutant(
        "dma_writer",
        "data is written without bus_master",
        "self.flit.valid & (self.bus_master | begun)",
        "self.flit.valid",
    ),
    Mutant(
        "dma_writer",
        "bus_master stops inside a write",
        "self.flit.valid & (self.bus_master | begun)",
        "self.flit.valid & self.bus_master",
    ),
    Mutant(
        "dma_writer",
        "notifications are written without bus_master",
        "emit.eq(has_job & advance & self.bus_master)",
        "emit.eq(has_job & advance)",
    ),
    Mutant(
        "dma_writer",
        "an answer waits for bus_master",
        "beat.data.eq(job.data),\n                emit.eq(has_job & advance),",
        "beat.data.eq(job.data),\n                emit.eq(has_job & advance & self.bus_master),",
    ),
    Mutant(
        "write_planner",
        "a write crosses a max_payload boundary",
        "room.eq(self.max_payload - beyond_boundary)",
        "room.eq(self.max_payload)",
    ),
    Mutant(
        "write_planner",
        "a packet that wraps goes on behind its ring",
        "& ((1 << item.size) - 1)",
        "& ((1 << 20) - 1)",
    ),
    Mutant(
        "write_planner",
        "packets never share a write",
        "is_growing.eq(is_packet & ~(item.notify & ends))",
        "is_growing.eq(0)",
    ),
    Mutant(
        "write_planner",
        "packets are merged across a notification",
        "is_growing.eq(is_packet & ~(item.notify & ends))",
        "is_growing.eq(is_packet)",
    ),
    Mutant(
        "write_planner",
        "packets are merged across a boundary",
        " & (beyond_boundary != 0)",
        "",
    ),
    Mutant(
        "write_planner",
        "a packet joins a write of another place",
        " & adds_up(item.base, item.offset, next_line)",
        "",
    ),
    Mutant(
        "write_planner",
        "an answer joins the write before it",
        "& is_growing & is_packet &",
        "& is_growing &",
    ),
    Mutant(
        "write_planner",
        "the rest of a packet is lost at a boundary",
        "self.i.ready.eq((begins | grows) & ends)",
        "self.i.ready.eq(begins | grows)",
    ),
    Mutant(
        "write_planner",
        "each part of a packet is notified",
        "job.notify.eq(item.notify & ends)",
        "job.notify.eq(item.notify)",
    ),
    Mutant(
        "write_planner",
        "a packet waits until the write before it has left",
        "begins.eq(self.i.valid & (~self.has_job | self.take))",
        "begins.eq(self.i.valid & ~self.has_job)",
    ),
    Mutant(
        "output_gate",
        "the gate closes inside an item",
        "self.closed.eq(self.close & ~stays_inside)",
        "self.closed.eq(self.close)",
    ),
    Mutant(
        "output_gate",
        "the closed gate takes what it does not pass",
        "self.i.ready.eq(self.o.ready & ~self.closed)",
        "self.i.ready.eq(self.o.ready)",
    ),
    Mutant(
        "output_gate",
        "the gate forgets an item that pauses",
        "Mux(self.o.valid, ~(self.o.ready & last), inside)",
        "Mux(self.o.valid, ~(self.o.ready & last), 0)",
    ),
    Mutant(
        "output_gate",
        "the gate closes on an item that is shown and not taken",
        "Mux(self.o.valid, ~(self.o.ready & last), inside)",
        "Mux(self.o.valid & self.o.ready, ~last, inside)",
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
        "a write of an address is one of a head",
        "self.write.payload.head.eq(is_rx & is_index & high)",
        "self.write.payload.head.eq(is_rx & high)",
    ),
    Mutant(
        "mmio",
        "a page without an owner is another's",
        "operation.index.eq(FIRST_EXTENSION_PAGE)",
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
        "mmio",
        "modes cannot be written",
        "self.write.valid.eq(is_mode)",
        "self.write.valid.eq(0)",
    ),
    Mutant(
        "mmio",
        "the table of drops reads modes",
        "operation.word.eq(PipeWord.DROPS)",
        "operation.word.eq(PipeWord.MODE)",
    ),
    Mutant(
        "mmio",
        "the table of drops goes on behind its last page",
        "page < FIRST_PIPE_DROPS_PAGE + PIPE_TABLE_PAGES",
        "page < FIRST_PIPE_DROPS_PAGE + PIPE_TABLE_PAGES + 1",
    ),
    Mutant(
        "mmio",
        "a word of the extension page is written without its lower half",
        "self.extension_write.valid.eq(is_extension & low)",
        "self.extension_write.valid.eq(is_extension)",
    ),
    Mutant(
        "mmio",
        "an upper half that is not written counts",
        "Mux(high, request.data[32:], 0)",
        "request.data[32:]",
    ),
    # --- the extension page -------------------------------------------------------------------------------------------
    Mutant(
        "extension_page",
        "an event beside another of its kind is not counted",
        "events[cause.name.lower()] = at_door | (self.dropped == cause)",
        "events[cause.name.lower()] = at_door",
    ),
    Mutant(
        "extension_page",
        "TX errors are counted as another event",
        "{name: getattr(self, name) for name in PULSES}",
        '{name: getattr(self, name) for name in PULSES} | {"tx_error": self.flow_inserts_failed}',
    ),
    Mutant(
        "extension_page",
        "every verdict counts as admitted",
        "admitted = self.verdict.valid & (self.verdict.payload.cause == DropCause.NONE)",
        "admitted = self.verdict.valid",
    ),
    Mutant(
        "extension_page",
        "two reads that are given up at once count as one",
        "count.eq(count + events[name])",
        "count.eq(count + 1)",
    ),
    Mutant(
        "extension_page",
        "a ring may be smaller than the largest write",
        "for exponent in range(exact_log2(SMALLEST_RING),",
        "for exponent in range(exact_log2(SMALLEST_RING) - 1,",
    ),
    Mutant(
        "extension_page",
        "a ring may be larger than its indices reach",
        "exact_log2(largest) + 1):",
        "exact_log2(largest) + 2):",
    ),
    Mutant(
        "extension_page",
        "anything resets",
        'with m.If(writes("reset") & (written.data == RESET_KEY)):',
        'with m.If(writes("reset")):',
    ),
    Mutant(
        "extension_page",
        "the key resets whatever word it is written to",
        'with m.If(writes("reset") & (written.data == RESET_KEY)):',
        "with m.If(self.write.valid & (written.data == RESET_KEY)):",
    ),
    Mutant(
        "extension_page",
        "settings are written by words that are none",
        "(written.word == EXTENSION_WORDS[name].number)",
        "(written.word[:8] == EXTENSION_WORDS[name].number)",
    ),
    Mutant(
        "extension_page",
        "the two modes are one",
        "settings.accept_ipv6.eq((written.data & Mode.ACCEPT_IPV6).any())",
        "settings.accept_ipv6.eq((written.data & Mode.NOTIFICATION_PER_PACKET).any())",
    ),
    Mutant(
        "extension_page",
        "a reset keeps the settings",
        "Signal(NicSettings, init=self._settings_after_reset())",
        "Signal(NicSettings, init=self._settings_after_reset(), reset_less=True)",
    ),
    # --- the RX path --------------------------------------------------------------------------------------------------
    Mutant(
        "receive",
        "the RX path is idle while frames wait for the pipe manager",
        "Cat(block.idle for block in blocks).all() & (steered.level == 0)",
        "parser.idle & writer.idle",
        _LATENCY,
    ),
    Mutant(
        "receive",
        "the notifier does not know whether more can be owed",
        "notifier.can_owe.eq(owed.has_room)",
        "notifier.can_owe.eq(1)",
        _FLOOD,
    ),
    Mutant(
        "receive",
        "retries count as merged checks",
        "operations.tap.valid & operations.tap.payload.is_check",
        "operations.tap.valid",
        _FLOOD,
    ),
    Mutant(
        "receive",
        "pipes never take IPv6",
        "parser.accept_ipv6.eq(self.settings.accept_ipv6)",
        "parser.accept_ipv6.eq(0)",
        _IPV6,
    ),
    Mutant(
        "receive",
        "notification rings have the size of pipes",
        "(block.settings, self.settings),",
        "(block.settings, self.settings if block is pipe_manager else 0),",
        _RINGS,
    ),
    Mutant(
        "receive",
        "the details of refused frames are lost",
        "details.w_en.eq(flow_director.steered.valid)",
        "details.w_en.eq(flow_director.steered.valid & ~flow_director.steered.payload.refusal.as_value().any())",
        _HEADERS,
    ),
)
