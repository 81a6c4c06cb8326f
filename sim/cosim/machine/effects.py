"""What happened in a run, as one hash: effects only, so that it does not depend on how polling is simulated."""

import hashlib
from array import array

from cosim.engine import Engine

_BLOCK = 1 << 14


class Effects:
    """SHA-256 over (time, kind, subject, value) of all effects, 64-bit little-endian integers, in the order they land.

    Parameters
    ----------
    keeps
        Keep them all, for the trace.

    Attributes
    ----------
    last_time
        Of the last effect, in picoseconds.
    """

    __slots__ = ("_engine", "_hash", "_kept", "_words", "last_time")

    def __init__(self, engine: Engine, *, keeps: bool = False) -> None:
        self.last_time = 0
        self._kept = array("q") if keeps else None
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

    def rows(self) -> "array[int]":
        """Time, kind, subject and value of each effect so far, one after the other, if it keeps them."""
        self._flush()
        assert self._kept is not None
        return self._kept

    def _flush(self) -> None:
        words = array("q", self._words)
        self._words = []
        self._hash.update(words.tobytes())
        if self._kept is not None:
            self._kept.extend(words)
