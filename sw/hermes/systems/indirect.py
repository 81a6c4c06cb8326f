"""Hermes Indirect: kthreads find waiting uthreads, a softIRQ is a notification or completion; periodic scan."""

from hermes.systems.composition import Hermes
from hermes.systems.system import Workload
from hermes.world import World


class Indirect(Hermes):
    """See the module and docs/hermes.md."""

    def __init__(self, world: World, workload: Workload) -> None:
        super().__init__(world, workload, tracking="kthreads", detection="scan")
