"""What must hold of registers, RX and steering: the first half of the contract."""

from tests.rtl.clause import Clause

RECEIVE = (
    # registers: where they are
    Clause(
        "C-001",
        "In BAR2, whatever the NIC's sizes, pipe p has the page at 0x1000 p, buffer n that at 0x200_0000 + 0x1000 n.",
        "enso 1.2",
    ),
    Clause(
        "C-002",
        "A page begins with rx_tail, rx_head, rx_mem_low, rx_mem_high; a buffer's has the same four for TX behind.",
        "enso 1.2",
    ),
    Clause(
        "C-003",
        "Behind rx_mem_high a pipe's page, and behind tx_mem_high a buffer's, ignores writes and reads 0.",
        "enso 1.2",
    ),
    Clause("C-004", "The 64 bytes of registers repeat through their page, for writes and for reads.", "enso 1.2"),
    Clause(
        "C-005",
        "Pages that belong to nobody ignore writes, read 0, and are no second name of others.",
        "enso 1.2, design 4",
    ),
    Clause(
        "C-006", "The full NIC has 8192 pipes and 1024 notification buffers, and the last of each works.", "enso 1.3"
    ),
    # registers: how they behave
    Clause(
        "C-007",
        "A register changes only if all four of its bytes are enabled, whatever the other register of its word does.",
        "enso 1.2",
    ),
    Clause("C-008", "An access of 8 bytes is one of two registers.", "enso 1.2, 11"),
    Clause("C-009", "All 32 bits that were written read back, whatever part of them counts.", "enso 1.2, 11"),
    Clause("C-010", "An MMIO read sees every earlier MMIO write.", "design 4"),
    Clause(
        "C-011",
        "Each MMIO read is answered once, with its tag, in the order of the reads, however many are under way.",
        "design 4",
    ),
    Clause(
        "C-012",
        "The answer to an MMIO read leaves behind all writes to the host that were decided before it.",
        "design 4",
    ),
    Clause("C-013", "A pipe's rx_mem that reads 0 means that no write of that pipe is still coming.", "design 4"),
    Clause(
        "C-014",
        "What upstream's library does to open a pipe or a buffer, polls included, leaves it enabled and empty.",
        "enso 1.4",
    ),
    Clause(
        "C-015",
        "Address registers written to 0, low word first or only it, leave a pipe or buffer disabled.",
        "enso 1.4, design 4",
    ),
    Clause("C-016", "tx_tail and tx_head survive closing and opening a notification buffer.", "enso 1.4, 11"),
    # enabling
    Clause(
        "C-017",
        "Writing a pipe's low address word disables it, writing the high one enables it unless all 64 bits are 0.",
        "design 4, enso 10.14",
    ),
    Clause(
        "C-018",
        "The RX half of a notification buffer is disabled by its low address word and enabled by its high one.",
        "design 4, enso 10.14",
    ),
    Clause(
        "C-019",
        "The TX half of a notification buffer is disabled by its low address word and enabled by its high one.",
        "design 4, enso 10.14",
    ),
    Clause(
        "C-020",
        "The low 10 bits of a pipe's address name its notification buffer, and count as 0 in the address.",
        "enso 1.2, 11",
    ),
    # the rings of pipes
    Clause(
        "C-021",
        "A packet lies in its pipe in wire order from the first byte of a flit on, with nothing added before it.",
        "enso 0, 2.1",
    ),
    Clause("C-022", "rx_tail of a pipe moves by the packet's flits, modulo the ring.", "enso 2.1, 3"),
    Clause(
        "C-023",
        "A pipe takes a packet if (head - tail - 1) mod size is at least its flits, else not, so a flit stays free.",
        "enso 3",
    ),
    Clause("C-024", "A packet that comes to the end of a ring goes on at its beginning.", "enso 3"),
    Clause("C-025", "Without header mode a frame is cut at its IP length.", "design 4"),
    Clause("C-026", "What a packet's last flit has beyond the packet is zeros.", "enso 11"),
    Clause(
        "C-027",
        "A packet of any length for a disabled or full pipe vanishes whole, counted, and what follows is untouched.",
        "enso 10.12, 11",
    ),
    Clause("C-028", "A dropped packet leaves the armed status of its pipe as it was.", "enso 10.13, 11, design 4"),
    Clause(
        "C-029",
        "Whatever heads, tails and addresses registers hold, no write leaves an enabled ring, and the NIC goes on.",
        "design 4",
    ),
    Clause("C-030", "A rule for a pipe that does not exist drops its frames as pipe_disabled.", "design 4"),
    # the reactive rule
    Clause("C-031", "A packet that an unarmed pipe takes is notified, and arms the pipe.", "enso 4.4"),
    Clause("C-032", "A packet that an armed pipe takes is not notified.", "enso 4.4"),
    Clause("C-033", "Each write of a pipe's rx_head checks the pipe, also one of the same value.", "enso 0, 4.4"),
    Clause(
        "C-034",
        "A check of a pipe with unread data notifies its present tail, whether or not that was done, and arms it.",
        "enso 4.4",
    ),
    Clause("C-035", "A check of a pipe without unread data notifies nobody, and disarms it.", "enso 4.4"),
    Clause("C-036", "A check of a disabled pipe notifies nobody, and disarms it.", "design 4"),
    Clause("C-037", "Neither writes of rx_tail or rx_mem nor partial writes of rx_head check a pipe.", "enso 4.4"),
    Clause("C-038", "Checks and packets are decided in one order, and take turns while both wait.", "enso 4.4"),
    Clause("C-039", "Decisions on one pipe are exact however closely they follow one another.", "design 4"),
    Clause(
        "C-040",
        "The sequence of packets and head writes that was seen at upstream's hardware gives the same notifications.",
        "enso 4.4",
    ),
    Clause(
        "C-041",
        "Head writes are checked one by one, in order, while no more than pipe_operations wait: 512 in the full NIC.",
        "design 4, enso 10.5",
    ),
    Clause(
        "C-042",
        "Beyond that, checks of one pipe are merged, and each pipe is checked after its last head write.",
        "design 4, enso 10.5, 11",
    ),
    Clause(
        "C-043",
        "Unread data in an enabled pipe is notified, or a notification in flight or owed, or a check pending.",
        "design 4",
    ),
    Clause(
        "C-044",
        "A frame that was admitted reaches its pipe exactly once and in order, or is counted as dropped.",
        "design 4",
    ),
    # notifications
    Clause("C-045", "An RX notification is a line of the u64 values 1, pipe and tail, then zeros.", "enso 2.1"),
    Clause("C-046", "It tells the pipe's tail behind the packet, modulo the ring.", "enso 2.1, 11"),
    Clause(
        "C-047",
        "It goes to the slot at the buffer's rx_tail, which then moves on by one, modulo the ring.",
        "enso 2.1, 4.4",
    ),
    Clause("C-048", "Notifications and completions are each one write of a whole line.", "enso 2, 11"),
    Clause("C-049", "Data is written before the notification that covers it.", "enso 4.4, 11, design 4"),
    Clause("C-050", "The RX ring of a notification buffer keeps a slot free.", "enso 3, 4.4"),
    Clause(
        "C-051",
        "A notification that finds its ring full is owed until its buffer's head is written; its packet stays.",
        "design 4, enso 10.4",
    ),
    Clause(
        "C-052", "A pipe is owed to once, with its tail of then, and those that waited longer come first.", "design 4"
    ),
    Clause("C-053", "Owed notifications are tried again only when the head of their buffer is written.", "design 4"),
    Clause(
        "C-054",
        "What a pipe is owed by a buffer that it left takes nothing from what it is owed by its new one.",
        "design 4",
    ),
    Clause(
        "C-055",
        "A notification for a buffer that is disabled or does not exist is lost, counted, and leaves its pipe armed.",
        "design 4",
    ),
    # the door
    Clause("C-056", "Each frame from the wire has one fate, and is counted once as that.", "design 4"),
    Clause(
        "C-057",
        "Of several causes of a drop the first counts: reset, error, length, room, IP, IP length, flow, pipe, ring.",
        "design 4",
    ),
    Clause("C-058", "A frame that the MAC marks as bad leaves no trace but its counter.", "design 4"),
    Clause("C-059", "A frame above maximum_frame is dropped as too_long.", "design 4"),
    Clause("C-060", "A NIC made for jumbo frames takes and sends frames of up to 9014 bytes.", "design 4"),
    Clause("C-061", "Without header mode, what is no IPv4 frame is dropped as not_ip.", "enso 11, design 4"),
    Clause(
        "C-062",
        "Without header mode, an IP length that is impossible or beyond the frame drops it as bad_ip_length.",
        "design 4",
    ),
    Clause(
        "C-063",
        "A frame that finds no room for a longest one at its first beat is dropped whole, and later ones are not.",
        "design 4",
    ),
    Clause("C-064", "At least 16384 flits may wait between the door and the host in the full NIC.", "design 4"),
    Clause(
        "C-065",
        "Frames that begin during reset, or that a reset cuts, are dropped to their end as in_reset.",
        "design 4",
    ),
    # steering
    Clause("C-066", "UDP and TCP SYN are steered by destination address and port, whatever their source.", "enso 5.3"),
    Clause("C-067", "Other TCP is steered by both addresses and both ports.", "enso 5.3"),
    Clause(
        "C-068",
        "Anything else is steered by its destination address; the protocol number is no part of a key.",
        "enso 5.3, 10.2",
    ),
    Clause(
        "C-069", "A later IP fragment is steered by its destination address, a first one as a whole packet.", "enso 11"
    ),
    Clause(
        "C-070",
        "Ports count, behind IP options too, if they lie within IP length and first 64 bytes; else the address does.",
        "design 4, enso 10.7",
    ),
    Clause("C-071", "A frame goes to the pipe of the rule that has all of its key, and of no other.", "enso 5.3"),
    Clause(
        "C-072",
        "Keys are hashed as upstream's hardware does, for the places of rules and for the fallback.",
        "enso 5.3",
    ),
    Clause("C-073", "A frame without a rule goes to the fallback pipe hash & mask.", "enso 2.3, 5.3"),
    Clause(
        "C-074",
        "A frame without a rule is dropped as no_flow while the number of fallback pipes is 0.",
        "enso 2.3, 5.3",
    ),
    Clause(
        "C-075",
        "Round robin takes the fallback pipes in turn, frame by frame, and only frames without a rule count.",
        "enso 5.3, design 4",
    ),
    Clause("C-076", "A rule steers every frame that comes after its completion.", "design 4"),
    Clause("C-077", "Inserting a rule with the key of another replaces that.", "enso 2.3"),
    Clause("C-078", "The full flow table has 4 times 2048 places.", "enso 5.3"),
    Clause(
        "C-079",
        "If the four places of a new rule are taken, rules make way, breadth first, as long as 64 are enough.",
        "design 4, enso 10.1",
    ),
    Clause("C-080", "While rules are moved no frame misses its own.", "design 4"),
    Clause(
        "C-081",
        "A rule that finds no place is completed with code 4, counted, and leaves the table as it was.",
        "design 4, enso 2.3",
    ),
    Clause(
        "C-082",
        "Config request 0x100 deletes the rule of its key and no other, or completes with code 5.",
        "design 4, enso 10.1",
    ),
    Clause(
        "C-083", "Config request 0x101 tells by code 0 or 5 whether there is a rule, and changes nothing.", "design 4"
    ),
    Clause(
        "C-084",
        "A frame without a sound IPv4 packet has a key of zeros: a rule for that takes it, or the fallback.",
        "design 4",
    ),
    # modes of a pipe
    Clause(
        "C-085",
        "A pipe in header mode has a line before each packet: length, arrival time, hash, and drops so far.",
        "design 4",
    ),
    Clause("C-086", "A pipe in header mode takes any frame, untrimmed.", "enso 11, design 4"),
    Clause(
        "C-087",
        "The header line counts as a flit for the room in the pipe, and is covered by the same notification.",
        "design 4",
    ),
    Clause("C-088", "What lies in a header-mode pipe can be sent back in place as a framed request.", "design 4"),
    Clause(
        "C-089",
        "The IPv6 switch, off by default, lets pipes without header mode receive IPv6 frames, trimmed likewise.",
        "enso 11, design 4",
    ),
    Clause(
        "C-090",
        "In per-packet notification mode a packet that an unarmed pipe takes is notified and leaves it unarmed.",
        "enso 1.5, 4.4",
    ),
    Clause("C-091", "Switching that mode on leaves armed pipes armed until their next check.", "enso 4.4"),
    Clause(
        "C-092",
        "While time stamps are on, RX replaces the 4 bytes at the offset by the tick of arrival less what they held.",
        "enso 5.3",
    ),
)
