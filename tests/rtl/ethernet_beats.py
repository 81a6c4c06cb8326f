"""Frames as a MAC hands them over."""

from enso_nic.config import FLIT_BYTES

GARBAGE = bytes([0x45]) * FLIT_BYTES
"""What the MAC has on its wires beyond the end of a frame; it looks like the beginning of an IP header."""


def beats(frame: bytes, *, error: bool = False, garbage: bytes = GARBAGE) -> list[dict[str, int]]:
    """Payloads of layouts.EthernetRx; ``garbage`` is a flit, of which the last one shows what it has no bytes for."""
    pieces = [frame[start : start + FLIT_BYTES] for start in range(0, len(frame), FLIT_BYTES)]
    return [
        {
            "data": int.from_bytes(piece + garbage[len(piece) :], "little"),
            "keep": (1 << len(piece)) - 1,
            "last": i == len(pieces) - 1,
            "error": error and i == len(pieces) - 1,
        }
        for i, piece in enumerate(pieces)
    ]
