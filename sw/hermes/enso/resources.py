"""Ids of pipes and notification buffers: the NIC has no register for them, so who owns it keeps account."""

from hermes.enso.registers import NOTIFICATION_BUFFERS, PIPES


class Resources:
    """Which pipes and notification buffers of a NIC are in use; none at first.

    Pipes that are to take frames of unknown keys have ids from 0 up, because the NIC spreads such frames over its first
    pipes; all others from the last id down. Notification buffers have the lowest free id.
    """

    def __init__(self) -> None:
        self._pipes: set[int] = set()
        self._buffers: set[int] = set()

    def allocate_pipe(self, *, fallback: bool = False) -> int:
        """A pipe's id, 0 to 8191."""
        return _allocate(self._pipes, range(PIPES) if fallback else range(PIPES - 1, -1, -1), "pipe")

    def free_pipe(self, number: int) -> None:
        """Nobody uses the pipe any more."""
        _free(self._pipes, number, "pipe")

    def allocate_notification_buffer(self) -> int:
        """A notification buffer's id, 0 to 1023."""
        return _allocate(self._buffers, range(NOTIFICATION_BUFFERS), "notification buffer")

    def free_notification_buffer(self, number: int) -> None:
        """Nobody uses the notification buffer any more."""
        _free(self._buffers, number, "notification buffer")


def _allocate(used: set[int], ids: range, what: str) -> int:
    for number in ids:
        if number not in used:
            used.add(number)
            return number
    raise ValueError(f"a {what} beyond the {len(ids)} in use; accepted is one after another was freed")


def _free(used: set[int], number: int, what: str) -> None:
    if number not in used:
        raise ValueError(f"{what} {number} is freed, which nobody has; accepted are those in use")
    used.remove(number)
