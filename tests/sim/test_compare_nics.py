"""When a fast NIC counts as the RTL."""

from dataclasses import replace

import numpy as np
import pytest

from cosim.compare_nics import NicComparison, Percentile
from cosim.nic.transfers import Difference

SAME = Percentile(1000, 990, 1010)
FINE = NicComparison(
    [Difference("write", 2, 0, np.array([0, -8]))], {"p50": (SAME, SAME), "p99.9": (SAME, SAME)}, True, True
)


def test_eight_nanoseconds_and_three_percent_are_fine() -> None:
    assert FINE.is_fine()
    assert replace(FINE, percentiles={"p50": (SAME, Percentile(1030, 1000, 1050))}, same_hash=False).is_fine()


@pytest.mark.parametrize(
    "worse",
    [
        {"events": [Difference("write", 2, 0, np.array([0, 12]))]},
        {"events": [Difference("write", 2, 1, np.array([0]))]},
        {"percentiles": {"p50": (SAME, Percentile(1031, 1000, 1050))}},
        {"percentiles": {"p99.9": (SAME, Percentile(1020, 1011, 1050))}},
        {"same_flows": False},
    ],
    ids=["late", "unmatched", "median", "tail", "bytes"],
)
def test_more_is_not(worse: dict[str, object]) -> None:
    assert not replace(FINE, **worse).is_fine()  # type: ignore[arg-type]  # whichever field it is
