"""Means over seeds with confidence intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""Two-sided 95 % quantiles of Student's t with 1, 2, ... degrees of freedom (NIST/SEMATECH e-Handbook, 1.3.6.7.2)."""
_NORMAL_95 = 1.960
FEWEST = 3
"""Seeds below which an interval says little; it is left out."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds; ``low`` and ``high`` bound its 95 % confidence interval: None with less than FEWEST values."""

    mean: float
    low: float | None
    high: float | None


def estimate(values: Sequence[float]) -> Estimate:
    """Of at least one value, each from a seed of its own."""
    mean = sum(values) / len(values)
    if len(values) < FEWEST:
        return Estimate(mean, None, None)
    deviation = sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    freedom = len(values) - 1
    t = T_95[freedom - 1] if freedom <= len(T_95) else _NORMAL_95
    half = t * deviation / sqrt(len(values))
    return Estimate(mean, mean - half, mean + half)
