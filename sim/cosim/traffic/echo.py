"""What the echo must send back, worked out from the frames that were sent and from nothing else."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.mapped import let_go
from cosim.traffic.frames import Frames

_IP = 14
_TCP, _UDP = 6, 17


def expected_echoes(frames: Frames, in_header_mode: NDArray[np.bool_]) -> Frames:
    """The frames on the wire that answer ``frames``, each at least 15 bytes, whose pipe may be in header mode.

    Swapped are the MAC addresses. In sound IPv4 packets so are the IP addresses and, in UDP and TCP packets that are no
    later fragments, the ports if both lie within the packet; without header mode what follows such a packet is cut off.
    Only pipes in header mode take anything else, and it comes back whole. Short frames are padded with zeros.
    """
    blob, lengths = frames.blob.copy(), frames.lengths.copy()
    for here, part in frames.parts():
        header_length, total_length = 4 * (part.field(_IP, 1) & 15), part.field(_IP + 2, 2)
        is_ipv4 = (part.field(12, 2) == 0x0800) & (part.field(_IP, 1) >> 4 == 4)
        fits = (header_length >= 20) & (header_length <= total_length) & (total_length <= part.lengths - _IP)
        is_sound = is_ipv4 & fits
        protocol, is_later_fragment = part.field(_IP + 9, 1), part.field(_IP + 6, 2) & 0x1FFF != 0
        has_ports = np.isin(protocol, (_TCP, _UDP)) & ~is_later_fragment & (header_length + 4 <= total_length)

        _swap(blob, part.offsets, 6)
        _swap(blob, (part.offsets + _IP + 12)[is_sound], 4)
        _swap(blob, (part.offsets + _IP + header_length)[is_sound & has_ports], 2)

        is_cut = is_sound & ~in_header_mode[here]
        lengths[here] = np.where(is_cut, _IP + total_length, part.lengths)
    return Frames(blob, frames.offsets, lengths).padded()


@dataclass(frozen=True, eq=False)
class Echoes:
    """As ``expected_echoes``, made when they are asked for.

    Attributes
    ----------
    requests, in_header_mode
        The parameters.
    """

    requests: Frames
    in_header_mode: NDArray[np.bool_]

    @property
    def lengths(self) -> NDArray[np.int32]:
        """Of the requests."""
        return self.requests.lengths

    def __len__(self) -> int:
        return len(self.requests)

    def taken(self, indices: NDArray[np.int64]) -> Frames:
        """These, in this order."""
        requests = self.requests.taken(indices)
        echoes = expected_echoes(requests.gathered(), self.in_header_mode[indices])
        let_go(requests.blob)
        return echoes


def expected_echo(frame: bytes, *, in_header_mode: bool = False) -> bytes:
    """``expected_echoes`` of one frame."""
    return next(iter(expected_echoes(Frames.pack([frame]), np.array([in_header_mode]))))


def _swap(blob: NDArray[np.uint8], positions: NDArray[np.int64], size: int) -> None:
    """Exchange, at each position, two fields of ``size`` bytes that follow each other."""
    here = positions[:, None] + np.arange(2 * size)
    blob[here] = blob[np.roll(here, -size, axis=1)]
