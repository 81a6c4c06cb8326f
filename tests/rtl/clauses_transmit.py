"""What must hold of TX, config requests, the host port, reset and the extension page: the rest of the contract."""

from tests.rtl.clause import Clause

TRANSMIT = (
    # publishing requests
    Clause(
        "C-093",
        "A write of tx_tail has the slots from tx_head to it fetched, once; nothing else does, and nothing polls.",
        "enso 0, 2.2, 4.5",
    ),
    Clause("C-094", "tx_head becomes the tail as soon as the slots up to it are being fetched.", "enso 1.2, 4.5"),
    Clause("C-095", "A tail equal to the head fetches nothing.", "enso 4.5"),
    Clause("C-096", "Slots over the end of the TX ring are fetched from both of its ends.", "enso 4.5"),
    Clause("C-097", "TX indices outside of the ring count modulo its size.", "design 4"),
    Clause(
        "C-098",
        "A disabled notification buffer fetches nothing, and enabling it fetches nothing by itself.",
        "enso 1.4, design 4",
    ),
    Clause(
        "C-099",
        "A buffer waits to be fetched from once, however often its tail is written, and waiting buffers have turns.",
        "enso 4.5",
    ),
    # requests and completions
    Clause(
        "C-100",
        "A slot with signal 2 is a config request, and one with any other signal a request for data.",
        "enso 4.5",
    ),
    Clause(
        "C-101",
        "The low 20 bits of a request's length count, so 128 KiB, and up to a byte less than 1 MiB, go at once.",
        "enso 2.2",
    ),
    Clause(
        "C-102",
        "A completion rewrites the slot: signal 0, address and 20 bits of length as before, a code, then zeros.",
        "enso 2.2",
    ),
    Clause("C-103", "A request completes only when all of its data has been read.", "enso 2.2"),
    Clause("C-104", "Completions of a notification buffer come in the order of its slots.", "enso 4.3, 11"),
    Clause(
        "C-105",
        "A request at an address off 64 bytes or of length 0 reads nothing and completes with code 1.",
        "design 4, enso 10.15",
    ),
    Clause("C-106", "A slot that cannot be read completes with code 2, its address and length as 0.", "design 4"),
    Clause(
        "C-107",
        "A host read error within data drops the frame and the rest of its request, which completes with code 2.",
        "design 4",
    ),
    Clause("C-108", "What software left in the padding of a slot means nothing.", "enso 2.2, 2.3"),
    # reading host memory
    Clause(
        "C-109",
        "Data is used in the order of the requests, whatever order, pieces and delays the host answers in.",
        "design 4",
    ),
    Clause("C-110", "A host read has 1 to max_read lines and crosses no boundary of max_read lines.", "design 4"),
    Clause("C-111", "At least 64 host reads of 512 bytes may be under way in the full NIC.", "design 4"),
    Clause("C-112", "A read that is not answered in time costs its request, with code 2, and not the NIC.", "design 4"),
    Clause(
        "C-113",
        "An answer that comes too late, or that was asked for before a reset, is not taken for another.",
        "design 4",
    ),
    # frames
    Clause(
        "C-114",
        "IPv4 frames of a request are found by total length + 14, each from the flit behind the one before.",
        "enso 0, 5.6",
    ),
    Clause("C-115", "IPv6 frames of a request are found by payload length + 54.", "design 4"),
    Clause(
        "C-116",
        "Any other bytes are one frame up to the end of their request, and what follows is cut rightly.",
        "enso 10.15",
    ),
    Clause("C-117", "Bytes beyond the end of a request count as 0.", "design 4"),
    Clause("C-118", "Frames below 60 bytes are sent with zeros up to there.", "design 4"),
    Clause(
        "C-119",
        "In a framed request each frame has a line before it that tells its length, whatever the frame is.",
        "design 4",
    ),
    Clause(
        "C-120", "A frame may go on in the next request of its notification buffer, over as many as four.", "enso 3, 11"
    ),
    Clause(
        "C-121",
        "An unfinished frame is the business of its notification buffer: others send and complete meanwhile.",
        "enso 10.15, 11, design 4",
    ),
    Clause(
        "C-122",
        "An unfinished frame that others came between is read again once its rest is published, and sent whole.",
        "design 4",
    ),
    Clause(
        "C-123", "An unfinished frame holds back the completions from the request in which it began on.", "design 4"
    ),
    Clause(
        "C-124",
        "A fifth completion held back drops the frame, counted, and all of them complete with code 6.",
        "design 4",
    ),
    Clause(
        "C-125",
        "Closing a buffer drops its unfinished frame, counted; a TX ring that reads as closed is not written.",
        "design 4",
    ),
    Clause(
        "C-126",
        "A request that ends inside a flit of an unfinished frame drops that frame, and glues nothing to it.",
        "enso 10.15, design 4",
    ),
    Clause(
        "C-127",
        "An IP length below 20, or a frame above the maximum, drops the rest of its request, counted as tx_error.",
        "design 4",
    ),
    Clause("C-128", "TX never pauses inside a frame.", "design 4"),
    Clause("C-129", "Frames leave in the order in which they became whole, each once.", "enso 4.5"),
    # config requests
    Clause(
        "C-130",
        "A config request completes in order with data, and after it took effect for all that comes later.",
        "enso 2.3, design 4",
    ),
    Clause("C-131", "Its completion names its id.", "enso 2.3"),
    Clause("C-132", "Any notification buffer may send config requests.", "enso 2.3"),
    Clause("C-133", "An unknown id changes nothing and completes with code 3.", "enso 5.8, design 4"),
    Clause(
        "C-134",
        "Switches of config requests count by their top bit, so that all ones and 0 are on and off.",
        "enso 2.3, 11",
    ),
    Clause(
        "C-135",
        "While on, frames carry at the offset, most significant byte first, the tick before their first beat.",
        "enso 2.3, 5.3",
    ),
    Clause("C-136", "An offset above 60 counts as 60, so that the stamp lies within the first flit.", "enso 2.3"),
    Clause(
        "C-137",
        "TX sends no more than numerator / denominator of 200 M flits a second, and nearly as much.",
        "enso 2.3, 5.7, design 4",
    ),
    Clause("C-138", "No more than 16 ticks' worth of unused rate is saved.", "design 4"),
    Clause("C-139", "A numerator or denominator of 0 is no limit, so that it can be undone.", "design 4"),
    Clause(
        "C-140",
        "After reset there are no rules, no fallback, no round robin, no time stamps and no rate limit.",
        "enso 11",
    ),
    Clause(
        "C-141",
        "After reset rings have 32768 flits and 16384 slots, and pipes notify by the reactive rule.",
        "enso 0, 1.5, 11",
    ),
    # the host port
    Clause(
        "C-142", "A host write has 1 to max_payload lines and crosses no boundary of max_payload lines.", "design 4"
    ),
    Clause(
        "C-143",
        "MMIO answers and writes share one ordered stream, and nothing comes between the lines of a write.",
        "design 4",
    ),
    Clause("C-144", "TX completions slip in between writes, before the next packet.", "enso 4.4, 5.5"),
    Clause(
        "C-145",
        "Without bus_master no read or write of host memory begins, register writes go on, and nothing is lost.",
        "design 4",
    ),
    Clause("C-146", "While bus_master is 0 registers are read and written, if no write waits in front.", "design 4"),
    Clause("C-147", "On every stream what is offered stays, unchanged, until it is taken.", "design 4"),
    Clause("C-148", "What is offered does not wait for the other side to be ready.", "design 4"),
    Clause(
        "C-149",
        "Whatever stalls at the host or the wire, all that was admitted or published comes to its end.",
        "design 4",
    ),
    Clause(
        "C-150",
        "Packets of one pipe that are already queued are written together up to max_payload; none waits for another.",
        "design 4",
    ),
    # time and reset
    Clause(
        "C-151",
        "A quiescent NIC offers nothing and stays so until an input, or wake_at; a wait for host reads is quiescent.",
        "design 4",
    ),
    Clause(
        "C-152", "Where the clock stands still while the NIC is quiescent cannot be told from what it does.", "design 4"
    ),
    Clause(
        "C-153", "rst and host reset forget all that was under way, and the NIC works as after power-up.", "design 4"
    ),
    Clause(
        "C-154",
        "Reset clears all tables, whatever they hold, in at most 8192 cycles, and ready tells when.",
        "design 4",
    ),
    Clause("C-155", "MMIO accesses wait until the tables are clear.", "design 4"),
    Clause("C-156", "No memory needs initial contents.", "design 4"),
    Clause("C-157", "The extension register for reset does what a host reset does.", "design 4"),
    # the extension page
    Clause("C-158", "The page at 0x0240_0000 begins with a magic number and a version.", "design 4"),
    Clause("C-159", "Words that only tell something ignore writes, and those beyond the last read 0.", "design 4"),
    Clause("C-160", "Each event counts once, whatever happens beside it.", "design 4"),
    Clause("C-161", "Drops are counted by cause.", "design 4, enso 11"),
    Clause("C-162", "The extension page tells the sizes and features of this NIC.", "design 4"),
    Clause("C-163", "Modes that upstream reaches by JTAG only are set on the extension page.", "design 4"),
    Clause("C-164", "The sizes of rings can be set on the extension page.", "design 4, enso 1.5"),
    Clause("C-165", "A ring keeps the size with which it was enabled, whatever is set later.", "design 4"),
    Clause("C-166", "Drops are counted for each pipe.", "design 4"),
    Clause("C-167", "Host reads that were given up are counted.", "design 4"),
    Clause("C-168", "A reset that software asks for cuts no write, no read request and no frame.", "design 4"),
    Clause("C-169", "Settings take only values that can be; others, and half a register, change nothing.", "design 4"),
    # numbers
    Clause(
        "C-170",
        "Lines leave for the host in at least 99 of 100 cycles while RX data waits, to one pipe or to several.",
        "design 4",
    ),
    Clause("C-171", "The pipe manager takes an operation in each cycle, for any mix of pipes.", "design 4"),
    Clause("C-172", "TX sends a beat in at least 99 of 100 cycles for requests of 4 kB up.", "design 4"),
    Clause("C-173", "RX and TX keep both rates at once.", "design 4"),
    Clause(
        "C-174",
        "A frame's last beat and its first line for the host lie at most 32 cycles apart when nothing waits.",
        "design 4",
    ),
    Clause("C-175", "A write of tx_tail leads to a read within 12 cycles.", "design 4"),
    # the DMA guard
    Clause(
        "C-176",
        "With the DMA guard a ring outside of the window of its notification buffer is disabled instead of enabled.",
        "design 4, enso 10.6",
    ),
    Clause("C-177", "With the DMA guard a pipe is enabled only with the notification buffer that owns it.", "design 4"),
    Clause(
        "C-178",
        "With the DMA guard a request outside of the window, or a config request without leave, completes with code 7, "
        "and touches nothing.",
        "design 4, enso 10.6",
    ),
    Clause("C-179", "What the DMA guard refuses is counted, and the last of it is told.", "design 4"),
    Clause("C-180", "Without the DMA guard its tables mean nothing.", "design 4"),
    # keys
    Clause(
        "C-181",
        "In the mode full tuple, keys have the source's address too, and its port where they have the destination's.",
        "design 4",
    ),
)
