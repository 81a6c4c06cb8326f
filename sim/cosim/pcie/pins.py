"""Recorded pins and transfers, and the hash of transfers, as pins.hpp defines them."""

from enum import IntEnum, IntFlag

import numpy as np

RECORDED_PINS = np.dtype(
    [
        ("cycle", "<u8"),
        ("flags", "<u4"),
        ("rx", "<u4", 19),
        ("completion", "<u4", 17),
        ("mmio", "<u4", 4),
        ("unused", "<u4"),
    ]
)
"""One cycle: what the NIC's input pins were at its rising edge."""


RECORDED_TRANSFERS = np.dtype([("cycle", "<u8"), ("port", "<u4"), ("words", "<u4", 19)])
"""One transfer from the NIC."""


class Port(IntEnum):
    """Values of ``port``."""

    TO_HOST = 1
    READ_REQUEST = 2
    ETHERNET_TX = 3


class Flag(IntFlag):
    """Bits of ``flags``."""

    RX_VALID = 1
    COMPLETION_VALID = 2
    MMIO_VALID = 4
    TO_HOST_READY = 8
    READ_REQUEST_READY = 16
    TX_READY = 32
    RESET = 64


class TransferHash:
    """Hash of what a NIC sent: port (1 to_host, 2 read_request, 3 Ethernet), cycle and payload of each transfer."""

    def __init__(self) -> None:
        self.value = 0xCBF29CE484222325

    def _mix(self, word: int) -> None:
        self.value = ((self.value ^ word) * 0x100000001B3) & ((1 << 64) - 1)

    def add(self, port: int, cycle: int, payload: int, words: int) -> None:
        """``words`` 32-bit words of ``payload``, least significant first."""
        self._mix(port << 60 ^ cycle)
        for i in range(words):
            self._mix(payload >> 32 * i & 0xFFFFFFFF)
