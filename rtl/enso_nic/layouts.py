"""Every layout that crosses a port or a queue. Fields are listed from the least significant bit up."""

from amaranth.lib import data, enum

FLOW_TABLES = 4
"""Sub-tables of the flow table: a rule has a place in each, chosen by the hash of its key."""
MOST_FRAGMENTS = 4
"""Requests that an unfinished TX frame may hold back."""

# --- the wire ---------------------------------------------------------------------------------------------------------


class EthernetRx(data.Struct):
    """One beat from the MAC, without frame check sequence. Byte 0 is ``data[7:0]`` of a frame's first beat."""

    data: 512
    keep: 64  # contiguous from bit 0; all ones unless last
    last: 1
    error: 1  # on the last beat: the frame is bad


class EthernetTx(data.Struct):
    """One beat to the MAC, laid out as EthernetRx."""

    data: 512
    keep: 64
    last: 1


# --- the host port ----------------------------------------------------------------------------------------------------


class HostWriteKind(enum.Enum, shape=1):
    """What a beat to the host is."""

    WRITE = 0
    MMIO_RESPONSE = 1


class HostWrite(data.Struct):
    """One beat of the ordered stream to the host: a 64-byte line of a posted write, or the answer of an MMIO read."""

    data: 512  # MMIO_RESPONSE: the register word in the low 64 bits
    address: 58  # of this write's first line, in lines of 64 bytes; valid on first
    flits: 4  # 1..8 lines in this write; valid on first
    first: 1
    last: 1
    kind: HostWriteKind
    tag: 8  # MMIO_RESPONSE: of the request


class ReadRequest(data.Struct):
    """A read of 1 to 8 lines that crosses no 512-byte boundary."""

    address: 58  # in lines of 64 bytes
    flits: 4
    tag: 8


class ReadCompletion(data.Struct):
    """One line of the answer to a ReadRequest. Lines of one tag arrive in order, those of different tags in any."""

    data: 512
    tag: 8
    index: 3  # of the line within the request
    last: 1  # no more lines of this tag
    error: 1


class MmioRequest(data.Struct):
    """A register access of up to 8 bytes within an aligned 8-byte word."""

    data: 64
    address: 24  # of the word: bits 26 to 3 of the byte address
    enables: 8  # write: one per byte
    tag: 8  # read: comes back with the answer
    write: 1


# --- settings and drops -----------------------------------------------------------------------------------------------


class NicSettings(data.Struct):
    """What software sets on the extension page. A ring keeps the size that is set when it is enabled."""

    pipe_ring: 5  # 2 ** this many flits
    notification_ring: 4  # 2 ** this many slots, RX and TX
    notify_per_packet: 1  # a packet does not arm its pipe
    accept_ipv6: 1  # pipes without header mode take IPv6 too
    full_tuple: 1  # keys have all the fields that a frame has
    guard: 1  # the DMA guard checks


class GuardWindow(data.Struct):
    """What a notification buffer may have the NIC do: touch the lines from ``first`` to before ``end``, and more."""

    first: 58  # in lines of 64 bytes
    may_configure: 1  # send config requests
    end: 58


class ExtensionWrite(data.Struct):
    """What software writes to a word of the extension page: its lower half, or all of it."""

    data: 64
    word: 9


class DropCause(enum.Enum, shape=4):
    """Why a frame did not reach software; NONE: it was admitted."""

    NONE = 0
    NOT_IP = 1
    BAD_IP_LENGTH = 2
    BAD_FRAME = 3
    TOO_LONG = 4
    NO_FLOW = 5
    PIPE_FULL = 6
    PIPE_DISABLED = 7
    PACKET_BUFFER_FULL = 8
    IN_RESET = 9
    TX_ERROR = 10


# --- steering ---------------------------------------------------------------------------------------------------------


class FlowKey(data.Struct):
    """What a frame is steered by; in host order. Fields that the kind of frame does not use are 0."""

    destination_port: 16
    source_port: 16
    destination_address: 32
    source_address: 32


class FlowRule(data.Struct):
    """A frame with this key goes to this pipe."""

    key: FlowKey
    pipe: 13


class FlowOperationKind(enum.Enum, shape=2):
    """What is asked of the flow table."""

    INSERT = 0  # or overwrite the rule of the same key
    DELETE = 1  # the rule with this key
    STATUS = 2  # is there a rule with this key


class FlowOperation(data.Struct):
    """A change of the flow table, or a question to it. Of the rule only INSERT uses the pipe."""

    kind: FlowOperationKind
    rule: FlowRule


class FlowPlaces(data.Struct):
    """The places that a key has in the sub-tables, and what they hold."""

    index: data.ArrayLayout(16, FLOW_TABLES)
    rule: data.ArrayLayout(FlowRule, FLOW_TABLES)
    match: FLOW_TABLES  # a rule with this very key
    empty: FLOW_TABLES  # no rule


class FlowPlace(data.Struct):
    """One place of the flow table."""

    index: 16
    table: range(FLOW_TABLES)


class FlowWrite(data.Struct):
    """What a place of the flow table holds from now on."""

    place: FlowPlace
    rule: FlowRule
    valid: 1  # else nothing


class Fallback(data.Struct):
    """Where frames go that match no rule: hash & mask, or the count of such frames & mask; nowhere without enable."""

    mask: 13
    enable: 1
    round_robin: 1  # by count


class AdmittedFrame(data.Struct):
    """A frame that lies whole in the packet buffer."""

    key: FlowKey
    length: 14  # bytes
    end: 14  # bytes up to the end of its IP packet: what a pipe without header mode keeps
    refusal: DropCause  # why such a pipe does not take it: NOT_IP or BAD_IP_LENGTH; NONE: it does
    arrival: 64  # tick of its first beat


class SteeredFrame(data.Struct):
    """An admitted frame and its pipe."""

    pipe: 13
    length: 14
    end: 14
    refusal: DropCause
    miss: 1  # no rule and no fallback: to be dropped


class FrameDetails(data.Struct):
    """What else the line before a frame in header mode tells."""

    arrival: 64
    hash: 32  # of its key, for sub-table 0


# --- RX pipes ---------------------------------------------------------------------------------------------------------


class BufferedFlit(data.Struct):
    """What the parser tells the packet buffer in one cycle. A frame ends with ``commit`` or ``rollback``."""

    data: 512
    write: 1  # keep the flit
    commit: 1  # the frame, this flit included, stays
    rollback: 1  # forget the frame


class PacketRead(data.Struct):
    """Take the oldest frame out of the packet buffer."""

    drop: 1  # without showing its flits
    header: 1  # show a FrameHeader first
    length: 14  # bytes of the frame
    kept: 14  # bytes of it to be shown; zeros beyond, up to the end of a flit
    drops: 32  # for the header


class RegisterWrite(data.Struct):
    """Registers that MMIO stores at once, of the page ``index``: they need no order with packets."""

    data: 64
    index: 14
    head: 1  # rx_head, from the upper half of data
    low: 1  # rx_mem_low, from the lower half
    high: 1  # rx_mem_high, from the upper half
    mode: 1  # of a pipe: header mode, from bit 0


class PipeState(data.Struct):
    """What only the pipe manager writes."""

    tail: 32
    armed: 1  # software has, or will get, a notification that covers what lies in the pipe
    drops: 32  # frames that were for this pipe and dropped


class RingSetting(data.Struct):
    """Whether a ring is enabled, and the size that it has had since then."""

    enabled: 1
    size: 5  # 2 ** this many lines


class RingAddress(data.Struct):
    """Where a ring lies in host memory."""

    low: 32
    high: 32


class PipeOperationKind(enum.Enum, shape=2):
    """What the pipe manager does besides packets."""

    HEAD_CHECK = 0  # software wrote rx_head
    TAIL_WRITE = 1  # software wrote rx_tail
    REGISTER_READ = 2  # any MMIO read: its answer leaves behind every write that was decided before
    RETRY = 3  # a head check that was merged with others, or that is due because a notification is owed


class PipeWord(enum.Enum, shape=3):
    """What an MMIO read asks of the pipe manager or the notifier."""

    INDICES = 0  # rx_tail and rx_head
    MEMORY = 1  # rx_mem
    MODE = 2  # of a pipe: bit 0 header mode
    DROPS = 3  # of a pipe
    OTHER = 4  # nothing: the answer comes with the operation


class PipeOperation(data.Struct):
    """What the MMIO block asks of the pipe manager, in the order of the MMIO accesses."""

    kind: PipeOperationKind
    index: 14  # page: 0..8191 a pipe, 8192..9215 a notification buffer, 9216 up anything else
    word: PipeWord  # REGISTER_READ
    tag: 8  # of the MMIO access
    data: 64  # TAIL_WRITE: the value; REGISTER_READ: the answer, where neither RX block knows it better


class RxCommandKind(enum.Enum, shape=3):
    """What a decision asks of the blocks behind the pipe manager."""

    PACKET = 0  # move a frame from the packet buffer to its pipe
    DROP = 1  # take a frame out of the packet buffer
    CHECK = 2  # no data, only a notification
    READ = 3  # answer an MMIO read
    TAIL_WRITE = 4  # software wrote rx_tail of a notification buffer


class RxCommand(data.Struct):
    """A decision of the pipe manager, on its way through the notifier to the DMA writer."""

    kind: RxCommandKind
    flits: 8  # PACKET: lines of the ring that it takes
    base: 58  # PACKET: first line of the pipe's ring
    offset: 20  # PACKET: flit within the ring where it starts
    size: 5  # PACKET: the ring has 2 ** this many flits
    read: PacketRead  # PACKET and DROP
    notify: 1
    pipe: 13
    tail: 20  # after the packet
    buffer: 10  # notification buffer of the pipe
    word: PipeWord  # READ
    index: 14  # READ
    tag: 8  # READ
    data: 64  # READ


class RxWrite(data.Struct):
    """An RxCommand whose notification has found its place."""

    kind: RxCommandKind
    flits: 8
    base: 58
    offset: 20
    size: 5
    read: PacketRead
    notify: 1
    pipe: 13
    tail: 20
    slot: 58  # line of the notification's slot
    tag: 8
    data: 64


class WriteJob(data.Struct):
    """One write of packet data, and the notification behind it; or without data only that, or an answer."""

    is_answer: 1
    flits: 4  # of packet data; may be 0
    address: 58  # of the first, in lines
    notify: 1
    slot: 58  # line of the notification's slot
    pipe: 13
    tail: 20
    tag: 8  # of an answer
    data: 64  # of an answer


class OwedNotification(data.Struct):
    """A notification of this pipe found the ring of its notification buffer full."""

    pipe: 13
    buffer: 10


class FrameHeader(data.Struct):
    """The line before each frame in a pipe in header mode, and in the data of a framed TX request.

    TX looks at the length only, so that what was received can be sent from where it lies.
    """

    length: 32  # bytes of the frame that begins in the next line
    hash: 32  # of its flow key, for sub-table 0
    arrival: 64  # tick of its first beat
    drops: 32  # frames that were for this pipe and dropped, since reset
    unused: 352  # 0


class NotificationLine(data.Struct):
    """An RX notification as software reads it."""

    signal: 64
    pipe: 64
    tail: 64
    unused: 320


# --- TX ---------------------------------------------------------------------------------------------------------------


class TxRegisterAccess(data.Struct):
    """An MMIO access to the TX half of a notification buffer's page."""

    buffer: 10
    word: 1  # 0: tx_tail (low) and tx_head (high); 1: tx_mem
    write: 1
    enables: 2  # one per 32-bit register
    data: 64


class TxRequestLine(data.Struct):
    """A TX request, or a config request, as it stands in host memory.

    ``framed`` is bit 32 of the u64 that begins with the length, where upstream software writes 0: each frame of the
    data has a FrameHeader in front.
    """

    signal: 64  # request 1, config 2
    address: 64  # config: its id
    length: 20  # bytes
    above_length: 12  # ignored
    framed: 1
    unused: 351


class ConfigRequest(data.Struct):
    """A config request: its id, and bytes 16 to 63 of its line."""

    id: 64
    body: 384


class ConfigFlow(data.Struct):
    """Body of config requests 1 (insert or overwrite a flow rule), 0x100 (delete it) and 0x101 (is it there?)."""

    destination_port: 16
    source_port: 16
    destination_address: 32
    source_address: 32
    protocol: 32  # carried, not matched
    pipe: 32
    unused: 224


class ConfigTimestamp(data.Struct):
    """Body of config request 2: time stamps in frames."""

    enable: 64  # by its most significant bit
    offset: 64  # byte of the first flit; above 60 it counts as 60
    unused: 256


class ConfigRateLimit(data.Struct):
    """Body of config request 3: the share of 200 M flits per second that TX may send."""

    denominator: 16
    numerator: 16
    enable: 32  # by its most significant bit
    unused: 320


class ConfigFallback(data.Struct):
    """Body of config request 4: what becomes of frames without a rule."""

    pipes: 32
    mask: 32
    round_robin: 64  # enabled by its most significant bit
    unused: 256


class TimestampSetting(data.Struct):
    """Config request 2, latched: frames carry a time stamp of 4 bytes, in network order, at ``offset``."""

    offset: 6  # byte of the first flit, 0 to 60
    enable: 1


class RateLimitSetting(data.Struct):
    """Config request 3, latched: TX sends at most numerator / denominator of 200 M flits per second."""

    numerator: 16
    denominator: 16
    enable: 1


class ConfigCode(enum.Enum, shape=8):
    """How a config request ended: bytes 24 to 31 of its completion."""

    OK = 0
    UNKNOWN = 3  # no such config id
    TABLE_FULL = 4  # no place was found for a flow rule
    NOT_FOUND = 5  # no flow rule has this key


# --- taps for benches -------------------------------------------------------------------------------------------------


class AdmissionTap(data.Struct):
    """The fate of each frame at the door, one per frame, in the order of their last beats."""

    cause: DropCause
    refusal: DropCause  # of an admitted frame, see AdmittedFrame
    timestamp: TimestampSetting  # that its first beat met
    full_tuple: 1  # whether that was so for its key


class NotificationOutcome(enum.Enum, shape=2):
    """What became of an RX notification."""

    WRITTEN = 0
    OWED = 1  # its ring is full
    LOST = 2  # its ring is disabled


class NotificationTap(data.Struct):
    """Each decision of the notifier about a notification, in their order."""

    outcome: NotificationOutcome


class RetryTap(data.Struct):
    """A pipe that is to be checked out of turn: once, unless it leaves before it comes again."""

    pipe: 13
    is_check: 1  # a head check found the queue full; else a notification is owed
    tag: 8  # of the MMIO access that asked for the check
    is_new: 1  # it did not wait already


class CommitTap(data.Struct):
    """Each operation of the pipe manager, in the order in which they took effect."""

    packet: 1  # else an operation of PipeOperationKind
    miss: 1  # packet: no rule and no fallback
    kind: PipeOperationKind
    index: 14
    tag: 8  # of the MMIO access that asked for the operation
    flits: 8
    head: 32  # the rx_head that the decision used
    tail: 32  # the rx_tail before the operation
    enabled: 1  # whether the pipe was
    header: 1  # whether it was in header mode
    per_packet: 1  # whether each packet notifies
    cause: DropCause
    notify: 1


# --- TX, inside -------------------------------------------------------------------------------------------------------


class TxRegisters(data.Struct):
    """The TX half of one notification buffer."""

    tail: 32
    head: 32
    address: 64
    enabled: 1
    ring: 4  # its ring has 2 ** this many slots
    generation: 8  # how often it was closed
    pending: 1  # its tail was written, or it was closed, since it was last looked at
    closed: 1  # it was closed since


class ReadKind(enum.Enum, shape=2):
    """What a ReadJob is for."""

    REQUEST = 0  # slots of a TX ring, or the data of a TX request
    FRAGMENT = 1  # data that earlier requests gave for a frame which they left unfinished
    NOTHING = 2  # no lines: it stands for a request without data
    CLOSE = 3  # no lines: here its notification buffer was closed


class ReadJob(data.Struct):
    """Consecutive lines of host memory that belong together, or a mark that keeps its place among such."""

    kind: ReadKind
    epoch: 1  # comes back with each line
    address: 58  # in lines of 64 bytes
    flits: 15  # 1..32767; 0 for NOTHING and CLOSE
    buffer: 10  # notification buffer on whose behalf
    generation: 8  # slots: of the ring that they lie in
    length: 20  # data: bytes that count, of the flits
    framed: 1  # data: see TxRequestLine


class ReadLine(data.Struct):
    """One line of a ReadJob; of one without lines, a single one without data."""

    data: 512
    kind: ReadKind
    epoch: 1
    address: 58  # of this line
    buffer: 10
    generation: 8
    length: 20  # of the job
    framed: 1  # as the job
    first: 1
    last: 1
    error: 1  # the host could not read it: the data is meaningless


class TxCompletionCode(enum.Enum, shape=8):
    """What became of a TX request, or of a slot that could not be read; of a config request: ConfigCode."""

    OK = 0
    MALFORMED = 1
    READ_ERROR = 2
    UNFINISHED = 6  # the frame that it left unfinished was dropped before it was whole
    FORBIDDEN = 7  # the DMA guard does not let it, see DmaGuard


class TxCompletionLine(data.Struct):
    """A completion as software reads it, in place of the request."""

    signal: 64  # 0
    address: 64  # of the request; config: its id
    length: 20  # of the request
    unused: 44  # 0
    code: 64  # a TxCompletionCode or a ConfigCode


class TxRequest(data.Struct):
    """A request whose completion is still to be written; or the place where a notification buffer was closed."""

    slot: 58  # line address
    address: 64
    length: 20
    framed: 1
    buffer: 10
    generation: 8
    kind: ReadKind
    code: 8  # NOTHING: a TxCompletionCode or a ConfigCode


class TxResult(data.Struct):
    """What the packetiser says of a request when it has passed: first what it held back, then itself."""

    released: 3  # completions of its buffer that need not wait any more
    released_code: TxCompletionCode  # of those that are of data
    held: 1  # its own completion waits, in ``place``; else it is due with ``code``
    place: 2
    code: TxCompletionCode  # of a request with data


class Fragment(data.Struct):
    """Whole flits in host memory that belong to a frame, or are the header line before it."""

    address: 58  # in lines of 64 bytes
    flits: 8


class UnfinishedFrame(data.Struct):
    """A frame that the requests of a notification buffer have begun and not ended."""

    held: 3  # completions that wait for its end: 0 if there is no such frame, at most 4
    count: 3  # of the fragments that are valid
    framed: 1
    fragments: data.ArrayLayout(Fragment, MOST_FRAGMENTS)


class TxRewind(data.Struct):
    """All jobs from the oldest request without a result on are to be issued again, behind fragments of its frame."""

    count: 3
    framed: 1
    fragments: data.ArrayLayout(Fragment, MOST_FRAGMENTS)


class TxFlit(data.Struct):
    """One flit of a frame on its way to the wire."""

    data: 512  # zeros beyond the frame
    bytes: 7  # 1..64 that belong to the frame, padding included; 64 unless last
    first: 1  # a frame begins: flits of one that did not end are forgotten
    last: 1
