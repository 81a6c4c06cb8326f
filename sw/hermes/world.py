"""What software needs of the world that runs it: time, memory, caches, cores, the way to the NIC.

Software here is state machines. A core calls ``step`` of its software whenever an action ends: the software lets the
action's effects land, reads the inputs of its next action and tells with ``Core.spend`` how long that takes. So an
action reads its inputs at its start and its effects land at its end. Software with nothing to do polls its sources in
a cyclic walk; a look that found nothing costs time and has no effect, so the world need not call it to know its end.

Times are integer picoseconds, addresses are bytes in the NIC's and the host's one address space.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from mypy_extensions import i64

from hermes.costs import Costs
from hermes.stamps import Stamps

# What a core's time goes to. The IOKernel's core:
RX: Final = 0
TX_COMPLETION: Final = 1
MESSAGE: Final = 2
CORES: Final = 3
DETECTION: Final = 4
GRANT: Final = 5
POLL: Final = 6
# Cores of applications:
APPLICATION: Final = 7  # the application's own code: the only useful time
DRIVER: Final = 8  # rings, messages and doorbells, in the uthread
SCHEDULER: Final = 9
SOFTIRQ: Final = 10
STEAL: Final = 11  # the search, and taking what it found
SWITCH: Final = 12
ANSWER: Final = 13  # wait for the IOKernel's answer
QUEUE_FULL: Final = 14  # wait for room in a message queue
IDLE: Final = 15  # nobody has the core
BATCH: Final = 16  # code of batch applications
ACTIVITIES: Final = (
    *("rx", "tx_completion", "message", "cores", "detection", "grant", "poll"),
    *("application", "driver", "scheduler", "softirq", "steal", "switch", "answer", "queue_full", "idle", "batch"),
)
IOKERNEL_ACTIVITIES: Final = range(RX, POLL + 1)
CORE_ACTIVITIES: Final = range(APPLICATION, BATCH + 1)

ENDLESS: Final = 10**16
"""Picoseconds of an action that only an interrupt ends."""

# Effects, as the hash of a run knows them.
NIC_WRITE: Final = 0  # subject: source; value: address or register word
MMIO_WRITE: Final = 1  # subject: register address; value: what was written
QUEUE_PUSH: Final = 2  # subject: queue; value: of the item
QUEUE_POP: Final = 3
UTHREAD_START: Final = 4  # subject: uthread; value: core
UTHREAD_END: Final = 5
CORE_GRANT: Final = 6  # subject: core; value: runtime << 16 | kthread
CORE_LEFT: Final = 7  # subject: core; value: as of CORE_GRANT
DROP: Final = 8  # subject: runtime; value: what was dropped


class Table:
    """What a core makes of a walk."""


@dataclass
class Walk:
    """How a core that found nothing looks at its sources, lap after lap.

    Attributes
    ----------
    costs
        Picoseconds of a look at each source when nothing changed there; at least 1.
    orders
        Lap k looks at all sources in the order ``orders[k % len(orders)]``.
    activity
        What the time goes to.
    lines
        Each look at source s begins with a read of the polled lines ``first + s`` for each ``first`` of these.
    is_certain
        What makes its one source ready stays until it is found: nobody else takes it, and an interrupt cuts nothing.
    table
        Made by the first core that walks it.
    """

    costs: tuple[int, ...]
    orders: tuple[tuple[int, ...], ...]
    activity: int
    lines: tuple[int, ...] = ()
    is_certain: bool = False
    table: "Table | None" = field(default=None, compare=False, repr=False)


class End(ABC):
    """Who is told at an end of a queue."""

    @abstractmethod
    def queue_changed(self, queue: int) -> None:
        """The consumer: an item arrived. The producer: there is the room that it waits for."""


class Software(End):
    """What runs on a core."""

    @abstractmethod
    def begin(self, core: "Core") -> None:
        """It gets this core; its first ``step`` follows once it is there."""

    @abstractmethod
    def interrupt(self) -> bool:
        """An interrupt lands, now: leave the core (``Ksched.park``) as soon as what must not be cut is done.

        True: what was under way was cut, and the next action began.
        """

    @abstractmethod
    def step(self) -> bool:
        """The last action ended, now: let its effects land and go on.

        True: the next action began, its time is spent. False: nothing to do; the walk goes on after the source that was
        polled last, or, after ``Core.walk``, begins.
        """

    @abstractmethod
    def poll(self, source: int) -> bool:
        """Look at a source of the walk, now, and spend what that takes. As ``step``."""

    @abstractmethod
    def ready(self) -> int:
        """Bit s is 1 if a look at source s, now, might find something, or cost more than walk and polled lines say.

        Sources of which an alarm is due need no bit.
        """


class Core(ABC):
    """A core, as its software sees it.

    Attributes
    ----------
    index
        Number of the core; the IOKernel's is 0.
    laps
        Laps of the walk that were complete before the look that is under way.
    woken
        Bit s: source s was woken; software clears it when a look there found nothing more. All are set at first.
    """

    index: int
    laps: i64
    woken: int

    @abstractmethod
    def spend(self, activity: i64, duration: i64) -> None:
        """The next ``duration`` picoseconds go to ``activity``."""

    @abstractmethod
    def walk(self, walk: Walk) -> None:
        """From what is spent on, poll in this walk, from the start of its first lap."""

    @abstractmethod
    def wake(self, source: int) -> None:
        """Something changed at a source of the walk, now. The walk sees it when it gets there."""

    @abstractmethod
    def alarm(self, source: int, time: i64, laps: i64 = 0) -> None:
        """From ``time`` on, and ``laps`` laps into the walk, a look at this source is worth it.

        Replaces the last alarm, which ``walk`` ends.
        """

    @abstractmethod
    def cut(self) -> i64:
        """End the action that is under way, now, and begin the next; picoseconds of it that were left."""

    @abstractmethod
    def mmio_write(self, address: i64, value: i64) -> None:
        """A posted write of a 32-bit register, now; its cost is spent by the caller."""


class Ksched(ABC):
    """The kernel's part of giving cores to kthreads: idle wake, pre-emption, park and switch.

    Attributes
    ----------
    left
        Bit c: the word of core c changed since it was taken.
    """

    left: int

    @abstractmethod
    def grant(self, core: int, program: Software) -> None:
        """A core is to run this program: an idle one wakes; a busy one is interrupted, and switches once it is left."""

    @abstractmethod
    def park(self, core: int) -> None:
        """The program on a core leaves it, now."""

    @abstractmethod
    def arrived(self, core: int) -> None:
        """The program that a core was granted to takes its first step."""

    @abstractmethod
    def watch(self, core: int, first_source: int) -> None:
        """Who leaves core c wakes source ``first_source + c - 1`` of the walk of ``core``, the IOKernel's."""

    @abstractmethod
    def take(self, core: int) -> int:
        """Read the word of a core: programs that left it since; an interrupted one counts once the next is there."""


class Clock(ABC):
    """``now``: picoseconds."""

    now: i64


class Effects(ABC):
    """What happens, for the hash of a run."""

    @abstractmethod
    def record(self, kind: i64, subject: i64, value: i64) -> None:
        """An effect lands, now."""


class Memory(Protocol):
    """Host memory that software and NIC share.

    Attributes
    ----------
    base
        Address of its first byte.
    words
        Its 64-bit words, little-endian.
    bytes
        Its bytes.
    """

    base: int
    words: memoryview
    bytes: memoryview

    def allocate(self, size: int, align: int, owner: str) -> int:
        """Address of ``size`` fresh bytes, all 0; ``owner`` is for messages."""

    def allocate_ring(self, size: int, owner: str) -> int:
        """As ``allocate``, aligned to its size, and seen by software a second time in the ``size`` bytes behind it.

        ``size`` is a power of two, at least a page of 4096 bytes. The NIC must not be told of the second view.
        """


class CacheLines(ABC):
    """Where the copies of shared lines are: who has none pays for it, who writes takes it from the others.

    Slots of rings have one owner at a time. Lines that many cores poll are named apart, because a write to one wakes
    those who had a copy. Cores are meant by their index.
    """

    @abstractmethod
    def allocate(self, count: int) -> int:
        """First of ``count`` consecutive fresh slots; core 0 owns them."""

    @abstractmethod
    def take(self, core: int, slot: int) -> i64:
        """Become the owner of a slot, to read or write it; picoseconds that it costs: 0 for the owner."""

    @abstractmethod
    def allocate_polled(self, count: int) -> int:
        """First of ``count`` consecutive fresh polled lines, of which nobody has a copy."""

    @abstractmethod
    def read(self, core: int, line: int) -> i64:
        """Take a copy of a polled line; picoseconds that it costs: 0 if the core has one."""

    @abstractmethod
    def stale_lines(self, core: int, first: int, count: int) -> int:
        """Of ``count`` polled lines from ``first`` on, those of which a core has no copy, a bit each."""

    @abstractmethod
    def write_cost(self, core: int, line: int) -> i64:
        """Picoseconds that a write of a polled line would cost: 0 if no other core has a copy."""

    @abstractmethod
    def write(self, core: int, line: int) -> int:
        """A write of a polled line lands: only the writer has a copy now. The cores that lost theirs, a bit each."""


class World(ABC):
    """All of it.

    Attributes
    ----------
    clock
        The simulated time.
    costs
        What steps cost.
    memory
        Host memory.
    stamps
        When what happened to requests.
    """

    clock: Clock
    costs: Costs
    memory: Memory
    stamps: Stamps

    @property
    @abstractmethod
    def cores(self) -> Sequence[Core]:
        """Core 0 is the IOKernel's, the others run applications."""

    @property
    @abstractmethod
    def effects(self) -> Effects:
        """Where effects are recorded."""

    @property
    @abstractmethod
    def lines(self) -> CacheLines:
        """The shared cache lines."""

    @property
    @abstractmethod
    def ksched(self) -> Ksched:
        """Who runs on the cores."""

    @abstractmethod
    def watch(self, address: int, length: int, core: int, source: int) -> None:
        """A NIC write to this range wakes a source of a core's walk."""


@dataclass(frozen=True, slots=True)
class WriteRegister:
    """Write ``size`` bytes (4 or 8) of a register."""

    address: int
    value: int
    size: int = 4


@dataclass(frozen=True, slots=True)
class ReadRegister:
    """Read the 8-byte word of registers at ``address``; the answer is the word."""

    address: int


@dataclass(frozen=True, slots=True)
class AwaitZero:
    """Wait until the NIC wrote 0 to the 64-bit word at ``address`` of host memory; ``what`` is for messages."""

    address: int
    what: str


Message = tuple[i64, i64, i64, i64, i64]
"""Kind, whom it is about, its main value, another one, and when it was made (picoseconds): see hermes.messages."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Send the IOKernel a message and wait for its answer."""

    message: Message


T = TypeVar("T")
Control = Generator[WriteRegister | ReadRegister | AwaitZero | Tell, int, T]
"""A sequence of the control plane: yields what it wants done, is sent the answer (0 if there is none)."""
