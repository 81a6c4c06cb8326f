"""The control plane of a uthread: what it asks the IOKernel for, and what it does at the NIC itself."""

from hermes import messages
from hermes.enso import control
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.pipe import RxPipe
from hermes.enso.registers import NOTIFICATION_BUFFERS, PAGE_BYTES, PIPES
from hermes.world import Clock, Control, ReadRegister, Tell


class Client:
    """Notification buffers are the IOKernel's, pipes are the NIC's. As ``Owner`` it gives generators.

    A pipe names the IOKernel's notification buffer to the NIC, in place of the uthread's. Of that the IOKernel is told,
    and so learns whose a pipe's notifications are.

    Parameters
    ----------
    nic_buffer
        Id of the IOKernel's notification buffer.
    reads_directly
        Registers of pipes are read from the NIC; if not, the IOKernel is asked, as for all others.
    """

    def __init__(self, clock: Clock, nic_buffer: int, *, reads_directly: bool = True) -> None:
        self._clock = clock
        self._nic_buffer = nic_buffer
        self._reads_directly = reads_directly

    def read(self, address: int) -> Control[int]:
        """The 8-byte word of registers at ``address``."""
        is_of_buffer = PIPES <= address // PAGE_BYTES < PIPES + NOTIFICATION_BUFFERS
        if self._reads_directly and not is_of_buffer:
            return (yield ReadRegister(address))
        return (yield self._ask(messages.READ, value=address))

    def open_notification_buffer(self, buffer: NotificationBuffer, uthread: int) -> Control[None]:
        """Let the IOKernel know of a uthread's notification buffer; it gives it an id."""
        buffer.number = yield self._ask(messages.ALLOCATE_NOTIFICATION_BUFFER, uthread)

    def close_notification_buffer(self, buffer: NotificationBuffer) -> Control[None]:
        """The IOKernel uses the notification buffer no more."""
        yield self._ask(messages.FREE_NOTIFICATION_BUFFER, buffer.number)
        buffer.number = -1

    def allocate_pipe(self, *, fallback: bool = False) -> Control[int]:
        """See ``Owner``."""
        return (yield self._ask(messages.ALLOCATE_PIPE, int(fallback)))

    def open_pipe(self, pipe: RxPipe, buffer: NotificationBuffer) -> Control[None]:
        """Give a pipe's ring to the NIC; what it tells of it the IOKernel passes on to ``buffer``."""
        yield self._ask(messages.REGISTER_PIPE, pipe.number, buffer.number)
        yield from control.open_pipe(pipe, self._nic_buffer)

    def close_pipe(self, pipe: RxPipe) -> Control[None]:
        """See ``Owner``."""
        yield from control.close_pipe(pipe)
        yield self._ask(messages.FREE_PIPE, pipe.number)

    def close(self, device: Device) -> Control[None]:
        """See ``Owner``."""
        for pipe in device.pipes.values():
            yield from self.close_pipe(pipe)
        yield from self.close_notification_buffer(device.notifications)

    def fallback(self) -> Control[int]:
        """See ``Owner``."""
        return (yield self._ask(messages.GET_FALLBACK))

    def set_fallback(self, pipes: int) -> Control[None]:
        """See ``Owner``."""
        yield self._ask(messages.SET_FALLBACK, value=pipes)

    def round_robin(self) -> Control[bool]:
        """See ``Owner``."""
        return bool((yield self._ask(messages.GET_ROUND_ROBIN)))

    def set_round_robin(self, *, on: bool) -> Control[None]:
        """See ``Owner``."""
        yield self._ask(messages.SET_ROUND_ROBIN, value=int(on))

    def _ask(self, kind: int, subject: int = 0, value: int = 0) -> Tell:
        return Tell((kind, subject, value, 0, self._clock.now))
