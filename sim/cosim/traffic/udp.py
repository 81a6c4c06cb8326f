"""UDP frames in bulk: headers with right checksums around payloads that lie in one array."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.traffic.frames import Frames

Integers = NDArray[np.int64]

ANSWER_PORT, REQUEST_PORT = 34, 36
"""Where the server's port stands in an answer and in a request."""
PAYLOAD = 42
"""Where in a frame the UDP payload begins."""
LINE = 64
CHUNK = 1 << 12
"""Frames that are worked on at once: few enough to stay in a processor's cache."""

_HEADER = np.dtype(
    [
        ("destination_mac", "u1", 6),
        ("source_mac", "u1", 6),
        ("ethertype", ">u2"),
        ("version_and_length", "u1"),
        ("service", "u1"),
        ("total_length", ">u2"),
        ("identification", ">u2"),
        ("fragment", ">u2"),
        ("time_to_live", "u1"),
        ("protocol", "u1"),
        ("ip_checksum", ">u2"),
        ("source", ">u4"),
        ("destination", ">u4"),
        ("source_port", ">u2"),
        ("destination_port", ">u2"),
        ("udp_length", ">u2"),
        ("udp_checksum", ">u2"),
    ]
)
_IP, _ADDRESSES, _UDP = 14, 26, 34
_UDP_PROTOCOL = 17


@dataclass(frozen=True)
class End:
    """One end of a conversation."""

    mac: tuple[int, ...]
    address: int


CLIENT = End((2, 0, 0, 0, 0, 2), int(ipaddress.IPv4Address("10.0.0.2")))
SERVER = End((2, 0, 0, 0, 0, 1), int(ipaddress.IPv4Address("10.0.0.1")))
CLIENT_PORT = 40000
FIRST_PORT = 1024
"""Connection i is the server's port 1024 + i: what the NIC steers UDP by."""


def line_ends(lengths: NDArray[np.int32]) -> Integers:
    """Where the lines of each frame end, if each begins on a line of its own."""
    return np.cumsum(-(-lengths.astype(np.int64) // LINE) * LINE)


def frames_of(payloads: Sequence[bytes], ports: Integers, *, is_answer: bool = False) -> Frames:
    """Frames with these UDP payloads, not yet padded to 60 bytes; the other parameters are those of ``wrap``.

    Answers have no UDP checksum.
    """
    lengths = np.array([PAYLOAD + len(payload) for payload in payloads], dtype=np.int32)
    ends = line_ends(lengths)
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), ends[:-1]))
    header, spaces = bytes(PAYLOAD), np.diff(ends, prepend=0).tolist()
    frames = ((header + payload).ljust(space, b"\0") for payload, space in zip(payloads, spaces, strict=True))
    blob = np.frombuffer(b"".join(frames), dtype=np.uint8).copy()
    for first in range(0, len(payloads), CHUNK):
        part = slice(first, min(first + CHUNK, len(payloads)))
        some = blob[offsets[first] : ends[part.stop - 1]]
        wrap(some, lengths[part], ports[part], first, is_answer=is_answer, has_checksum=not is_answer)
    return Frames(blob, offsets, lengths)


def wrap(
    blob: NDArray[np.uint8],
    lengths: NDArray[np.int32],
    ports: Integers,
    first: int,
    *,
    is_answer: bool = False,
    has_checksum: bool = True,
) -> None:
    """Write the headers of frames, in place.

    Parameters
    ----------
    blob
        The frames, each on lines of its own (``line_ends``) with zeros behind it; only payloads matter.
    lengths
        Bytes of each, headers included.
    ports
        Of each, the server's.
    first
        Number of the first frame, for the identification.
    is_answer
        They go from the server to the client, else to the server.
    has_checksum
        Of UDP; else it is 0, which stands for none.
    """
    source, destination = (SERVER, CLIENT) if is_answer else (CLIENT, SERVER)
    headers = np.zeros(len(lengths), dtype=_HEADER)
    headers["destination_mac"] = destination.mac
    headers["source_mac"] = source.mac
    headers["ethertype"] = 0x0800
    headers["version_and_length"] = 0x45
    headers["total_length"] = lengths - _IP
    headers["identification"] = np.arange(first, first + len(lengths)) & 0xFFFF
    headers["time_to_live"] = 64
    headers["protocol"] = _UDP_PROTOCOL
    headers["source"] = source.address
    headers["destination"] = destination.address
    headers["source_port"] = ports if is_answer else CLIENT_PORT
    headers["destination_port"] = CLIENT_PORT if is_answer else ports
    headers["udp_length"] = lengths - _UDP

    words = headers.view(">u2").reshape(len(lengths), -1)
    headers["ip_checksum"] = _sum_of_ones(words[:, _IP // 2 : _UDP // 2].sum(axis=1, dtype=np.int64)) ^ 0xFFFF
    ends = line_ends(lengths)
    starts = np.concatenate(([0], ends[:-1]))
    heads = starts // LINE
    lines = blob.reshape(-1, LINE)
    if has_checksum:
        lines[heads, :PAYLOAD] = 0
        pseudo_header = words[:, _ADDRESSES // 2 : _UDP // 2].sum(axis=1, dtype=np.int64) + _UDP_PROTOCOL
        header = words[:, _UDP // 2 : PAYLOAD // 2].sum(axis=1, dtype=np.int64) + headers["udp_length"]
        checksum = _sum_of_ones(_payload_sums(blob, starts) + pseudo_header + header) ^ 0xFFFF
        headers["udp_checksum"] = np.where(checksum == 0, 0xFFFF, checksum)  # 0 would stand for none
    lines[heads, :PAYLOAD] = headers.view(np.uint8).reshape(len(lengths), -1)


def _payload_sums(blob: NDArray[np.uint8], starts: Integers) -> Integers:
    """Of each frame, whose header is 0 yet, the sum of its big-endian 16-bit words in ones' complement.

    That is the sum of its little-endian ones, in larger pieces, with the bytes swapped (RFC 1071, section 2).
    """
    pieces = blob.view("<u8")
    halves = (pieces >> 32) + (pieces & 0xFFFFFFFF)
    sums = _sum_of_ones(np.add.reduceat(halves, starts // 8).astype(np.int64))
    return sums.astype(np.uint16).byteswap().astype(np.int64)


def _sum_of_ones(sums: Integers) -> Integers:
    """The same sums of 16-bit words in ones' complement: carries come in again below."""
    for _ in range(3):
        sums = (sums & 0xFFFF) + (sums >> 16)
    return sums
