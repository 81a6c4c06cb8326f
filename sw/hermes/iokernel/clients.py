"""What the IOKernel knows of runtimes and of the notification buffers of their uthreads."""

from dataclasses import dataclass
from typing import Final

from mypy_extensions import i64

from hermes.enso.notification_buffer import NotificationBuffer
from hermes.runtime.kthread import Kthread
from hermes.runtime.runtime import Runtime

PARKED: Final = 0
ACTIVE: Final = 1
LEAVING: Final = 2
"""A kthread is active from when its grant is decided, and leaves from when it is decided to pre-empt it."""


class Record:
    """A runtime.

    Attributes
    ----------
    runtime
        Its side.
    states
        PARKED, ACTIVE or LEAVING, by kthread.
    active
        Active kthreads, in the order of their grants.
    parked
        Parked ones, who has been so for longest first.
    woken
        Kthreads that got a core since the last scan.
    cores
        By kthread: the core that it ran on last; 0 if none.
    is_overloaded
        It waits for a core.
    granted
        Picoseconds: when it got a core last; 0 if never.
    """

    __slots__ = ("active", "cores", "granted", "is_overloaded", "parked", "runtime", "states", "turn", "woken")

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.states = [PARKED] * runtime.count
        self.active: list[int] = []
        self.parked = list(range(runtime.count))
        self.woken: set[int] = set()
        self.cores = [0] * runtime.count
        self.is_overloaded = False
        self.granted: i64 = 0
        self.turn: i64 = 0

    def kthread(self, index: int) -> Kthread:
        """One of its kthreads."""
        return self.runtime.kthreads[index]

    @property
    def is_bursting(self) -> bool:
        """Whether it has more cores than are guaranteed to it."""
        return len(self.active) > self.runtime.guaranteed

    def next_in_turn(self) -> int:
        """Its active kthreads, of which there are some, one after the other."""
        index = self.active[self.turn % len(self.active)]
        self.turn += 1
        return index


@dataclass(frozen=True)
class Shared:
    """What a uthread shares with the IOKernel: its notification buffer, in memory that its runtime made.

    Attributes
    ----------
    runtime
        Number of its runtime.
    rx_slots, tx_slots
        Cache lines of its rings.
    """

    buffer: NotificationBuffer
    runtime: int
    rx_slots: int
    tx_slots: int


class Client:
    """A uthread with a notification buffer.

    Attributes
    ----------
    record
        Its runtime.
    waiting
        It is parked: only the IOKernel can make it run. For systems in which the IOKernel keeps track.
    last
        Kthread that its softIRQs went to last; -1 if none did.
    source
        Message queue that last carried a message about it; -1 if none did.
    row
        Where the stamps of the last notification are that was written into its ring; -1 before the first.
    rx_head
        Notifications before it were consumed.
    tx_head, tx_tail
        Requests before them are complete, and were forwarded.
    rx_head_made, tx_tail_made
        Picoseconds: when the newest message so far about either was made.
    notified, forwarded, completed
        Notifications and completions that were passed on, and requests that were forwarded, so far.
    """

    __slots__ = (
        "buffer",
        "completed",
        "forwarded",
        "last",
        "mask",
        "notified",
        "record",
        "row",
        "rx_head",
        "rx_head_made",
        "rx_slots",
        "source",
        "tx_head",
        "tx_slots",
        "tx_tail",
        "tx_tail_made",
        "uthread",
        "waiting",
    )

    def __init__(self, uthread: int, shared: Shared, record: Record) -> None:
        self.buffer = shared.buffer
        self.uthread = uthread
        self.record = record
        self.rx_slots: i64 = shared.rx_slots
        self.tx_slots: i64 = shared.tx_slots
        self.mask: i64 = shared.buffer.slots - 1
        self.waiting = False
        self.last = self.source = -1
        self.row: i64 = -1
        self.notified: i64 = 0
        self.forwarded: i64 = 0
        self.completed: i64 = 0
        self.rx_head: i64 = 0
        self.tx_head: i64 = 0
        self.tx_tail: i64 = 0
        self.rx_head_made: i64 = 0
        self.tx_tail_made: i64 = 0


class Directory:
    """Everybody that the IOKernel knows.

    Attributes
    ----------
    clients
        By notification buffer.
    client_of_uthread
        Of uthreads that have a notification buffer.
    records
        By runtime.
    runtime_of
        Runtime of each uthread.
    """

    def __init__(self) -> None:
        self.clients: list[Client] = []
        self.client_of_uthread: dict[int, Client] = {}
        self.records: list[Record] = []
        self.runtime_of: dict[int, int] = {}
