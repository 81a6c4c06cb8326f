"""Generated load: UDP requests, drawn by request index from streams of their own."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cosim.traffic.frames import MINIMUM_FRAME, Frames
from cosim.traffic.streams import ARRIVALS, CONNECTIONS, CONTENTS, SIZES, generator
from cosim.traffic.udp import CHUNK, FIRST_PORT, LINE, PAYLOAD, SERVER, line_ends, wrap
from cosim.traffic.wire import PS_PER_S

DESTINATION = SERVER.address
MOST_CONNECTIONS = 65536 - FIRST_PORT
LONGEST_FRAME = 1514

_SHORTEST = PAYLOAD + 4
"""A frame with nothing but the request's index."""
_SERVICE = PAYLOAD + 4
_BEHIND_SERVICE = _SERVICE + 8


def poisson_arrivals_ps(count: int, rate: float, seed: int) -> NDArray[np.int64]:
    """``count`` arrival times of a Poisson process of ``rate`` per second, each gap rounded to ps once."""
    gaps = generator(seed, ARRIVALS).exponential(PS_PER_S / rate, count)
    return np.cumsum(np.rint(gaps).astype(np.int64))


def draw_connections(count: int, connections: int, seed: int) -> NDArray[np.int64]:
    """The connection of each request, uniform."""
    return generator(seed, CONNECTIONS).integers(connections, size=count)


def generate_requests(
    count: int,
    connections: int,
    seed: int,
    *,
    frame_bytes: int | Literal["mixed"] = "mixed",
    service_ps: NDArray[np.int64] | None = None,
) -> Frames:
    """``count`` UDP requests, as their senders make them: not yet padded to 60 bytes.

    The payload is the request's index (32 bits), its service time in ps (64 bits) if there is one, then noise; numbers
    are big-endian.

    Parameters
    ----------
    frame_bytes
        Of each frame, 60 to 1514. Mixed: half of them fit into a frame of 60 bytes, most with room to spare; the sizes
        of the others are uniform up to 1514 bytes.
    service_ps
        Of each request; only with frames of one size.
    """
    lengths = _mixed_lengths(count, seed) if frame_bytes == "mixed" else np.full(count, frame_bytes, dtype=np.int32)
    ports = FIRST_PORT + draw_connections(count, connections, seed)
    ends = line_ends(lengths)
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), ends[:-1]))
    blob = np.empty(int(ends[-1]), dtype=np.uint8)
    noise = generator(seed, CONTENTS)
    for first in range(0, count, CHUNK):
        part = slice(first, min(first + CHUNK, count))
        start, end = int(offsets[first]), int(ends[part.stop - 1])
        lines = blob[start:end].reshape(-1, LINE)
        lines[:] = np.frombuffer(noise.bytes(end - start), dtype=np.uint8).reshape(-1, LINE)
        last = (ends[part] - start) // LINE - 1
        is_used = np.arange(LINE) < ((lengths[part] - 1) % LINE + 1)[:, None]
        lines[last] = np.where(is_used, lines[last], 0)
        heads = (offsets[part] - start) // LINE
        lines[heads, PAYLOAD:_SERVICE] = _bytes_of(np.arange(part.start, part.stop).astype(">u4"))
        if service_ps is not None:
            lines[heads, _SERVICE:_BEHIND_SERVICE] = _bytes_of(service_ps[part].astype(">u8"))
        wrap(blob[start:end], lengths[part], ports[part], first)
    return Frames(blob, offsets, lengths)


def _mixed_lengths(count: int, seed: int) -> NDArray[np.int32]:
    draw = generator(seed, SIZES).random((count, 2))
    is_small = draw[:, 0] < 0.5
    low = np.where(is_small, _SHORTEST, MINIMUM_FRAME + 1)
    high = np.where(is_small, MINIMUM_FRAME, LONGEST_FRAME)
    lengths: NDArray[np.int32] = (low + np.floor(draw[:, 1] * (high - low + 1))).astype(np.int32)
    return lengths


def _bytes_of(numbers: NDArray[np.generic]) -> NDArray[np.uint8]:
    """A row for each."""
    return numbers.view(np.uint8).reshape(len(numbers), -1)
