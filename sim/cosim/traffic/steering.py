"""What the NIC makes of frames: which it refuses, and what it steers the others by (docs/design.md)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cosim.traffic.frames import Frames

Integers = NDArray[np.int64]

ACCEPTED = ""
TOO_LONG, NOT_IP, BAD_IP_LENGTH = "too_long", "not_ip", "bad_ip_length"

_IP = 14
_FIRST_FLIT = 64
_TCP, _UDP = 6, 17
_SYN = 2
_TCP_FLAGS = 13


class FlowKey(NamedTuple):
    """What frames are steered by; fields that their kind does not use are 0: all, if it is not sound IPv4."""

    destination_port: int
    source_port: int
    destination_address: int
    source_address: int


@dataclass(frozen=True, eq=False)
class Steering:
    """What the NIC decides about frames, as far as the frames alone tell.

    Attributes
    ----------
    cause
        One string per frame: ``too_long`` if the door refuses it, or empty.
    refusal
        One string per frame: ``not_ip`` or ``bad_ip_length`` if pipes without header mode refuse it, or empty.
    flow
        int64, one per frame: its index in ``flows``; -1 for one that the door refuses.
    flows
        The steering keys in order of first appearance.
    """

    cause: NDArray[np.str_]
    refusal: NDArray[np.str_]
    flow: Integers
    flows: list[FlowKey]


def steer(frames: Frames, maximum_frame: int) -> Steering:
    """Judge frames as they are on the wire (padded), for a NIC whose longest frame is ``maximum_frame`` bytes."""
    lengths = frames.lengths.astype(np.int64)

    def field(offset: int | Integers, size: int) -> Integers:
        """``size`` bytes in network order at ``offset`` of every frame; 0 beyond its end."""
        value = np.zeros(len(frames), dtype=np.int64)
        for i in range(size):
            position = frames.offsets + offset + i
            is_inside = offset + i < lengths
            value = value << 8 | np.where(is_inside, frames.blob[np.where(is_inside, position, 0)], 0)
        return value

    header_length = (field(_IP, 1) & 15) * 4
    total_length = field(_IP + 2, 2)
    is_bad = (header_length < 20) | (total_length < header_length) | (_IP + total_length > lengths)
    is_ip = (field(12, 2) == 0x0800) & (field(_IP, 1) >> 4 == 4)
    cause = np.where(lengths > maximum_frame, TOO_LONG, ACCEPTED)
    refusal = np.select([~is_ip, is_bad], [NOT_IP, BAD_IP_LENGTH], ACCEPTED)

    def reaches(size: int) -> NDArray[np.bool_]:
        """Whether the first ``size`` bytes behind the IP header are there, in the packet and in the first flit."""
        return (header_length + size <= total_length) & (_IP + header_length + size <= _FIRST_FLIT)

    is_whole = field(_IP + 6, 2) & 0x1FFF == 0
    protocol = field(_IP + 9, 1)
    is_udp = is_whole & (protocol == _UDP) & reaches(4)
    is_tcp = is_whole & (protocol == _TCP) & reaches(_TCP_FLAGS + 1)
    is_connected = is_tcp & (field(_IP + header_length + _TCP_FLAGS, 1) & _SYN == 0)

    keys = np.stack(
        [
            np.where(is_udp | is_tcp, field(_IP + header_length + 2, 2), 0),
            np.where(is_connected, field(_IP + header_length, 2), 0),
            field(_IP + 16, 4),
            np.where(is_connected, field(_IP + 12, 4), 0),
        ],
        axis=1,
    )
    keys[refusal != ACCEPTED] = 0
    is_admitted = cause == ACCEPTED
    unique, first, inverse = np.unique(keys[is_admitted], axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    flow = np.full(len(frames), -1, dtype=np.int64)
    flow[is_admitted] = np.argsort(order)[inverse.reshape(-1)]
    return Steering(cause, refusal, flow, [FlowKey(*key) for key in unique[order].tolist()])
