"""The messages between runtimes and the IOKernel: items of a queue (kind, subject, value, other, time).

======================  =====================  =====================================  ======================
kind                    subject                value                                  other
======================  =====================  =====================================  ======================
RX_HEAD, TX_TAIL        notification buffer    the register's                         0
PIPE_RX_HEAD            pipe                   the register's                         0
PARK                    notification buffer    its RX head                            its TX head
SWITCH                  previous uthread, -1   next uthread, -1                       see ``switch_state``
CREATE                  uthread                its runtime                            0
======================  =====================  =====================================  ======================

Those that need an answer, a number:

============================  ===================  ==========================  ==================================
kind                          subject              value                       answer
============================  ===================  ==========================  ==================================
READ                          0                    register address            the 8-byte word there
ALLOCATE_NOTIFICATION_BUFFER  uthread              0                           its id
FREE_NOTIFICATION_BUFFER      its id               0                           0
ALLOCATE_PIPE                 1: fallback, else 0  0                           its id
FREE_PIPE                     its id               0                           0
REGISTER_PIPE                 pipe                 id of its notification      0
                                                   buffer
GET_FALLBACK                  0                    0                           fallback pipes
SET_FALLBACK                  0                    fallback pipes              0
GET_ROUND_ROBIN               0                    0                           1: on, 0: off
SET_ROUND_ROBIN               0                    1: on, 0: off               0
============================  ===================  ==========================  ==================================
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

RX_HEAD: Final = 0x04  # the register's offset, as that of TX_TAIL
TX_TAIL: Final = 0x10
PIPE_RX_HEAD: Final = 0x20
PARK: Final = 0x30
SWITCH: Final = 0x31
CREATE: Final = 0x32

READ: Final = 0x40
ALLOCATE_NOTIFICATION_BUFFER: Final = 0x41
ALLOCATE_PIPE: Final = 0x42
GET_FALLBACK: Final = 0x43
SET_FALLBACK: Final = 0x44
GET_ROUND_ROBIN: Final = 0x45
SET_ROUND_ROBIN: Final = 0x46
REGISTER_PIPE: Final = 0x47
FREE_NOTIFICATION_BUFFER: Final = 0x48
FREE_PIPE: Final = 0x49

NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        RX_HEAD: "rx_head",
        TX_TAIL: "tx_tail",
        PIPE_RX_HEAD: "pipe_rx_head",
        PARK: "park",
        SWITCH: "switch",
        CREATE: "create",
        READ: "read",
        ALLOCATE_NOTIFICATION_BUFFER: "allocate_notification_buffer",
        ALLOCATE_PIPE: "allocate_pipe",
        GET_FALLBACK: "get_fallback",
        SET_FALLBACK: "set_fallback",
        GET_ROUND_ROBIN: "get_round_robin",
        SET_ROUND_ROBIN: "set_round_robin",
        REGISTER_PIPE: "register_pipe",
        FREE_NOTIFICATION_BUFFER: "free_notification_buffer",
        FREE_PIPE: "free_pipe",
    }
)
"""By kind."""

# What became of the previous uthread of a switch.
PARKED: Final = 0  # out of work, waits for the IOKernel
RUNNABLE: Final = 1
FINISHED: Final = 2
BLOCKED: Final = 3  # waits for something else

_INDEX_BITS: Final = 16


def switch_state(state: int, rx_head: int, tx_head: int) -> int:
    """Last field of a SWITCH: state of the previous uthread, heads of its rings (16 bits each) at bits 8 and 24."""
    return state | rx_head << 8 | tx_head << 8 + _INDEX_BITS


def of_switch_state(other: int) -> tuple[int, int, int]:
    """State, RX head and TX head out of a SWITCH's last field."""
    mask = (1 << _INDEX_BITS) - 1
    return other & 0xFF, other >> 8 & mask, other >> 8 + _INDEX_BITS & mask
