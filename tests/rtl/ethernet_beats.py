"""Frames as a MAC hands them over."""

from enso_nic.config import FLIT_BYTES

GARBAGE = 0x45
"""What the MAC has on its wires beyond the end of a frame; it looks like the beginning of an IP header."""


def beats(frame: bytes, *, error: bool = False) -> list[dict[str, int]]:
    """Payloads of layouts.EthernetRx."""
    pieces = [frame[start : start + FLIT_BYTES] for start in range(0, len(frame), FLIT_BYTES)]
    return [
        {
            "data": int.from_bytes(piece.ljust(FLIT_BYTES, bytes([GARBAGE])), "little"),
            "keep": (1 << len(piece)) - 1,
            "last": i == len(pieces) - 1,
            "error": error and i == len(pieces) - 1,
        }
        for i, piece in enumerate(pieces)
    ]
