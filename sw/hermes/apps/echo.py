"""Echo: send every packet back to where it came from."""

from typing import Final

from hermes.world import Memory

_ETHERNET_HEADER: Final = 14
_IPV4_HEADER: Final = 20
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
        packet = memory.bytes
        _swap(packet, position, 6)
        ip = position + _ETHERNET_HEADER
        if packet[ip - 2] == 0x08 and packet[ip - 1] == 0x00 and packet[ip] >> 4 == 4:
            header = 4 * (packet[ip] & 15)
            total = packet[ip + 2] << 8 | packet[ip + 3]
            if _IPV4_HEADER <= header <= total <= length - _ETHERNET_HEADER:
                _swap(packet, ip + 12, 4)
                is_first = not (packet[ip + 6] & 0x1F or packet[ip + 7])
                if is_first and header + 4 <= total and (packet[ip + 9] == _UDP or packet[ip + 9] == _TCP):
                    _swap(packet, ip + header, 2)
        return self._service_ps


def _swap(packet: memoryview, position: int, size: int) -> None:
    """Exchange two fields of ``size`` bytes that follow each other."""
    both = bytes(packet[position : position + 2 * size])
    packet[position : position + 2 * size] = both[size:] + both[:size]
