"""Requests to a key-value store: memcached's text protocol over UDP, one datagram each.

A datagram begins with memcached's UDP header: request id, number of the datagram, datagrams, 0, of 16 bits each,
big-endian. The id is the request's index modulo 2^16.
"""

import numpy as np
from pydantic import Field

from cosim.traffic.frames import Frames
from cosim.traffic.generate import draw_connections
from cosim.traffic.streams import COMMANDS, KEYS, generator
from cosim.traffic.udp import FIRST_PORT, frames_of
from cosim.values import Frozen


class KvLoad(Frozen):
    """What clients of the key-value store ask for.

    Attributes
    ----------
    get_share
        Of the requests that are GETs; the others are SETs.
    keys
        Of each connection.
    skew
        Exponent of the Zipf distribution of keys: key k is drawn in proportion to 1 / (k + 1) ** skew; 0 is uniform.
    value_bytes
        Of each value.
    """

    get_share: float = Field(default=0.9, ge=0, le=1, description="0 to 1")
    keys: int = Field(default=100, ge=1, le=10**6, description="1 to 1000000 keys of each connection")
    skew: float = Field(default=0.99, ge=0, le=10, description="0 (uniform) to 10, the exponent of a Zipf distribution")
    value_bytes: int = Field(default=100, ge=0, le=1400, description="0 to 1400 bytes")


def generate_kv_requests(count: int, connections: int, seed: int, what: KvLoad) -> Frames:
    """``count`` requests, not yet padded to 60 bytes; each one's connection, command and key are drawn.

    Key k of connection c is ``c<c>-<k>``. No two values are equal, if they are of at least 8 bytes.
    """
    numbers = draw_connections(count, connections, seed)
    is_get = generator(seed, COMMANDS).random(count) < what.get_share
    shares = np.cumsum(1 / np.arange(1, what.keys + 1) ** what.skew)
    keys = np.searchsorted(shares, generator(seed, KEYS).random(count) * shares[-1], side="right")
    payloads = []
    for index, (connection, key, gets) in enumerate(
        zip(numbers.tolist(), np.minimum(keys, what.keys - 1).tolist(), is_get.tolist(), strict=True)
    ):
        text = b"get c%d-%d\r\n" % (connection, key)
        if not gets:
            value = (b"%08x" % index * (what.value_bytes // 8 + 1))[: what.value_bytes]
            text = b"set c%d-%d 0 0 %d\r\n%b\r\n" % (connection, key, what.value_bytes, value)
        payloads.append((index & 0xFFFF).to_bytes(2) + b"\0\0\0\1\0\0" + text)
    return frames_of(payloads, FIRST_PORT + numbers)
