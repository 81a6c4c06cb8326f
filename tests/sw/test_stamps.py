"""Rows of stamps: of many the older ones are in a file, and nobody sees a difference."""

import random
from array import array

import pytest

from hermes import stamps
from hermes.stamps import FORWARDED, NOTIFICATION_COLUMNS, RUNNABLE, Rows, Stamps


def values_of(rows: Rows) -> list[int]:
    return list(array("q", bytes(rows.buffer())))


def extend(rows: Rows, *row: int) -> None:
    at = rows.add(len(row))
    for column, value in enumerate(row):
        rows.last[at + column] = value


def test_rows_are_a_list_of_integers_wherever_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "BLOCK", 8)
    seed = 5
    print(f"seed {seed}")
    draw = random.Random(seed)
    rows, expected = Rows(), list[int]()
    for step in range(500):
        row = tuple(draw.randrange(-1, 1 << 62) for _ in range(3))
        extend(rows, *row)
        expected += row
        at, value = draw.randrange(len(expected)), draw.randrange(-1, 1 << 62)
        rows[at] = expected[at] = value
        assert rows[at] == value
        assert len(rows) == len(expected)
        if step % 100 == 0:
            assert values_of(rows) == expected
    assert list(rows) == expected


def test_few_rows_need_no_file() -> None:
    rows = Rows()
    extend(rows, 1, -1, 3)
    assert rows.buffer() == array("q", (1, -1, 3)).tobytes()
    assert values_of(Rows()) == []


def test_a_row_that_waits_long_is_completed_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "BLOCK", 16)
    kept = Stamps()
    row, send = kept.notification(3, 8, 100, 200), kept.send(3, 8, 300)
    for _ in range(100):
        kept.notification(1, 2, 3, 4)
        kept.send(1, 2, 3)
    kept.notifications[row + RUNNABLE] = 400
    kept.sends[send + FORWARDED] = 500
    assert values_of(kept.notifications)[:NOTIFICATION_COLUMNS] == [3, 8, 100, 200, -1, 400, -1]
    assert values_of(kept.sends)[:8] == [3, 8, 300, 500, 1, 2, 3, -1]
