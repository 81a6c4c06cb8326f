"""Many frames in one array."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MINIMUM_FRAME = 60
"""Bytes of the shortest Ethernet frame, without frame check sequence."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames, without frame check sequence, one after the other.

    Attributes
    ----------
    blob
        uint8, all bytes.
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
        blob = self.blob.tobytes()
        for offset, length in zip(self.offsets.tolist(), self.lengths.tolist(), strict=True):
            yield blob[offset : offset + length]

    def padded(self) -> "Frames":
        """The same frames as a sender puts them on the wire: zeros up to 60 bytes."""
        if len(self) == 0 or int(self.lengths.min()) >= MINIMUM_FRAME:
            return self
        return Frames.pack(frame.ljust(MINIMUM_FRAME, b"\0") for frame in self)
