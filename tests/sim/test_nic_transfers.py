"""What two NICs sent is compared event by event."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cosim.nic.transfers import Difference, differences
from cosim.pcie.pins import RECORDED_TRANSFERS, Port

FIRST, LAST = 1 << 30, 1 << 31
LINE = 0x400_0000


def write(cycle: int, line: int, data: int, *, flags: int = FIRST | LAST) -> tuple[int, int, list[int]]:
    return cycle, Port.TO_HOST, [data, *[0] * 15, line & 0xFFFF_FFFF, line >> 32 | 1 << 26 | flags, 0]


def answer(cycle: int, data: int, tag: int) -> tuple[int, int, list[int]]:
    return cycle, Port.TO_HOST, [data, *[0] * 15, 0, FIRST | LAST, 1 | tag << 1]


def read(cycle: int, line: int, flits: int) -> tuple[int, int, list[int]]:
    return cycle, Port.READ_REQUEST, [line & 0xFFFF_FFFF, line >> 32 | flits << 26, *[0] * 17]


def beat(cycle: int, data: int, last: int = 1) -> tuple[int, int, list[int]]:
    return cycle, Port.ETHERNET_TX, [data, *[0] * 17, last]


SENT = [write(10, LINE, 1), answer(11, 2, 3), read(12, LINE + 8, 4), beat(13, 5), write(20, LINE, 6)]


def compared(tmp_path: Path, other: list[tuple[int, int, list[int]]]) -> dict[str, Difference]:
    for name, records in (("one", SENT), ("other", other)):
        array: npt.NDArray[Any] = np.array([(c, p, tuple(w)) for c, p, w in records], RECORDED_TRANSFERS)
        array.tofile(tmp_path / name)
    return {each.kind: each for each in differences(tmp_path / "one", tmp_path / "other")}


def test_the_same_transfers_do_not_differ(tmp_path: Path) -> None:
    found = compared(tmp_path, SENT)
    assert {kind: (each.events, each.unmatched, each.worst_ns) for kind, each in found.items()} == {
        "write": (2, 0, 0),
        "register answer": (1, 0, 0),
        "read": (1, 0, 0),
        "beat to the wire": (1, 0, 0),
    }


@pytest.mark.parametrize(
    ("place", "kind", "later"),
    [
        (0, "write", write(12, LINE, 1)),
        (1, "register answer", answer(13, 2, 3)),
        (2, "read", read(14, LINE + 8, 4)),
        (3, "beat to the wire", beat(15, 5)),
    ],
)
def test_an_event_that_is_later_is_told_in_ns(
    tmp_path: Path, place: int, kind: str, later: tuple[int, int, list[int]]
) -> None:
    found = compared(tmp_path, [*SENT[:place], later, *SENT[place + 1 :]])
    assert {name: each.worst_ns for name, each in found.items() if each.worst_ns} == {kind: 8}
    assert all(each.unmatched == 0 for each in found.values())


@pytest.mark.parametrize(
    ("place", "kind", "other"),
    [
        (0, "write", write(10, LINE, 7)),
        (1, "register answer", answer(11, 7, 3)),
        (1, "register answer", answer(11, 2, 4)),
        (2, "read", read(12, LINE + 8, 5)),
        (3, "beat to the wire", beat(13, 7)),
        (3, "beat to the wire", beat(13, 5, last=0)),
    ],
)
def test_an_event_with_other_contents_is_one_too_many_in_both(
    tmp_path: Path, place: int, kind: str, other: tuple[int, int, list[int]]
) -> None:
    found = compared(tmp_path, [*SENT[:place], other, *SENT[place + 1 :]])
    assert {name: each.unmatched for name, each in found.items() if each.unmatched} == {kind: 2}


def test_an_event_that_only_one_has_is_unmatched(tmp_path: Path) -> None:
    assert compared(tmp_path, SENT[:-1])["write"].unmatched == 1
    assert compared(tmp_path, [*SENT, write(30, LINE + 1, 1)])["write"].unmatched == 1


def test_each_line_of_a_long_write_is_an_event_at_its_own_place(tmp_path: Path) -> None:
    long = [write(10, LINE, 1, flags=FIRST), write(11, 0, 2, flags=LAST)]
    apart = [write(10, LINE, 1), write(11, LINE + 1, 2)]
    for name, records in (("one", long), ("other", apart)):
        np.array([(c, p, tuple(w)) for c, p, w in records], RECORDED_TRANSFERS).tofile(tmp_path / name)
    assert differences(tmp_path / "one", tmp_path / "other")[0].unmatched == 0
