"""What queueing theory says of a queue with some servers: an oracle for simulations of one.

The recursion gives the waiting time of each customer for given times, exactly; the formulas give means of waiting times
of Poisson arrivals.
"""

from heapq import heapreplace
from math import exp, lgamma, log

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

_NEGLIGIBLE = 1e-15


def waiting_ps(arrivals_ps: Integers, services_ps: Integers, servers: int) -> Integers:
    """How long each customer waits, first come first served: the recursion of Kiefer and Wolfowitz, in integers.

    J. Kiefer and J. Wolfowitz, On the theory of queues with many servers, 1955: each customer waits for the least of
    the servers' workloads. Here a workload is kept as the time at which it is done, so that none changes as time goes
    by. If an arrival comes later, or a service takes longer, nobody starts earlier.

    Parameters
    ----------
    arrivals_ps
        int64, ascending, in ps.
    services_ps
        int64, one for each customer, at least 0, in ps.
    servers
        1 or more.

    Returns
    -------
    waits
        int64, in ps, one for each customer.

    Raises
    ------
    ValueError
        There is no server, or the arrivals are out of order, or there are not as many services.
    """
    if servers < 1:
        raise ValueError(f"servers is {servers}; accepted are 1 and more")
    if len(arrivals_ps) != len(services_ps):
        raise ValueError(f"{len(services_ps)} services of {len(arrivals_ps)} arrivals; accepted is one for each")
    if (np.diff(arrivals_ps) < 0).any():
        raise ValueError(f"arrival {int(np.argmax(np.diff(arrivals_ps) < 0)) + 1} lies before the one before it")
    free = [int(arrivals_ps[0]) if len(arrivals_ps) else 0] * servers  # a heap: when each server has nothing to do
    waits = np.empty(len(arrivals_ps), dtype=np.int64)
    for index, (arrival, service) in enumerate(zip(arrivals_ps.tolist(), services_ps.tolist(), strict=True)):
        start = max(arrival, free[0])
        waits[index] = start - arrival
        heapreplace(free, start + service)
    return waits


def probability_of_waiting(servers: int, load: float) -> float:
    """Erlang's C: the share of customers that wait, of Poisson arrivals and exponential services.

    Parameters
    ----------
    servers
        1 or more.
    load
        Share of the servers' time that is asked for, above 0 and below 1.
    """
    _require(servers, load)
    offered = servers * load
    blocking = 1.0  # Erlang's B, from no server on
    for count in range(1, servers + 1):
        blocking = offered * blocking / (count + offered * blocking)
    return blocking / (1 - load * (1 - blocking))


def mean_wait_exponential(servers: int, load: float) -> float:
    """Mean waiting time of Poisson arrivals and exponential services, in mean services (M/M/n)."""
    return probability_of_waiting(servers, load) / (servers * (1 - load))


def mean_wait_constant(servers: int, load: float) -> float:
    """Mean waiting time of Poisson arrivals and constant services, in services (M/D/n).

    C. D. Crommelin, Delay probability formulae when the holding times are constant, 1932. If services are constant,
    each server gets every n-th customer; then by Spitzer's identity the mean is the sum over i of the mean of what i
    services exceed the time of i n arrivals by, divided by i, where it is positive.
    """
    _require(servers, load)
    total, index = 0.0, 0
    while True:
        index += 1
        mean, count = index * servers * load, index * servers
        least = exp(count * log(mean) - mean - lgamma(count + 1))  # that just so many arrive in i services
        more = _at_least(mean, count + 1)
        term = least + more - more / load
        total += term
        if term < _NEGLIGIBLE * total:
            return total


def _at_least(mean: float, count: int) -> float:
    """Probability that a Poisson variable is ``count`` or more, of which it is less in the mean."""
    term = exp(count * log(mean) - mean - lgamma(count + 1))
    total = 0.0
    while term > _NEGLIGIBLE * total:
        total += term
        count += 1
        term *= mean / count
    return total


def _require(servers: int, load: float) -> None:
    if servers < 1:
        raise ValueError(f"servers is {servers}; accepted are 1 and more")
    if not 0 < load < 1:
        raise ValueError(f"load is {load:g}; accepted is above 0 and below 1")
