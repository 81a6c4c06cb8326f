"""The whole simulator is the queue of theory, if software costs next to nothing: each waits as the recursion says.

Every software step takes 1 ps. A request is a customer that arrives when its notification is visible at the host, and
starts when the handling of its packet begins; each has a uthread of its own, which has been idle for long. Kthreads are
the servers; they search on when they find nothing.

Two configurations. With *one queue* all softIRQs go to kthread 0, to which each uthread's first one went when no other
kthread had a core, and whoever takes softIRQs takes one: that is first come, first served, request by request. With a
*queue for each* kthread softIRQs go to all in turn, and who is free serves his own queue first: not the one that came
first starts, but somebody does, when somebody does in theory. So the k-th start is compared, with the services in the
order in which they started.

The bound follows from the recursion itself, in which nobody starts earlier if all arrive later or are served longer.
No start can be earlier than with nothing but the drawn services. None can be later than if software took `steps_ps`
from each notification to where a kthread can find it, and as long again from the end of each packet to the beginning
of the next one. How many steps those are at most was counted, with what they wait for each other's locks and what
completions take between them, and rounded up; walks and waits grow with the number of cores.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.measure.queueing import waiting_ps
from cosim.measure.result import measure
from cosim.pcie.link import LinkParameters
from cosim.simulation import Options
from cosim.simulator import Outcome
from cosim.traffic.load import Load
from cosim.traffic.steering import steer
from cosim.traffic.udp import FIRST_PORT, frames_of
from cosim.traffic.wire import deliver_ps
from hermes.costs import Costs
from hermes.enso.registers import RingSizes
from hermes.switches import Switches
from tests.tools.reference_run import RINGS, US, outcome_of, settings_of

SERVICE_PS = 10 * US
DRAIN_US = 2000
UTHREADS = 256
"""So many that each is idle again when its next request comes."""
MINIMAL = Costs(**{field.name: 1 for field in fields(Costs)})
ONE_QUEUE = Switches(completion="reap", parking=False, softirq_budget=1)
QUEUE_FOR_EACH = Switches(completion="reap", parking=False, affinity="round_robin")

Integers = NDArray[np.int64]


def steps_ps(cores: int) -> int:
    """Longest that software takes for what theory has at once."""
    return 100 + 50 * cores


@dataclass(frozen=True)
class Served:
    """When each request arrived and started, in order of arrival, and its service, in ps."""

    arrivals: Integers
    starts: Integers
    services: Integers

    def bounds(self, servers: int) -> tuple[Integers, Integers]:
        """Between which starts must lie, of services in the order in which they start."""
        late, longer = self.arrivals + steps_ps(servers), self.services + steps_ps(servers)
        earliest = self.arrivals + waiting_ps(self.arrivals, self.services, servers)
        return earliest, late + waiting_ps(late, longer, servers)


def load_of(services: Integers, gaps: Integers, cores: int) -> tuple[Load, int]:
    """These requests behind others, of which none is left by then, and how many those are.

    First a request that takes no time for each uthread, while one kthread has a core; then so many at once that the
    IOKernel gives a core to every kthread.
    """
    first = np.arange(UTHREADS) * US
    crowd = np.full(4 * cores, first[-1] + 10 * US)
    arrivals = np.concatenate((first, crowd, crowd[-1] + 200 * US + np.cumsum(gaps)))
    services = np.concatenate((np.zeros(UTHREADS, dtype=np.int64), np.full(4 * cores, 20 * US), services))
    ports = FIRST_PORT + np.arange(len(services)) % UTHREADS
    payloads = [index.to_bytes(4) + service.to_bytes(8) for index, service in enumerate(services.tolist())]
    requests = frames_of(payloads, ports).padded()
    times = deliver_ps(requests, arrivals, LinkParameters())
    load = Load(requests, times, steer(requests, 1514), UTHREADS, "spin", 0, is_generated=True)
    return load, UTHREADS + 4 * cores


def on_reference_nic(requests: Load, settings: Options) -> Outcome:
    """The simulator, with the reference NIC."""
    options = {field.name: getattr(settings, field.name) for field in fields(settings)}
    return outcome_of(requests, drain_us=DRAIN_US, **options)


def served(
    switches: Switches,
    cores: int,
    load: float,
    kind: str,
    *,
    count: int,
    seed: int,
    system: str,
    rings: RingSizes = RINGS,
    simulated: Callable[[Load, Options], Outcome] = on_reference_nic,
) -> Served:
    """What became of ``count`` requests, each of which had a notification, a batch and an idle uthread for itself."""
    print(f"seed {seed}")
    draw = np.random.default_rng(seed)
    gaps = np.rint(draw.exponential(SERVICE_PS / (cores * load), count)).astype(np.int64)
    services = np.full(count, SERVICE_PS, dtype=np.int64)
    if kind == "exponential":
        services = np.rint(draw.exponential(SERVICE_PS, count)).astype(np.int64)
    requests, before = load_of(services, gaps, cores)
    settings = settings_of(requests, system=system, costs=MINIMAL, switches=switches, cores=cores, rings=rings)
    measurement = measure(requests, simulated(requests, settings))
    report, stages = measurement.outcome.report, measurement.stages
    assert stages is not None
    assert stages.requests.tolist() == list(range(before + count))
    assert report.notifications == report.packets == report.batches == before + count
    assert report.grants == cores
    arrivals, starts = stages.times_ps[1, before:], stages.times_ps[6, before:]
    assert (np.diff(arrivals) > 0).all()
    return Served(arrivals, starts, services)


def require_queue(found: Served, servers: int) -> None:
    """Each starts when the recursion says."""
    earliest, latest = found.bounds(servers)
    assert (earliest <= found.starts).all(), "a request started before a server was free"
    assert (found.starts <= latest).all(), f"a request waited {(found.starts - latest).max()} ps longer than it may"
    assert (latest - earliest).max() < SERVICE_PS // 100, "the bounds say little"
    assert (found.starts > found.arrivals + SERVICE_PS // 10).any(), "hardly anybody waited"


def require_one_queue(*case: Any, **options: Any) -> None:
    """Request by request."""
    found, cores = served(ONE_QUEUE, *case, **options), case[0]
    require_queue(found, cores)


def require_queue_for_each(*case: Any, **options: Any) -> None:
    """The k-th start and the k-th arrival."""
    found, cores = served(QUEUE_FOR_EACH, *case, **options), case[0]
    order = np.argsort(found.starts, kind="stable")
    require_queue(Served(found.arrivals, found.starts[order], found.services[order]), cores)
