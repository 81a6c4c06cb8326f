"""Frames in one array."""

import numpy as np
import pytest

from cosim.traffic.frames import Frames


def test_frames_come_out_as_they_went_in() -> None:
    frames = [b"abc", b"", b"defgh"]
    packed = Frames.pack(frames)
    assert list(packed) == frames
    assert len(packed) == 3
    assert packed.lengths.tolist() == [3, 0, 5]
    assert [array.dtype for array in (packed.blob, packed.offsets, packed.lengths)] == [np.uint8, np.int64, np.int32]


def test_padding_adds_zeros_up_to_60_bytes_and_leaves_longer_frames() -> None:
    padded = list(Frames.pack([b"\x01" * 14, b"\x02" * 60, b"\x03" * 61]).padded())
    assert padded == [b"\x01" * 14 + bytes(46), b"\x02" * 60, b"\x03" * 61]


def test_no_frames_are_frames_too() -> None:
    assert list(Frames.pack([]).padded()) == []


def test_a_field_is_big_endian_and_zero_behind_the_end_of_its_frame() -> None:
    frames = Frames.pack([b"\1\2\3\4", b"\5\6", b"\7\x08\x09"])
    assert frames.field(0, 2).tolist() == [0x0102, 0x0506, 0x0708]
    assert frames.field(1, 2).tolist() == [0x0203, 0x0600, 0x0809]
    assert frames.field(np.array([3, 0, 9]), 1).tolist() == [4, 5, 0]


def test_frames_may_be_taken_in_another_order() -> None:
    frames = Frames.pack([b"a", b"bb", b"ccc"])
    assert list(frames.taken(np.array([2, 0, 2]))) == [b"ccc", b"a", b"ccc"]


def test_parts_are_all_frames_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosim.traffic.frames._PART", 3)
    listed = [bytes([number]) * (number % 3) for number in range(8)]
    frames = Frames.pack(listed)
    assert [(here.start, here.stop, list(part)) for here, part in frames.parts()] == [
        (0, 3, listed[:3]),
        (3, 6, listed[3:6]),
        (6, 8, listed[6:]),
    ]
    assert list(frames) == listed


def test_gathered_frames_are_the_same_in_an_array_of_their_own() -> None:
    frames = Frames.pack([b"abc", b"", b"de", b"abcdef"]).taken(np.array([3, 0, 0, 1]))
    gathered = frames.gathered()
    assert list(gathered) == [b"abcdef", b"abc", b"abc", b""]
    assert len(gathered.blob) == 4 * 8
    assert list(frames.taken(np.zeros(0, dtype=np.int64)).gathered()) == []
