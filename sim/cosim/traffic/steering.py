"""What the NIC makes of frames: which it refuses, and what it steers the others by (docs/design.md)."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cosim.traffic.frames import Frames

Integers = NDArray[np.int64]

ACCEPTED = ""
TOO_LONG, NOT_IP, BAD_IP_LENGTH = "too_long", "not_ip", "bad_ip_length"
REFUSALS = (ACCEPTED, NOT_IP, BAD_IP_LENGTH)

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
    is_too_long
        One per frame: the door refuses it.
    refusal_code
        uint8, one per frame: the index in REFUSALS of why pipes without header mode refuse it.
    flow
        int64, one per frame: its index in ``flows``; -1 for one that the door refuses.
    flows
        The steering keys in order of first appearance.
    """

    is_too_long: NDArray[np.bool_]
    refusal_code: NDArray[np.uint8]
    flow: Integers
    flows: list[FlowKey]

    @cached_property
    def cause(self) -> NDArray[np.str_]:
        """One string per frame: ``too_long`` if the door refuses it, or empty."""
        return np.where(self.is_too_long, TOO_LONG, ACCEPTED)

    @cached_property
    def refusal(self) -> NDArray[np.str_]:
        """One string per frame: ``not_ip`` or ``bad_ip_length`` if pipes without header mode refuse it, or empty."""
        return np.array(REFUSALS)[self.refusal_code]


def steer(frames: Frames, maximum_frame: int) -> Steering:
    """Judge frames as they are on the wire (padded), for a NIC whose longest frame is ``maximum_frame`` bytes."""
    is_too_long = frames.lengths > maximum_frame
    refusal_code = np.zeros(len(frames), dtype=np.uint8)
    flow = np.full(len(frames), -1, dtype=np.int64)
    known: dict[FlowKey, int] = {}
    for here, part in frames.parts():
        refusal_code[here], keys = _judge(part)
        is_admitted = ~is_too_long[here]
        unique, appearance, inverse = _distinct(keys[is_admitted])
        numbers = np.zeros(len(unique), dtype=np.int64)
        for index in np.argsort(appearance).tolist():
            numbers[index] = known.setdefault(FlowKey(*unique[index].tolist()), len(known))
        flow[here][is_admitted] = numbers[inverse]
    return Steering(is_too_long, refusal_code, flow, list(known))


def _judge(frames: Frames) -> tuple[NDArray[np.uint8], Integers]:
    """Why pipes without header mode refuse each frame (index in REFUSALS), and its key: the fields of FlowKey."""
    field = frames.field
    header_length = (field(_IP, 1) & 15) * 4
    total_length = field(_IP + 2, 2)
    is_bad = (header_length < 20) | (total_length < header_length) | (_IP + total_length > frames.lengths)
    is_ip = (field(12, 2) == 0x0800) & (field(_IP, 1) >> 4 == 4)
    refusal = np.where(is_ip, np.where(is_bad, 2, 0), 1).astype(np.uint8)

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
    keys[refusal != 0] = 0
    return refusal, keys


def _distinct(keys: Integers) -> tuple[Integers, Integers, Integers]:
    """The distinct rows, where each appears first, and for each row which one it is."""
    ports_and_destination = keys[:, 0] << 48 | keys[:, 1] << 32 | keys[:, 2]
    _, one = np.unique(ports_and_destination, return_inverse=True)
    _, other = np.unique(keys[:, 3], return_inverse=True)
    _, appearance, inverse = np.unique(one * len(keys) + other, return_index=True, return_inverse=True)
    return keys[appearance], appearance, inverse
