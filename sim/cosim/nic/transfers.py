"""What a NIC sent, transfer by transfer, and how far two NICs that got the same differ.

A file of transfers is an array of RecordedTransfer (pcie/pins.hpp). Two NICs are compared event by event: the n-th
write to a line of host memory, the n-th read of it, the n-th answer of a register, the n-th beat to the wire.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.pcie.link import NIC_CYCLE_PS
from cosim.pcie.pins import RECORDED_TRANSFERS, Port

_LINE_WORDS = 16


@dataclass(frozen=True)
class Events:
    """Events of one kind.

    Attributes
    ----------
    cycles
        int64: when each happened.
    places
        uint64: line of host memory; 0 for those without.
    contents
        uint32 (n, 19): what each carried, without what its port leaves open.
    """

    cycles: npt.NDArray[np.int64]
    places: npt.NDArray[np.uint64]
    contents: npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Difference:
    """How events of one kind differ between two NICs.

    Attributes
    ----------
    kind
        What they are.
    events
        Those of the first NIC.
    unmatched
        Those of either that the other does not have; events of which the contents differ count in both.
    late_ns
        int64: of each event that both have, how much later it is in the second NIC.
    """

    kind: str
    events: int
    unmatched: int
    late_ns: npt.NDArray[np.int64]

    @property
    def worst_ns(self) -> int:
        """Of those that both have."""
        return int(np.abs(self.late_ns).max(initial=0))


def read_events(path: Path) -> dict[str, Events]:
    """The events in a file of transfers, by kind."""
    records = np.fromfile(path, RECORDED_TRANSFERS)
    words: npt.NDArray[np.uint32] = records["words"]
    of_host = records["port"] == Port.TO_HOST
    answers = of_host & ((words[:, 18] & 1) == 1)
    return {
        "write": _writes(records[of_host & ~answers]),
        "register answer": _answers(records[answers]),
        "read": _reads(records[records["port"] == Port.READ_REQUEST]),
        "beat to the wire": _beats(records[records["port"] == Port.ETHERNET_TX]),
    }


def differences(first: Path, second: Path) -> list[Difference]:
    """How what one NIC sent differs from what another did."""
    one, other = read_events(first), read_events(second)
    return [_difference(kind, one[kind], other[kind]) for kind in one]


def _lines(words: npt.NDArray[np.uint32], low: int) -> npt.NDArray[np.uint64]:
    high = words[:, low + 1].astype(np.uint64) & np.uint64(0x3FF_FFFF)
    return words[:, low].astype(np.uint64) | high << np.uint64(32)


def _contents(words: npt.NDArray[np.uint32], count: int) -> npt.NDArray[np.uint32]:
    contents = np.zeros((len(words), _LINE_WORDS + 3), np.uint32)
    contents[:, :count] = words[:, :count]
    return contents


def _writes(records: npt.NDArray[Any]) -> Events:
    """Each line: its address is that of the write's first line, which alone is told, plus its place in the write."""
    words = records["words"]
    is_first = (words[:, 17] >> 30 & 1) == 1
    starts = np.flatnonzero(is_first)
    begun = starts[np.cumsum(is_first) - 1] if len(starts) else starts
    places = _lines(words, 16)[begun] + (np.arange(len(words)) - begun).astype(np.uint64)
    return Events(records["cycle"].astype(np.int64), places, _contents(words, _LINE_WORDS))


def _answers(records: npt.NDArray[Any]) -> Events:
    contents = _contents(records["words"], 2)
    contents[:, 2] = records["words"][:, 18] >> 1 & 0xFF  # the tag
    return Events(records["cycle"].astype(np.int64), np.zeros(len(records), np.uint64), contents)


def _reads(records: npt.NDArray[Any]) -> Events:
    words = records["words"]
    contents = np.zeros((len(words), _LINE_WORDS + 3), np.uint32)
    contents[:, 0] = words[:, 1] >> 26 & 15  # flits
    return Events(records["cycle"].astype(np.int64), _lines(words, 0), contents)


def _beats(records: npt.NDArray[Any]) -> Events:
    words = records["words"]
    contents = _contents(words, _LINE_WORDS + 3)
    return Events(records["cycle"].astype(np.int64), np.zeros(len(records), np.uint64), contents)


def _difference(kind: str, one: Events, other: Events) -> Difference:
    numbers = _numbers(one, other)
    _, mine, theirs = np.intersect1d(*numbers, assume_unique=True, return_indices=True)
    same = (one.contents[mine] == other.contents[theirs]).all(axis=1)
    unmatched = len(one.cycles) + len(other.cycles) - 2 * int(same.sum())
    late = (other.cycles[theirs[same]] - one.cycles[mine[same]]) * (NIC_CYCLE_PS // 1000)
    return Difference(kind, len(one.cycles), unmatched, late)


def _numbers(one: Events, other: Events) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each event of either a number that says its place, and how many there were before it at that place."""
    places, which = np.unique(np.concatenate([one.places, other.places]), return_inverse=True)
    most = len(which) + 1
    numbers = []
    for mine in (which[: len(one.places)], which[len(one.places) :]):
        order = np.argsort(mine, kind="stable")
        starts = np.searchsorted(mine[order], np.arange(len(places)))
        turns = np.empty(len(mine), np.int64)
        turns[order] = np.arange(len(mine)) - starts[mine[order]]
        numbers.append(mine.astype(np.int64) * most + turns)
    return numbers[0], numbers[1]
