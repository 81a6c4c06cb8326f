"""The register map: byte addresses within BAR2. Pipe and notification-buffer pages repeat their 64 bytes 64 times."""

PAGE_BYTES = 4096
PIPES = 8192
NOTIFICATION_BUFFERS = 1024
FIRST_NOTIFICATION_BUFFER_PAGE = PIPES
FIRST_EXTENSION_PAGE = PIPES + NOTIFICATION_BUFFERS

# 32-bit registers of a page; the last four exist on notification-buffer pages only
RX_TAIL, RX_HEAD, RX_MEM_LOW, RX_MEM_HIGH, TX_TAIL, TX_HEAD, TX_MEM_LOW, TX_MEM_HIGH = range(0, 32, 4)

# 64-bit read-only registers of the extension page, in words of 8 bytes: software reads one word per MMIO read
EXTENSION_MAGIC = int.from_bytes(b"HermNIC\0", "little")
EXTENSION_VERSION = 1
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
EXTENSION_WORDS = (
    "magic",
    "version",
    "rx_frames",
    "rx_admitted",
    "tx_frames",
    "notifications",
    "owed_notifications",
    "lost_notifications",
    "flow_inserts_failed",
    *DROP_CAUSES,
)
"""Names of the extension page's words, in order."""


def pipe_register(pipe: int, register: int) -> int:
    """Byte address of a register of pipe 0..8191."""
    return pipe * PAGE_BYTES + register


def notification_buffer_register(buffer: int, register: int) -> int:
    """Byte address of a register of notification buffer 0..1023."""
    return (FIRST_NOTIFICATION_BUFFER_PAGE + buffer) * PAGE_BYTES + register


def extension_register(name: str) -> int:
    """Byte address of a word of the extension page."""
    return FIRST_EXTENSION_PAGE * PAGE_BYTES + 8 * EXTENSION_WORDS.index(name)
