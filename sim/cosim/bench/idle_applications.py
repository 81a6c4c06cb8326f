"""What an application that has nothing to do costs the IOKernel: `python -m cosim.bench.idle_applications`.

Two runs differ in nothing but the number of applications, of one uthread each: 1000, and 1. The load is so light that
the IOKernel does little but poll and look for congestion. Its empty looks at its sources in one iteration take a time
P, which follows from the costs and the number of cores alone, and are all that it books as polling. So with the times
that it spent on detection, D, and on polling, L, one iteration took

    T = P * (D + L) / L

and an idle application costs (T(1000) - T(1)) / 999 in each iteration. Visits of sources where there was something are
no empty looks, so that T is a little too long, by the share of such visits. A scan comes each 5 us: with one
application its cost is spread over several iterations, with 1000 there is one in each.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cosim.config import RunConfig
from cosim.run import run
from hermes import costs as cost_profiles
from hermes.systems import SYSTEMS

APPLICATIONS = 1000
CORES = 4
_RATE, _REQUESTS = 4_000, 80


def empty_iteration_ps(system: str, cores: int) -> int:
    """P: what one iteration of the IOKernel takes if no source has anything and no scan is due, in picoseconds."""
    costs = cost_profiles.load()
    looks_for_congestion = costs.heap_peek if system == "priority" else costs.poll_clean
    sources = 3 + 2 * cores  # notifications, completions, registrations; of each core its messages and its word
    return costs.iok_loop + sources * costs.poll_clean + looks_for_congestion


def measure(scratch: Path, tell: Callable[[str], None]) -> dict[str, float]:
    """Simulated nanoseconds per idle application and iteration, by system."""
    return {
        system: (
            (_iteration_ns(system, APPLICATIONS, scratch, tell) - _iteration_ns(system, 1, scratch, tell))
            / (APPLICATIONS - 1)
        )
        for system in SYSTEMS
    }


def _iteration_ns(system: str, applications: int, scratch: Path, tell: Callable[[str], None]) -> float:
    """T."""
    tell(f"{system} with {applications} applications")
    flags = {"system": system, "cores": CORES, "uthreads": applications, "rate": _RATE, "requests": _REQUESTS}
    config = RunConfig.from_flags(flags, [f"applications={applications}"])
    shares = run(config, scratch / "out", lambda *_: None)["iokernel_share"]
    empty_ns = empty_iteration_ps(system, CORES) / 1000
    time_ns: float = empty_ns * (shares["detection"] + shares["poll"]) / shares["poll"]
    return time_ns


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="hermes-bench-") as scratch:
        for system, nanoseconds in measure(Path(scratch), lambda _: None).items():
            sys.stdout.write(f"{system}: {nanoseconds:.3f} ns of the IOKernel per idle application and iteration\n")


if __name__ == "__main__":
    main()
