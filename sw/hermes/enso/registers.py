"""The Enso NIC as software sees it: register map, notification formats, sizes. Software's own copy of the contract."""

from dataclasses import dataclass
from typing import Final

from mypy_extensions import i64

# --- registers: byte addresses in BAR2, a page of 4096 bytes per pipe and per notification buffer ---------------------

PAGE_BYTES: Final = 4096
PIPES: Final = 8192
NOTIFICATION_BUFFERS: Final = 1024

RX_TAIL: Final = 0x00
RX_HEAD: Final = 0x04
RX_MEM_LOW: Final = 0x08
RX_MEM_HIGH: Final = 0x0C
TX_TAIL: Final = 0x10
TX_HEAD: Final = 0x14
TX_MEM_LOW: Final = 0x18
TX_MEM_HIGH: Final = 0x1C


def pipe_register(pipe: i64, register: i64) -> i64:
    """Byte address of a register of a pipe, 0 to 8191."""
    return pipe * PAGE_BYTES + register


def notification_buffer_register(buffer: i64, register: i64) -> i64:
    """Byte address of a register of a notification buffer, 0 to 1023."""
    return (PIPES + buffer) * PAGE_BYTES + register


# beyond upstream's map: a 64-bit word per pipe
FIRST_PIPE_MODE_PAGE: Final = PIPES + NOTIFICATION_BUFFERS + 16
HEADER_MODE: Final = 1


def pipe_mode_register(pipe: int) -> int:
    """Byte address of the 8-byte word with the mode of a pipe, 0 to 8191."""
    return FIRST_PIPE_MODE_PAGE * PAGE_BYTES + 8 * pipe


# --- slots of notification rings: 64-bit words of a 64-byte line ------------------------------------------------------

SLOT_BYTES: Final = 64
SLOT_WORDS: Final = 8

SIGNAL: Final = 0  # RX: 1 if new. TX: what the slot is; 0 once the NIC completed it
PIPE: Final = 1  # RX: pipe that the notification is about
TAIL: Final = 2  # RX: its tail, in flits
ROW: Final = 3  # RX: in the padding, a mark of software's own
ADDRESS: Final = 1  # TX: of the first byte to send; config requests: the config id
LENGTH: Final = 2  # TX: bytes to send
ERROR: Final = 3  # TX completion: 0 is good

TX_REQUEST: Final = 1
CONFIG_REQUEST: Final = 2
FRAMED: Final = 1 << 32  # with the length of a request: a header line stands before each frame of its data

CONFIG_FLOW: Final = 1
CONFIG_FALLBACK: Final = 4
CONFIG_FLOW_DELETE: Final = 0x100  # beyond upstream, as those from here on
CONFIG_FLOW_STATUS: Final = 0x101

NO_SUCH_FLOW: Final = 5  # error of CONFIG_FLOW_DELETE and CONFIG_FLOW_STATUS

# --- the header line before each packet of a pipe in header mode: 64-bit words of a 64-byte line ----------------------

LENGTH_AND_HASH: Final = 0  # low half: bytes of the packet, which begins in the next line; high half: of its flow key
ARRIVAL: Final = 1  # tick of its first beat, in units of 5 ns
DROPS: Final = 2  # low half: frames for this pipe that were dropped, since reset

# --- sizes ------------------------------------------------------------------------------------------------------------

FLIT_BYTES: Final = 64
BUFFER_ID_MASK: Final = 0x3FF  # low bits of a pipe's rx_mem: its notification buffer
BATCH: Final = 64  # notifications or completions that one call takes
MAX_REQUEST_BYTES: Final = 128 * 1024


@dataclass(frozen=True)
class RingSizes:
    """Slots of the rings, powers of two; the NIC must have the same.

    Attributes
    ----------
    pipe_flits
        Flits (64 bytes) of a pipe.
    notification_slots
        Slots of a notification buffer, for RX and TX each.
    """

    pipe_flits: int = 32768
    notification_slots: int = 16384

    def __reduce__(self) -> tuple[type["RingSizes"], tuple[int, int]]:
        """Pickled by its values: who reads it may have it compiled."""
        return RingSizes, (self.pipe_flits, self.notification_slots)


UPSTREAM: Final = RingSizes()
"""What upstream's NIC has after reset, and ours in its full size."""
