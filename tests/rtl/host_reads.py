"""A host that answers reads: tags in any order, late, in pieces, with errors."""

import random
from collections.abc import Callable
from typing import Any

from amaranth.lib import stream


class HostReads:
    """Drives ``completion`` with the answers of the reads that ``request`` asks for, and checks what is asked.

    Parameters
    ----------
    request, completion
        The streams of layouts.ReadRequest and layouts.ReadCompletion.
    line
        Gives the 512 bits at a line address, None for a host read error.
    max_read
        Lines that a read may have, and whose multiples it may not cross.
    rate
        Share of cycles in which a request is taken, and in which a line is given.
    shuffled
        Whether tags are answered in any order, a few lines at a time; else in order.
    """

    def __init__(
        self,
        request: stream.Interface,
        completion: stream.Interface,
        line: Callable[[int], int | None],
        max_read: int = 8,
        rate: float = 1.0,
        *,
        shuffled: bool = False,
    ) -> None:
        self._request, self._completion, self._line = request, completion, line
        self._max_read, self._rate, self._shuffled = max_read, rate, shuffled
        self._unanswered: dict[int, list[dict[str, int]]] = {}
        self._tag: int | None = None  # being answered
        self.requests: list[tuple[int, int, int]] = []
        """(address, flits, tag) of each request."""
        self.requested_at: list[int] = []
        """Cycle in which each was taken."""
        self.holds = False
        """While set, it gives no lines."""

    @property
    def unanswered(self) -> int:
        """Reads whose answers have not ended."""
        return len(self._unanswered)

    def drive(self, context: Any, draw: random.Random) -> None:
        context.set(self._request.ready, self._rate == 1 or draw.random() < self._rate)
        if self._unanswered and (self._tag is None or (self._shuffled and draw.random() < 0.5)):
            tags = list(self._unanswered)
            self._tag = draw.choice(tags) if self._shuffled else tags[0]
        gives = self._tag is not None and not self.holds and (self._rate == 1 or draw.random() < self._rate)
        context.set(self._completion.valid, gives)
        if gives and self._tag is not None:
            lines = self._unanswered[self._tag]
            context.set(self._completion.payload, lines.pop(0))
            if not lines:
                del self._unanswered[self._tag]
                self._tag = None

    def observe(self, context: Any, cycle: int) -> None:
        if not (context.get(self._request.valid) and context.get(self._request.ready)):
            return
        request = context.get(self._request.payload)
        address, flits, tag = request.address, request.flits, request.tag
        assert 1 <= flits <= self._max_read, f"a read of {flits} lines"
        assert address // self._max_read == (address + flits - 1) // self._max_read, "a read crosses a boundary"
        assert tag not in self._unanswered, f"tag {tag} is used again before its answer"
        self.requests.append((address, flits, tag))
        self.requested_at.append(cycle)
        contents = [self._line(address + index) for index in range(flits)]
        self._unanswered[tag] = [
            {"data": data or 0, "tag": tag, "index": index, "last": index == flits - 1, "error": data is None}
            for index, data in enumerate(contents)
        ]
