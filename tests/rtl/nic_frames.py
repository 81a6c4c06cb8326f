"""Frames for the NIC's benches."""

from tests.rtl.golden.steering import TCP, UDP

MACS = bytes.fromhex("02000000000202000000000108 00".replace(" ", ""))
SOURCE, DESTINATION = 0x0A000002, 0x0A000001
"""IPv4 addresses: 10.0.0.2 and 10.0.0.1."""
SOURCE_PORT = 4000


def ipv4(
    payload: bytes,
    *,
    protocol: int = UDP,
    source: int = SOURCE,
    destination: int = DESTINATION,
    fragment_offset: int = 0,
    options: int = 0,
    total: int | None = None,
    trailer: bytes = b"",
) -> bytes:
    """A frame with an IPv4 packet. ``options``: words of header beyond five; ``total``: a false total length."""
    words = 5 + options
    length = 4 * words + len(payload) if total is None else total
    header = bytes([0x40 | words, 0]) + length.to_bytes(2, "big") + b"\0\0" + fragment_offset.to_bytes(2, "big")
    header += bytes([64, protocol, 0, 0]) + source.to_bytes(4, "big") + destination.to_bytes(4, "big")
    return MACS + header + bytes(4 * options) + payload + trailer


def counting(size: int, start: int) -> bytes:
    """Bytes that differ from frame to frame."""
    return bytes((start * 37 + i * 5 + 1) & 0xFF for i in range(size))


def udp(port: int, size: int = 60, number: int = 0, source_port: int = SOURCE_PORT) -> bytes:
    """A frame of ``size`` bytes, at least 42, to a UDP port of 10.0.0.1; its contents depend on ``number``."""
    rest = counting(size - 42, number)
    ports = source_port.to_bytes(2, "big") + port.to_bytes(2, "big")
    return ipv4(ports + (8 + len(rest)).to_bytes(2, "big") + b"\0\0" + rest)


def tcp(port: int, size: int = 60, number: int = 0, *, flags: int = 0x10, source_port: int = SOURCE_PORT) -> bytes:
    """A frame of ``size`` bytes, at least 54, to a TCP port of 10.0.0.1."""
    header = source_port.to_bytes(2, "big") + port.to_bytes(2, "big") + bytes(8) + bytes([0x50, flags]) + bytes(6)
    return ipv4(header + counting(size - 54, number), protocol=TCP)
