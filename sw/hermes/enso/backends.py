"""How a device's register writes travel: straight to the NIC, or, some or all of them, through the IOKernel."""

from abc import ABC, abstractmethod

from mypy_extensions import i64

from hermes.costs import Costs
from hermes.enso.registers import RX_HEAD, notification_buffer_register, pipe_register
from hermes.messages import PIPE_RX_HEAD
from hermes.queues import Item, SpscQueue
from hermes.world import Clock, Core


class Backend(ABC):
    """Where a device writes its registers.

    Attributes
    ----------
    pipe_write, notification_write
        Picoseconds that a write of a register of a pipe, or of a notification buffer, takes the core; to be spent
        before the write.
    messages
        Sent so far.
    """

    pipe_write: int
    notification_write: int
    messages: int

    @abstractmethod
    def has_room(self, core: Core, writes: int = 1) -> bool:
        """Whether so many registers can be written now, of pipes or notification buffers; if not, the core waits."""

    @abstractmethod
    def await_room(self, core: Core, writes: int) -> None:
        """Have the core's kthread woken once there is room for so many."""

    @abstractmethod
    def write_pipe(self, core: Core, pipe: i64, register: i64, value: i64) -> None:
        """Write a register of a pipe."""

    @abstractmethod
    def write_notification_buffer(self, core: Core, buffer: i64, register: i64, value: i64, other: i64 = 0) -> None:
        """Write a register of a notification buffer; ``other`` goes along with a message."""

    @abstractmethod
    def tell(self, core: Core, kind: i64, buffer: i64, value: i64, other: i64) -> None:
        """Send the IOKernel a message about a notification buffer."""


class Direct(Backend):
    """All registers are the NIC's."""

    messages = 0

    def __init__(self, costs: Costs) -> None:
        self.pipe_write = self.notification_write = costs.mmio_issue

    def has_room(self, core: Core, writes: int = 1) -> bool:  # noqa: ARG002
        """A posted write needs none."""
        return True

    def await_room(self, core: Core, writes: int) -> None:
        """There always is."""

    def write_pipe(self, core: Core, pipe: i64, register: i64, value: i64) -> None:
        """By MMIO."""
        core.mmio_write(pipe_register(pipe, register), value)

    def write_notification_buffer(self, core: Core, buffer: i64, register: i64, value: i64, other: i64 = 0) -> None:  # noqa: ARG002
        """By MMIO."""
        core.mmio_write(notification_buffer_register(buffer, register), value)

    def tell(self, core: Core, kind: i64, buffer: i64, value: i64, other: i64) -> None:
        """There is nobody to be told: the NIC sees what it needs."""


class Hybrid(Backend):
    """Pipes are the NIC's; notification buffers the IOKernel's, told by message: (register, buffer, value, 0, time).

    Parameters
    ----------
    queues
        The message queue of each core, by the core's index; None for cores that run no applications. It is looked up at
        each message, so that its owner may put another queue there when another kthread comes to the core.
    """

    def __init__(self, costs: Costs, clock: Clock, queues: list[SpscQueue | None]) -> None:
        self.pipe_write = costs.mmio_issue
        self.notification_write = costs.message_send + costs.line_dirty
        self.messages = 0
        self._clock = clock
        self._queues = queues

    def has_room(self, core: Core, writes: int = 1) -> bool:
        """Whether the core's message queue has it."""
        queue = self._queue(core)
        return len(queue) + writes <= queue.capacity

    def await_room(self, core: Core, writes: int) -> None:
        """In the core's message queue."""
        self._queue(core).await_room(writes)

    def write_pipe(self, core: Core, pipe: i64, register: i64, value: i64) -> None:
        """By MMIO."""
        core.mmio_write(pipe_register(pipe, register), value)

    def write_notification_buffer(self, core: Core, buffer: i64, register: i64, value: i64, other: i64 = 0) -> None:
        """By message."""
        self._send(core, (register, buffer, value, other, self._clock.now))

    def tell(self, core: Core, kind: i64, buffer: i64, value: i64, other: i64) -> None:
        """By message."""
        self._send(core, (kind, buffer, value, other, self._clock.now))

    def _send(self, core: Core, message: Item) -> None:
        self.messages += 1
        self._queue(core).push(message)

    def _queue(self, core: Core) -> SpscQueue:
        queue = self._queues[core.index]
        if queue is None:
            raise ValueError(f"core {core.index} has no message queue; accepted are cores that run applications")
        return queue


class Software(Hybrid):
    """Everything goes through the IOKernel, pipes too: (PIPE_RX_HEAD, pipe, head, 0, time)."""

    def __init__(self, costs: Costs, clock: Clock, queues: list[SpscQueue | None]) -> None:
        super().__init__(costs, clock, queues)
        self.pipe_write = self.notification_write

    def write_pipe(self, core: Core, pipe: i64, register: i64, value: i64) -> None:
        """By message."""
        if register != RX_HEAD:
            raise ValueError(f"write of register {register:#x} of pipe {pipe} by message; accepted is RX_HEAD")
        self._send(core, (PIPE_RX_HEAD, pipe, value, 0, self._clock.now))
