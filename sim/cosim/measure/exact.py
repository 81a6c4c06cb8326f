"""Sums of times that may be larger than 64 bits hold."""

import numpy as np
from numpy.typing import NDArray

_LOW_BITS = 31


def exact_sum(values: NDArray[np.int64]) -> int:
    """The sum of fewer than 2^31 values, none negative."""
    return (int((values >> _LOW_BITS).sum()) << _LOW_BITS) + int((values & (1 << _LOW_BITS) - 1).sum())
