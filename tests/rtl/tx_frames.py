"""Bytes for benches of the TX path: frames, and how they lie in a pipe."""

import random


def ip_frame(length: int, seed: int = 0, *, ip_length: int | None = None) -> bytes:
    """An Ethernet frame of ``length`` bytes that says IPv4, with the total length that fits unless told."""
    total = max(0, length - 14) if ip_length is None else ip_length
    header = random.Random(seed).randbytes(12) + b"\x08\x00\x45\x00" + total.to_bytes(2, "big")
    return (header + random.Random(seed + 1).randbytes(max(0, length - 18)))[:length]


def other_frame(length: int, seed: int = 0) -> bytes:
    """A frame of ``length`` bytes that is no IP."""
    return (random.Random(seed).randbytes(12) + b"\x88\xb5\x60" + random.Random(seed + 1).randbytes(length))[:length]


def ipv6_frame(length: int, seed: int = 0) -> bytes:
    """An Ethernet frame of ``length`` bytes, at least 54, that says IPv6 with the payload length that fits."""
    header = random.Random(seed).randbytes(12) + b"\x86\xdd\x60\0\0\0" + (length - 54).to_bytes(2, "big")
    return header + random.Random(seed + 1).randbytes(length - 20)


def with_headers(*frames: bytes) -> bytes:
    """The data of a framed request: each frame from a flit on, behind the line that says its length."""
    return b"".join((len(frame).to_bytes(4, "little") + b"\xcc" * 60) + in_flits(frame) for frame in frames)


def in_flits(*frames: bytes) -> bytes:
    """Frames as they lie in a pipe: each from a flit on. What lies between them is 0xEE."""
    return b"".join(frame + b"\xee" * (-len(frame) % 64) for frame in frames)
