"""The register map: byte addresses within BAR2. Pipe and notification-buffer pages repeat their 64 bytes 64 times.

docs/registers.md is made from this file, by ``python -m enso_nic.register_manual``.
"""

from dataclasses import dataclass
from enum import IntFlag

PAGE_BYTES = 4096
PIPES = 8192
NOTIFICATION_BUFFERS = 1024
FIRST_NOTIFICATION_BUFFER_PAGE = PIPES
FIRST_EXTENSION_PAGE = PIPES + NOTIFICATION_BUFFERS

# 32-bit registers of a page; the last four exist on notification-buffer pages only
RX_TAIL, RX_HEAD, RX_MEM_LOW, RX_MEM_HIGH, TX_TAIL, TX_HEAD, TX_MEM_LOW, TX_MEM_HIGH = range(0, 32, 4)
PAGE_REGISTERS = {
    # name: (offset, of a pipe, of a notification buffer)
    "rx_tail": (RX_TAIL, "flit behind the last one written", "slot behind the last notification written"),
    "rx_head": (
        RX_HEAD,
        "flit up to which software is done; each write has unread data notified, or else the next packet",
        "slot up to which software is done; a write makes room for owed notifications",
    ),
    "rx_mem_low": (
        RX_MEM_LOW,
        "lower half of the ring's address; bits 9 to 0: the notification buffer; a write disables the pipe",
        "lower half of the RX ring's address, a multiple of 64; a write disables RX of the buffer",
    ),
    "rx_mem_high": (
        RX_MEM_HIGH,
        "upper half; a write enables the pipe unless all 64 bits are 0",
        "upper half; a write enables RX unless all 64 bits are 0",
    ),
    "tx_tail": (TX_TAIL, "", "slot behind the last request; each write has the slots from tx_head on fetched"),
    "tx_head": (TX_HEAD, "", "slot behind the last one fetched; not reset when the buffer is closed"),
    "tx_mem_low": (TX_MEM_LOW, "", "lower half of the TX ring's address, a multiple of 64; a write disables TX"),
    "tx_mem_high": (TX_MEM_HIGH, "", "upper half; a write enables TX unless all 64 bits are 0"),
}
"""The 64 bytes that a page repeats; what a page does not have reads 0 and ignores writes."""

# 64-bit words of the extension page
EXTENSION_MAGIC = int.from_bytes(b"HermNIC\0", "little")
EXTENSION_VERSION = 2
RESET_KEY = 1
SMALLEST_RING, LARGEST_PIPE_RING, LARGEST_NOTIFICATION_RING = 8, 1 << 20, 1 << 15
"""Lines; a ring ends where a host write may end, so its smallest size is that of the largest write."""


class Capability(IntFlag):
    """Bits of the word ``capabilities``: what this NIC can do beyond upstream."""

    HEADER_MODE = 1 << 0
    FRAMED_TX = 1 << 1
    FLOW_DELETE_AND_STATUS = 1 << 2
    NOTIFICATION_PER_PACKET = 1 << 3
    IPV6_PIPES = 1 << 4
    RING_SIZES = 1 << 5
    DROPS_PER_PIPE = 1 << 6
    RESET = 1 << 7
    DMA_GUARD = 1 << 8
    FULL_TUPLE = 1 << 9


class Mode(IntFlag):
    """Bits of the word ``modes``."""

    NOTIFICATION_PER_PACKET = 1 << 0
    ACCEPT_IPV6 = 1 << 1
    FULL_TUPLE = 1 << 2


HEADER_MODE = 1
"""The bit of a word in the table of pipe modes."""

DROP_CAUSES = (
    "not_ip",
    "bad_ip_length",
    "bad_frame",
    "too_long",
    "no_flow",
    "pipe_full",
    "pipe_disabled",
    "packet_buffer_full",
    "in_reset",
    "tx_error",
)
"""Why frames were dropped, see layouts.DropCause; a counter each."""


@dataclass(frozen=True)
class ExtensionWord:
    """A 64-bit word of the extension page, at byte ``8 * number``. Only those that are ``writable`` can be written."""

    number: int
    text: str
    writable: bool = False


_IDENTITY = {
    "magic": "`HermNIC` and a zero byte, in the order of addresses",
    "version": "of the extension pages",
    "capabilities": "what this NIC can do beyond upstream, a bit each",
    "pipes": "RX pipes that exist",
    "notification_buffers": "notification buffers that exist",
    "maximum_frame": "bytes of the longest frame, without frame check sequence",
    "packet_buffer_flits": "64-byte flits of received frames that may wait for the host",
}
_SETTINGS = {
    "pipe_ring_flits": "size of the rings of pipes that are enabled from now on: a power of two from 8 to 2^20; "
    "other values are ignored",
    "notification_ring_slots": "size of the RX and TX rings of notification buffers that are enabled from now on: a "
    "power of two from 8 to 2^15; other values are ignored",
    "modes": "bit 0, NOTIFICATION_PER_PACKET: each packet notifies; bit 1, ACCEPT_IPV6: pipes without header mode take "
    "IPv6 too; bit 2, FULL_TUPLE: flow rules have the source, too",
    "reset": "writing 1 resets the NIC once no write, read request or frame is half way out; reads 0",
    "guard": "bit 0: the DMA guard checks rings that are enabled, and requests that are fetched, from now on",
}
_REFUSED = {
    "refused_page": "page of whom the DMA guard refused something last",
    "refused_address": "what it named: the address, or the id of a config request",
}
_COUNTERS = {
    "rx_frames": "frames that ended at the wire, whatever became of them",
    "rx_admitted": "frames that were taken into the packet buffer",
    "rx_packets": "packets that were put into a pipe",
    "tx_frames": "frames sent",
    "notifications": "RX notifications written",
    "owed_notifications": "RX notifications that found their ring full; their pipes are checked again",
    "lost_notifications": "RX notifications whose notification buffer was disabled",
    "merged_head_checks": "head checks that joined a later one of the same pipe, because too many waited",
    "lost_completions": "TX completions that were not written because their ring had been closed",
    "flow_inserts_failed": "flow rules for which no place was found",
    "read_timeouts": "host reads that were given up",
    **{cause: "frames dropped for this cause" for cause in DROP_CAUSES if cause != "tx_error"},
    "tx_error": "events that dropped a TX frame and the rest of its request",
    "refused_rings": "rings that the DMA guard did not let be enabled",
    "refused_requests": "requests in TX rings that the DMA guard did not let",
}
_FIRST_SETTING, _FIRST_REFUSED, _FIRST_COUNTER = 16, 24, 32
EXTENSION_WORDS = {
    name: ExtensionWord(first + offset, text, writable)
    for first, texts, writable in (
        (0, _IDENTITY, False),
        (_FIRST_SETTING, _SETTINGS, True),
        (_FIRST_REFUSED, _REFUSED, False),
        (_FIRST_COUNTER, _COUNTERS, False),
    )
    for offset, (name, text) in enumerate(texts.items())
}
"""By name. Words between and behind them read 0."""
COUNTERS = tuple(_COUNTERS)

FIRST_PIPE_MODE_PAGE = FIRST_EXTENSION_PAGE + 16
FIRST_PIPE_DROPS_PAGE = FIRST_EXTENSION_PAGE + 32
"""Tables of 8 bytes per pipe: bit 0 of its mode is header mode; the frames for it that were dropped, since reset."""
FIRST_PIPE_OWNER_PAGE = FIRST_EXTENSION_PAGE + 48
FIRST_WINDOW_PAGE = FIRST_EXTENSION_PAGE + 64
"""Tables of the DMA guard: 8 bytes per pipe, its notification buffer; 16 per notification buffer, its window."""
PIPE_TABLE_PAGES, WINDOW_PAGES = 16, 4
MAY_CONFIGURE = 1
"""The bit of a window's first word that lets its notification buffer send config requests."""


def pipe_register(pipe: int, register: int) -> int:
    """Byte address of a register of pipe 0..8191."""
    return pipe * PAGE_BYTES + register


def notification_buffer_register(buffer: int, register: int) -> int:
    """Byte address of a register of notification buffer 0..1023."""
    return (FIRST_NOTIFICATION_BUFFER_PAGE + buffer) * PAGE_BYTES + register


def extension_register(name: str) -> int:
    """Byte address of a word of the extension page."""
    return FIRST_EXTENSION_PAGE * PAGE_BYTES + 8 * EXTENSION_WORDS[name].number


def pipe_mode_register(pipe: int) -> int:
    """Byte address of the mode of pipe 0..8191."""
    return FIRST_PIPE_MODE_PAGE * PAGE_BYTES + 8 * pipe


def pipe_drops_register(pipe: int) -> int:
    """Byte address of the drop counter of pipe 0..8191."""
    return FIRST_PIPE_DROPS_PAGE * PAGE_BYTES + 8 * pipe


def pipe_owner_register(pipe: int) -> int:
    """Byte address of the owner of pipe 0..8191: bits 9 to 0 are a notification buffer."""
    return FIRST_PIPE_OWNER_PAGE * PAGE_BYTES + 8 * pipe


def window_register(buffer: int) -> int:
    """Byte address of the window of notification buffer 0..1023: its first byte, with MAY_CONFIGURE; then its end."""
    return FIRST_WINDOW_PAGE * PAGE_BYTES + 16 * buffer
