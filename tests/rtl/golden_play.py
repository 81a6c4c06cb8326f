"""A golden model, and the software, the wire and the NIC that it is told of."""

from typing import Any

from enso_nic import registers
from enso_nic.config import TINY
from tests.rtl.golden import GoldenNic
from tests.rtl.golden.receive import Admission, Commit
from tests.rtl.golden.steering import pipe_flits, steering_key
from tests.rtl.golden.transmit import SLOT_TAGS
from tests.rtl.nic_frames import udp

PIPE, BUFFER, PIPE_RING, RX_RING, TX_RING = 3, 1, 0x1_0001_0000, 0x1_0002_0000, 0x1_0003_0000
BOTH = 0xFF
ADMITTED = Admission("none")
TABLES = (registers.FIRST_PIPE_MODE_PAGE, registers.FIRST_PIPE_DROPS_PAGE)


class Play:
    """A model of which the test plays both sides: what enters, and what the NIC would do.

    Pipe PIPE and buffer BUFFER are open: rings of ``ring`` and ``slots`` lines, with indices ``start`` and ``slot``.
    """

    def __init__(
        self, start: int = 0, slot: int = 0, *, ring: int = TINY.pipe_flits, slots: int = TINY.notification_slots
    ) -> None:
        self.nic = GoldenNic(TINY)
        self.ring = ring
        self.slots = slots
        self.nic.mmio_write(registers.extension_register("pipe_ring_flits"), ring, BOTH)
        self.nic.mmio_write(registers.extension_register("notification_ring_slots"), slots, BOTH)
        self.head = self.tail = 0
        self.enabled = False
        pipe, ring = registers.pipe_register(PIPE, 0), registers.notification_buffer_register(BUFFER, 0)
        self.nic.mmio_write(ring + registers.RX_TAIL, slot << 32 | slot, BOTH)
        self.commit("tail_write", page=registers.FIRST_NOTIFICATION_BUFFER_PAGE + BUFFER)
        self.nic.mmio_write(ring + registers.RX_MEM_LOW, RX_RING, BOTH)
        self.nic.mmio_write(ring + registers.TX_TAIL, slot << 32 | slot, BOTH)
        self.nic.mmio_write(ring + registers.TX_MEM_LOW, TX_RING, BOTH)
        self.nic.mmio_write(pipe + registers.RX_TAIL, start << 32 | start, BOTH)
        self.head = start
        self.commit("tail_write")
        self.tail = start
        self.commit("head_check")
        self.nic.mmio_write(pipe + registers.RX_MEM_LOW, PIPE_RING | BUFFER, BOTH)
        self.enabled = True
        with_rule = self.nic.receive.steerings[0].with_rule(steering_key(udp(80)), PIPE)
        assert with_rule is not None
        self.nic.receive.steerings[0] = with_rule

    def commit(
        self,
        kind: str = "packet",
        *,
        page: int = PIPE,
        flits: int = 0,
        cause: str = "none",
        notify: bool = False,
        **fields: Any,
    ) -> None:
        """The NIC decides; its tap tells of ``self.head``, ``tail`` and ``enabled``, and ``fields`` of Commit."""
        is_packet = kind == "packet"
        tap = Commit(is_packet, kind, page, flits, self.head, self.tail, self.enabled, cause, notify, **fields)
        self.nic.commit(tap)

    def arrives(self, frame: bytes, admission: Admission = ADMITTED, tick: int = 0) -> None:
        """A frame comes from the wire, and the NIC judges it at the door."""
        self.nic.frame_begins(frame, bad=False, is_open=True, tick=tick)
        self.nic.admission(admission)

    def stores(self, lines: list[bytes], *, notify: bool, cause: str = "none", **fields: Any) -> None:
        """The NIC decides on the frame that arrived, and writes these lines of it."""
        self.commit(flits=len(lines), cause=cause, notify=notify, **fields)
        if cause != "none":
            return
        for line in lines:
            self.nic.host_write(PIPE_RING + 64 * self.tail, line)
            self.tail = (self.tail + 1) % self.ring

    def packet(self, frame: bytes, *, notify: bool, cause: str = "none", **fields: Any) -> None:
        """The NIC takes a frame, and writes its data."""
        self.arrives(frame)
        self.stores(pipe_flits(frame), notify=notify, cause=cause, **fields)

    def reads(self, address: int, value: int) -> None:
        """Software reads a word, and the NIC answers with ``value``."""
        self.nic.mmio_read(address, 7)
        table = [(address - first * registers.PAGE_BYTES) // 8 for first in TABLES]
        entries = [pipe for pipe in table if 0 <= pipe < registers.PIPES]
        page = entries[0] if entries else min(address // registers.PAGE_BYTES, registers.FIRST_EXTENSION_PAGE)
        self.commit("register_read", page=page, tag=7)
        self.nic.mmio_answer(7, value)

    def write_head(self, head: int, *, notify: bool) -> None:
        """Software writes rx_head, and the NIC checks it."""
        self.nic.mmio_write(registers.pipe_register(PIPE, 0), head << 32, 0xF0)
        self.head = head
        self.commit("head_check", notify=notify)

    def notification(self, slot: int) -> None:
        """The NIC writes a notification to a slot."""
        line = b"".join(word.to_bytes(8, "little") for word in (1, PIPE, self.tail)).ljust(64, b"\0")
        self.nic.notification("written")
        self.nic.host_write(RX_RING + 64 * slot, line)

    def publish(self, slots: list[bytes], start: int = 0, tag: int = SLOT_TAGS[0]) -> None:
        """Software publishes TX slots from ``start`` on, and the NIC fetches them."""
        tail = (start + len(slots)) % self.slots
        self.nic.mmio_write(registers.notification_buffer_register(BUFFER, registers.TX_TAIL), tail, 0x0F)
        self.nic.host_read(TX_RING + 64 * start, len(slots), tag)
        for number, slot in enumerate(slots):
            self.nic.host_read_answer(tag, slot, last=number == len(slots) - 1)


def slot(*words: int) -> bytes:
    """A TX slot that begins with these words of 8 bytes: signal, address or id, length, and so on."""
    return b"".join(word.to_bytes(8, "little") for word in words).ljust(64, b"\xee")


def completion(address: int, length: int, code: int = 0) -> bytes:
    return b"".join(word.to_bytes(8, "little") for word in (0, address, length, code)).ljust(64, b"\0")
