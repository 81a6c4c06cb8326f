"""Queues of cache lines in shared memory, one item a line, between one producer and one consumer at a time."""

from typing import Final

from mypy_extensions import i64

from hermes.words import Five, fives
from hermes.world import QUEUE_POP, QUEUE_PUSH, End, World

CAPACITY: Final = 32768
"""Slots of a queue: 2 MiB of cache lines."""

Item = Five
"""Kind, whom it is about, its main value, another one, and when it was made (picoseconds)."""


class SpscQueue:
    """A queue of messages or softIRQs; a producer that finds it full waits.

    Each slot is a line that changes hands twice per lap of the ring, so that both ends pay for it: they charge
    ``line_dirty`` themselves.

    Attributes
    ----------
    number
        Identifies it in the hash of effects and to both ends.
    consumer, producer
        Told of each item, and of room that was waited for.
    pushed, popped
        Items so far.
    """

    __slots__ = ("_effects", "_items", "_wanted", "capacity", "consumer", "number", "popped", "producer", "pushed")

    def __init__(self, world: World, number: int, consumer: End | None = None, producer: End | None = None) -> None:
        self.number = number
        self.consumer = consumer
        self.producer = producer
        self.capacity: i64 = CAPACITY
        self.pushed: i64 = 0
        self.popped: i64 = 0
        self._effects = world.effects
        self._wanted: i64 = 0
        self._items = fives()

    def __len__(self) -> int:
        return len(self._items)

    def __bool__(self) -> bool:
        return bool(self._items)

    def is_full(self) -> bool:
        """Whether there is no room for an item."""
        return len(self._items) >= self.capacity

    def await_room(self, count: int = 1) -> None:
        """The producer waits until there is room for ``count`` items, which there is not now, and is told then."""
        self._wanted = count

    def __getitem__(self, index: i64) -> Item:
        """Item 0 is the oldest."""
        return self._items[index]

    def items(self) -> list[Item]:
        """All that lie there, the oldest first."""
        return [self._items[index] for index in range(len(self._items))]

    def push(self, item: Item) -> None:
        """An item lands in the queue, which is not full."""
        self._items.append(item)
        self.pushed += 1
        self._effects.record(QUEUE_PUSH, self.number, item[1] << 32 | item[2])
        if self.consumer is not None:
            self.consumer.queue_changed(self.number)

    def pop(self) -> Item:
        """The oldest item leaves the queue."""
        item = self._items.popleft()
        self.popped += 1
        self._effects.record(QUEUE_POP, self.number, item[1] << 32 | item[2])
        if self._wanted and len(self._items) + self._wanted <= self.capacity:
            self._wanted = 0
            if self.producer is not None:
                self.producer.queue_changed(self.number)
        return item
