"""Which service time each request of spin carries: 64 bits of ps, behind the 32 bits of its index."""

import numpy as np
from numpy.typing import NDArray

from cosim.traffic.frames import Frames
from cosim.traffic.udp import PAYLOAD

_IP = 14
_PLACE = PAYLOAD + 4
_SHORTEST_PACKET = _PLACE + 8 - _IP


def carried_ps(frames: Frames) -> NDArray[np.int64]:
    """The service time of each frame, in ps; 0 of what is no whole UDP packet without IP options, or too short."""
    return np.concatenate([_carried(part) for _, part in frames.parts()])


def _carried(frames: Frames) -> NDArray[np.int64]:
    total_length = frames.field(_IP + 2, 2)
    is_udp = (frames.field(12, 3) == 0x080045) & (frames.field(_IP + 9, 1) == 17)
    is_whole = frames.field(_IP + 6, 2) & 0x3FFF == 0
    is_there = (total_length >= _SHORTEST_PACKET) & (_IP + total_length <= frames.lengths)
    return np.where(is_udp & is_whole & is_there, frames.field(_PLACE, 8), 0)
