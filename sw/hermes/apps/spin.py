"""Spin: send every packet back, after as much computing as it asks for."""

from typing import Final

from hermes.apps.echo import turn_around
from hermes.world import Memory

_PROTOCOL: Final = 23
_TIME: Final = 46
_END: Final = 54
_UDP: Final = 17
_SHORTEST_PACKET: Final = 40


class Spin:
    """Turns packets round as the echo does; whole UDP packets without IP options say how long that takes.

    Their payload begins with the number of the request (32 bits) and its compute time in picoseconds (64 bits), both
    big-endian. What is anything else, or too short, asks for nothing.

    Parameters
    ----------
    service_ps
        Compute time per packet, besides what it asks for and besides finding and reading it.
    """

    def __init__(self, service_ps: int = 0) -> None:
        self._service_ps = service_ps

    def handle(self, memory: Memory, position: int, length: int) -> int:
        """Turn a packet around in place; its compute time in picoseconds."""
        head, time = turn_around(memory.bytes, position, length), self._service_ps
        total = head[16] << 8 | head[17]
        is_udp = head[12] == 0x08 and head[13] == 0 and head[14] == 0x45 and head[_PROTOCOL] == _UDP
        is_whole = not (head[20] & 0x3F or head[21])
        if is_udp and is_whole and _SHORTEST_PACKET <= total <= length - 14:
            time += int.from_bytes(head[_TIME:_END])
        return time
