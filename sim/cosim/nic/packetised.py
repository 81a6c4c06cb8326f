"""What a NIC with a packetised interface moves over the link: rings, a buffer and a completion for each packet.

The usual scheme: software posts empty buffers of 2 kB by descriptors, in bursts, with one doorbell for each burst. The
NIC reads descriptors, writes each packet into a buffer of its own, and writes a completion for each. To send, software
writes descriptors and one doorbell per burst; the NIC reads descriptors and packets, and writes a completion for each.

It is a model of traffic, not of time: transfers are cut and counted by the rules of the link that the Enso NIC has.
"""

from dataclasses import dataclass, field

from cosim.pcie.link import LinkParameters

DESCRIPTOR_BYTES = 16
"""Of an address of 8 bytes, a length and flags; so it is in Intel's 82599 (datasheet, 7.1.6 and 7.2.3)."""
COMPLETION_BYTES = 16
"""That NIC writes them over the descriptor."""
DOORBELL_BYTES = 4
BUFFER_BYTES = 2048
BURST = 32
"""Packets that software takes or sends at a time: DPDK's usual burst."""


@dataclass
class Bytes:
    """What crossed the link one way: payload of packets, and everything else, overhead of each TLP included."""

    packets: int = 0
    metadata: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.packets + self.metadata


@dataclass
class PacketisedNic:
    """The device, with the software that keeps its rings going.

    Attributes
    ----------
    link
        Sizes and overhead of transfers.
    burst
        Buffers that are posted, and frames that are sent, with one doorbell.
    ring
        Descriptors of the RX ring.
    up, down
        What crossed the link, to the host and to the NIC.
    """

    link: LinkParameters
    burst: int = BURST
    ring: int = 1024
    up: Bytes = field(default_factory=Bytes)
    down: Bytes = field(default_factory=Bytes)
    _posted: int = 0  # buffers of which the NIC has not read the descriptor
    _known: int = 0  # of which it has
    _used: int = 0  # that software has not given back

    def __post_init__(self) -> None:
        self._post(self.ring)

    def receive(self, length: int) -> None:
        """A frame of this length comes from the wire; once a burst of them is there, software takes it.

        Raises
        ------
        ValueError
            It does not fit into a buffer.
        """
        if not 0 < length <= BUFFER_BYTES:
            raise ValueError(f"frame of {length} bytes; accepted are 1 to {BUFFER_BYTES}, the size of a buffer")
        if not self._known:
            self._known = min(self._posted, self.link.max_read_bytes // DESCRIPTOR_BYTES)
            self._posted -= self._known
            self._read(self._known * DESCRIPTOR_BYTES, is_packet=False)
        self._known -= 1
        self._write(self.up, length, is_packet=True)
        self._write(self.up, COMPLETION_BYTES, is_packet=False)
        self._used += 1
        if self._used == self.burst:
            self._used = 0
            self._post(self.burst)

    def send(self, lengths: list[int]) -> None:
        """Software sends a burst of frames of these lengths."""
        self._write(self.down, DOORBELL_BYTES, is_packet=False)
        self._read(len(lengths) * DESCRIPTOR_BYTES, is_packet=False)
        for length in lengths:
            self._read(length, is_packet=True)
            self._write(self.up, COMPLETION_BYTES, is_packet=False)

    def _post(self, buffers: int) -> None:
        self._posted += buffers
        self._write(self.down, DOORBELL_BYTES, is_packet=False)

    def _write(self, way: Bytes, length: int, *, is_packet: bool) -> None:
        """Posted writes, or completions of a read."""
        transfers = -(-length // self.link.max_payload_bytes)
        way.metadata += transfers * self.link.overhead_bytes
        if is_packet:
            way.packets += length
        else:
            way.metadata += length

    def _read(self, length: int, *, is_packet: bool) -> None:
        """Read requests go up, what they ask for comes down."""
        requests = -(-length // self.link.max_read_bytes)
        self.up.metadata += requests * self.link.overhead_bytes
        self._write(self.down, length, is_packet=is_packet)


def echoed(link: LinkParameters, length: int, frames: int) -> PacketisedNic:
    """A NIC that got so many frames of one length and sent as many, burst by burst."""
    nic = PacketisedNic(link)
    for start in range(0, frames, nic.burst):
        burst = [length] * min(nic.burst, frames - start)
        for each in burst:
            nic.receive(each)
        nic.send(burst)
    return nic
