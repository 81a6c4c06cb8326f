"""Each frame that left the NIC answers one request."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from cosim.measure import answers
from cosim.measure.answers import match_answers
from cosim.measure.errors import AccountingError
from cosim.traffic.frames import Frames


def times(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def match(
    expected: Sequence[bytes | None], arrivals: NDArray[np.int64], returned: list[bytes], left: NDArray[np.int64]
) -> list[int]:
    frames = Frames.pack(frame or b"a" for frame in expected)
    has_answer = np.array([frame is not None for frame in expected], dtype=np.bool_)
    return match_answers(frames, has_answer, arrivals, Frames.pack(returned), left).tolist()


@pytest.fixture(params=["by hash", "by equal hashes", "one by one"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way is taken, the answers are the same."""
    if request.param == "one by one":
        monkeypatch.setattr(answers, "_by_hash", lambda *_: None)
    elif request.param == "by equal hashes":
        monkeypatch.setattr(answers, "_hashes", lambda _, indices: np.zeros(len(indices), dtype=np.uint64))


def test_requests_get_their_answers_in_whatever_order_they_left() -> None:
    assert match([b"a", b"b"], times(1, 2), [b"b", b"a"], times(10, 20)) == [20, 10]


def test_equal_answers_go_to_the_requests_in_order_of_arrival() -> None:
    assert match([b"a", b"b", b"a"], times(1, 2, 3), [b"a", b"a"], times(10, 20)) == [10, -1, 20]
    assert match([b"a", b"b", b"a"], times(3, 2, 1), [b"a", b"a"], times(10, 20)) == [20, -1, 10]


def test_frames_that_differ_in_zeros_at_the_end_differ() -> None:
    frames = [b"a", b"a\0", b"a" + bytes(8), b"a" + bytes(100)]
    assert match(frames, times(1, 2, 3, 4), frames[::-1], times(10, 20, 30, 40)) == [40, 30, 20, 10]


def test_without_frames_nothing_is_answered() -> None:
    assert match([b"a", None], times(1, 2), [], times()) == [-1, -1]
    assert match([], times(), [], times()) == []


@pytest.mark.parametrize(
    ("expected", "arrivals", "returned", "left"),
    [
        ([b"a"], times(1), [b"x"], times(10)),  # other bytes
        ([b"a"], times(1), [b"aa"], times(10)),  # more bytes
        ([b"a"], times(1), [b"a", b"a"], times(10, 20)),  # twice
        ([b"a", b"b"], times(1, 2), [b"a", b"a"], times(10, 20)),  # twice, and another not at all
        ([None], times(1), [b"a"], times(10)),  # of a request that the door refuses
        ([b"a"], times(-1), [b"a"], times(10)),  # of a request that never came
        ([b"a"], times(10), [b"a"], times(10)),  # before it came
    ],
)
def test_a_frame_that_answers_nothing_is_an_error(
    expected: list[bytes | None], arrivals: NDArray[np.int64], returned: list[bytes], left: NDArray[np.int64]
) -> None:
    number, size = len(returned), len(returned[-1])
    with pytest.raises(
        AccountingError,
        match=rf"frame {number} that left the NIC, of {size} bytes at {number}0 ps, answers no request",
    ):
        match(expected, arrivals, returned, left)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("block", [8, 1 << 22])
def test_every_frame_of_many_finds_its_request(seed: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    print(f"seed {seed}")
    monkeypatch.setattr(answers, "_BLOCK_BYTES", block)
    draw = random.Random(seed)

    def new() -> bytes:
        return draw.randbytes(draw.choice([1, 7, 8, 60, 60, 61]))

    pool = [new() for _ in range(100)]
    expected = [draw.choice(pool) if draw.random() < 0.5 else new() for _ in range(300)]
    arrivals = draw.sample(range(1000), len(expected))
    answered = draw.sample(range(len(expected)), 200)
    left = [2000 + index for index in range(len(answered))]
    want, seen = [-1] * len(expected), dict.fromkeys(expected, 0)
    for index, time in zip(answered, left, strict=True):
        frame = expected[index]
        same = sorted((i for i, other in enumerate(expected) if other == frame), key=lambda i: arrivals[i])
        want[same[seen[frame]]] = time
        seen[frame] += 1
    assert match(expected, times(*arrivals), [expected[index] for index in answered], times(*left)) == want
