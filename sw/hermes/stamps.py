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
    """Many integers, of which the last ones change: the others are in a file without a name."""

    __slots__ = ("_file", "_first", "_last")

    def __init__(self) -> None:
        self._first = 0  # index of the first one in memory
        self._last = array("q")
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return self._first + len(self._last)

    def __getitem__(self, index: int) -> int:
        if index >= self._first:
            return self._last[index - self._first]
        assert self._file is not None
        self._file.seek(index * _BYTES)
        return array("q", self._file.read(_BYTES))[0]

    def __setitem__(self, index: int, value: int) -> None:
        if index >= self._first:
            self._last[index - self._first] = value
        else:
            assert self._file is not None
            self._file.seek(index * _BYTES)
            self._file.write(value.to_bytes(_BYTES, sys.byteorder, signed=True))

    def __iter__(self) -> Iterator[int]:
        return (self[index] for index in range(len(self)))

    def extend(self, row: tuple[int, ...]) -> None:
        """A row, behind all others."""
        self._last.extend(row)
        if len(self._last) >= 2 * BLOCK:
            self._write(BLOCK)

    def buffer(self) -> mmap.mmap | bytes:
        """All there are by now, 8 bytes each."""
        if self._file is None:
            return self._last.tobytes()
        self._write(len(self._last))
        self._file.flush()
        return mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)

    def _write(self, count: int) -> None:
        """The first ``count`` of those in memory go to the file."""
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  (it is closed when the rows are forgotten)
        self._file.seek(self._first * _BYTES)
        self._file.write(self._last[:count].tobytes())
        del self._last[:count]
        self._first += count


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

    def notification(self, pipe: int, tail: int, visible: int, read: int) -> int:
        """A new row; where it begins."""
        rows = self.notifications
        row = len(rows)
        rows.extend((pipe, tail, visible, read, -1, -1, -1))
        return row

    def packet(self, pipe: int, end: int, begun: int, done: int) -> None:
        """A packet was handled."""
        self.packets.extend((pipe, end, begun, done))

    def send(self, pipe: int, end: int, posted: int) -> int:
        """A new row; where it begins."""
        rows = self.sends
        row = len(rows)
        rows.extend((pipe, end, posted, -1))
        return row
