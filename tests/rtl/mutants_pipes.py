"""Seeded bugs of pipes and notifications."""

from tests.rtl.mutant import Mutant

PIPE_MUTANTS = (
    # --- pipes --------------------------------------------------------------------------------------------------------
    *(
        Mutant(
            "pipe_manager",
            f"the pipe manager does not see a decision {age + 1} cycles old",
            "Cat(result_valid[age] & (result_index[age] == reading.operation.index) for age in range(HISTORY))",
            f"Cat(int(age != {age}) & result_valid[age] & (result_index[age] == reading.operation.index) "
            "for age in range(HISTORY))",
        )
        for age in (0, 2)
    ),
    Mutant(
        "pipe_manager",
        "of several decisions on a pipe the oldest counts",
        "for age in reversed(range(1, HISTORY)):",
        "for age in range(1, HISTORY):",
    ),
    Mutant(
        "pipe_manager",
        "a pipe is filled to its last flit",
        "fits.eq(ring_flits <= free)",
        "fits.eq(ring_flits <= free + 1)",
    ),
    Mutant(
        "pipe_manager",
        "a pipe with one flit counts as empty",
        "holds_data.eq(((head ^ state.tail) & ring_mask) != 0)",
        "holds_data.eq(((tail - head) & ring_mask) > 1)",
    ),
    Mutant(
        "pipe_manager",
        "the tail of a pipe does not wrap",
        "next_tail = (tail + ring_flits) & ring_mask",
        "next_tail = tail + ring_flits",
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
        "the low address word enables a pipe",
        "Cat(written.high, self.settings.pipe_ring)",
        "Cat(written.low | written.high, self.settings.pipe_ring)",
    ),
    Mutant(
        "pipe_manager",
        "the low address word does not disable a pipe",
        "(rings.write_port(), written.low | written.high, ",
        "(rings.write_port(), written.high, ",
    ),
    Mutant(
        "pipe_manager",
        "a pipe with address 0 takes packets",
        " & ((low_read.data | high_read.data) != 0)",
        "",
    ),
    Mutant(
        "pipe_manager",
        "packets go before operations",
        "with m.If(self.operation.valid & ~(self.frame.valid & packet_next)):",
        "with m.If(self.operation.valid & ~self.frame.valid):",
    ),
    Mutant(
        "pipe_manager",
        "operations go before packets",
        "with m.If(self.operation.valid & ~(self.frame.valid & packet_next)):",
        "with m.If(self.operation.valid):",
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
    Mutant(
        "pipe_manager",
        "a ring has the size that is set now",
        "ring_mask.eq((1 << ring_read.data.size) - 1)",
        "ring_mask.eq((1 << self.settings.pipe_ring) - 1)",
    ),
    Mutant(
        "pipe_manager",
        "a packet notifies once though each one should",
        "new_state.armed.eq(~self.settings.notify_per_packet)",
        "new_state.armed.eq(1)",
    ),
    Mutant(
        "pipe_manager",
        "a retry is ignored",
        "with m.Case(PipeOperationKind.HEAD_CHECK, PipeOperationKind.RETRY):",
        "with m.Case(PipeOperationKind.HEAD_CHECK):",
    ),
    Mutant(
        "pipe_manager",
        "what follows an IP packet in its frame is kept",
        "command.read.kept.eq(Mux(in_header_mode, frame.length, frame.end))",
        "command.read.kept.eq(frame.length)",
    ),
    Mutant(
        "pipe_manager",
        "a frame is trimmed though its pipe is in header mode",
        "command.read.kept.eq(Mux(in_header_mode, frame.length, frame.end))",
        "command.read.kept.eq(frame.end)",
    ),
    Mutant(
        "pipe_manager",
        "the line before a frame is missing",
        "command.read.header.eq(in_header_mode)",
        "command.read.header.eq(0)",
    ),
    Mutant(
        "pipe_manager",
        "the line before a frame takes no room",
        "flits(reading.frame.length) + 1",
        "flits(reading.frame.length)",
    ),
    Mutant(
        "pipe_manager",
        "the line before a frame tells of no drops",
        "command.read.drops.eq(state.drops)",
        "command.read.drops.eq(0)",
    ),
    Mutant(
        "pipe_manager",
        "a pipe without header mode takes what it should refuse",
        "refuses = ~in_header_mode & (frame.refusal != DropCause.NONE)",
        "refuses = in_header_mode & ~in_header_mode",
    ),
    Mutant(
        "pipe_manager",
        "a pipe in header mode refuses as others do",
        "refuses = ~in_header_mode & (",
        "refuses = (",
    ),
    Mutant(
        "pipe_manager",
        "a frame without a pipe is not refused if pipe 0 is in header mode",
        "mode_read.data & ~reading.frame.miss & ",
        "mode_read.data & ",
    ),
    Mutant(
        "pipe_manager",
        "a drop is not counted for its pipe",
        "new_state.drops.eq(state.drops + 1)",
        "new_state.drops.eq(state.drops)",
    ),
    Mutant(
        "pipe_manager",
        "a frame without a rule counts as drop of a pipe",
        "decide_valid & exists & ~(deciding.is_packet & frame.miss)",
        "decide_valid & exists",
    ),
    Mutant(
        "pipe_manager",
        "any bit of its mode puts a pipe into header mode",
        "(modes.write_port(), written.mode, written.data[0])",
        "(modes.write_port(), written.mode, written.data[:32].any())",
    ),
    # --- checks that wait ---------------------------------------------------------------------------------------------
    Mutant(
        "index_set",
        "an index that waits is queued again",
        "order.w_en.eq(self.is_new)",
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
        "operation_queue",
        "a retry that comes replaces the check that is offered",
        "offers_retry.eq(Mux(offering, offered_retry, self.retry.valid))",
        "offers_retry.eq(self.retry.valid)",
    ),
    Mutant(
        "operation_queue",
        "a retry is told as a merged check",
        "self.tap.payload.is_check.eq(~offers_retry)",
        "self.tap.payload.is_check.eq(1)",
    ),
    Mutant(
        "operation_queue",
        "a merged check leaves as a check of its own",
        "self.o.payload.kind.eq(PipeOperationKind.RETRY)",
        "self.o.payload.kind.eq(PipeOperationKind.HEAD_CHECK)",
    ),
    Mutant(
        "owed_notifications",
        "the pipes that are owed to are not linked",
        "next_write.en.eq(~membership.any & stored.any)",
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
    Mutant(
        "owed_notifications",
        "a pipe that moved is owed by the buffer that it left",
        "has_left.eq(membership.any & (membership.buffer != owed.buffer))",
        "has_left.eq(0)",
    ),
    Mutant(
        "owed_notifications",
        "the list that a moved pipe has left stays",
        "with m.If(has_left):\n                    m.d.comb += list_write.addr.eq(left)\n",
        "with m.If(has_left):\n                    m.d.comb += list_write.addr.eq(buffer)\n",
    ),
    Mutant(
        "owed_notifications",
        "a moved pipe leaves with the list of another buffer",
        "list_read.addr.eq(Mux(has_left, left, ",
        "list_read.addr.eq(Mux(has_left, owed.buffer, ",
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
        for age in (0, 2)
    ),
    Mutant(
        "notifier",
        "a full notification ring is overwritten",
        "fits.eq(((head - tail - 1) & ring_mask) != 0)",
        "fits.eq(1)",
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
        "Cat(written.high, self.settings.notification_ring)",
        "Cat(written.low | written.high, self.settings.notification_ring)",
    ),
    Mutant(
        "notifier",
        "the sweep of the notification buffers is one short",
        "self.ready.eq(sweep == buffers)",
        "self.ready.eq(sweep == buffers - 1)",
    ),
    Mutant(
        "notifier",
        "a notification ring has the size that is set now",
        "ring_mask.eq((1 << ring_read.data.size) - 1)",
        "ring_mask.eq((1 << self.settings.notification_ring) - 1)",
    ),
    Mutant(
        "notifier",
        "the read of a pipe's mode is answered with indices",
        "with m.If(exists & (deciding.kind == RxCommandKind.READ)):",
        "with m.If(deciding.kind == RxCommandKind.READ):",
    ),
)
