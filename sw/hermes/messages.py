"""Messages of runtimes to the IOKernel, each an item of a queue: (kind, subject, value, other, time).

Kinds up to 0x3F are sent and forgotten, a switch apart; those from 0x40 on are answered.
"""

from typing import Final

from hermes.enso.registers import RX_HEAD, TX_TAIL

__all__ = ["RX_HEAD", "TX_TAIL"]

# subject: notification buffer; value: the register's
PIPE_RX_HEAD: Final = 0x20  # subject: pipe; value: its head
PARK: Final = 0x30  # subject: notification buffer; value: its RX head; other: its TX head
SWITCH: Final = 0x31  # subject: previous uthread or -1; value: next uthread or -1; other: packed by ``switched``
CREATE: Final = 0x32  # subject: uthread; value: runtime
READ: Final = 0x40  # value: register address
ALLOCATE_NOTIFICATION_BUFFER: Final = 0x41
ALLOCATE_PIPE: Final = 0x42
GET_FALLBACK: Final = 0x43
SET_FALLBACK: Final = 0x44  # value: pipes
GET_ROUND_ROBIN: Final = 0x45
SET_ROUND_ROBIN: Final = 0x46  # value: 0 or 1
REGISTER_PIPE: Final = 0x47  # subject: pipe; value: notification buffer
FREE_NOTIFICATION_BUFFER: Final = 0x48  # subject: notification buffer
FREE_PIPE: Final = 0x49  # subject: pipe

NAMES: Final = {
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
"""What kinds are called in results."""

# what became of the uthread that a kthread left
PARKED: Final = 0  # it waits for packets or completions
RUNNABLE: Final = 1  # it yielded or was pre-empted
FINISHED: Final = 2
BLOCKED: Final = 3  # it waits for another uthread, or the time


def switched(state: int, rx_head: int, tx_head: int) -> int:
    """``other`` of a switch message: what became of the previous uthread, and the heads of its rings (16 bits each)."""
    return state | rx_head << 8 | tx_head << 24
