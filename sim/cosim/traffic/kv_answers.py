"""What a key-value store answers to the requests of cosim.traffic.kv."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from cosim.traffic.frames import Frames
from cosim.traffic.udp import ANSWER_PORT, PAYLOAD, REQUEST_PORT, frames_of

_HEADER = 8
_TEXT = PAYLOAD + _HEADER


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
