"""Seeded bugs between the wire and the pipes: parser, packet buffer and flow table."""

from tests.rtl.mutant import Mutant

_FLOWS = "tests/rtl/test_flow_director.py"
# its tests together take long
_KEY = f"{_FLOWS}::test_all_of_the_key_must_match"
_FALLBACK = f"{_FLOWS}::test_without_a_rule_the_fallback_is_the_hash_under_a_mask"
_ROUND_ROBIN = f"{_FLOWS}::test_round_robin_counts_the_frames_without_a_rule_and_nothing_else"
_DETAILS = f"{_FLOWS}::test_beside_a_frame_comes_when_it_arrived_and_the_hash_of_its_key"
_ORDER = f"{_FLOWS}::test_frames_leave_in_order_six_cycles_after_they_came"
_MOVED = f"{_FLOWS}::test_every_lookup_meets_its_rule_while_that_is_moved"

STEERING_MUTANTS = (
    # --- the door -----------------------------------------------------------------------------------------------------
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
        "the IP version is not looked at",
        "(field(12, 2) == ETHERTYPE_IPV4) & (version == 4)",
        "(field(12, 2) == ETHERTYPE_IPV4)",
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
        "is_whole = (fragment_offset == 0) | hides_fragments",
        "is_whole = (fragment_offset != 0x1FFF) | hides_fragments",
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
        "rx_parser",
        "the length of an IPv6 packet is taken for one that counts the header",
        "ETHERNET_HEADER + IPV6_HEADER + field(18, 2)",
        "ETHERNET_HEADER + field(18, 2)",
    ),
    Mutant(
        "rx_parser",
        "a full tuple has no source port",
        "(is_connected | ((is_udp | is_tcp) & self.full_tuple))",
        "(is_connected)",
    ),
    Mutant(
        "rx_parser",
        "a full tuple has no source address",
        "with m.If(is_connected | self.full_tuple):",
        "with m.If(is_connected):",
    ),
    Mutant(
        "rx_parser",
        "IPv6 is always taken",
        " & (version == 6) & self.accept_ipv6",
        " & (version == 6)",
    ),
    Mutant(
        "rx_parser",
        "an IPv6 packet has a key",
        "~refusal.as_value().any() & ~header.is_ipv6",
        "~refusal.as_value().any()",
    ),
    Mutant(
        "rx_parser",
        "a frame that pipes refuse has a key",
        "~refusal.as_value().any() & ~header.is_ipv6",
        "~header.is_ipv6",
    ),
    Mutant(
        "rx_parser",
        "a frame that pipes refuse does not come in",
        "        good = cause == DropCause.NONE\n",
        "        good = (cause == DropCause.NONE) & (refusal == DropCause.NONE)\n",
    ),
    Mutant(
        "rx_parser",
        "a frame arrives with its last beat",
        "self.frame.payload.arrival.eq(header.arrival)",
        "self.frame.payload.arrival.eq(arrival)",
    ),
    Mutant(
        "rx_parser",
        "a time stamp is added",
        "passed = (self.tick - sent)",
        "passed = (self.tick + sent)",
    ),
    Mutant(
        "rx_parser",
        "what lies behind a frame takes part in its time stamp",
        "[: 8 * STAMP_BYTES] & in_frame)",
        "[: 8 * STAMP_BYTES])",
    ),
    Mutant(
        "rx_parser",
        "a fragment offset under a time stamp counts",
        "is_whole = (fragment_offset == 0) | hides_fragments",
        "is_whole = fragment_offset == 0",
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
        "a full packet buffer looks empty",
        "(Signal(range(2 * depth)) for _ in range(3))",
        "(Signal(range(depth)) for _ in range(3))",
    ),
    Mutant(
        "packet_buffer",
        "a dropped frame gives one flit back",
        "with m.Elif(can_read & wanted.drop):\n            m.d.sync += read_index.eq(read_index + flits_stored)",
        "with m.Elif(can_read & wanted.drop):\n            m.d.sync += read_index.eq(read_index + 1)",
    ),
    Mutant(
        "packet_buffer",
        "a stalled flit is replaced",
        "advance.eq(~self.o.valid | self.o.ready)",
        "advance.eq(1)",
    ),
    Mutant(
        "packet_buffer",
        "bytes that are not kept are shown",
        "read.data & byte_mask(mask_bytes)",
        "read.data",
    ),
    Mutant(
        "packet_buffer",
        "flits that are not kept stay in the packet buffer",
        "read_index.eq(read_index + flits_stored - shown)",
        "read_index.eq(read_index + 1)",
    ),
    Mutant(
        "packet_buffer",
        "each flit of a frame comes behind a header",
        "header_shown.eq(shows_header | (header_shown & ~ends))",
        "header_shown.eq(shows_header)",
    ),
    Mutant(
        "packet_buffer",
        "a header tells of no drops",
        "header.drops.eq(wanted.drops)",
        "header.drops.eq(0)",
    ),
    Mutant(
        "packet_buffer",
        "a dropped frame leaves its details behind",
        "self.details.ready.eq(self.read.valid & self.read.ready)",
        "self.details.ready.eq(self.read.valid & self.read.ready & ~wanted.drop)",
    ),
    Mutant(
        "packet_buffer",
        "a frame is shown before its details are there",
        "can_read.eq(self.read.valid & self.details.valid)",
        "can_read.eq(self.read.valid)",
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
        "flow_director",
        "the hash beside a frame is that of a later one",
        "self.details.hash.eq(first_hash)",
        "self.details.hash.eq(index)",
        _DETAILS,
    ),
    Mutant(
        "flow_director",
        "a frame that is no packet loses its refusal",
        "steered.refusal.eq(found.frame.refusal)",
        "steered.refusal.eq(0)",
        _ORDER,
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
)
