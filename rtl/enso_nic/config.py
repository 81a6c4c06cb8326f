"""The sizes of a NIC, fixed when it is elaborated. Addresses never depend on them."""

from dataclasses import dataclass

from enso_nic.registers import LARGEST_NOTIFICATION_RING, LARGEST_PIPE_RING, SMALLEST_RING

FLIT_BYTES = 64
FLIT_SHIFT = 6
MINIMUM_FRAME = 60
"""Bytes of the shortest frame on the wire, without frame check sequence: shorter ones are padded on TX."""
LARGEST_MAXIMUM_FRAME = 254 * FLIT_BYTES
"""With its header line it has 255 flits, which is what 8 bits can count."""


@dataclass(frozen=True, kw_only=True)
class NicConfig:
    """Sizes of one NIC; each number of entries is a power of two.

    Parameters
    ----------
    pipes
        RX pipes that exist, at most 8192. Writes to other pipe pages are ignored, reads give 0.
    notification_buffers
        Notification buffers that exist, at most 1024.
    pipe_flits
        Ring size of a pipe in flits (64 bytes), 8 to 2^20, until software sets another.
    notification_slots
        Ring size of a notification buffer in slots (64 bytes), each for RX and TX, 8 to 2^15, likewise.
    packet_buffer_flits
        Flits that may wait between admission and the host port.
    flow_entries
        Entries of each of the four sub-tables of the flow table.
    pipe_operations
        Head checks, tail writes and register reads that may wait for the pipe manager.
    data_tags, request_tags
        Host reads of at most 512 bytes in flight, for packet data and for TX requests.
    tx_buffer_flits
        Flits of whole frames that wait for the wire.
    maximum_frame
        Bytes of the longest frame, without frame check sequence, at most 16256; longer ones are dropped as
        ``too_long``.
    read_timeout_cycles
        Cycles after which a host read that was not answered is given up; any number from 1 up.
    commit_taps
        Adds outputs that tell each admission, pipe operation, check put off and notification, in the order of decision;
        only benches use them.
    """

    pipes: int = 8192
    notification_buffers: int = 1024
    pipe_flits: int = 32768
    notification_slots: int = 16384
    packet_buffer_flits: int = 16384
    flow_entries: int = 2048
    pipe_operations: int = 512
    data_tags: int = 64
    request_tags: int = 8
    tx_buffer_flits: int = 1024
    maximum_frame: int = 1514
    read_timeout_cycles: int = 25_000_000
    commit_taps: bool = False

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name in ("maximum_frame", "read_timeout_cycles", "commit_taps"):
                continue
            if value < 2 or value & (value - 1):
                raise ValueError(f"NicConfig.{name} is {value}; accepted is a power of two from 2 up")
        for name, largest in (("pipe_flits", LARGEST_PIPE_RING), ("notification_slots", LARGEST_NOTIFICATION_RING)):
            if not SMALLEST_RING <= getattr(self, name) <= largest:
                accepted = f"a power of two from {SMALLEST_RING} to {largest}"
                raise ValueError(f"NicConfig.{name} is {getattr(self, name)}; accepted is {accepted}")
        if self.maximum_frame > LARGEST_MAXIMUM_FRAME:
            accepted = f"at most {LARGEST_MAXIMUM_FRAME}"
            raise ValueError(f"NicConfig.maximum_frame is {self.maximum_frame}; accepted is {accepted}")
        if self.pipes > 8192 or self.notification_buffers > 1024:
            raise ValueError("NicConfig has room for at most 8192 pipes and 1024 notification buffers")
        if self.flow_entries > 65536:
            raise ValueError(f"NicConfig.flow_entries is {self.flow_entries}; accepted is at most 65536")
        if self.data_tags > 128 or self.request_tags > 128:
            raise ValueError("NicConfig has tags for at most 128 host reads of data and 128 of TX requests")
        if self.read_timeout_cycles < 1:
            raise ValueError(f"NicConfig.read_timeout_cycles is {self.read_timeout_cycles}; accepted is 1 up")
        if self.packet_buffer_flits < self.maximum_frame_flits:
            raise ValueError(
                f"NicConfig.packet_buffer_flits is {self.packet_buffer_flits}; accepted is a power of two from "
                f"{self.maximum_frame_flits} up: a frame of maximum_frame"
            )
        if self.tx_buffer_flits < 2 * self.maximum_frame_flits:
            raise ValueError(
                f"NicConfig.tx_buffer_flits is {self.tx_buffer_flits}; accepted is a power of two from "
                f"{2 * self.maximum_frame_flits} up: two frames of maximum_frame"
            )

    @property
    def maximum_frame_flits(self) -> int:
        return -(-self.maximum_frame // FLIT_BYTES)


FULL = NicConfig()
"""What software for upstream Enso expects."""

TINY = NicConfig(
    pipes=16,
    notification_buffers=4,
    pipe_flits=64,
    notification_slots=16,
    packet_buffer_flits=128,
    flow_entries=16,
    pipe_operations=16,
    data_tags=16,
    request_tags=2,
    tx_buffer_flits=64,
    read_timeout_cycles=4096,
)
"""Rings that wrap quickly, for unit tests and proofs."""
