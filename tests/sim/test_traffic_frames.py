"""Frames in one array."""

import numpy as np

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
