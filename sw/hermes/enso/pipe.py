"""Pipes that the NIC fills: packets to be taken and freed, or to be sent from where they lie."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from mypy_extensions import i64

from hermes.enso.registers import (
    ARRIVAL,
    DROPS,
    FLIT_BYTES,
    LENGTH_AND_HASH,
    SLOT_WORDS,
    RingSizes,
)
from hermes.enso.rings import cut, requests
from hermes.errors import ContractError
from hermes.world import Memory

_ETHERNET_HEADER: Final = 14
_LOW_WORD: Final = 0xFFFFFFFF


class Header(NamedTuple):
    """What the NIC tells of a packet in the line before it.

    Attributes
    ----------
    position, length
        Of the packet in host memory, and its bytes.
    hash
        Of its flow key, 32 bits.
    arrival
        When it came, in ticks of 5 ns.
    drops
        Frames for this pipe that were dropped before, since reset; modulo 2^32.
    """

    position: int
    length: int
    hash: int
    arrival: int
    drops: int


class RxPipe:
    """A pipe of received packets, which the application takes, and frees when it is through with them.

    Indices are in flits of 64 bytes, ascending modulo the pipe's size. Packets start at a flit. In header mode the NIC
    puts any frame into the pipe, whole, and a line before it. Software sees the ring twice in a row, so each packet is
    in one piece.

    Attributes
    ----------
    number
        Its id.
    in_header_mode
        Whether it is opened in header mode.
    address
        Of its ring in host memory, aligned to the ring's size.
    rx_head
        Up to here the NIC may write again, once it is told.
    rx_tail
        Up to here the application has taken packets.
    notified_tail
        Up to here packets are known to lie in the ring.
    """

    __slots__ = (
        "_bytes",
        "_mask",
        "_offset",
        "_order",
        "_words",
        "address",
        "flits",
        "in_header_mode",
        "notified_tail",
        "number",
        "rx_head",
        "rx_tail",
    )

    def __init__(self, memory: Memory, sizes: RingSizes, number: int, *, in_header_mode: bool = False) -> None:
        size = sizes.pipe_flits * FLIT_BYTES
        self.number = number
        self.in_header_mode = in_header_mode
        self.flits: i64 = sizes.pipe_flits
        self.address = memory.allocate_ring(size, f"pipe {number}")
        self.restart()
        self._mask: i64 = self.flits - 1
        self._bytes = memory.bytes
        self._words = memory.words
        self._offset: i64 = self.address - memory.base

    def restart(self) -> None:
        """The ring is empty and the NIC begins at flit 0."""
        self.rx_head: i64 = 0
        self.rx_tail: i64 = 0
        self.notified_tail: i64 = 0
        self._order: i64 = 0

    def notified(self, tail: i64, order: i64 = 0) -> None:
        """The NIC told a tail; one of a lower ``order`` than one before is old, and changes nothing.

        Indices alone do not tell: a tail that is older than ``rx_head`` looks like one almost a ring ahead.
        """
        if order >= self._order:
            self._order = order
            self.notified_tail = tail

    def available(self) -> i64:
        """Flits of packets that the application has not taken."""
        return (self.notified_tail - self.rx_tail) & self._mask

    def packets(self, flits: int) -> Iterator[tuple[int, int]]:
        """Look at the packets in the next ``flits`` flits, without taking them: (position in host memory, bytes).

        Positions go on over the ring's end, so that all of them are in one piece, too.
        """
        if self.in_header_mode:
            for header in self.headers(flits):
                yield header.position, header.length
            return
        memory = self._bytes
        flit, end = self.rx_tail, self.rx_tail + flits
        while flit < end:
            at = self._offset + flit * FLIT_BYTES
            length = _ETHERNET_HEADER + (memory[at + 16] << 8 | memory[at + 17])
            behind = self._behind(flit, length, end)
            yield at, length
            flit = behind

    def headers(self, flits: int) -> Iterator[Header]:
        """What is told of each packet in the next ``flits`` flits of a pipe in header mode; see ``packets``."""
        words = self._words
        flit, end = self.rx_tail, self.rx_tail + flits
        while flit < end:
            line = (self._offset >> 3) + flit * SLOT_WORDS
            length_and_hash = words[line + LENGTH_AND_HASH]
            length = length_and_hash & _LOW_WORD
            behind = self._behind(flit + 1, length, end)
            yield Header(
                position=self._offset + (flit + 1) * FLIT_BYTES,
                length=length,
                hash=length_and_hash >> 32,
                arrival=words[line + ARRIVAL],
                drops=words[line + DROPS] & _LOW_WORD,
            )
            flit = behind

    def take(self, flits: i64) -> None:
        """The application is through with looking at the next ``flits`` flits; their packets stay until freed."""
        self.rx_tail = (self.rx_tail + flits) & self._mask

    def take_packets(self, flits: int) -> Iterator[tuple[int, int]]:
        """As ``packets``, and each one is taken as soon as the next is asked for."""
        lines = int(self.in_header_mode)
        for position, length in self.packets(flits):
            yield position, length
            self.take(lines + -(-length // FLIT_BYTES))

    def free(self, flits: i64) -> None:
        """The oldest ``flits`` flits, which were taken, may be written again. The NIC must be told."""
        self.rx_head = (self.rx_head + flits) & self._mask

    def _behind(self, flit: i64, length: i64, end: i64) -> i64:
        """The flit behind a packet of ``length`` bytes at ``flit``, which must not lie behind ``end``."""
        behind = flit + (length + FLIT_BYTES - 1) // FLIT_BYTES
        if behind > end:
            where = f"pipe {self.number}: a packet of {length} bytes at flit {flit & self._mask}"
            raise ContractError(f"{where} ends behind the tail, {end & self._mask}")
        return behind


class RxTxPipe(RxPipe):
    """A pipe of which packets can be sent from where they lie; they are free once they are sent.

    Header lines are sent back with the packets.
    """

    __slots__ = ()

    def requests(self, flits: i64) -> i64:
        """Requests that it takes to send the next ``flits`` flits."""
        return requests(self.rx_tail, flits, self._mask)

    def send(self, flits: i64) -> list[tuple[int, int]]:
        """Take the next ``flits`` flits, to be sent: (address, bytes) of each request."""
        parts = cut(self.address, self.rx_tail, flits, self._mask)
        self.take(flits)
        return parts
