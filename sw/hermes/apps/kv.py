"""A key-value store that speaks memcached's text protocol over UDP: get and set, one command a datagram."""

from typing import Final

from hermes.world import Memory

_IP: Final = 14  # where in a frame the IP header begins
_ADDRESSES: Final = _IP + 12
_SHORTEST_FRAME: Final = 60
_LONGEST_FRAME: Final = 1514
_UDP_PROTOCOL: Final = 17
_UDP_BYTES: Final = 8
_DATAGRAM_BYTES: Final = 8  # before the text: request id, number of the datagram, datagrams, 0
_ONE_DATAGRAM: Final = b"\0\0\0\1"
_LONGEST_TEXT: Final = _LONGEST_FRAME - _IP - 20 - _UDP_BYTES - _DATAGRAM_BYTES
_LONGEST_KEY: Final = 250
_FLAGS: Final = 1 << 32

_END: Final = b"END\r\n"
_ERROR: Final = b"ERROR\r\n"
_STORED: Final = b"STORED\r\n"
_BAD_LINE: Final = b"CLIENT_ERROR bad command line format\r\n"
_BAD_DATA: Final = b"CLIENT_ERROR bad data chunk\r\n"
_TOO_LARGE: Final = b"SERVER_ERROR object too large for cache\r\n"
_LONG_ANSWER: Final = b"SERVER_ERROR answer too large for a datagram\r\n"
_EXPIRES: Final = b"SERVER_ERROR exptime other than 0 is not supported\r\n"
_DATAGRAMS: Final = b"SERVER_ERROR multi-packet request not supported\r\n"


class KeyValue:
    """The store of one application, and its answers (protocol: hermes.apps.application.Answering).

    An answer goes back to where its request came from, with the same memcached header and the same identification and
    time to live, without IP options; its UDP checksum is 0: none. It never takes more than one datagram: a value for
    which a get could not be answered so is too large. Nothing expires, nothing is evicted, and there is no ``noreply``.

    Parameters
    ----------
    service_ps
        Compute time of a request, in picoseconds, besides finding and reading the packet.
    """

    longest_answer = _LONGEST_FRAME

    def __init__(self, service_ps: int = 0) -> None:
        self._service_ps = service_ps
        self._found: dict[bytes, bytes] = {}  # by key: what a get finds, as it is told

    def answer(self, memory: Memory, position: int, length: int, out_position: int, room: int) -> tuple[int, int]:
        """See ``Answering``. Only whole UDP packets over IPv4 that hold a memcached header are answered."""
        request = bytes(memory.bytes[position : position + length])
        udp = _udp(request)
        if not udp:
            return 0, self._service_ps
        text = udp + _UDP_BYTES + _DATAGRAM_BYTES
        end = udp + int.from_bytes(request[udp + 4 : udp + 6])
        is_whole = request[text - 6 : text - 2] == _ONE_DATAGRAM
        answer = self._told(request[text:end]) if is_whole else _DATAGRAMS
        frame = _framed(request, udp, request[text - _DATAGRAM_BYTES : text] + answer)
        if len(frame) > room:
            raise ValueError(f"an answer of {len(frame)} bytes in room for {room}; accepted are {_LONGEST_FRAME} bytes")
        memory.bytes[out_position : out_position + len(frame)] = frame
        return len(frame), self._service_ps

    def _told(self, request: bytes) -> bytes:
        """Carry out a command; its answer."""
        line, end_of_line, data = request.partition(b"\r\n")
        words = line.split()
        if not end_of_line or not words:
            return _ERROR
        if words[0] == b"get" and len(words) > 1:
            return self._get(words[1:])
        if words[0] == b"set" and len(words) == 5:
            return self._set(words, data)
        return _ERROR

    def _get(self, keys: list[bytes]) -> bytes:
        if any(len(key) > _LONGEST_KEY for key in keys):
            return _BAD_LINE
        found = self._found
        answer = b"".join([found.get(key, b"") for key in keys]) + _END
        return answer if len(answer) <= _LONGEST_TEXT else _LONG_ANSWER

    def _set(self, words: list[bytes], data: bytes) -> bytes:
        _, key, flags, expiry, size = words
        if len(key) > _LONGEST_KEY or not (flags.isdigit() and expiry.isdigit() and size.isdigit()):
            return _BAD_LINE
        if int(flags) >= _FLAGS:
            return _BAD_LINE
        if int(expiry):
            return _EXPIRES
        told = b"VALUE %b %d %d\r\n" % (key, int(flags), int(size))
        if len(told) + int(size) + len(b"\r\n" + _END) > _LONGEST_TEXT:
            self._found.pop(key, None)  # as memcached: rather none than an old one
            return _TOO_LARGE
        if len(data) != int(size) + 2 or not data.endswith(b"\r\n"):
            return _BAD_DATA
        self._found[key] = told + data
        return _STORED


def _udp(frame: bytes) -> int:
    """Where the UDP header of a packet that can be answered begins; 0 if it cannot."""
    if frame[12:14] != b"\x08\x00" or frame[_IP] >> 4 != 4 or frame[_IP + 9] != _UDP_PROTOCOL:
        return 0
    if frame[_IP + 6] & 0x3F or frame[_IP + 7]:  # a fragment, also the first
        return 0
    udp = _IP + 4 * (frame[_IP] & 15)
    end = _IP + int.from_bytes(frame[_IP + 2 : _IP + 4])
    size = int.from_bytes(frame[udp + 4 : udp + 6])
    fits = _UDP_BYTES + _DATAGRAM_BYTES <= size <= end - udp and end <= len(frame) and udp >= _ADDRESSES + 8
    return udp if fits else 0


def _framed(request: bytes, udp: int, payload: bytes) -> bytes:
    """The frame that carries ``payload`` back to the sender of ``request``, whose UDP header is at ``udp``."""
    length = 20 + _UDP_BYTES + len(payload)
    source, destination = request[_ADDRESSES : _ADDRESSES + 4], request[_ADDRESSES + 4 : _ADDRESSES + 8]
    before = b"\x45" + request[_IP + 1 : _IP + 2] + length.to_bytes(2) + request[_IP + 4 : _IP + 10]
    behind = destination + source
    checksum = -int.from_bytes(before + behind) % 0xFFFF  # of an even number of bytes, as 16-bit words
    ports = request[udp + 2 : udp + 4] + request[udp : udp + 2]
    frame = b"".join(
        (
            *(request[6:12], request[0:6], request[12:14]),
            *(before, checksum.to_bytes(2), behind),
            *(ports, (_UDP_BYTES + len(payload)).to_bytes(2), b"\0\0", payload),
        )
    )
    return frame.ljust(_SHORTEST_FRAME, b"\0")
