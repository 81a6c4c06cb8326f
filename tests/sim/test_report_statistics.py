"""Means over seeds, and their confidence intervals."""

import pytest

from cosim.report.statistics import T_95, estimate


def test_the_interval_is_student_s() -> None:
    found = estimate([1.0, 2.0, 3.0])
    assert found.mean == 2
    assert found.low is not None
    assert found.high is not None
    # the standard deviation is 1; t with 2 degrees of freedom is 4.303
    assert found.high - found.mean == pytest.approx(4.303 / 3**0.5)
    assert found.mean - found.low == pytest.approx(4.303 / 3**0.5)


def test_with_fewer_than_three_seeds_there_is_none() -> None:
    assert (estimate([5.0]).low, estimate([1.0, 2.0]).high) == (None, None)


def test_quantiles_fall_towards_the_normal_one() -> None:
    assert list(T_95) == sorted(T_95, reverse=True)
    many = estimate([0.0, 1.0] * 100)
    assert many.high is not None
    assert many.high - many.mean == pytest.approx(1.96 * 0.50125 / 200**0.5, rel=1e-3)
