"""When frames leave their source, and when the NIC gets them: 100 Gigabit Ethernet and a MAC."""

import numpy as np
from numpy.typing import NDArray

from cosim.traffic.frames import Frames

PS_PER_S = 10**12
PS_PER_BYTE = 80
"""100 Gb/s."""
OVERHEAD_BYTES = 24
"""Per frame, beside its own bytes: gap (12) and preamble (8) before it, frame check sequence (4) behind it."""
MAC_PS = 200_000
"""From the end of a frame on the wire to its last beat at the NIC."""


def wire_ps(lengths: NDArray[np.int32]) -> NDArray[np.int64]:
    """How long frames of these lengths (bytes, without frame check sequence) take on the wire; 60 bytes: 6720 ps."""
    return (lengths.astype(np.int64) + OVERHEAD_BYTES) * PS_PER_BYTE


def line_rate(frames: Frames) -> float:
    """Frames per second when these follow each other without a pause."""
    return len(frames) * PS_PER_S / int(wire_ps(frames.lengths).sum())


def deliver_ps(frames: Frames, arrivals_ps: NDArray[np.int64]) -> NDArray[np.int64]:
    """When the last bit of each frame reaches the NIC, if its source hands it over at ``arrivals_ps`` (ascending).

    The wire takes one frame at a time, in order: frame i ends at end[i] = max(arrival[i], end[i-1]) + wire[i], in the
    closed form of which the maximum runs over the frames so far.
    """
    wire = wire_ps(frames.lengths)
    busy = np.cumsum(wire)
    return np.maximum.accumulate(arrivals_ps - (busy - wire)) + busy + MAC_PS
