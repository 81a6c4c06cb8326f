"""Hermes Priority: every switch is told to the IOKernel; a softIRQ is a uthread; heap of runnable uthreads."""

from hermes.systems.composition import Hermes
from hermes.systems.system import Workload
from hermes.world import World


class Priority(Hermes):
    """See the module and docs/hermes.md."""

    def __init__(self, world: World, workload: Workload) -> None:
        super().__init__(world, workload, tracking="iokernel", detection="heap")
