"""What happened in a run, as one hash: effects only, so that it does not depend on how polling is simulated."""

import hashlib
from array import array
from typing import Final

from librt.vecs import vec
from mypy_extensions import i64

from cosim.engine import Engine
from hermes import world

_COLUMNS: Final = 4
_BLOCK: Final = _COLUMNS << 12


class Effects(world.Effects):
    """SHA-256 over (time, kind, subject, value) of all effects, 64-bit little-endian integers, in the order they land.

    Parameters
    ----------
    keeps
        Keep them all, for the trace.
    """

    __slots__ = ("_count", "_engine", "_hash", "_kept", "_last_time", "_words")

    def __init__(self, engine: Engine, *, keeps: bool = False) -> None:
        self._kept = array("q") if keeps else None
        self._engine = engine
        self._hash = hashlib.sha256()
        self._words = vec[i64]([0] * _BLOCK)
        self._count: i64 = 0  # of them, that are not in the hash yet
        self._last_time = 0

    @property
    def last_time(self) -> int:
        """Of the last effect, in picoseconds."""
        return self._words[self._count - _COLUMNS] if self._count else self._last_time

    def record(self, kind: i64, subject: i64, value: i64) -> None:
        """See hermes.world.Effects."""
        words, at = self._words, self._count
        words[at] = self._engine.now
        words[at + 1] = kind
        words[at + 2] = subject
        words[at + 3] = value
        self._count = at + _COLUMNS
        if self._count == _BLOCK:
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
        self._last_time = self.last_time
        data = memoryview(self._words).cast("B")[: 8 * self._count]
        self._count = 0
        self._hash.update(data)
        if self._kept is not None:
            self._kept.frombytes(data)
