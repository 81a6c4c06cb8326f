"""What the echo must send back, worked out from the frame that was sent and from nothing else."""

from cosim.traffic.frames import MINIMUM_FRAME

_TCP, _UDP = 6, 17


def expected_echo(frame: bytes, *, in_header_mode: bool = False) -> bytes:
    """The frame on the wire that answers ``frame``, at least 15 bytes, whose pipe may be in header mode.

    Swapped are the MAC addresses. In sound IPv4 packets so are the IP addresses and, in UDP and TCP packets that are no
    later fragments, the ports if both lie within the packet; without header mode what follows such a packet is cut off.
    Only pipes in header mode take anything else, and it comes back whole. Short frames are padded with zeros.
    """
    ethernet_header = frame[6:12] + frame[0:6] + frame[12:14]
    total_length, header_length = int.from_bytes(frame[16:18]), 4 * (frame[14] & 0x0F)
    is_ipv4 = frame[12:14] == b"\x08\x00" and frame[14] >> 4 == 4
    if not is_ipv4 or not 20 <= header_length <= total_length <= len(frame) - 14:
        return (ethernet_header + frame[14:]).ljust(MINIMUM_FRAME, b"\0")

    packet = bytearray(frame[14 : 14 + total_length])
    trailer = frame[14 + total_length :] if in_header_mode else b""
    is_later_fragment = int.from_bytes(packet[6:8]) & 0x1FFF != 0

    packet[12:16], packet[16:20] = packet[16:20], packet[12:16]
    has_ports = packet[9] in (_TCP, _UDP) and not is_later_fragment
    if has_ports and header_length + 4 <= total_length:
        ports = packet[header_length : header_length + 4]
        packet[header_length : header_length + 4] = ports[2:] + ports[:2]

    return (ethernet_header + packet + trailer).ljust(MINIMUM_FRAME, b"\0")
