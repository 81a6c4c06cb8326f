"""Arrays of large runs in files: they come from there a page at a time, and need not stay in memory.

Whoever went through such an array says so by ``let_go``, as often as it likes; what is needed again is read again.
"""

import mmap
import pickle
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SMALL = 1 << 24
"""Bytes of an array that is no trouble in memory."""
_PART = 1 << 24
_LENGTH = 8  # bytes of a number in the file's tail


def write_object(path: Path, content: object) -> None:
    """Write what pickle can, with its arrays beside the pickle, so that ``read_object`` need not read them."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(content, protocol=5, buffer_callback=buffers.append)
    with path.open("wb") as file:
        ends = []
        for raw in (*(buffer.raw() for buffer in buffers), memoryview(pickled)):
            file.write(bytes(-file.tell() % mmap.PAGESIZE))
            for start in range(0, len(raw), _PART):
                file.write(raw[start : start + _PART])
                _let_go(raw)
            ends += [file.tell() - len(raw), file.tell()]
        file.write(b"".join(end.to_bytes(_LENGTH, "little") for end in (*ends, len(ends))))


def read_object(path: Path) -> object:
    """What ``write_object`` wrote; its arrays can be read only, and stay in the file, even if that is deleted."""
    with path.open("rb") as file:
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    view = memoryview(mapping)
    count = int.from_bytes(view[-_LENGTH:], "little")
    numbers = view[-_LENGTH * (count + 1) : -_LENGTH].cast("Q").tolist()
    *buffers, pickled = (view[start:end] for start, end in zip(numbers[::2], numbers[1::2], strict=True))
    return pickle.loads(pickled, buffers=buffers)


def scratch(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """An int64 array to be filled, in a file without a name if it is large."""
    size = int(np.prod(shape)) * np.dtype(np.int64).itemsize
    if size <= _SMALL:
        return np.empty(shape, dtype=np.int64)
    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        mapping = mmap.mmap(file.fileno(), size)
    return np.frombuffer(mapping, dtype=np.int64).reshape(shape)


def let_go(array: NDArray[np.generic]) -> None:
    """Whoever needs the array next may read it from its file again, if it is in one."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    _let_go(base)


def _let_go(base: object) -> None:
    while isinstance(base, memoryview):
        base = base.obj
        if isinstance(base, np.ndarray):
            let_go(base)
            return
    if isinstance(base, mmap.mmap):
        base.madvise(mmap.MADV_DONTNEED)
