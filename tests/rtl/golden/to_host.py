"""What must leave for the host because of RX decisions, in their order: packets, notifications, register answers."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from enso_nic.config import FLIT_BYTES, NicConfig
from tests.rtl.golden.registers import RingMemory, Window

DROP_CYCLES = 24
"""From the decision to drop a frame until the packet buffer has skipped it, at most, if nothing before it waits."""


class NotificationRing:
    """The RX half of a notification buffer."""

    def __init__(self, number: int) -> None:
        self.tail = 0
        self.head = Window(f"rx_head of notification buffer {number}", 0)
        self.memory = Window(f"rx_mem of notification buffer {number}", RingMemory())


def has_room(ring: NotificationRing, memory: RingMemory, head: int) -> bool:
    """One slot always stays free."""
    return (head - ring.tail - 1) % memory.size != 0


class DataLine(NamedTuple):
    """A flit of a packet."""

    address: int
    line: bytes


class Released(NamedTuple):
    """The packet buffer has room for these flits again; those that are dropped, a little later."""

    flits: int
    are_dropped: bool = False


@dataclass
class Notification:
    """It is written to its ring, owed, or lost: the notification tap tells.

    Attributes
    ----------
    outcome
        "written", "owed" or "lost"; empty before its turn.
    slots
        Written: addresses where its slot may be.
    """

    pipe: int
    tail: int
    buffer: int
    outcome: str = ""
    slots: tuple[int, ...] = ()

    @property
    def line(self) -> bytes:
        words = (1, self.pipe, self.tail)
        return b"".join(word.to_bytes(8, "little") for word in words).ljust(FLIT_BYTES, b"\0")


class Retried(NamedTuple):
    """A pipe was checked out of turn: it is owed nothing any more."""

    pipe: int


class Settled(NamedTuple):
    """What software wrote up to this MMIO access can be seen from here on."""

    access: int


class RingTailWrite(NamedTuple):
    """Software wrote rx_tail of a notification buffer."""

    ring: NotificationRing
    value: int


@dataclass
class RingRead:
    """A register of a notification buffer is read.

    Attributes
    ----------
    tail
        What it was when the read had its turn.
    values
        Of rx_head or rx_mem, that it may have seen: those of its turn, and all that were written later.
    """

    ring: NotificationRing
    is_index: bool
    tail: int = 0
    values: list[int] | list[RingMemory] | None = None

    def take_turn(self) -> None:
        self.tail = self.ring.tail
        self.values = self.ring.head.follow() if self.is_index else self.ring.memory.follow()

    def explains(self, value: int) -> bool:
        """Whether ``value`` can be the answer; nobody asks again."""
        if self.values is None:
            return False
        (self.ring.head if self.is_index else self.ring.memory).leave(self.values)
        possible = [each.value if isinstance(each, RingMemory) else each << 32 | self.tail for each in self.values]
        return value in possible


class Answer(NamedTuple):
    """To a register read; ``explains`` says whether the register can have held a value."""

    tag: int
    what: str
    explains: Callable[[int], bool]


Leaving = DataLine | Released | Notification | Answer
Decision = Notification | Retried | Settled | RingTailWrite | RingRead


class ToHost:
    """The ordered stream to the host, but for TX completions, which slip in anywhere between writes."""

    def __init__(self, config: NicConfig, counters: Counter[str]) -> None:
        self._counters = counters
        self._leaving: deque[Leaving] = deque()
        self._decisions: deque[Decision] = deque()  # for the notifier, in the same order
        self.rings = [NotificationRing(number) for number in range(config.notification_buffers)]
        self._owed: dict[int, int] = {}  # pipe -> notification buffer
        self._reasons: Counter[int] = Counter()  # retries that owed notifications allow, by pipe
        self.now = 0
        self._stored = 0  # flits of admitted frames that still lie in the packet buffer
        self._dropping: deque[tuple[int, int]] = deque()  # (cycle, flits): decided then, and no trace of it leaves

    def store(self, flits: int) -> None:
        """A frame of so many flits was admitted."""
        self._stored += flits

    def most_stored(self) -> int:
        """Flits of admitted frames that may still lie in the packet buffer."""
        while self._dropping and self._dropping[0][0] + DROP_CYCLES < self.now:
            self._dropping.popleft()
        return self._stored + sum(flits for _, flits in self._dropping)

    def waiting(self) -> str:
        """What must still leave, or be decided; empty if nothing must."""
        undecided = [item for item in self._decisions if isinstance(item, Notification)]
        due = [item for item in self._leaving if not isinstance(item, Notification) or item.outcome == "written"]
        first = next(iter([*due, *undecided]), None)
        return f"{len(due)} items for the host and {len(undecided)} notifications, first {first}" if first else ""

    def finish(self) -> None:
        """Nothing more comes. What is owed finds no room."""
        assert not self.waiting(), f"never left: {self.waiting()}"
        for pipe, number in self._owed.items():
            ring = self.rings[number]
            memory = ring.memory.latest
            has_no_room = not memory.enabled or not has_room(ring, memory, ring.head.latest)
            assert has_no_room, f"notification buffer {number} has room, but pipe {pipe} is still owed a notification"

    # --- decisions ----------------------------------------------------------------------------------------------------

    def leave(self, *items: Leaving) -> None:
        """These leave in their turn."""
        self._leaving.extend(items)
        self._release()

    def decide(self, *items: Decision) -> None:
        """These have their turn in the notifier."""
        self._decisions.extend(items)
        self._take_turns()

    def notify(self, notification: Notification) -> None:
        """A notification is decided in its turn, and leaves in its turn if it is written."""
        self.decide(notification)
        self.leave(notification)

    def notification(self, outcome: str) -> None:
        """The notification tap: what became of the next one."""
        assert self._decisions, f"a notification was {outcome} that nothing caused"
        item = self._decisions.popleft()
        assert isinstance(item, Notification)
        item.outcome = outcome
        rings = self.rings[item.buffer : item.buffer + 1]
        memories = [memory for ring in rings for memory in ring.memory.possible()]
        may_be_disabled = not rings or not all(memory.enabled for memory in memories)
        if outcome == "written":
            assert rings, f"{item} was written to a ring that does not exist"
            self._write(item, rings[0])
            self._counters["notifications"] += 1
        elif outcome == "owed":
            enabled = [memory for memory in memories if memory.enabled]
            heads = rings[0].head.possible() if rings else []
            may_be_full = any(not has_room(rings[0], memory, head) for memory in enabled for head in heads)
            assert may_be_full, f"{item} was owed, though its ring has room"
            self._owed[item.pipe] = item.buffer
            self._reasons[item.pipe] += 1
            self._counters["owed_notifications"] += 1
        else:
            assert may_be_disabled, f"{item} was lost, though its ring is enabled"
            self._counters["lost_notifications"] += 1
        self._take_turns()
        self._release()

    def retry(self, pipe: int) -> None:
        """A pipe is to be checked again, because it was owed a notification."""
        # one that was owed again while its check was on its way may be checked twice
        assert self._reasons[pipe], f"pipe {pipe} is to be checked again without a reason"
        self._reasons[pipe] -= 1

    def _write(self, item: Notification, ring: NotificationRing) -> None:
        def fits(memory: RingMemory) -> bool:
            return memory.enabled and any(has_room(ring, memory, head) for head in ring.head.possible())

        memory = ring.memory.see(fits, "its ring was written to")
        ring.head.see(lambda head: has_room(ring, memory, head), "its ring was written to")
        offset = [(each.value, FLIT_BYTES * (ring.tail % each.size)) for each in ring.memory.possible() if fits(each)]
        item.slots = tuple(base + place for base, place in offset)
        ring.tail = (ring.tail + 1) % memory.size

    def _take_turns(self) -> None:
        """All that needs no tap."""
        while self._decisions and not isinstance(self._decisions[0], Notification):
            item = self._decisions.popleft()
            if isinstance(item, Retried):
                self._owed.pop(item.pipe, None)
            elif isinstance(item, RingTailWrite):
                item.ring.tail = item.value
            elif isinstance(item, RingRead):
                item.take_turn()
            elif isinstance(item, Settled):
                for ring in self.rings:
                    ring.head.settle(item.access)
                    ring.memory.settle(item.access)

    # --- what leaves --------------------------------------------------------------------------------------------------

    def line(self, address: int, line: bytes) -> None:
        """A line was written."""
        assert self._leaving, f"a write to {address:#x} that nothing caused: {line.hex()}"
        item = self._leaving.popleft()
        if isinstance(item, DataLine):
            due = f"due is {item.line.hex()} to {item.address:#x}"
            assert (item.address, item.line) == (address, line), f"packet data {line.hex()} to {address:#x}; {due}"
        else:
            assert isinstance(item, Notification), f"a write to {address:#x}; due is {item}"
            assert item.outcome == "written", f"a write to {address:#x} before it was decided on: {item}"
            assert address in item.slots, f"{item} was written to {address:#x}"
            assert line == item.line, f"{item} was written as {line.hex()}"
        self._release()

    def answer(self, tag: int, value: int) -> None:
        """A register read was answered."""
        item = self._leaving.popleft() if self._leaving else None
        assert isinstance(item, Answer), f"an answer to read {tag}; due is {item}"
        assert item.tag == tag, f"an answer to read {tag}; due is that to {item.tag}"
        assert item.explains(value), f"{item.what} cannot have been {value:#018x}"
        self._release()

    def _release(self) -> None:
        """Take what has its turn and leaves no trace."""
        while self._leaving:
            item = self._leaving[0]
            if isinstance(item, Released):
                self._stored -= item.flits
                if item.are_dropped:
                    self._dropping.append((self.now, item.flits))
            elif not (isinstance(item, Notification) and item.outcome in ("owed", "lost")):
                return
            self._leaving.popleft()
