"""What an evaluated system is to those who run it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hermes.enso.control import FlowKey
from hermes.enso.registers import UPSTREAM, RingSizes
from hermes.runtime.server import Application
from hermes.world import Control, Software


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a system is to serve.

    Attributes
    ----------
    application
        What is done with each packet.
    uthreads
        Uthread i owns pipe i.
    flows
        Frames with a key go to the pipe of a uthread. Keys that the NIC does not know, or has no room for, go by hash
        to the largest power of two of those pipes.
    header_pipes
        Pipes that are opened in header mode.
    rings
        Sizes of all rings; the NIC's.
    """

    application: Application
    uthreads: int = 8
    flows: Sequence[tuple[FlowKey, int]] = ()
    header_pipes: Collection[int] = ()
    rings: RingSizes = UPSTREAM

    def __post_init__(self) -> None:
        if self.uthreads < 1:
            raise ValueError(f"uthreads is {self.uthreads}; accepted are 1 and more")
        for key, uthread in self.flows:
            if not 0 <= uthread < self.uthreads:
                raise ValueError(f"flow {tuple(key)} goes to uthread {uthread}; accepted are 0 to {self.uthreads - 1}")
        for pipe in self.header_pipes:
            if not 0 <= pipe < self.uthreads:
                raise ValueError(f"header_pipes has pipe {pipe}; accepted are 0 to {self.uthreads - 1}")


class System(Protocol):
    """A system, built in a world and ready for set-up.

    Attributes
    ----------
    software
        What runs on each core, by the core's index.
    """

    software: Sequence[Software]

    def set_up(self) -> Control[None]:
        """Open all devices and bind the flows."""

    def control(self, message: object) -> int:
        """Give a message of the set-up to the IOKernel; its answer."""

    def counts(self) -> Mapping[str, int]:
        """What it counted so far: notifications, completions, packets, batches, grants, runqueue_insertions, ..."""

    def messages(self) -> Mapping[str, int]:
        """Messages that the IOKernel took so far, by kind."""

    def waiting(self) -> Sequence[str]:
        """Who waits for what, a line each."""
