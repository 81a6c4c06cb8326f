"""What `make bench` says of the event kernel beside SimPy: both handle the same events."""

from typing import cast

import pytest

from cosim.bench import kernel
from cosim.bench.queue_pattern import serve
from cosim.nic.base import Nic


def test_both_serve_all_requests_by_three_events_each() -> None:
    kernel.require_events(500)


def test_a_kernel_that_handles_other_events_has_no_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "serve", lambda *_: (500, 1514 + 1))
    with pytest.raises(RuntimeError, match="the kernel served 500 of 500 requests by 1515 events"):
        kernel.require_events(500)


def test_simpy_counts_only_if_asked() -> None:
    assert kernel.serve_by_simpy(2, [10, 10, 10], [5, 100, 100], counted=False) == (3, 0)


def test_one_server_serves_one_after_the_other() -> None:
    assert serve(cast(Nic, kernel._NoNic()), 1, [0, 0, 0], [7, 7, 7]) == (3, 3 * 3 + 1)


def test_the_compiled_kernel_counts_as_ours() -> None:
    speed = kernel.KernelSpeed(compiled=4e6, interpreted=1e6, simpy=1.6e6)
    assert speed.numbers() == {
        "kernel_events_per_s": 4_000_000,
        "kernel_interpreted_events_per_s": 1_000_000,
        "simpy_events_per_s": 1_600_000,
        "kernel_over_simpy": 2.5,
    }
