"""What happened in a run, as one hash: effects only, so that it does not depend on how polling is simulated."""

import hashlib
from array import array

from cosim.engine import Engine

_BLOCK = 1 << 14


class Effects:
    """SHA-256 over (time, kind, subject, value) of all effects, 64-bit little-endian integers, in the order they land.

    Attributes
    ----------
    last_time
        Of the last effect, in picoseconds.
    """

    __slots__ = ("_engine", "_hash", "_words", "last_time")

    def __init__(self, engine: Engine) -> None:
        self.last_time = 0
        self._engine = engine
        self._hash = hashlib.sha256()
        self._words: list[int] = []

    def record(self, kind: int, subject: int, value: int) -> None:
        """An effect lands, now; its kind is one of hermes.world."""
        self.last_time = now = self._engine.now
        words = self._words
        words.append(now)
        words.append(kind)
        words.append(subject)
        words.append(value)
        if len(words) >= _BLOCK:
            self._flush()

    def hexdigest(self) -> str:
        """Of all effects so far."""
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        self._hash.update(array("q", self._words).tobytes())
        self._words = []
