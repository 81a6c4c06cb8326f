"""Seeded bugs of TX frames and of the settings that config requests leave behind."""

from tests.rtl.mutant import Mutant

_BUFFER = "tests/rtl/test_tx_frame_buffer.py"
# its tests together take long
_PATH = "tests/rtl/test_transmit.py"
_RANDOM = f"{_PATH}::test_frames_and_completions_are_exact_whatever_the_host_and_the_wire_do"
_UNANSWERED = f"{_PATH}::test_a_read_that_is_never_answered_ends_at_the_deadline_as_an_error"

FRAME_MUTANTS = (
    # --- frames -------------------------------------------------------------------------------------------------------
    Mutant(
        "packetiser",
        "short frames are not padded",
        "flit.bytes.eq(Mux(is_short, MINIMUM_FRAME, decided_bytes))",
        "flit.bytes.eq(decided_bytes)",
    ),
    Mutant(
        "packetiser",
        "the padding is what follows in memory",
        "flit.data.eq(decided.data & byte_mask(decided_bytes))",
        "flit.data.eq(decided.data)",
    ),
    Mutant(
        "packetiser",
        "an IPv6 length is taken for one that counts the header",
        "frame_bytes.eq(payload_length + (ETHERNET_HEADER + IPV6_HEADER))",
        "frame_bytes.eq(payload_length + ETHERNET_HEADER)",
    ),
    Mutant(
        "packetiser",
        "the IP version is not looked at",
        "(ethertype == IPV4_ETHERTYPE) & (version == IPV4_VERSION)",
        "ethertype == IPV4_ETHERTYPE",
    ),
    Mutant(
        "packetiser",
        "bytes behind a request make an IP header",
        "Mux(rest > i, byte[i], 0) for i",
        "byte[i] for i",
    ),
    Mutant(
        "packetiser",
        "an IP length of 1 to 19 is sent",
        "is_empty.eq(ip_length < MINIMUM_IP_LENGTH)",
        "is_empty.eq(ip_length == 0)",
    ),
    Mutant(
        "packetiser",
        "a frame of the maximum length is too long",
        "most = Signal(), self._maximum_frame",
        "most = Signal(), self._maximum_frame - 1",
    ),
    Mutant(
        "packetiser",
        "the header line of a framed request is sent as the beginning of its frame",
        "is_header.eq(measured.framed & ~inside)",
        "is_header.eq(0)",
    ),
    Mutant(
        "packetiser",
        "a request that ends inside a flit of its frame is not noticed",
        " | is_cut",
        "",
    ),
    Mutant(
        "packetiser",
        "what follows a dropped frame in its request is sent",
        "skip.eq((skip | drop) & ~(is_request & measured.last))",
        "skip.eq(0)",
    ),
    Mutant(
        "packetiser",
        "a frame goes on with the data of another buffer",
        "is_mine.eq(inside & (measured.buffer == owner))",
        "is_mine.eq(inside)",
    ),
    Mutant(
        "packetiser",
        "fragments of an unfinished frame are lost",
        "frame.count.eq(count + stays)",
        "frame.count.eq(count)",
    ),
    Mutant(
        "packetiser",
        "lines read before a rewind are taken",
        "is_stale.eq(line.epoch != epoch)",
        "is_stale.eq(0)",
    ),
    Mutant(
        "packetiser",
        "a fifth completion with data is held back",
        "stays & is_request & (held == MOST_FRAGMENTS),",
        "0,",
    ),
    Mutant(
        "packetiser",
        "closing a buffer keeps its unfinished frame",
        "(held == MOST_FRAGMENTS) | (~is_mark_of_request & (held != 0)),",
        "(held == MOST_FRAGMENTS),",
    ),
    Mutant(
        "packetiser",
        "a request without data does not wait for the unfinished frame before it",
        "is_mark_of_request & (held != 0)) & (held != MOST_FRAGMENTS)",
        "0) & (held != MOST_FRAGMENTS)",
    ),
    Mutant(
        "packetiser",
        "a request completes with its first line, before its data was read",
        "has_result.eq(measured.last & ~is_fragment)",
        "has_result.eq(measured.first & ~is_fragment)",
    ),
    Mutant(
        "packetiser",
        "a read error in what is read again is not told",
        "now.released_code.eq(TxCompletionCode.READ_ERROR)",
        "now.released_code.eq(TxCompletionCode.OK)",
    ),
    Mutant(
        "packetiser",
        "the drop of an unfinished frame is no tx_error",
        "self.tx_error.eq(decide & ((has_data & drop) | drops_unfinished))",
        "self.tx_error.eq(decide & has_data & drop)",
    ),
    Mutant(
        "packetiser",
        "the sweep of the unfinished frames is one short",
        "self.ready.eq(swept == self._buffers)",
        "self.ready.eq(swept == self._buffers - 1)",
    ),
    # --- the wire -----------------------------------------------------------------------------------------------------
    Mutant(
        "tx_frame_buffer",
        "a frame leaves before it is whole",
        "with m.If(flit.last):\n                m.d.sync += whole.eq(length)",
        "m.d.sync += whole.eq(length)",
    ),
    Mutant(
        "tx_frame_buffer",
        "an unfinished frame keeps its place",
        "with m.If(~flit.first):\n            m.d.comb += place.eq(whole + begun)",
        "m.d.comb += place.eq(whole + begun)",
    ),
    Mutant(
        "tx_frame_buffer",
        "the TX buffer takes a frame with a flit too little room",
        "used <= self._depth - self._maximum_frame_flits",
        "used <= self._depth - self._maximum_frame_flits + 1",
    ),
    Mutant(
        "tx_frame_buffer",
        "a stalled beat is replaced",
        "advance.eq(~self.ethernet_tx.valid | self.ethernet_tx.ready)",
        "advance.eq(1)",
    ),
    Mutant(
        "tx_frame_buffer",
        "a time stamp is half as far behind",
        "replaced(m, read.data.data, timestamp.offset, network_order(stamp))",
        "replaced(m, read.data.data, timestamp.offset >> 1, network_order(stamp))",
    ),
    Mutant(
        "tx_frame_buffer",
        "a time stamp is in the host's byte order",
        "replaced(m, read.data.data, timestamp.offset, network_order(stamp))",
        "replaced(m, read.data.data, timestamp.offset, stamp)",
    ),
    Mutant(
        "tx_frame_buffer",
        "every flit is stamped",
        "timestamp.enable & read.data.first & self.ethernet_tx.valid",
        "timestamp.enable & self.ethernet_tx.valid",
    ),
    Mutant(
        "tx_frame_buffer",
        "the rate limit pauses inside a frame",
        "shows_first.eq(~inside | (self.ethernet_tx.valid & read.data.last))",
        "shows_first.eq(1)",
    ),
    Mutant(
        "tx_frame_buffer",
        "each beat counts as a frame",
        "self.ethernet_tx.valid & self.ethernet_tx.ready & beat.last",
        "self.ethernet_tx.valid & self.ethernet_tx.ready",
    ),
    Mutant(
        "tx_frame_buffer",
        "a frame whose time has come does not wake the TX buffer",
        "self.idle.eq(~take & ~(waits & limiter.is_due))",
        "self.idle.eq(~take)",
    ),
    Mutant(
        "rate_limiter",
        "credit grows without bound",
        "now.eq(Mux(earned > most, most, earned))",
        "now.eq(earned)",
        _BUFFER,
    ),
    Mutant(
        "rate_limiter",
        "credit follows the clock, not the time",
        "passed.eq(self.tick - since)",
        "passed.eq(self.tick != since)",
        _BUFFER,
    ),
    Mutant(
        "rate_limiter",
        "flits cost nothing",
        "credit.eq(now - Mux(self.charge, denominator, 0))",
        "credit.eq(now)",
        _BUFFER,
    ),
    Mutant(
        "rate_limiter",
        "the deadline of a frame is later than its time",
        "ticks.eq(lacking >> bits)",
        "ticks.eq(lacking >> (bits - 1))",
        _BUFFER,
    ),
    # --- config requests ----------------------------------------------------------------------------------------------
    Mutant(
        "configurator",
        "a request about a flow rule ends before the rule took effect",
        "self.config.ready.eq(self.flow.ready)",
        "self.config.ready.eq(1)",
    ),
    Mutant(
        "configurator",
        "an unknown id completes as done",
        "self.config_code.eq(ConfigCode.UNKNOWN)",
        "self.config_code.eq(ConfigCode.OK)",
    ),
    Mutant(
        "configurator",
        "deleting a flow rule inserts it",
        "ConfigId.FLOW_DELETE: FlowOperationKind.DELETE",
        "ConfigId.FLOW_DELETE: FlowOperationKind.INSERT",
    ),
    Mutant(
        "configurator",
        "a time stamp may lie beyond the first flit",
        "Mux(is_late, LAST_TIMESTAMP_OFFSET, timestamp.offset)",
        "timestamp.offset",
    ),
    Mutant(
        "configurator",
        "the rate limit is enabled by the wrong bit",
        "rate_limit.enable[-1]",
        "rate_limit.enable[0]",
    ),
    Mutant(
        "configurator",
        "the fallback is on whatever number of pipes it has",
        "fallback.pipes != 0",
        "1",
    ),
    # --- the TX path --------------------------------------------------------------------------------------------------
    Mutant(
        "transmit",
        "a read of data that meets one of a slot is lost",
        "data_reader.read_request.ready.eq(can_take & ~slot_reader.read_request.valid)",
        "data_reader.read_request.ready.eq(can_take)",
        _RANDOM,
    ),
    Mutant(
        "transmit",
        "a rewind cancels no job",
        "data_reader.cancel.eq(requests.cancel)",
        "data_reader.cancel.eq(0)",
        f"{_PATH}::test_a_frame_that_goes_on_calls_off_the_reads_behind_it",
    ),
    Mutant(
        "transmit",
        "the time-outs of TX slots are not counted",
        "self.read_timeouts.eq(slot_reader.timed_out + data_reader.timed_out)",
        "self.read_timeouts.eq(data_reader.timed_out)",
        _UNANSWERED,
    ),
    Mutant(
        "transmit",
        "the deadline of a read does not wake the NIC",
        "self.deadline.eq(earlier(reads_deadline, frame_buffer.deadline))",
        "self.deadline.eq(frame_buffer.deadline)",
        _UNANSWERED,
    ),
    Mutant(
        "transmit",
        "the TX path is idle while its blocks hand over work",
        "*(each.valid & each.ready for each in [*inner, *(reader.read_request for reader in readers)]),\n",
        "",
        f"{_PATH}::test_standing_still_while_idle_changes_nothing",
    ),
)
