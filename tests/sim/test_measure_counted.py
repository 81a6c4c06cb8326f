"""What software counts reaches the result under its name."""

import numpy as np
import pytest

from cosim.measure.counted import EXPECTED, counted


def test_what_software_does_not_count_is_not_known() -> None:
    assert counted({}, 5, {}) == dict.fromkeys(EXPECTED)


def test_plain_values_are_told_as_they_are() -> None:
    extra = {"parks": 3, "new": {"a": 1.5, "b": None}}
    assert counted(extra, 5, {}) == {**dict.fromkeys(EXPECTED), **extra}


def test_register_writes_are_told_per_request() -> None:
    assert counted({"mmio_writes": 7}, 2, {})["mmio_writes_per_request"] == 3.5
    assert counted({"mmio_writes": 7}, 0, {})["mmio_writes_per_request"] is None


def test_times_are_told_by_mean_maximum_and_percentiles_in_ns() -> None:
    lengths = np.arange(300, dtype=np.int64)[::-1] * 1000
    spread = {"mean": 149.5, "max": 299.0, "p50": 149.0, "p99": None}
    nothing = dict.fromkeys(spread)
    extra = {"run_lengths_ps": lengths, "message_wait_ps": {"rx_head": lengths, "park": lengths[:0]}}
    told = counted(extra, 5, {})
    assert told["run_lengths_ns"] == spread
    assert told["message_wait_ns"] == {"rx_head": spread, "park": nothing}
    assert "run_lengths_ps" not in told


def test_a_name_that_the_result_has_is_refused() -> None:
    with pytest.raises(ValueError, match="extra has 'grants', which the result has already"):
        counted({"grants": 1}, 5, {"grants": 2})


def test_an_array_of_anything_but_times_is_refused() -> None:
    with pytest.raises(
        ValueError, match="array under 'lengths'; accepted are times in ps under a name that ends in _ps"
    ):
        counted({"lengths": np.arange(3)}, 5, {})
