"""Sums beyond 64 bits."""

import random

import numpy as np
import pytest

from cosim.measure.exact import exact_sum


@pytest.mark.parametrize("seed", range(5))
def test_sums_are_those_of_unbounded_integers(seed: int) -> None:
    print(f"seed {seed}")
    draw = random.Random(seed)
    values = [draw.randrange(2 ** draw.randrange(1, 62)) for _ in range(500)] + [2**62 - 1] * 5
    assert exact_sum(np.array(values)) == sum(values)


def test_the_sum_of_nothing_is_0() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert exact_sum(nothing) == 0
