"""Requests to a key-value store, and its answers: memcached's text protocol over UDP, one datagram each.

A datagram begins with memcached's UDP header: request id, number of the datagram, datagrams, 0, of 16 bits each,
big-endian. The id is the request's index modulo 2^16.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cosim.traffic.frames import Frames
from cosim.traffic.generate import draw_connections
from cosim.traffic.streams import COMMANDS, KEYS, generator
from cosim.traffic.udp import ANSWER_PORT, FIRST_PORT, PAYLOAD, REQUEST_PORT, frames_of
from cosim.values import Frozen

_HEADER = 8
_TEXT = PAYLOAD + _HEADER


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


def expected_answers(requests: Frames, is_served: NDArray[np.bool_]) -> Frames:
    """The frames on the wire that answer generated requests, if the store serves these in their order.

    Answers go back to where the requests came from, with their identification and time to live; the UDP checksum is 0,
    none. For requests that are not served there are frames without payload, which answer nothing.
    """
    store: dict[bytes, bytes] = {}
    answers = []
    for request, serves in zip(requests, is_served.tolist(), strict=True):
        answer = request[PAYLOAD:_TEXT] + _served(request[_TEXT:], store) if serves else b""
        answers.append(answer)
    return frames_of(answers, requests.field(REQUEST_PORT, 2), is_answer=True).padded()


def served(requests: Frames, returned: Frames) -> NDArray[np.bool_]:
    """Which requests these answers answer, by connection and request id: those of a connection come in order."""
    waiting: dict[int, deque[tuple[int, int]]] = {}
    ports, ids = requests.field(REQUEST_PORT, 2).tolist(), requests.field(PAYLOAD, 2).tolist()
    for index, (port, name) in enumerate(zip(ports, ids, strict=True)):
        waiting.setdefault(port, deque()).append((name, index))
    is_served = np.zeros(len(requests), dtype=np.bool_)
    ports, ids = returned.field(ANSWER_PORT, 2).tolist(), returned.field(PAYLOAD, 2).tolist()
    for port, name in zip(ports, ids, strict=True):
        queue = waiting.get(port, deque())
        while queue:
            passed, index = queue.popleft()
            if passed == name:
                is_served[index] = True
                break
    return is_served


def _served(request: bytes, store: dict[bytes, bytes]) -> bytes:
    """What the store answers; it keeps what it is told to."""
    line, _, rest = request.partition(b"\r\n")
    command, key, *numbers = line.split(b" ")
    if command == b"set":
        store[key] = rest[: int(numbers[2])]
        return b"STORED\r\n"
    value = store.get(key)
    return b"END\r\n" if value is None else b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key, len(value), value)
