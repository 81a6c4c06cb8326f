"""A simulator's process: what it says of its progress."""

import pytest

from cosim.simulator import seldom


def test_progress_is_said_at_most_every_tenth_of_a_second_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, said = 100.0, list[str]()
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    tell = seldom(said.append)
    for done in range(1000):
        tell(done, 1000)
        now_s += 0.001
    tell(1000, 1000)
    assert said == [*(f"{done} 1000" for done in range(0, 1000, 100)), "1000 1000"]
