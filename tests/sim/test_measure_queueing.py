"""Queueing theory: the recursion against a queue that is looked at in every picosecond, and against the formulas."""

import random
from collections import deque

import numpy as np
import pytest
from numpy.typing import NDArray

from cosim.measure.queueing import mean_wait_constant, mean_wait_exponential, probability_of_waiting, waiting_ps


def integers(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def looked_at_each_ps(arrivals: list[int], services: list[int], servers: int) -> list[int]:
    """How long each customer waits; customers without service hold nobody up."""
    waits, queue, ends = [0] * len(arrivals), deque[int](), [0] * servers
    now = served = came = 0
    while served < len(arrivals):
        while came < len(arrivals) and arrivals[came] == now:
            queue.append(came)
            came += 1
        for server in range(servers):
            while queue and ends[server] <= now:
                customer = queue.popleft()
                waits[customer] = now - arrivals[customer]
                ends[server] = now + services[customer]
                served += 1
        now += 1
    return waits


def test_customers_wait_for_the_first_server_that_is_free() -> None:
    arrivals, services = integers(0, 1, 2, 3, 50), integers(10, 3, 4, 1, 7)
    assert waiting_ps(arrivals, services, 2).tolist() == [0, 0, 2, 5, 0]
    assert waiting_ps(arrivals, services, 1).tolist() == [0, 9, 11, 14, 0]


def test_the_recursion_is_the_queue() -> None:
    seed = 20
    print(f"seed {seed}")
    draw = random.Random(seed)
    for _ in range(300):
        count, servers = draw.randrange(30), draw.randrange(1, 6)
        arrivals = sorted(draw.randrange(60) for _ in range(count))
        services = [draw.choice((0, 1, 5, draw.randrange(40))) for _ in range(count)]
        waits = waiting_ps(integers(*arrivals), integers(*services), servers)
        assert waits.dtype == np.int64
        assert waits.tolist() == looked_at_each_ps(arrivals, services, servers), (arrivals, services, servers)


def test_times_are_exact_however_late() -> None:
    late = 10**17
    assert waiting_ps(integers(late, late + 1), integers(late, 0), 1).tolist() == [0, late - 1]


@pytest.mark.parametrize(
    ("arrivals", "services", "servers", "error"),
    [
        ((), (), 0, "servers is 0; accepted are 1 and more"),
        ((1, 2), (1,), 1, "1 services of 2 arrivals; accepted is one for each"),
        ((1, 3, 2), (1, 1, 1), 1, "arrival 2 lies before the one before it"),
    ],
)
def test_what_is_no_queue_is_an_error(
    arrivals: tuple[int, ...], services: tuple[int, ...], servers: int, error: str
) -> None:
    with pytest.raises(ValueError, match=error):
        waiting_ps(integers(*arrivals), integers(*services), servers)


def test_a_load_that_no_queue_can_carry_is_an_error() -> None:
    for formula in (probability_of_waiting, mean_wait_exponential, mean_wait_constant):
        for load in (0.0, 1.0):
            with pytest.raises(ValueError, match=f"load is {load:g}; accepted is above 0 and below 1"):
                formula(2, load)
        with pytest.raises(ValueError, match="servers is 0"):
            formula(0, 0.5)


def test_of_one_server_and_of_two_the_formulas_are_known() -> None:
    for load in (0.01, 0.3, 0.5, 0.8, 0.95):
        assert probability_of_waiting(1, load) == pytest.approx(load)
        assert mean_wait_exponential(1, load) == pytest.approx(load / (1 - load))
        assert mean_wait_constant(1, load) == pytest.approx(load / (2 * (1 - load)))
        assert probability_of_waiting(2, load) == pytest.approx(2 * load**2 / (1 + load))


@pytest.mark.long
@pytest.mark.parametrize("servers", [1, 2, 4, 16])
@pytest.mark.parametrize("load", [0.5, 0.8, 0.9])
def test_the_recursion_agrees_with_erlang_and_crommelin(servers: int, load: float) -> None:
    """Within four standard errors, estimated from the means of batches long enough to be independent."""
    seed, count, batches, service = 7, 2_000_000, 50, 10**6
    print(f"seed {seed}")
    draw = np.random.default_rng((seed, servers, int(100 * load)))
    arrivals = np.cumsum(np.rint(draw.exponential(service / (servers * load), count)).astype(np.int64))
    exponential = np.rint(draw.exponential(service, count)).astype(np.int64)
    constant = np.full(count, service, dtype=np.int64)

    def require_mean(values: NDArray[np.generic], expected: float) -> None:
        means = values[count // 10 :].astype(np.float64).reshape(batches, -1).mean(axis=1)
        error = means.std(ddof=1) / batches**0.5
        assert abs(means.mean() - expected) < 4 * error, (means.mean(), expected, error)
        assert error < 0.06 * expected

    waits = waiting_ps(arrivals, exponential, servers)
    require_mean(waits / service, mean_wait_exponential(servers, load))
    require_mean(waits > 0, probability_of_waiting(servers, load))
    require_mean(waiting_ps(arrivals, constant, servers) / service, mean_wait_constant(servers, load))
