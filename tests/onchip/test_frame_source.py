"""FrameSource and FrameChecker: which frames go out, and that only these may come back."""

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from onchip.frame_checker import FrameChecker
from onchip.frame_source import LONGEST, SHORTEST, FrameSource

Beat = tuple[int, int, int]
"""Data, keep, last."""


def sent(count: int, *, rate: float = 1.0, seed: int = 1) -> list[list[Beat]]:
    """The beats of the first frames, taken with this probability in each cycle."""
    source, draw = FrameSource(), random.Random(seed)
    frames: list[list[Beat]] = [[]]

    async def take(context: Any) -> None:
        context.set(source.enable, 1)
        while len(frames) <= count:
            ready = draw.random() < rate
            context.set(source.o.ready, ready)
            payload = context.get(source.o.payload)
            assert context.get(source.o.valid)
            if ready:
                frames[-1].append((payload.data, payload.keep, payload.last))
                if payload.last:
                    frames.append([])
            await context.tick()

    simulator = Simulator(source)
    simulator.add_clock(4e-9)
    simulator.add_testbench(take)
    simulator.run()
    return frames[:count]


def contents(frame: list[Beat]) -> bytes:
    return b"".join(data.to_bytes(64, "little")[: keep.bit_count()] for data, keep, _ in frame)


def test_frames_are_udp_of_all_sizes_and_no_two_are_alike() -> None:
    frames = [contents(frame) for frame in sent(LONGEST - SHORTEST + 1)]
    assert sorted(map(len, frames)) == list(range(SHORTEST, LONGEST + 1))
    for frame in frames:
        assert (frame[12:15], frame[23]) == (b"\x08\x00\x45", 17)
        assert int.from_bytes(frame[16:18]) == len(frame) - 14
        assert frame[30:34] == bytes((10, 0, 0, 1))
        assert int.from_bytes(frame[36:38]) == 1024
    assert len({frame[38:] for frame in frames}) == len(frames)


def test_a_frame_fills_its_beats_and_has_zeros_behind_its_end() -> None:
    for frame in sent(40):
        assert [last for _, _, last in frame] == [0] * (len(frame) - 1) + [1]
        assert all(keep == (1 << 64) - 1 for _, keep, _ in frame[:-1])
        data, keep, _ = frame[-1]
        assert keep & (keep + 1) == 0
        assert not data >> 8 * keep.bit_count()


def test_what_is_not_taken_stays() -> None:
    print("seed 7")
    assert sent(30, rate=0.3, seed=7) == sent(30)


def test_a_frame_begins_only_when_it_may() -> None:
    source = FrameSource()

    async def look(context: Any) -> None:
        context.set(source.o.ready, 1)
        await context.tick().repeat(3)
        assert not context.get(source.o.valid)
        context.set(source.enable, 1)
        while context.get(source.number) != 1:
            await context.tick()
        context.set(source.enable, 1)
        await context.tick()
        context.set(source.enable, 0)
        await context.delay(1e-9)
        assert context.get(source.o.valid), "the second frame, of 97 bytes, goes on"
        await context.tick()
        assert not context.get(source.o.valid)

    simulator = Simulator(source)
    simulator.add_clock(4e-9)
    simulator.add_testbench(look)
    simulator.run()


def checked(frames: list[list[Beat]]) -> tuple[int, int]:
    """Frames that the checker counts, and whether it failed."""
    checker = FrameChecker()
    found: list[tuple[int, int]] = []

    async def give(context: Any) -> None:
        for data, keep, last in (beat for frame in frames for beat in frame):
            context.set(checker.i.valid, 1)
            context.set(checker.i.payload, {"data": data, "keep": keep, "last": last})
            assert context.get(checker.i.ready)
            await context.tick()
        context.set(checker.i.valid, 0)
        await context.tick()
        found.append((context.get(checker.frames), context.get(checker.failed)))

    simulator = Simulator(checker)
    simulator.add_clock(4e-9)
    simulator.add_testbench(give)
    simulator.run()
    return found[0]


def test_the_checker_counts_frames_that_are_right() -> None:
    assert checked(sent(30)) == (30, 0)


def test_bytes_behind_the_end_do_not_count() -> None:
    frames = sent(3)
    data, keep, last = frames[0][-1]
    frames[0][-1] = (data | 0xFF << 504, keep, last)
    assert checked(frames) == (3, 0)


@pytest.mark.parametrize("byte", [0, 13, 17, 37, 38, 59])
def test_a_wrong_byte_fails_and_it_stays_failed(byte: int) -> None:
    frames = sent(4)
    data, keep, last = frames[2][0]
    frames[2][0] = (data ^ 0x10 << 8 * byte, keep, last)
    assert checked(frames) == (2, 1)


def test_a_frame_that_is_lost_repeated_or_cut_fails() -> None:
    frames = sent(4)
    assert checked([frames[0], *frames[2:]]) == (1, 1)
    assert checked([frames[0], frames[0]]) == (1, 1)
    data, keep, _ = frames[3][0]
    assert checked([*frames[:3], [(data, keep, 1)]]) == (3, 1)
    data, keep, last = frames[3][-1]
    assert checked([*frames[:3], [*frames[3][:-1], (data, keep >> 1, last)]]) == (3, 1)
