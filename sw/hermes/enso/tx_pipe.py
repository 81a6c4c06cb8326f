"""A TX pipe: a ring that the application fills with packets of its own, to be sent."""

from mypy_extensions import i64

from hermes.enso.registers import FLIT_BYTES, LENGTH_AND_HASH, SLOT_WORDS, RingSizes
from hermes.enso.rings import cut, requests
from hermes.world import Memory


class TxPipe:
    """Room for packets to be sent, which is free again once they are. The NIC knows nothing of it but requests.

    Indices are in flits of 64 bytes, ascending modulo the pipe's size; one flit always stays empty. Software sees the
    ring twice in a row, so that each packet is in one piece.

    Parameters
    ----------
    owner
        For messages.
    in_header_mode
        Before each packet stands a line that tells its length, so that it may be any frame. If not, packets are IPv4,
        because the NIC takes their length from there.

    Attributes
    ----------
    address
        Of its ring in host memory, aligned to the ring's size.
    tx_head
        Up to here packets are known to be sent.
    tx_tail
        Up to here it was asked to send them.
    tx_end
        Up to here packets are written.
    """

    __slots__ = (
        "_mask",
        "_offset",
        "_owner",
        "_words",
        "address",
        "flits",
        "in_header_mode",
        "tx_end",
        "tx_head",
        "tx_tail",
    )

    def __init__(self, memory: Memory, sizes: RingSizes, owner: str, *, in_header_mode: bool = False) -> None:
        self.in_header_mode = in_header_mode
        self.flits = sizes.pipe_flits
        self.address = memory.allocate_ring(sizes.pipe_flits * FLIT_BYTES, f"TX pipe of {owner}")
        self.tx_head = self.tx_tail = self.tx_end = 0
        self._owner = owner
        self._mask = self.flits - 1
        self._words = memory.words
        self._offset = self.address - memory.base

    def capacity(self) -> int:
        """Flits that can be written."""
        return (self.tx_head - self.tx_end - 1) & self._mask

    def allocate(self, size: int) -> int:
        """Position in host memory of ``size`` bytes for the next packet; -1 while there is no room for so many.

        The same room is given again until ``extend`` tells how much of it was used.
        """
        flits = self.in_header_mode + -(-size // FLIT_BYTES)
        if flits > self._mask:
            raise ValueError(
                f"TX pipe of {self._owner}: room for a packet of {size} bytes; "
                f"accepted are up to {(self._mask - self.in_header_mode) * FLIT_BYTES}"
            )
        if flits > self.capacity():
            return -1
        return self._offset + ((self.tx_end + self.in_header_mode) & self._mask) * FLIT_BYTES

    def extend(self, length: int) -> None:
        """A packet of ``length`` bytes, 1 up to what was allocated, is written."""
        if self.in_header_mode:
            self._words[(self._offset >> 3) + self.tx_end * SLOT_WORDS + LENGTH_AND_HASH] = length
        self.tx_end = (self.tx_end + self.in_header_mode + -(-length // FLIT_BYTES)) & self._mask

    def written(self) -> int:
        """Flits of packets that it was not asked to send yet."""
        return (self.tx_end - self.tx_tail) & self._mask

    def requests(self, flits: i64) -> i64:
        """Requests that it takes to send the next ``flits`` flits."""
        return requests(self.tx_tail, flits, self._mask)

    def send(self, flits: int) -> list[tuple[int, int]]:
        """The next ``flits`` flits, which are written, are to be sent: (address, bytes) of each request."""
        parts = cut(self.address, self.tx_tail, flits, self._mask)
        self.tx_tail = (self.tx_tail + flits) & self._mask
        return parts

    def complete(self, flits: int) -> None:
        """The oldest ``flits`` flits are sent: there is room again."""
        self.tx_head = (self.tx_head + flits) & self._mask
