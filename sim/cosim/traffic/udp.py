"""UDP frames in bulk: headers with right checksums around payloads that lie in one array."""

import ipaddress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

PAYLOAD = 42
"""Where in a frame the UDP payload begins."""
LINE = 64
CHUNK = 1 << 16
"""Frames that are worked on at once, to bound the memory that takes."""

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
    headers["ip_checksum"] = _checksum(words[:, _IP // 2 : _UDP // 2].sum(axis=1, dtype=np.int64))
    ends = line_ends(lengths)
    starts = np.concatenate(([0], ends[:-1]))
    lines = blob.reshape(-1, LINE)
    if has_checksum:
        pseudo_header = words[:, _ADDRESSES // 2 : _UDP // 2].sum(axis=1, dtype=np.int64) + _UDP_PROTOCOL
        header = words[:, _UDP // 2 : PAYLOAD // 2].sum(axis=1, dtype=np.int64) + headers["udp_length"]
        payloads = np.stack((starts + PAYLOAD, ends), axis=1).ravel()[:-1] // 2
        sums = np.add.reduceat(blob.view(">u2"), payloads, dtype=np.int64)[::2]
        headers["udp_checksum"] = _checksum(sums + pseudo_header + header)
    lines[starts // LINE, :PAYLOAD] = headers.view(np.uint8).reshape(len(lengths), -1)


def _checksum(sums: Integers) -> Integers:
    """Internet checksums of these sums of 16-bit words; 0xFFFF for 0, which UDP would take as none."""
    for _ in range(3):
        sums = (sums & 0xFFFF) + (sums >> 16)
    checksums: Integers = np.where(sums == 0xFFFF, 0xFFFF, ~sums & 0xFFFF)
    return checksums
