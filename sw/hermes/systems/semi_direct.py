"""Hermes Semi-Direct: uthreads tell the IOKernel when they park, a softIRQ is a uthread; periodic scan."""

from hermes.systems.composition import Hermes
from hermes.systems.system import Workload
from hermes.world import World


class SemiDirect(Hermes):
    """See the module and docs/hermes.md."""

    def __init__(self, world: World, workload: Workload) -> None:
        super().__init__(world, workload, tracking="iokernel", detection="scan")
