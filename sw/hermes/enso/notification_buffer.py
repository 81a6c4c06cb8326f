"""A notification buffer: the RX ring, where the NIC tells of new data, and the TX ring, where software asks to send."""

from mypy_extensions import i64

from hermes.enso.registers import (
    ADDRESS,
    ERROR,
    FRAMED,
    LENGTH,
    PAGE_BYTES,
    PIPE,
    ROW,
    SIGNAL,
    SLOT_BYTES,
    SLOT_WORDS,
    TAIL,
    TX_REQUEST,
    RingSizes,
)
from hermes.errors import ContractError
from hermes.world import Memory


class NotificationBuffer:
    """Both rings of a notification buffer, in host memory; indices are in slots, ascending modulo the ring's size.

    Software that owns it takes notifications, posts requests and takes completions. What serves it, the NIC or
    software in its place, delivers notifications and completes requests. Register writes are the device's.

    Attributes
    ----------
    address
        Of the RX ring; the TX ring follows it.
    number
        Its id; -1 until it is opened.
    rx_head, tx_head, tx_tail
        The owner's: first notification not taken, first request not known complete, first free TX slot.
    rx_tail
        First free RX slot, where software stands in for the NIC.
    errors
        Requests that the NIC completed with an error.
    delivered, taken, posted, completed, reaped
        Notifications delivered (by software that stands in for the NIC) and taken; requests posted, completed
        (likewise) and taken as complete, so far.
    """

    __slots__ = (
        "_continues",
        "_mask",
        "_name",
        "_rx",
        "_tx",
        "_words",
        "address",
        "completed",
        "delivered",
        "errors",
        "number",
        "posted",
        "reaped",
        "rx_head",
        "rx_tail",
        "slots",
        "taken",
        "tx_address",
        "tx_head",
        "tx_tail",
    )

    def __init__(self, memory: Memory, sizes: RingSizes, name: str) -> None:
        ring = max(sizes.notification_slots * SLOT_BYTES, PAGE_BYTES)
        self.address = memory.allocate(2 * ring, 2 * ring, f"notification buffer of {name}")
        self.tx_address = self.address + ring
        self.number: i64 = -1
        self.slots: i64 = sizes.notification_slots
        self.rx_head: i64 = 0
        self.rx_tail: i64 = 0
        self.tx_head: i64 = 0
        self.tx_tail: i64 = 0
        self.errors = 0
        self.delivered: i64 = 0
        self.taken: i64 = 0
        self.posted: i64 = 0
        self.completed: i64 = 0
        self.reaped: i64 = 0
        self._name = name
        self._words = memory.words
        self._rx: i64 = (self.address - memory.base) >> 3
        self._tx: i64 = (self.tx_address - memory.base) >> 3
        self._mask: i64 = self.slots - 1
        self._continues = bytearray(self.slots)  # 1: the next slot holds more of the same send

    # --- the owner's side ---------------------------------------------------------------------------------------------

    def has_notification(self) -> bool:
        """Whether the next RX slot is filled."""
        return bool(self._words[self._rx + SLOT_WORDS * self.rx_head + SIGNAL])

    def take_notification(self) -> i64:
        """Clear the next RX slot, which is filled, and go on to the one after it; the slot."""
        slot = self.rx_head
        self._words[self._rx + SLOT_WORDS * slot + SIGNAL] = 0
        self.rx_head = (slot + 1) & self._mask
        self.taken += 1
        return slot

    def pipe_of(self, slot: i64) -> int:
        """Pipe that the notification in an RX slot is about."""
        pipe: int = self._words[self._rx + SLOT_WORDS * slot + PIPE]
        return pipe

    def tail_of(self, slot: i64) -> int:
        """Tail in flits that the notification in an RX slot tells."""
        tail: int = self._words[self._rx + SLOT_WORDS * slot + TAIL]
        return tail

    def row_of(self, slot: i64) -> int:
        """Where the stamps of the notification in an RX slot are, as who delivered it said; they ascend."""
        row: int = self._words[self._rx + SLOT_WORDS * slot + ROW]
        return row

    def tx_room(self) -> i64:
        """Requests that can be posted; one slot always stays empty."""
        return (self.tx_head - self.tx_tail - 1) & self._mask

    def post(
        self, address: i64, length: i64, signal: i64 = TX_REQUEST, *, continues: bool = False, framed: bool = False
    ) -> i64:
        """Fill the next TX slot, which is free; the slot. A write of tx_tail publishes it.

        ``continues``: the next request belongs to the same send, which completes with its last. ``framed``: the data
        is packets of a pipe in header mode, header lines included.
        """
        slot = self.tx_tail
        at = self._tx + SLOT_WORDS * slot
        self._words[at + LENGTH] = length | FRAMED if framed else length
        self._words[at + SIGNAL] = signal
        self._words[at + ADDRESS] = address
        self._continues[slot] = continues
        self.tx_tail = (slot + 1) & self._mask
        self.posted += 1
        return slot

    def has_completion(self) -> bool:
        """Whether the oldest request is complete."""
        return self.tx_head != self.tx_tail and not self._words[self._tx + SLOT_WORDS * self.tx_head + SIGNAL]

    def take_completion(self) -> i64:
        """Go on behind the oldest request, which is complete; its slot."""
        slot = self.tx_head
        if self._words[self._tx + SLOT_WORDS * slot + ERROR]:
            self.errors += 1
        self.tx_head = (slot + 1) & self._mask
        self.reaped += 1
        return slot

    def complete_requests(self) -> int:
        """Requests that are complete, and not taken as such."""
        outstanding = (self.tx_tail - self.tx_head) & self._mask
        slots = range(self.tx_head, self.tx_head + outstanding)
        return sum(not self._words[self._tx + SLOT_WORDS * (slot & self._mask) + SIGNAL] for slot in slots)

    def ends_send(self, slot: i64) -> bool:
        """Whether the request in a TX slot is the last of its send."""
        return not self._continues[slot]

    # --- the side that serves it --------------------------------------------------------------------------------------

    def deliver(self, pipe: i64, tail: i64, row: i64 = 0) -> None:
        """Write a notification into the next RX slot; ``row`` is where its stamps are."""
        at = self._rx + SLOT_WORDS * self.rx_tail
        if self._words[at + SIGNAL]:
            raise ContractError(f"notification buffer of {self._name}: no room for a notification of pipe {pipe}")
        self._words[at + PIPE] = pipe
        self._words[at + TAIL] = tail
        self._words[at + ROW] = row
        self._words[at + SIGNAL] = 1
        self.rx_tail = (self.rx_tail + 1) & self._mask
        self.delivered += 1

    def forward(self, other: "NotificationBuffer", slot: i64) -> i64:
        """Copy a request out of a TX slot of another buffer into the own next one, which is free; the own slot."""
        at = other._tx + SLOT_WORDS * slot
        words = self._words
        return self.post(words[at + ADDRESS], words[at + LENGTH], words[at + SIGNAL])

    def complete(self, slot: i64) -> None:
        """The request in this TX slot is done."""
        self.completed += 1
        self._words[self._tx + SLOT_WORDS * slot + SIGNAL] = 0
