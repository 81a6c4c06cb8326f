"""A device on the reference NIC without a scheduler around it: each step has arrived before the next."""

from collections.abc import Sequence

import numpy as np

from cosim.traffic.frames import Frames
from hermes.enso.backends import Direct
from hermes.enso.control import open_notification_buffer, open_pipe, set_fallback
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.pipe import RxTxPipe
from hermes.enso.registers import RX_HEAD, RX_TAIL, RingSizes, pipe_register
from tests.tools.host import COSTS, SMALL, Host


class DriverHost(Host):
    """Pipe 0 of a device takes all frames.

    Attributes
    ----------
    device, pipe
        Opened.
    """

    def __init__(self, rings: RingSizes = SMALL, *, memory_bytes: int = 1 << 24) -> None:
        super().__init__(memory_bytes=memory_bytes)
        self.device = Device(Direct(COSTS), NotificationBuffer(self.memory, rings, "a test"))
        self.pipe = RxTxPipe(self.memory, rings, 0)
        self.device.pipes[0] = self.pipe
        self.carry_out(open_notification_buffer(0, self.device.notifications))
        self.carry_out(open_pipe(self.pipe, 0))
        self.carry_out(set_fallback(self.memory, self.device.notifications, 1))

    def begin_at(self, flit: int) -> None:
        """The next packet of the pipe comes to lie at this flit."""
        self.nic.registers[pipe_register(0, RX_HEAD)] = self.nic.registers[pipe_register(0, RX_TAIL)] = flit
        self.pipe.rx_head = self.pipe.rx_tail = self.pipe.notified_tail = flit

    def take(self, frames: Sequence[bytes]) -> None:
        """These reach the NIC, one after the other, and the device what the NIC then tells."""
        packed = Frames.pack(frames)
        times = self.nic.time + 1_000_000 * (1 + np.arange(len(frames), dtype=np.int64))
        self.nic.load_frames(packed.blob, packed.offsets, packed.lengths, times)
        self.settle()
        self.device.receive()

    def settle(self) -> None:
        """All that is under way has arrived, now."""
        self.nic.settle()
        self.engine.now = self.nic.time

    def sent(self) -> list[bytes]:
        """The frames that left the NIC, once all that was asked for is done."""
        self.settle()
        return [frame for _, frame in self.nic.sent]
