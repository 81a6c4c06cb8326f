"""Echo: send every packet back to where it came from."""

from typing import Final

from hermes.world import Memory

_ETHERNET_HEADER: Final = 14
_IPV4_HEADER: Final = 20
_HEAD: Final = 96
_TCP: Final = 6
_UDP: Final = 17


class Echo:
    """Swaps the MAC addresses, for IPv4 the addresses, and the ports of first or only fragments of UDP and TCP.

    Swaps leave checksums right. Ports outside the IP length are left alone, and of a packet whose IP lengths cannot be
    all but the MAC addresses.

    Parameters
    ----------
    service_ps
        Compute time per packet, besides finding and reading it.
    """

    def __init__(self, service_ps: int = 0) -> None:
        self._service_ps = service_ps

    def handle(self, memory: Memory, position: int, length: int) -> int:
        """Turn a packet around in place; its compute time in picoseconds."""
        turn_around(memory.bytes, position, length)
        return self._service_ps


def turn_around(packet: memoryview, position: int, length: int) -> bytes:
    """What ``Echo`` does to the packet of ``length`` bytes at ``position``; its first bytes as they were.

    They are 96, more than all headers have, or as many as there are up to the end of memory.
    """
    head = bytes(packet[position : position + _HEAD])
    turned = head[6:12] + head[:6]
    if head[12] == 0x08 and head[13] == 0x00 and head[14] >> 4 == 4:
        header = 4 * (head[14] & 15)
        total = head[16] << 8 | head[17]
        if _IPV4_HEADER <= header <= total <= length - _ETHERNET_HEADER:
            turned += head[12:26] + head[30:34] + head[26:30]
            is_first = not (head[20] & 0x1F or head[21])
            if is_first and header + 4 <= total and (head[23] == _UDP or head[23] == _TCP):
                ports = _ETHERNET_HEADER + header
                turned += head[34:ports] + head[ports + 2 : ports + 4] + head[ports : ports + 2]
    packet[position : position + len(turned)] = turned
    return head
