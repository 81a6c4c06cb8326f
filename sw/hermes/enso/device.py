"""A device: one notification buffer and the pipes that use it."""

from collections import deque

from mypy_extensions import i64

from hermes.enso.backends import Backend
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.pipe import RxPipe, RxTxPipe
from hermes.enso.registers import BATCH, RX_HEAD, TX_TAIL
from hermes.enso.tx_pipe import TxPipe
from hermes.world import Core


class Device:
    """What one uthread talks to the network through; only one core uses it at a time.

    Reading and writing the rings is apart from telling the far side (``tell_...``): the rings are read at the start of
    an action, the far side learns of it at its end. Space in an RX/TX pipe or a TX pipe is free once what lay there has
    been sent; in an RX pipe when the application says so.

    Attributes
    ----------
    backend
        Where its register writes go, and what they cost.
    notifications
        Its notification buffer.
    pipes
        Those that receive, by number.
    """

    __slots__ = ("_freed", "_sent", "backend", "notifications", "pipes")

    def __init__(self, backend: Backend, notifications: NotificationBuffer) -> None:
        self.backend = backend
        self.notifications = notifications
        self.pipes: dict[int, RxPipe] = {}
        self._sent: deque[tuple[RxTxPipe | TxPipe, int]] = deque()  # flits of each send that is not complete
        self._freed: dict[RxPipe, None] = {}  # in the order in which they were

    def receive(self) -> i64:
        """Take up to 64 notifications and learn the tails they tell; how many.

        If they can overtake each other, who delivers them gives them rows in the order in which the NIC wrote them.
        """
        buffer = self.notifications
        count: i64 = 0
        while count < BATCH and buffer.has_notification():
            slot = buffer.take_notification()
            self.pipes[buffer.pipe_of(slot)].notified(buffer.tail_of(slot), buffer.row_of(slot))
            count += 1
        return count

    def reap(self) -> i64:
        """Take up to 64 completions, and with each send that is complete free its space; how many completions."""
        buffer = self.notifications
        count: i64 = 0
        while count < BATCH and buffer.has_completion():
            if buffer.ends_send(buffer.take_completion()):
                pipe, flits = self._sent.popleft()
                if isinstance(pipe, TxPipe):
                    pipe.complete(flits)
                else:
                    self.free(pipe, flits)
            count += 1
        return count

    def free(self, pipe: RxPipe, flits: i64) -> None:
        """The oldest flits of a pipe, which were taken, may be written again; see ``tell_pipe_heads``."""
        pipe.free(flits)
        self._freed[pipe] = None

    def send(self, pipe: RxTxPipe | TxPipe, flits: i64) -> None:
        """Post the requests for the next flits of a pipe; the TX ring has room for ``pipe.requests(flits)``."""
        parts = pipe.send(flits)
        for index, (address, length) in enumerate(parts):
            continues = index + 1 < len(parts)
            self.notifications.post(address, length, continues=continues, framed=pipe.in_header_mode)
        self._sent.append((pipe, flits))

    @property
    def unsent(self) -> int:
        """Sends that are not complete."""
        return len(self._sent)

    def tell_rx_head(self, core: Core) -> None:
        """Notifications were taken."""
        buffer = self.notifications
        self.backend.write_notification_buffer(core, buffer.number, RX_HEAD, buffer.rx_head)

    def tell_tx_tail(self, core: Core, row: i64 = 0) -> None:
        """Requests were posted; ``row`` is where the stamps of their send are."""
        buffer = self.notifications
        self.backend.write_notification_buffer(core, buffer.number, TX_TAIL, buffer.tx_tail, row)

    def tell(self, core: Core, kind: i64, value: i64, other: i64) -> None:
        """A message about this device that is no register write."""
        self.backend.tell(core, kind, self.notifications.number, value, other)

    def freed(self) -> int:
        """Pipes whose RX space was freed and of which the NIC is not told yet."""
        return len(self._freed)

    def tell_pipe_heads(self, core: Core) -> None:
        """RX space was freed; the NIC looks whether more has come and tells, now or with the next packet."""
        for pipe in self._freed:
            self.backend.write_pipe(core, pipe.number, RX_HEAD, pipe.rx_head)
        self._freed.clear()

    def prefetch(self, core: Core, pipe: RxPipe) -> None:
        """Ask for a pipe's next notification, before what is there is handled; costs ``backend.pipe_write``.

        It is a write of the pipe's head as it is. The NIC answers with the tail, even if it told the same one before,
        if anything lies in the pipe that is not freed, and with the next packet if not.
        """
        self.backend.write_pipe(core, pipe.number, RX_HEAD, pipe.rx_head)
        self._freed.pop(pipe, None)  # told, if it had moved
