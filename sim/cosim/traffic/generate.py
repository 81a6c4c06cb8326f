"""Generated load: UDP requests of mixed sizes, drawn by request index from streams of their own."""

import ipaddress

import numpy as np
from numpy.typing import NDArray

from cosim.traffic.frames import Frames
from cosim.traffic.wire import PS_PER_S

DESTINATION = int(ipaddress.IPv4Address("10.0.0.1"))
FIRST_PORT = 1024
"""Connection i is destination port 1024 + i: what the NIC steers UDP by."""
MOST_CONNECTIONS = 65536 - FIRST_PORT

_SHORTEST, _SMALL, _LONGEST = 4, 18, 1472
"""UDP payloads in bytes: the request's index, what fills a frame of 60 bytes, what fills one of 1514."""

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
        ("index", ">u4"),  # the first bytes of the payload
    ]
)
_IP, _ADDRESSES, _UDP, _PAYLOAD = 14, 26, 34, 42
_LINE = 64

# each purpose draws from a stream of its own, so that one more draw for one moves no other
_ARRIVALS, _CONNECTIONS, _SIZES, _CONTENTS = range(4)


def generator(seed: int, purpose: int) -> np.random.Generator:
    """The random stream of one purpose; its i-th draw belongs to request i."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, purpose))))


def poisson_arrivals_ps(count: int, rate: int, seed: int) -> NDArray[np.int64]:
    """``count`` arrival times of a Poisson process of ``rate`` per second, each gap rounded to ps once."""
    gaps = generator(seed, _ARRIVALS).exponential(PS_PER_S / rate, count)
    return np.cumsum(np.rint(gaps).astype(np.int64))


def even_arrivals_ps(count: int, rate: int) -> NDArray[np.int64]:
    """``count`` arrival times, one every 1/``rate`` seconds, rounded down to ps."""
    return np.array([index * PS_PER_S // rate for index in range(count)], dtype=np.int64)


def generate_requests(count: int, connections: int, seed: int) -> Frames:
    """``count`` UDP requests, as their senders make them: not yet padded to 60 bytes.

    Each one's connection is drawn uniformly. Half of them fit into a frame of 60 bytes, most with room to spare; the
    sizes of the others are uniform up to 1514 bytes. The payload is the request's index (32 bits), then noise.
    """
    draw = generator(seed, _SIZES).random((count, 2))
    is_small = draw[:, 0] < 0.5
    low, high = np.where(is_small, _SHORTEST, _SMALL + 1), np.where(is_small, _SMALL, _LONGEST)
    payloads = (low + np.floor(draw[:, 1] * (high - low + 1))).astype(np.int64)
    lengths = _PAYLOAD + payloads

    headers = np.zeros(count, dtype=_HEADER)
    headers["destination_mac"] = (2, 0, 0, 0, 0, 1)
    headers["source_mac"] = (2, 0, 0, 0, 0, 2)
    headers["ethertype"] = 0x0800
    headers["version_and_length"] = 0x45
    headers["total_length"] = lengths - _IP
    headers["identification"] = np.arange(count) & 0xFFFF
    headers["time_to_live"] = 64
    headers["protocol"] = 17
    headers["source"] = int(ipaddress.IPv4Address("10.0.0.2"))
    headers["destination"] = DESTINATION
    headers["source_port"] = 40000
    headers["destination_port"] = FIRST_PORT + generator(seed, _CONNECTIONS).integers(connections, size=count)
    headers["udp_length"] = lengths - _UDP
    headers["index"] = np.arange(count)

    # each frame begins on a line of its own, with zeros up to the next, so that the sums may run over them
    ends = np.cumsum(-(-lengths // _LINE) * _LINE)
    offsets = np.concatenate(([0], ends[:-1]))
    blob = np.frombuffer(generator(seed, _CONTENTS).bytes(int(ends[-1])), dtype=np.uint8).copy()
    last_lines = blob.reshape(-1, _LINE)[ends // _LINE - 1]
    last_lines[np.arange(_LINE) >= ((lengths - 1) % _LINE + 1)[:, None]] = 0
    blob.reshape(-1, _LINE)[ends // _LINE - 1] = last_lines
    header_bytes = offsets[:, None] + np.arange(_HEADER.itemsize)
    blob[header_bytes] = headers.view(np.uint8).reshape(count, -1)

    words = headers.view(">u2").reshape(count, -1)
    headers["ip_checksum"] = _checksum(words[:, _IP // 2 : _UDP // 2].sum(axis=1, dtype=np.int64))
    pseudo_header = words[:, _ADDRESSES // 2 : _UDP // 2].sum(axis=1, dtype=np.int64) + 17 + headers["udp_length"]
    datagrams = np.stack((offsets + _UDP, ends), axis=1).ravel()[:-1] // 2
    sums = np.add.reduceat(blob.view(">u2"), datagrams, dtype=np.int64)[::2]
    headers["udp_checksum"] = _checksum(sums + pseudo_header)
    blob[header_bytes] = headers.view(np.uint8).reshape(count, -1)
    return Frames(blob, offsets, lengths.astype(np.int32))


def _checksum(sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """Internet checksums of these sums of 16-bit words; 0xFFFF for 0, which UDP would take as none."""
    for _ in range(3):
        sums = (sums & 0xFFFF) + (sums >> 16)
    checksums: NDArray[np.int64] = np.where(sums == 0xFFFF, 0xFFFF, ~sums & 0xFFFF)
    return checksums
