"""Ids of pipes and notification buffers."""

import pytest

from hermes.enso.resources import Resources


def test_fallback_pipes_count_from_0_up_others_from_the_last_down() -> None:
    ids = Resources()
    assert [ids.allocate_pipe() for _ in range(2)] == [8191, 8190]
    assert [ids.allocate_pipe(fallback=True) for _ in range(2)] == [0, 1]
    ids.free_pipe(8191)
    ids.free_pipe(0)
    assert (ids.allocate_pipe(), ids.allocate_pipe(fallback=True)) == (8191, 0)


def test_notification_buffers_have_the_lowest_free_id() -> None:
    ids = Resources()
    assert [ids.allocate_notification_buffer() for _ in range(3)] == [0, 1, 2]
    ids.free_notification_buffer(1)
    assert [ids.allocate_notification_buffer() for _ in range(2)] == [1, 3]


def test_there_are_as_many_as_the_nic_has() -> None:
    ids = Resources()
    pipes = [ids.allocate_pipe(fallback=index % 2 == 0) for index in range(8192)]
    assert sorted(pipes) == list(range(8192))
    assert sorted(ids.allocate_notification_buffer() for _ in range(1024)) == list(range(1024))
    with pytest.raises(ValueError, match="a pipe beyond the 8192 in use; accepted is one after another was freed"):
        ids.allocate_pipe()
    with pytest.raises(ValueError, match="a notification buffer beyond the 1024 in use"):
        ids.allocate_notification_buffer()


def test_nobody_frees_what_nobody_has() -> None:
    ids = Resources()
    with pytest.raises(ValueError, match="pipe 5 is freed, which nobody has; accepted are those in use"):
        ids.free_pipe(5)
    with pytest.raises(ValueError, match="notification buffer 0 is freed, which nobody has"):
        ids.free_notification_buffer(0)
