"""The control plane at a NIC's own: ids, settings and registers, for oneself and for those who ask by message."""

from hermes import messages
from hermes.enso import control
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.pipe import RxPipe
from hermes.enso.registers import NOTIFICATION_BUFFERS, PAGE_BYTES, PIPES
from hermes.enso.resources import Resources
from hermes.queues import Item
from hermes.world import Control, Memory, ReadRegister

_ACCEPTED = "accepted are read, allocate_pipe, free_pipe, and get and set of fallback and round_robin"


class Owner:
    """Whoever owns the NIC. All operations are generators in the sense of ``hermes.world.Control``.

    Parameters
    ----------
    buffer
        The own notification buffer, by which config requests go; opened before them.
    """

    def __init__(self, memory: Memory, buffer: NotificationBuffer) -> None:
        self._memory = memory
        self._buffer = buffer
        self._resources = Resources()
        self._fallback = 0
        self._round_robin = False

    def read(self, address: int) -> Control[int]:
        """The 8-byte word of registers at ``address``."""
        return (yield ReadRegister(address))

    def open_notification_buffer(self, buffer: NotificationBuffer) -> Control[None]:
        """Find an id for a notification buffer, and give its rings to the NIC."""
        yield from control.open_notification_buffer(self._resources.allocate_notification_buffer(), buffer)

    def close_notification_buffer(self, buffer: NotificationBuffer) -> Control[None]:
        """Take the rings back; the id is free again."""
        number = buffer.number
        yield from control.close_notification_buffer(buffer)
        self._resources.free_notification_buffer(number)

    def allocate_pipe(self, *, fallback: bool = False) -> Control[int]:
        """An id for a pipe; for one that takes frames of unknown keys, if ``set_fallback`` covers it."""
        yield from ()
        return self._resources.allocate_pipe(fallback=fallback)

    def open_pipe(self, pipe: RxPipe, buffer: NotificationBuffer) -> Control[None]:
        """Give the ring of a pipe with an id from ``allocate_pipe`` to the NIC, which notifies in ``buffer``."""
        yield from control.open_pipe(pipe, buffer.number)

    def close_pipe(self, pipe: RxPipe) -> Control[None]:
        """Take a pipe's ring back; its id is free again."""
        yield from control.close_pipe(pipe)
        self._resources.free_pipe(pipe.number)

    def close(self, device: Device) -> Control[None]:
        """Close the pipes and the notification buffer of a device whose sends are complete."""
        for pipe in device.pipes.values():
            yield from self.close_pipe(pipe)
        yield from self.close_notification_buffer(device.notifications)

    def fallback(self) -> Control[int]:
        """Pipes over which frames of unknown keys are spread."""
        yield from ()
        return self._fallback

    def set_fallback(self, pipes: int) -> Control[None]:
        """See ``control.set_fallback``; as set by ``set_round_robin``, by hash or in turn."""
        yield from control.set_fallback(self._memory, self._buffer, pipes, round_robin=self._round_robin)
        self._fallback = pipes

    def round_robin(self) -> Control[bool]:
        """Whether frames of unknown keys go to the fallback pipes in turn, rather than by hash."""
        yield from ()
        return self._round_robin

    def set_round_robin(self, *, on: bool) -> Control[None]:
        """From now on in turn, or by hash."""
        yield from control.set_fallback(self._memory, self._buffer, self._fallback, round_robin=on)
        self._round_robin = on

    def answer(self, message: Item) -> Control[int]:
        """Do what a message asks for; the answer. Notification buffers of those who ask are not the NIC's, nor here."""
        kind, subject, value, _, _ = message
        if kind == messages.READ:
            if PIPES <= value // PAGE_BYTES < PIPES + NOTIFICATION_BUFFERS:
                raise ValueError(f"read of register {value:#x} by message; accepted are those of pipes and extensions")
            return (yield from self.read(value))
        if kind == messages.ALLOCATE_PIPE:
            return (yield from self.allocate_pipe(fallback=bool(subject)))
        if kind == messages.FREE_PIPE:
            self._resources.free_pipe(subject)
        elif kind == messages.GET_FALLBACK:
            return (yield from self.fallback())
        elif kind == messages.SET_FALLBACK:
            yield from self.set_fallback(value)
        elif kind == messages.GET_ROUND_ROBIN:
            return int((yield from self.round_robin()))
        elif kind == messages.SET_ROUND_ROBIN:
            yield from self.set_round_robin(on=bool(value))
        else:
            raise ValueError(f"message {messages.NAMES.get(kind, hex(kind))} to a NIC's owner; {_ACCEPTED}")
        return 0
