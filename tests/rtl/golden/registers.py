"""What registers hold, and what the NIC may act on while software writes them."""

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Window(Generic[T]):
    """The values of one register that the NIC may still act on, oldest first.

    Which value a decision saw is a race with software's writes. It is never one older than another that was seen, nor
    older than what was written before an MMIO access that has taken effect.
    """

    def __init__(self, name: str, value: T) -> None:
        self._name = name
        self._values: deque[tuple[int, T]] = deque([(0, value)])
        self._followers: list[list[T]] = []

    @property
    def latest(self) -> T:
        """What software wrote last."""
        return self._values[-1][1]

    def write(self, access: int, value: T) -> None:
        """``access`` counts MMIO accesses."""
        self._values.append((access, value))
        for values in self._followers:
            values.append(value)

    def settle(self, access: int) -> None:
        """All that was written up to this MMIO access can be seen."""
        while len(self._values) > 1 and self._values[1][0] <= access:
            self._values.popleft()

    def possible(self) -> list[T]:
        return [value for _, value in self._values]

    def follow(self) -> list[T]:
        """All that it may hold now, and each value that is written later, until `leave`."""
        self._followers.append(self.possible())
        return self._followers[-1]

    def leave(self, values: Any) -> None:
        self._followers = [each for each in self._followers if each is not values]

    def see(self, accept: Callable[[T], bool], what: str) -> T:
        """The oldest value that explains ``what`` the NIC did."""
        possible = self.possible()
        while self._values:
            if accept(self._values[0][1]):
                return self._values[0][1]
            self._values.popleft()
        raise AssertionError(f"{self._name}: {what}; it may hold {possible}")


class Settings(NamedTuple):
    """What software sets on the extension page: sizes in lines of rings that are enabled later, and modes."""

    pipe_ring: int
    notification_ring: int
    notify_per_packet: bool = False
    accept_ipv6: bool = False
    full_tuple: bool = False
    guard: bool = False

    def with_word(self, name: str, value: int) -> "Settings":
        """After a write of a word of the extension page. Sizes that are none change nothing."""
        largest = {"pipe_ring_flits": 1 << 20, "notification_ring_slots": 1 << 15}
        is_size = name in largest and 8 <= value <= largest[name] and value & (value - 1) == 0
        if name == "pipe_ring_flits" and is_size:
            return self._replace(pipe_ring=value)
        if name == "notification_ring_slots" and is_size:
            return self._replace(notification_ring=value)
        if name == "guard":
            return self._replace(guard=bool(value & 1))
        if name == "modes":
            modes = {"notify_per_packet": 1, "accept_ipv6": 2, "full_tuple": 4}
            return self._replace(**{mode: bool(value & bit) for mode, bit in modes.items()})
        return self


class RingMemory(NamedTuple):
    """The address register of a ring, and how many lines it has had since it was enabled.

    A pipe keeps the id of its notification buffer in the low 10 bits.
    """

    value: int = 0
    enabled: bool = False
    size: int = 1

    @property
    def address(self) -> int:
        return self.value & ~0x3FF

    @property
    def buffer(self) -> int:
        return self.value & 0x3FF

    def written(self, data: int, *, low: bool, high: bool, size: int) -> "RingMemory":
        """A write of the low word disables; one of the high word, or of both, enables if the 64 bits are not 0.

        ``size`` is what is set for rings that are enabled now.
        """
        if not low and not high:
            return self
        value = merged(self.value, data, low=low, high=high)
        return RingMemory(value, high and value != 0, size if high else self.size)


def merged(old: int, data: int, *, low: bool, high: bool) -> int:
    """A 64-bit word after a write of one or both of its 32-bit registers."""
    mask = (0xFFFFFFFF if low else 0) | (0xFFFFFFFF << 32 if high else 0)
    return old & ~mask | data & mask


class Operation(NamedTuple):
    """An MMIO access that travels through the NIC in order with packets.

    Attributes
    ----------
    access
        Count of MMIO accesses.
    kind
        "head_check", "tail_write" or "register_read".
    page
        Of 4096 bytes in BAR2.
    value
        Tail write: the tail.
    word, tag
        Register read: 8-byte word within the page. What the operation, and an answer, is known by.
    quiet
        Register read: count of events when it was taken, if the NIC had nothing to do then.
    tx_words
        Register read: what a TX register may have held; it is looked up before the access is taken.
    setting
        Register read: what the extension page held, if the word is no counter.
    """

    access: int
    kind: str
    page: int
    word: int = 0
    tag: int = 0
    value: int = 0
    quiet: int | None = None
    tx_words: tuple[int, ...] = ()
    setting: int | None = None
