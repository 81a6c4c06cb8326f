"""Seeded bugs of the RX path."""

from tests.rtl.mutant import Mutant

_FLOWS = "tests/rtl/test_flow_director.py"
# its tests together take long
_KEY = f"{_FLOWS}::test_all_of_the_key_must_match"
_FALLBACK = f"{_FLOWS}::test_without_a_rule_the_fallback_is_the_hash_under_a_mask"
_ROUND_ROBIN = f"{_FLOWS}::test_round_robin_counts_the_frames_without_a_rule_and_nothing_else"
_MOVED = f"{_FLOWS}::test_every_lookup_meets_its_rule_while_that_is_moved"

RECEIVE_MUTANTS = (
    # --- the door -----------------------------------------------------------------------------------------------------
    Mutant(
        "rx_parser",
        "a frame is not trimmed to its IP length",
        "within = (index * FLIT_BYTES < header.end) & (",
        "within = (",
    ),
    Mutant(
        "rx_parser",
        "bytes behind the IP length are kept",
        "beat.data & byte_mask(kept_bytes)",
        "beat.data",
    ),
    Mutant(
        "rx_parser",
        "a frame of the maximum length is too long",
        "length > self._config.maximum_frame",
        "length >= self._config.maximum_frame",
    ),
    Mutant(
        "rx_parser",
        "the length of a giant comes round to a small one",
        "flits_before + (flits_before != 0xFF)",
        "flits_before + 1",
    ),
    Mutant(
        "rx_parser",
        "a bad frame is admitted",
        "with m.Elif(beat.error):",
        "with m.Elif(beat.error & 0):",
    ),
    Mutant(
        "rx_parser",
        "an IP length beyond the frame is believed",
        "~header.is_sound | (header.end > length)",
        "~header.is_sound",
    ),
    Mutant(
        "rx_parser",
        "an IP length below the header's is sound",
        "(header_words >= 5) & (total_length >= layer4)",
        "header_words >= 5",
    ),
    Mutant(
        "rx_parser",
        "the IP version is not looked at",
        " & (field(14, 1)[4:] == 4)",
        "",
    ),
    Mutant(
        "rx_parser",
        "a frame is admitted though there was no room for it",
        "with m.Elif(~header.has_room):",
        "with m.Elif(~self.has_room):",
    ),
    Mutant(
        "rx_parser",
        "a later fragment is steered by what lies where ports would be",
        "is_whole = fragment_offset == 0",
        "is_whole = fragment_offset != 0x1FFF",
    ),
    Mutant(
        "rx_parser",
        "a TCP SYN is steered by its 4-tuple",
        "is_connected = is_tcp & ((flags & TCP_SYN) == 0)",
        "is_connected = is_tcp",
    ),
    Mutant(
        "rx_parser",
        "IP options are taken for ports",
        "for words in range(LONGEST_WITH_PORTS + 1))[header_words]",
        "for words in range(LONGEST_WITH_PORTS + 1))[5]",
    ),
    Mutant(
        "rx_parser",
        "what is left of a frame after a reset is taken for a frame",
        "at_start = Signal(init=1, reset_less=True)",
        "at_start = Signal(init=1)",
    ),
    Mutant(
        "packet_buffer",
        "a bad frame is not rolled back",
        "m.d.comb += following.eq(frame_start)",
        "m.d.comb += following.eq(next_write)",
    ),
    Mutant(
        "packet_buffer",
        "the packet buffer promises room for a flit too many",
        "depth - used >= self._config.maximum_frame_flits",
        "depth - used >= self._config.maximum_frame_flits - 1",
    ),
    Mutant(
        "packet_buffer",
        "the packet buffer promises no room for what just fits",
        "depth - used >= self._config.maximum_frame_flits",
        "depth - used > self._config.maximum_frame_flits",
    ),
    Mutant(
        "packet_buffer",
        "a full packet buffer looks empty",
        "(Signal(range(2 * depth)) for _ in range(3))",
        "(Signal(range(depth)) for _ in range(3))",
    ),
    Mutant(
        "packet_buffer",
        "a dropped frame gives one flit back",
        "read_index.eq(read_index + self.read.payload.flits)",
        "read_index.eq(read_index + 1)",
    ),
    Mutant(
        "packet_buffer",
        "a stalled flit is replaced",
        "advance = ~self.o.valid | self.o.ready",
        "advance = self.o.ready | ~self.o.ready",
    ),
    # --- steering -----------------------------------------------------------------------------------------------------
    Mutant(
        "flow_hash",
        "a rotation of the flow hash is wrong",
        '("a", "c", 11)',
        '("a", "c", 12)',
    ),
    Mutant(
        "flow_hash",
        "all sub-tables have the same hash",
        "+ SEED + self._variant)[:32]",
        "+ SEED)[:32]",
    ),
    Mutant(
        "flow_hash",
        "the flow hash takes the fields in another order",
        "Cat(key.destination_port, key.destination_address, key.source_port, key.source_address)",
        "Cat(key.source_port, key.source_address, key.destination_port, key.destination_address)",
    ),
    Mutant(
        "flow_director",
        "the source address of a rule is not compared",
        "(read.data.rule.key == found.frame.key)",
        "(read.data.rule.key.as_value()[:64] == found.frame.key.as_value()[:64])",
        _KEY,
    ),
    Mutant(
        "flow_director",
        "the destination port of a rule is not compared",
        "(read.data.rule.key == found.frame.key)",
        "(read.data.rule.key.as_value()[16:] == found.frame.key.as_value()[16:])",
        _KEY,
    ),
    Mutant(
        "flow_director",
        "an empty place holds a rule for zeros",
        "matches[i].eq(read.data.valid & (",
        "matches[i].eq((",
    ),
    Mutant(
        "flow_director",
        "the fallback mask is ignored",
        "Mux(self.fallback.round_robin, turn, first_hash) & self.fallback.mask",
        "Mux(self.fallback.round_robin, turn, first_hash)",
        _FALLBACK,
    ),
    Mutant(
        "flow_director",
        "round robin counts every clock",
        "with m.If(found.is_frame & ~has_rule & self.fallback.enable & self.fallback.round_robin):",
        "with m.If(self.fallback.enable & self.fallback.round_robin):",
        _ROUND_ROBIN,
    ),
    Mutant(
        "flow_director",
        "round robin counts frames with a rule too",
        "with m.If(found.is_frame & ~has_rule & self.fallback.enable & self.fallback.round_robin):",
        "with m.If(found.is_frame & self.fallback.enable & self.fallback.round_robin):",
        _ROUND_ROBIN,
    ),
    Mutant(
        "flow_director",
        "the fallback takes frames though it is off",
        "steered.miss.eq(~has_rule & ~self.fallback.enable)",
        "steered.miss.eq(~has_rule & ~self.fallback.enable & (self.fallback.mask == 0))",
        _FALLBACK,
    ),
    Mutant(
        "flow_director",
        "an operation looks up the key of the frame that enters beside it",
        "updater.key.ready.eq(self.ready & ~self.frame.valid)",
        "updater.key.ready.eq(self.ready)",
        _MOVED,
    ),
    Mutant(
        "flow_director",
        "the sweep of the flow table is one short",
        "self.ready.eq(sweep == self._entries)",
        "self.ready.eq(sweep == self._entries - 1)",
        f"{_FLOWS}::test_reset_clears_each_place",
    ),
    Mutant(
        "flow_director",
        "the flow director is idle with frames inside",
        "self.idle.eq(self.ready & updater.idle & ~is_busy)",
        "self.idle.eq(self.ready & updater.idle)",
    ),
    Mutant(
        "flow_updater",
        "a rule that moves is cleared before it is written",
        """with m.If(usable.any()):
                        m.next = "write\"""",
        """with m.If(usable.any()):
                        m.d.comb += [self.write.valid.eq(~is_new_rule), self.write.payload.place.eq(candidate.place)]
                        m.next = "write\"""",
        _MOVED,
    ),
    Mutant(
        "flow_updater",
        "a rule of the same key is not overwritten",
        "usable.eq(Mux(is_new_rule & places.match.any(), places.match, places.empty))",
        "usable.eq(places.empty)",
        _FLOWS,
    ),
    Mutant(
        "flow_updater",
        "a deleted rule stays",
        'm.next = "clear"',
        'm.next = "end"',
        _FLOWS,
    ),
    Mutant(
        "flow_updater",
        "an operation is accepted before it changed the table",
        """m.next = "read parent"
                with m.If(is_new_rule):""",
        """m.next = "read parent"
                m.d.comb += self.operation.ready.eq(is_new_rule)
                with m.If(is_new_rule):""",
        _FLOWS,
    ),
    Mutant(
        "flow_updater",
        "a rule stands in its own way",
        "is_wanted.eq(~places.match.bit_select(table, 1) & (count != CANDIDATES))",
        "is_wanted.eq(count != CANDIDATES)",
        _FLOWS,
    ),
    Mutant(
        "flow_updater",
        "the list of rules that may move overflows",
        "is_wanted.eq(~places.match.bit_select(table, 1) & (count != CANDIDATES))",
        "is_wanted.eq(~places.match.bit_select(table, 1))",
        _FLOWS,
    ),
    Mutant(
        "flow_updater",
        "an insert without a place says done",
        "self.code.eq(ConfigCode.TABLE_FULL)",
        "self.code.eq(ConfigCode.OK)",
        _FLOWS,
    ),
    # --- pipes --------------------------------------------------------------------------------------------------------
    *(
        Mutant(
            "pipe_manager",
            f"the pipe manager does not see a decision {age + 1} cycles old",
            "Cat(result_valid[age] & (result_index[age] == reading.operation.index) for age in range(HISTORY))",
            f"Cat(int(age != {age}) & result_valid[age] & (result_index[age] == reading.operation.index) "
            "for age in range(HISTORY))",
        )
        for age in range(3)
    ),
    Mutant(
        "pipe_manager",
        "of several decisions on a pipe the oldest counts",
        """for age in reversed(range(HISTORY)):
            with m.If(is_recent[age]):
                m.d.comb += state""",
        """for age in range(HISTORY):
            with m.If(is_recent[age]):
                m.d.comb += state""",
    ),
    Mutant(
        "pipe_manager",
        "a pipe is filled to its last flit",
        "with m.Elif(deciding.flits > free):",
        "with m.Elif(deciding.flits > free + 1):",
    ),
    Mutant(
        "pipe_manager",
        "a pipe is full a flit too early",
        "with m.Elif(deciding.flits > free):",
        "with m.Elif(deciding.flits >= free):",
    ),
    Mutant(
        "pipe_manager",
        "a pipe with one flit counts as empty",
        "holds_data.eq(((head - tail) & ring_mask) != 0)",
        "holds_data.eq(((tail - head) & ring_mask) > 1)",
    ),
    Mutant(
        "pipe_manager",
        "the tail of a pipe does not wrap",
        "next_tail = (tail + deciding.flits) & ring_mask",
        "next_tail = tail + deciding.flits",
    ),
    Mutant(
        "pipe_manager",
        "a head check tells nobody of data that is left",
        "command.notify.eq(is_enabled & holds_data)",
        "command.notify.eq(0)",
    ),
    Mutant(
        "pipe_manager",
        "a head check of an empty pipe leaves it armed",
        "new_state.armed.eq(is_enabled & holds_data)",
        "new_state.armed.eq(state.armed | (is_enabled & holds_data))",
    ),
    Mutant(
        "pipe_manager",
        "a packet does not arm its pipe",
        "new_state.armed.eq(1)",
        "new_state.armed.eq(state.armed)",
    ),
    Mutant(
        "pipe_manager",
        "a drop arms the pipe",
        "m.d.comb += cause.eq(DropCause.PIPE_FULL)",
        "m.d.comb += [cause.eq(DropCause.PIPE_FULL), new_state.armed.eq(1)]",
    ),
    Mutant(
        "pipe_manager",
        "the low address word enables a pipe",
        "(enables.write_port(), written.low | written.high, written.high)",
        "(enables.write_port(), written.low | written.high, written.low | written.high)",
    ),
    Mutant(
        "pipe_manager",
        "the low address word does not disable a pipe",
        "(enables.write_port(), written.low | written.high, written.high)",
        "(enables.write_port(), written.high, written.high)",
    ),
    Mutant(
        "pipe_manager",
        "a pipe with address 0 takes packets",
        "is_enabled.eq(enable & exists & (address.as_value() != 0))",
        "is_enabled.eq(enable & exists)",
    ),
    Mutant(
        "pipe_manager",
        "packets go before operations",
        "with m.If(self.operation.valid):\n            m.d.comb += [issued.operation",
        "with m.If(self.operation.valid & ~self.frame.valid):\n            m.d.comb += [issued.operation",
    ),
    Mutant(
        "pipe_manager",
        "the queue behind the pipe manager overflows",
        "& (outstanding != QUEUE_DEPTH) & self.ready)",
        "& self.ready)",
    ),
    Mutant(
        "pipe_manager",
        "the sweep of the pipes is one short",
        "self.ready.eq(sweep == pipes)",
        "self.ready.eq(sweep == pipes - 1)",
    ),
    Mutant(
        "pipe_manager",
        "the pipe manager is idle with commands inside",
        "self.ready & (outstanding == 0) & ~self.operation.valid",
        "self.ready & ~self.operation.valid",
    ),
    # --- checks that wait ---------------------------------------------------------------------------------------------
    Mutant(
        "index_set",
        "an index that waits is queued again",
        "order.w_en.eq(looked & ~read.data)",
        "order.w_en.eq(looked)",
    ),
    Mutant(
        "index_set",
        "an index that left is never taken again",
        "write.en.eq(looked | take)",
        "write.en.eq(looked)",
    ),
    Mutant(
        "index_set",
        "the sweep of an index set is one short",
        "self.ready.eq(sweep == self._size)",
        "self.ready.eq(sweep == self._size - 1)",
    ),
    Mutant(
        "index_set",
        "an index set is idle with an index at its output",
        "self.ready & ~self.i.valid & ~self.o.valid & (order.level == 0)",
        "self.ready & ~self.i.valid & (order.level == 0)",
    ),
    Mutant(
        "operation_queue",
        "a head check that finds the queue full is lost",
        "Mux(overflow, ~offers_retry & merged.i.ready, queue.w_rdy)",
        "Mux(overflow, 1, queue.w_rdy)",
    ),
    Mutant(
        "operation_queue",
        "tail writes and reads are merged as head checks are",
        "is_check = exists & (self.i.payload.kind == PipeOperationKind.HEAD_CHECK)",
        "is_check = exists",
    ),
    Mutant(
        "operation_queue",
        "a check of a pipe that does not exist is merged into that of another",
        "is_check = exists & (self.i.payload.kind == PipeOperationKind.HEAD_CHECK)",
        "is_check = self.i.payload.kind == PipeOperationKind.HEAD_CHECK",
    ),
    Mutant(
        "operation_queue",
        "a stalled operation is replaced by a merged check",
        "from_set.eq(Mux(offered, offered_from_set, merged.o.valid & (set_next | ~queue.r_rdy)))",
        "from_set.eq(merged.o.valid & (set_next | ~queue.r_rdy))",
    ),
    Mutant(
        "operation_queue",
        "merged checks wait until the queue is empty",
        "merged.o.valid & (set_next | ~queue.r_rdy)",
        "merged.o.valid & ~queue.r_rdy",
    ),
    Mutant(
        "owed_notifications",
        "the pipes that are owed to are not linked",
        "next_write.en.eq(~member_read.data & stored.any)",
        "next_write.en.eq(0)",
    ),
    Mutant(
        "owed_notifications",
        "only the oldest owed notification is retried",
        "Mux(current == end, Step.CHOOSE, Step.FOLLOW)",
        "Step.CHOOSE",
    ),
    Mutant(
        "owed_notifications",
        "a pipe is owed to only once ever",
        "member_write.en.eq(self.retry.ready)",
        "member_write.en.eq(0)",
    ),
    Mutant(
        "owed_notifications",
        "a notification that is told just after the head write is forgotten",
        "settle.eq(SETTLE_CYCLES)]",
        "settle.eq(1)]",
    ),
    Mutant(
        "owed_notifications",
        "a buffer that does not exist frees another",
        "freed_set.i.valid.eq(self.freed.valid & (self.freed.payload < self._buffers))",
        "freed_set.i.valid.eq(self.freed.valid)",
    ),
    Mutant(
        "owed_notifications",
        "more notifications may be owed than there is room for",
        "self.has_room.eq(queue.level <= QUEUE_DEPTH - SETTLE_CYCLES)",
        "self.has_room.eq(queue.level <= QUEUE_DEPTH)",
    ),
    Mutant(
        "owed_notifications",
        "the sweep of the owed notifications is one short",
        "max(self._pipes, self._buffers) - 1",
        "max(self._pipes, self._buffers) - 2",
    ),
    # --- notifications ------------------------------------------------------------------------------------------------
    *(
        Mutant(
            "notifier",
            f"the notifier does not see a decision {age + 1} cycles old",
            "Cat(result_valid[age] & (result_buffer[age] == reading_buffer) for age in range(HISTORY))",
            f"Cat(int(age != {age}) & result_valid[age] & (result_buffer[age] == reading_buffer) "
            "for age in range(HISTORY))",
        )
        for age in range(3)
    ),
    Mutant(
        "notifier",
        "a full notification ring is overwritten",
        "fits.eq(((head - tail - 1) & ring_mask) != 0)",
        "fits.eq(1)",
    ),
    Mutant(
        "notifier",
        "a notification ring is full a slot too early",
        "fits.eq(((head - tail - 1) & ring_mask) != 0)",
        "fits.eq(((head - tail - 1) & ring_mask) > 1)",
    ),
    Mutant(
        "notifier",
        "notifications do not wrap at the end of their ring",
        "outgoing.slot.eq(base + (tail & ring_mask))",
        "outgoing.slot.eq(base + tail)",
    ),
    Mutant(
        "notifier",
        "a notification that finds its ring full is forgotten",
        "self.owe.valid.eq(decide_valid & deciding.notify & has_ring & ~fits)",
        "self.owe.valid.eq(0)",
    ),
    Mutant(
        "notifier",
        "notifications are decided while no more can be owed",
        "(outstanding != QUEUE_DEPTH) & self.can_owe & self.ready",
        "(outstanding != QUEUE_DEPTH) & self.ready",
    ),
    Mutant(
        "notifier",
        "a notification of a disabled buffer is not counted as lost",
        "self.lost.eq(decide_valid & deciding.notify & ~has_ring)",
        "self.lost.eq(0)",
    ),
    Mutant(
        "notifier",
        "the low address word enables a notification buffer",
        "(enables.write_port(), written.low | written.high, written.high)",
        "(enables.write_port(), written.low | written.high, written.low | written.high)",
    ),
    Mutant(
        "notifier",
        "the sweep of the notification buffers is one short",
        "self.ready.eq(sweep == buffers)",
        "self.ready.eq(sweep == buffers - 1)",
    ),
    # --- host writes --------------------------------------------------------------------------------------------------
    Mutant(
        "dma_writer",
        "a notification leaves before the last flit of its data",
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
    # --- the whole path -----------------------------------------------------------------------------------------------
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
