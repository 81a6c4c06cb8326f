"""Many frames in one array."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.mapped import let_go

MINIMUM_FRAME = 60
"""Bytes of the shortest Ethernet frame, without frame check sequence."""

_PART = 1 << 16


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames, without frame check sequence.

    Attributes
    ----------
    blob
        uint8, the bytes of all.
    offsets, lengths
        int64 and int32, one per frame: frame i is ``blob[offsets[i] : offsets[i] + lengths[i]]``.
    """

    blob: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int32]

    @classmethod
    def pack(cls, frames: Iterable[bytes]) -> "Frames":
        """``frames`` one after the other."""
        listed = list(frames)
        return cls.of_lengths([len(frame) for frame in listed], b"".join(listed))

    @classmethod
    def of_lengths(cls, lengths: Iterable[int] | NDArray[np.int32], blob: bytes) -> "Frames":
        """The frames of these lengths that ``blob`` is made of."""
        sizes = np.asarray(lengths, dtype=np.int32)
        ends = np.cumsum(sizes, dtype=np.int64)
        return cls(np.frombuffer(blob, dtype=np.uint8), ends - sizes, sizes)

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[bytes]:
        blob = np.ascontiguousarray(self.blob).data
        for _, part in self.parts():
            for offset, length in zip(part.offsets.tolist(), part.lengths.tolist(), strict=True):
                yield bytes(blob[offset : offset + length])

    def parts(self) -> Iterator[tuple[slice, "Frames"]]:
        """The same frames, some at a time, to bound the memory that work on them takes; and which ones they are."""
        for first in range(0, len(self), _PART):
            some = slice(first, min(first + _PART, len(self)))
            yield some, Frames(self.blob, self.offsets[some], self.lengths[some])
            let_go(self.blob)

    def taken(self, indices: NDArray[np.int64]) -> "Frames":
        """These frames, in this order."""
        return Frames(self.blob, self.offsets[indices], self.lengths[indices])

    def gathered(self) -> "Frames":
        """The same frames in an array of their own, each on as many words of 8 bytes as the longest one."""
        width = -(-int(self.lengths.max(initial=0)) // 8) * 8
        blob = np.empty((len(self), width), dtype=np.uint8)
        for length in np.unique(self.lengths).tolist():
            which = np.flatnonzero(self.lengths == length)
            blob[which, :length] = np.lib.stride_tricks.sliding_window_view(self.blob, length)[self.offsets[which]]
        return Frames(blob.reshape(-1), width * np.arange(len(self)), self.lengths)

    def field(self, offset: int | NDArray[np.int64], size: int) -> NDArray[np.int64]:
        """Of each frame the ``size`` bytes at ``offset``, one for all or one for each, big-endian; 0 behind its end."""
        value = np.zeros(len(self), dtype=np.int64)
        for place in range(size):
            position = self.offsets + offset + place
            is_inside = offset + place < self.lengths
            value = value << 8 | np.where(is_inside, self.blob[np.where(is_inside, position, 0)], 0)
        return value

    def padded(self) -> "Frames":
        """The same frames as a sender puts them on the wire: zeros up to 60 bytes."""
        short = np.flatnonzero(self.lengths < MINIMUM_FRAME)
        if not len(short):
            return self
        # the short ones move behind the others
        slots = np.empty((len(short), MINIMUM_FRAME), dtype=np.uint8)
        moved = self.taken(short)
        for place in range(MINIMUM_FRAME):
            slots[:, place] = moved.field(place, 1)
        offsets = self.offsets.copy()
        offsets[short] = len(self.blob) + MINIMUM_FRAME * np.arange(len(short))
        blob = np.concatenate((self.blob, slots.reshape(-1)))
        return Frames(blob, offsets, np.maximum(self.lengths, MINIMUM_FRAME))
