"""When what happened to each notification, packet and send: rows of integers, for whoever works out the stages later.

Software writes them as it goes along and never reads them. Times are picoseconds of host time; -1 where something has
not happened. Tails and ends are flit indices in a pipe, modulo its size.
"""

import mmap
import sys
import tempfile
from array import array
from collections.abc import Iterator
from typing import IO, Final

from librt.vecs import vec
from mypy_extensions import i64

# Columns of a notification's row, in the order in which things happen.
PIPE: Final = 0
TAIL: Final = 1  # packets before this flit lie in the pipe
VISIBLE: Final = 2  # the NIC's write reached host memory
READ: Final = 3  # the IOKernel began with it
DELIVERED: Final = 4  # softIRQ pushed or ring written
RUNNABLE: Final = 5  # its softIRQ handled; -1 if it needed none
TAKEN: Final = 6  # the uthread took it from its ring
NOTIFICATION_COLUMNS: Final = 7

# Of a packet: the pipe, and
END: Final = 1  # flit behind the packet
BEGUN: Final = 2  # its handling began
DONE: Final = 3  # and ended
PACKET_COLUMNS: Final = 4

# Of a send, which carries all packets since the pipe's last one: the pipe, END: flit behind the last packet, and
POSTED: Final = 2  # its tail was told
FORWARDED: Final = 3  # the NIC was told
SEND_COLUMNS: Final = 4

# Of a change of a runqueue: its time, the kthread (runtime << 16 | index), and how many uthreads stand there then.
LENGTH_COLUMNS: Final = 3


BLOCK: Final = 1 << 17
"""Integers of rows that stay in memory, at least; older ones go to a file."""
_BYTES: Final = 8


class Rows:
    """Many integers, of which the last ones change: the others are in a file without a name.

    Attributes
    ----------
    last
        Those in memory, and room for more.
    """

    __slots__ = ("_block", "_count", "_file", "_first", "last")

    def __init__(self) -> None:
        self._block: i64 = BLOCK
        self.last = vec[i64]([0] * (2 * BLOCK))
        self._first: i64 = 0  # index of the first one in memory
        self._count: i64 = 0  # of those in memory
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return self._first + self._count

    def __getitem__(self, index: i64) -> i64:
        if index >= self._first:
            return self.last[index - self._first]
        assert self._file is not None
        self._file.seek(index * _BYTES)
        return array("q", self._file.read(_BYTES))[0]

    def __setitem__(self, index: i64, value: i64) -> None:
        if index >= self._first:
            self.last[index - self._first] = value
        else:
            assert self._file is not None
            self._file.seek(index * _BYTES)
            self._file.write(int(value).to_bytes(_BYTES, sys.byteorder, signed=True))

    def __iter__(self) -> Iterator[int]:
        return iter([self[index] for index in range(len(self))])

    def add(self, count: i64) -> i64:
        """A row of so many integers, 8 at most, behind all others: where in ``last`` it is to be put."""
        if self._count + count > 2 * self._block:
            self._write(self._block)
        at = self._count
        self._count = at + count
        return at

    def index_of(self, at: i64) -> i64:
        """Index of what is there in ``last``."""
        return self._first + at

    def buffer(self) -> mmap.mmap | bytes:
        """All there are by now, 8 bytes each."""
        if self._file is None:
            return memoryview(self.last)[: self._count].tobytes()
        self._write(self._count)
        self._file.flush()
        return mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)

    def _write(self, count: i64) -> None:
        """The first ``count`` of those in memory go to the file."""
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  (it is closed when the rows are forgotten)
        self._file.seek(self._first * _BYTES)
        self._file.write(memoryview(self.last)[:count].tobytes())
        last = self.last
        for at in range(count, self._count):
            last[at - count] = last[at]
        self._first += count
        self._count -= count


class Stamps:
    """The rows, one after the other; the software of a run shares one object.

    Attributes
    ----------
    notifications, packets, sends
        int64, rows of the columns above.
    lengths
        Likewise, of runqueues; None if nobody wants them.
    visible
        By bus address of a slot of the IOKernel's RX ring: when the NIC wrote it last.
    """

    __slots__ = ("lengths", "notifications", "packets", "sends", "visible")

    def __init__(self, *, keeps_lengths: bool = False) -> None:
        self.lengths = array("q") if keeps_lengths else None
        self.notifications = Rows()
        self.packets = Rows()
        self.sends = Rows()
        self.visible: dict[int, int] = {}

    def notification(self, pipe: i64, tail: i64, visible: i64, read: i64) -> i64:
        """A new row; where it begins."""
        rows = self.notifications
        at = rows.add(NOTIFICATION_COLUMNS)
        last = rows.last
        last[at] = pipe
        last[at + TAIL] = tail
        last[at + VISIBLE] = visible
        last[at + READ] = read
        last[at + DELIVERED] = last[at + RUNNABLE] = last[at + TAKEN] = -1
        return rows.index_of(at)

    def packet(self, pipe: i64, end: i64, begun: i64, done: i64) -> None:
        """A packet was handled."""
        rows = self.packets
        at = rows.add(PACKET_COLUMNS)
        last = rows.last
        last[at] = pipe
        last[at + END] = end
        last[at + BEGUN] = begun
        last[at + DONE] = done

    def send(self, pipe: i64, end: i64, posted: i64) -> i64:
        """A new row; where it begins."""
        rows = self.sends
        at = rows.add(SEND_COLUMNS)
        last = rows.last
        last[at] = pipe
        last[at + END] = end
        last[at + POSTED] = posted
        last[at + FORWARDED] = -1
        return rows.index_of(at)
