"""The NIC on a board by itself: frames come back, and a fault is seen."""

from dataclasses import replace
from typing import Any

import pytest
from amaranth.sim import Simulator

from enso_nic.config import FULL, TINY
from onchip import self_test
from onchip.host import require_room
from onchip.self_test import SelfTest

CYCLES = 4000


def run(*, frames: int, corrupt_at: int | None = None) -> tuple[int, int]:
    """Frames that came back right, once there are so many or it failed; and whether it failed."""
    board = SelfTest()
    found: list[tuple[int, int]] = []

    async def look(context: Any) -> None:
        for _ in range(CYCLES):
            await context.tick()
            found[:] = [(context.get(board.frames), context.get(board.failed))]
            context.set(board.corrupt, found[0][0] == corrupt_at)
            if found[0][1] or found[0][0] >= frames:
                return
        raise AssertionError(f"{found[0][0]} of {frames} frames after {CYCLES} cycles")

    simulator = Simulator(board)
    simulator.add_clock(4e-9)
    simulator.add_testbench(look)
    simulator.run()
    return found[0]


def test_frames_of_three_rings_come_back() -> None:
    assert run(frames=60) == (60, 0)


def test_a_bit_that_flips_on_the_way_is_seen() -> None:
    frames, failed = run(frames=60, corrupt_at=5)
    assert failed
    assert 5 <= frames < 60


def test_a_nic_that_sends_nothing_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_test, "PATIENCE_BITS", 5)
    assert run(frames=1) == (0, 1)


@pytest.mark.parametrize("config", [FULL, replace(TINY, pipe_flits=128), replace(TINY, notification_slots=128)])
def test_rings_must_fit_into_the_hosts_memory(config: Any) -> None:
    with pytest.raises(ValueError, match="accepted are up to 64"):
        require_room(config)
