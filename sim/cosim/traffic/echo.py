"""What the echo must send back, worked out from the frame that was sent and from nothing else."""

from cosim.traffic.frames import MINIMUM_FRAME

_TCP, _UDP = 6, 17


def expected_echo(frame: bytes) -> bytes:
    """The frame on the wire that answers ``frame``, an IPv4 frame that the NIC admits.

    Swapped are the MAC addresses, the IP addresses and, in UDP and TCP packets that are no later fragments, the ports
    if both lie within the packet. What follows the IP packet is cut off; short frames are padded with zeros.
    """
    total_length = int.from_bytes(frame[16:18])
    packet = bytearray(frame[14 : 14 + total_length])
    header_length = 4 * (packet[0] & 0x0F)
    is_later_fragment = int.from_bytes(packet[6:8]) & 0x1FFF != 0

    packet[12:16], packet[16:20] = packet[16:20], packet[12:16]
    has_ports = packet[9] in (_TCP, _UDP) and not is_later_fragment
    if has_ports and header_length + 4 <= total_length:
        ports = packet[header_length : header_length + 4]
        packet[header_length : header_length + 4] = ports[2:] + ports[:2]

    ethernet_header = frame[6:12] + frame[0:6] + frame[12:14]
    return (ethernet_header + packet).ljust(MINIMUM_FRAME, b"\0")
