"""What must leave for the host because of RX decisions, in their order: packets, notifications, register answers."""

from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

from enso_nic.config import FLIT_BYTES, NicConfig
from tests.rtl.golden.registers import RingMemory, Window


class NotificationRing:
    """The RX half of a notification buffer."""

    def __init__(self, number: int) -> None:
        self.tail = 0
        self.head = Window(f"rx_head of notification buffer {number}", 0)
        self.memory = Window(f"rx_mem of notification buffer {number}", RingMemory())


class DataLine(NamedTuple):
    """A flit of a packet."""

    address: int
    line: bytes


class Released(NamedTuple):
    """The packet buffer has room for these flits again."""

    flits: int


class Notification(NamedTuple):
    """To be written to its ring, or lost: that is decided when its turn comes."""

    pipe: int
    tail: int
    buffer: int

    @property
    def line(self) -> bytes:
        words = (1, self.pipe, self.tail)
        return b"".join(word.to_bytes(8, "little") for word in words).ljust(FLIT_BYTES, b"\0")


class Retried(NamedTuple):
    """A pipe was checked again, because a notification was owed or because checks were merged."""

    pipe: int
    merged: bool


class Settled(NamedTuple):
    """What software wrote up to this MMIO access can be seen from here on."""

    access: int


class RingTailWrite(NamedTuple):
    """Software wrote rx_tail of a notification buffer."""

    ring: NotificationRing
    value: int


class Answer(NamedTuple):
    """To a register read; ``explains`` says whether the register can have held a value."""

    tag: int
    what: str
    explains: Callable[[int], bool]


Due = DataLine | Released | Notification | Retried | Settled | RingTailWrite | Answer


class ToHost:
    """The ordered stream to the host, but for TX completions, which slip in anywhere between writes."""

    def __init__(self, config: NicConfig, counters: Counter[str]) -> None:
        self._slots = config.notification_slots
        self._counters = counters
        self._due: deque[Due] = deque()
        self.rings = [NotificationRing(number) for number in range(config.notification_buffers)]
        self._owed: dict[int, int] = {}  # pipe -> notification buffer
        self._reasons: Counter[int] = Counter()  # retries that owed notifications allow, by pipe
        self.unsure = 0
        """Notifications that were owed or lost: their ring may have been full, or disabled."""
        self.flits_waiting = 0
        """Flits of admitted frames that may still lie in the packet buffer."""

    def owe(self, *due: Due) -> None:
        self._due.extend(due)
        self._apply()

    def waiting(self) -> str:
        """What must still leave; empty if nothing must: notifications may have been lost."""
        due = [item for item in self._due if isinstance(item, DataLine | Answer)]
        return f"{len(due)} items for the host, first {due[0]}" if due else ""

    def line(self, address: int, line: bytes) -> None:
        """A line was written."""
        while True:
            assert self._due, f"a write to {address:#x} that nothing caused: {line.hex()}"
            item = self._due.popleft()
            if isinstance(item, DataLine):
                assert (item.address, item.line) == (address, line), (
                    f"packet data {line.hex()} to {address:#x}; due is {item.line.hex()} to {item.address:#x}"
                )
                break
            assert isinstance(item, Notification), f"a write to {address:#x}; due is {item}"
            if self._is_written(item, address, line):
                break
            self._lose(item)
            self._apply()
        self._apply()

    def answer(self, tag: int, value: int) -> None:
        """A register read was answered."""
        item = self._due.popleft() if self._due else None
        while isinstance(item, Notification):
            self._lose(item)
            self._apply()
            item = self._due.popleft() if self._due else None
        assert isinstance(item, Answer), f"an answer to read {tag}; due is {item}"
        assert item.tag == tag, f"an answer to read {tag}; due is that to {item.tag}"
        assert item.explains(value), f"{item.what} cannot have been {value:#018x}"
        self._apply()

    def finish(self) -> None:
        """Nothing more comes: what is still due must have been lost."""
        while self._due:
            item = self._due.popleft()
            assert isinstance(item, Notification), f"never left: {item}"
            self._lose(item)
            self._apply()
        for pipe, number in self._owed.items():
            ring = self.rings[number]
            memory, head = ring.memory.latest, ring.head.latest
            has_room = memory.enabled and self._has_room(ring, head)
            assert not has_room, f"notification buffer {number} has room, but pipe {pipe} is still owed a notification"

    def _apply(self) -> None:
        """Take what has its turn and leaves no trace."""
        while self._due and isinstance(self._due[0], Released | Retried | Settled | RingTailWrite):
            item = self._due.popleft()
            if isinstance(item, Released):
                self.flits_waiting -= item.flits
            elif isinstance(item, Retried):
                # one that was owed again while its retry was on its way may be checked twice
                assert self._reasons[item.pipe] or item.merged, f"pipe {item.pipe} was checked again without a reason"
                self._reasons[item.pipe] -= not item.merged
                self._owed.pop(item.pipe, None)
            elif isinstance(item, RingTailWrite):
                item.ring.tail = item.value
            elif isinstance(item, Settled):
                for ring in self.rings:
                    ring.head.settle(item.access)
                    ring.memory.settle(item.access)

    def _is_written(self, item: Notification, address: int, line: bytes) -> bool:
        if item.buffer >= len(self.rings) or line != item.line:
            return False
        ring = self.rings[item.buffer]
        offset = FLIT_BYTES * (ring.tail % self._slots)
        places = [memory.value + offset for memory in ring.memory.possible() if memory.enabled]
        if address not in places or not any(self._has_room(ring, head) for head in ring.head.possible()):
            return False
        ring.memory.see(lambda memory: memory.enabled and memory.value + offset == address, "it was written to")
        ring.head.see(lambda head: self._has_room(ring, head), "its ring was written to")
        ring.tail = (ring.tail + 1) % self._slots
        self._counters["notifications"] += 1
        return True

    def _lose(self, item: Notification) -> None:
        """A full ring owes the notification, a disabled one loses it; in either case the pipe stays armed."""
        may_be_disabled, may_be_full = True, False
        if item.buffer < len(self.rings):
            ring = self.rings[item.buffer]
            may_be_disabled = not all(memory.enabled for memory in ring.memory.possible())
            may_be_full = not all(self._has_room(ring, head) for head in ring.head.possible())
            assert may_be_disabled or may_be_full, f"{item} was not written, though its ring has room"
        if may_be_full:
            self._owed[item.pipe] = item.buffer
            self._reasons[item.pipe] += 1
        if may_be_disabled and may_be_full:
            self.unsure += 1
        else:
            self._counters["owed_notifications" if may_be_full else "lost_notifications"] += 1

    def _has_room(self, ring: NotificationRing, head: int) -> bool:
        return (head - ring.tail - 1) % self._slots != 0
