"""When frames leave their source, and when the NIC gets them: a wire, which takes one at a time, and a MAC."""

import numpy as np
from numpy.typing import NDArray

from cosim.pcie.link import LinkParameters
from cosim.traffic.frames import Frames

PS_PER_S = 10**12
MAC_PS = 200_000
"""From the end of a frame on the wire to its last beat at the NIC."""


def wire_ps(lengths: NDArray[np.int32], link: LinkParameters) -> NDArray[np.int64]:
    """How long frames of these lengths (bytes, without frame check sequence) take; at 100 Gb/s 60 bytes take 6720 ps.

    The overhead counts before the frame's end: gap (12 bytes), preamble (8) and frame check sequence (4).
    """
    bits = (lengths.astype(np.int64) + link.wire_overhead_bytes) * 8
    return -(-bits * PS_PER_S // link.wire_bits_per_second)


def line_rate(frames: Frames, link: LinkParameters) -> float:
    """Frames per second when these follow each other without a pause."""
    return len(frames) * PS_PER_S / int(wire_ps(frames.lengths, link).sum())


def deliver_ps(frames: Frames, arrivals_ps: NDArray[np.int64], link: LinkParameters) -> NDArray[np.int64]:
    """When the last bit of each frame reaches the NIC, if its source hands it over at ``arrivals_ps`` (ascending).

    The wire takes one frame at a time, in order: frame i ends at end[i] = max(arrival[i], end[i-1]) + wire[i], in the
    closed form of which the maximum runs over the frames so far.
    """
    wire = wire_ps(frames.lengths, link)
    busy = np.cumsum(wire)
    return np.maximum.accumulate(arrivals_ps - (busy - wire)) + busy + MAC_PS
