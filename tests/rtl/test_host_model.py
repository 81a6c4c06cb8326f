"""The benches' host: each read is answered once, whole, from memory, in whatever order."""

import random

import pytest

from tests.rtl.host_model import BASE, Answer, HostModel


def answers(host: HostModel, cycles: int = 1000) -> list[tuple[int, Answer]]:
    """(cycle, line) until nothing is unanswered."""
    found = [(now, host.answer(now)) for now in range(cycles)]
    assert not host.unanswered
    return [(now, answer) for now, answer in found if answer is not None]


def test_what_is_stored_is_loaded() -> None:
    host = HostModel(4096, random.Random(1))
    host.store(BASE + 64, b"abc")
    assert host.load(BASE + 63, 5) == b"\0abc\0"
    for address in (BASE - 1, BASE + 4096 - 63):
        with pytest.raises(AssertionError, match="no host memory"):
            host.load(address)


def test_what_is_allocated_does_not_overlap() -> None:
    host = HostModel(8192, random.Random(1))
    assert [host.allocate(65, 64), host.allocate(1, 64), host.allocate(64)] == [BASE, BASE + 128, BASE + 4096]
    with pytest.raises(AssertionError, match="do not fit"):
        host.allocate(4096)


def test_reads_are_answered_in_order_one_line_a_cycle() -> None:
    host = HostModel(4096, random.Random(1))
    for line in range(4):
        host.store(BASE + 64 * line, bytes([line]))
    host.read(0, BASE, 3, 7)
    host.read(0, BASE + 192, 1, 8)
    lines = [(tag, index, last, answer.line and answer.line[0]) for _, answer in answers(host)
             for tag, index, last in [(answer.tag, answer.index, answer.last)]]  # fmt: skip
    assert lines == [(7, 0, False, 0), (7, 1, False, 1), (7, 2, True, 2), (8, 0, True, 3)]


def test_a_line_is_sampled_when_it_is_answered() -> None:
    host = HostModel(4096, random.Random(1))
    host.read(0, BASE, 2, 1)
    host.answer(0)
    host.store(BASE + 64, b"late")
    answer = host.answer(1)
    assert answer is not None
    assert answer.line == b"late".ljust(64, b"\0")


def test_shuffled_answers_keep_the_order_of_their_tag_and_wait_for_their_delay() -> None:
    host = HostModel(4096, random.Random(1), longest_delay=50, shuffled=True)
    for tag in range(8):
        host.read(0, BASE, 4, tag)
    found = answers(host)
    for tag in range(8):
        assert [(each.index, each.last) for _, each in found if each.tag == tag] == [
            (0, False), (1, False), (2, False), (3, True)
        ]  # fmt: skip
    order = [each.tag for _, each in found]
    assert order != sorted(order)
    assert found[-1][0] > 31, "no delay"


def test_what_cannot_be_read_is_an_error() -> None:
    host = HostModel(4096, random.Random(1))
    host.poisoned.add(BASE + 64)
    host.read(0, BASE, 3, 1)
    host.read(0, BASE + 4096, 3, 2)
    assert [(each.tag, each.line is None, each.last) for _, each in answers(host)] == [
        (1, False, False),
        (1, True, False),
        (1, False, True),
        (2, True, True),
    ]
