"""What an evaluated system is to those who run it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from hermes.apps.application import Application
from hermes.enso.control import FlowKey
from hermes.enso.registers import UPSTREAM, RingSizes
from hermes.switches import Switches
from hermes.world import Control, Message, Software


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a system is to serve.

    Attributes
    ----------
    application
        Makes what is done with each packet, for one runtime.
    uthreads
        Uthread i owns pipe i, and belongs to application i modulo ``applications``.
    applications
        Network applications, each a runtime with as many kthreads as there are cores, but not more than uthreads.
    guaranteed
        Cores guaranteed to each network application, if it has so many kthreads; None: an equal share of all.
    batch
        Whether a batch application takes what cores are left: endless uthreads, one per core, and none guaranteed.
    exits
        Of uthreads that end: after how many packets. Their pipe is closed then, with what may lie in it.
    flows
        Frames with a key go to the pipe of a uthread. Keys that the NIC does not know, or has no room for, go by hash
        to the largest power of two of those pipes.
    header_pipes
        Pipes that are opened in header mode.
    rings
        Sizes of all rings; the NIC's.
    switches
        What the design leaves open.
    """

    application: Callable[[], Application]
    uthreads: int = 8
    applications: int = 1
    guaranteed: int | None = None
    batch: bool = False
    exits: Mapping[int, int] = field(default_factory=dict)
    flows: Sequence[tuple[FlowKey, int]] = ()
    header_pipes: Collection[int] = ()
    rings: RingSizes = UPSTREAM
    switches: Switches = field(default_factory=Switches)

    def __post_init__(self) -> None:
        if self.uthreads < 1:
            raise ValueError(f"uthreads is {self.uthreads}; accepted are 1 and more")
        if not 1 <= self.applications <= self.uthreads:
            raise ValueError(f"applications is {self.applications}; accepted are 1 to {self.uthreads}, one per uthread")
        if self.guaranteed is not None and self.guaranteed < 0:
            raise ValueError(f"guaranteed is {self.guaranteed}; accepted are 0 and more")
        for key, uthread in self.flows:
            if not 0 <= uthread < self.uthreads:
                raise ValueError(f"flow {tuple(key)} goes to uthread {uthread}; accepted are 0 to {self.uthreads - 1}")
        for pipe in self.header_pipes:
            if not 0 <= pipe < self.uthreads:
                raise ValueError(f"header_pipes has pipe {pipe}; accepted are 0 to {self.uthreads - 1}")


class Balance(NamedTuple):
    """What came to a place, left it, and is there: ``came`` = ``left`` + ``there``, at any time."""

    what: str
    came: int
    left: int
    there: int


class System(Protocol):
    """A system, built in a world and ready for set-up."""

    @property
    def iokernel(self) -> Software:
        """What runs on core 0; it gives the other cores away."""

    def set_up(self) -> Control[None]:
        """Open all devices and bind the flows."""

    def control(self, message: Message) -> Control[int]:
        """Give a message of the set-up to the IOKernel; its answer."""

    def start(self) -> None:
        """The runtimes come, now: each registers, and runs its main uthread once it has a core."""

    def is_started(self) -> bool:
        """Whether all uthreads have been made."""

    def counts(self) -> Mapping[str, int]:
        """What it counted so far: notifications, completions, packets, batches, grants, runqueue_insertions, ..."""

    def messages(self) -> Mapping[str, int]:
        """Messages that the IOKernel took so far, by kind."""

    def extra(self) -> Mapping[str, object]:
        """More of what it measured, by the names that results have for it."""

    def waiting(self) -> Sequence[str]:
        """Who waits for what, a line each."""

    def has_closed(self) -> bool:
        """Whether a pipe was closed, with what may have lain in it."""

    def heads(self) -> Mapping[int, int]:
        """By pipe: the head in flits that the NIC must have once all writes are there.

        Without pipes of which space was freed, and the write that tells so has not been made yet.
        """

    def balances(self) -> Sequence[Balance]:
        """Of every queue and ring; each must hold."""
