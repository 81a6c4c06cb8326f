"""Captures: what can be read, byte for byte, and what is refused, in one line that names the file and the frame."""

import struct
from pathlib import Path

import numpy as np
import pytest
from scapy.utils import RawPcapNgReader, RawPcapReader, RawPcapWriter

from cosim.traffic.frames import Frames
from cosim.traffic.pcap import CaptureError, read_capture, read_timed_capture, write_capture
from tests.captures import CAPTURES, capture_names

FRAMES = [bytes(range(60)), b"\xff" * 61, bytes(1514), b"\x00" * 14]


def classic(frames: list[bytes], order: str = "<", magic: int = 0xA1B2C3D4, link: int = 1) -> bytes:
    records = b"".join(struct.pack(f"{order}IIII", 1, 2, len(f), len(f)) + f for f in frames)
    return struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link) + records


def block(order: str, kind: int, body: bytes) -> bytes:
    body = body.ljust(-(-len(body) // 4) * 4, b"\0")
    length = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + length + body + length


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str, link: int = 1, snap: int = 0) -> bytes:
    return block(order, 1, struct.pack(f"{order}HHI", link, 0, snap))


def enhanced(order: str, frame: bytes, index: int = 0, original: int | None = None, time: int = 0) -> bytes:
    size = len(frame) if original is None else original
    high, low = divmod(time, 1 << 32)
    return block(order, 6, struct.pack(f"{order}IIIII", index, high, low, len(frame), size) + frame)


def read(tmp_path: Path, content: bytes) -> list[bytes]:
    path = tmp_path / "some.pcap"
    path.write_bytes(content)
    return list(read_capture(path))


@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
@pytest.mark.parametrize("order", ["<", ">"])
def test_classic_captures_of_both_byte_orders_and_resolutions(tmp_path: Path, order: str, magic: int) -> None:
    assert read(tmp_path, classic(FRAMES, order, magic)) == FRAMES


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_of_both_byte_orders_with_every_kind_of_packet_block(tmp_path: Path, order: str) -> None:
    obsolete = block(order, 2, struct.pack(f"{order}HHIIII", 0, 7, 0, 0, 60, 60) + FRAMES[0])
    simple = block(order, 3, struct.pack(f"{order}I", 61) + FRAMES[1])
    unknown = block(order, 0xBAD, b"statistics")
    content = section(order) + interface(order) + enhanced(order, FRAMES[2]) + unknown + obsolete + simple
    assert read(tmp_path, content) == [FRAMES[2], FRAMES[0], FRAMES[1]]


def test_a_second_section_may_have_the_other_byte_order_and_other_interfaces(tmp_path: Path) -> None:
    first = section("<") + interface("<", link=113) + interface("<") + enhanced("<", FRAMES[0], index=1)
    second = section(">") + interface(">") + enhanced(">", FRAMES[1])
    assert read(tmp_path, first + second) == FRAMES[:2]


def test_what_is_written_another_reader_reads(tmp_path: Path) -> None:
    path = tmp_path / "written.pcap"
    write_capture(path, FRAMES, [0, 1_999, 2_000, 3_000_000_000_123])
    with RawPcapReader(str(path)) as reader:
        packets = list(reader)
    assert [data for data, _ in packets] == FRAMES
    assert [(meta.sec, meta.usec) for _, meta in packets] == [(0, 0), (0, 1), (0, 2), (3, 0)]
    assert list(read_capture(path)) == FRAMES


def test_frames_are_written_alike_however_many_at_a_time_and_of_whatever_lengths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [bytes([number]) * length for number, length in enumerate([60, 60, 61, 60, 64, 64, 64])]
    times = [1_000_000 * number for number in range(7)]
    for number, part in enumerate((100, 1, 2, 3)):
        monkeypatch.setattr("cosim.traffic.frames._PART", part)
        write_capture(tmp_path / str(number), Frames.pack(frames), np.array(times))
        assert (tmp_path / str(number)).read_bytes() == (tmp_path / "0").read_bytes()
    found, read_times = read_timed_capture(tmp_path / "0")
    assert (list(found), read_times.tolist()) == (frames, times)
    write_capture(tmp_path / "none", [], [])
    assert len((tmp_path / "none").read_bytes()) == 24


def test_each_frame_that_is_written_has_a_time(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 times of 3 frames; accepted is one for each"):
        write_capture(tmp_path / "written.pcap", [bytes(60)] * 3, [0, 1])


def test_what_another_writer_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "written.pcap"
    with RawPcapWriter(str(path), linktype=1) as writer:
        writer.write_header(None)
        for frame in FRAMES:
            writer.write_packet(frame)
    assert list(read_capture(path)) == FRAMES


@pytest.mark.parametrize("name", [name for name in capture_names() if name != "linux_cooked.pcap"])
def test_real_captures_as_another_reader_sees_them(name: str) -> None:
    path = CAPTURES / name
    assert list(read_capture(path)) == [data for data, _ in (RawPcapReader(str(path)))]


@pytest.mark.parametrize("name", capture_names("linux_cooked.pcap"))
def test_a_real_capture_of_another_link_type_is_refused(name: str) -> None:
    with pytest.raises(CaptureError, match=rf"{name}: has link type 113; accepted is 1, Ethernet"):
        read_capture(CAPTURES / name)


BAD = {
    "empty": (b"", "the file is empty"),
    "short": (b"abc", "is no capture"),
    "text": (b"This is not a capture, but a letter.\n" * 9, "is no capture"),
    "without frames": (classic([]), "there is no frame in it"),
    "pcapng without frames": (section("<") + interface("<"), "there is no frame in it"),
    "cooked": (classic(FRAMES, link=113), "has link type 113; accepted is 1, Ethernet"),
    "cooked, big-endian": (classic(FRAMES, order=">", link=113), "has link type 113; accepted is 1, Ethernet"),
    "cooked pcapng": (
        section("<") + interface("<") + interface("<", link=113) + enhanced("<", FRAMES[0]) + enhanced("<", b"x", 1),
        "frame 2 has link type 113",
    ),
    "unknown interface": (section("<") + enhanced("<", FRAMES[0]), "frame 1 is of interface 0"),
    "header cut": (classic(FRAMES)[:20], "truncated: it ends within its file header"),
    "record header cut": (classic(FRAMES[:2])[: 24 + 76 + 15], "truncated: it ends within frame 2"),
    "frame cut": (classic(FRAMES[:2])[:-1], "truncated: it ends within frame 2"),
    "block cut": ((section(">") + interface(">") + enhanced(">", FRAMES[0]))[:-1], "truncated: it ends within frame 1"),
    "block length": (section("<") + struct.pack("<III", 6, 8, 8), "the block at byte 28 has a wrong length"),
    "block lengths differ": (section("<")[:-4] + struct.pack("<I", 32), "the block at byte 0 has a wrong length"),
    "snap length": (
        classic(FRAMES[:1]) + struct.pack("<IIII", 0, 0, 60, 1514) + FRAMES[0],
        "frame 2 was cut to 60 of its 1514 bytes by the snap length",
    ),
    "snap length, pcapng": (
        section("<") + interface("<") + enhanced("<", FRAMES[0], original=100),
        "frame 1 was cut to 60 of its 100 bytes by the snap length",
    ),
    "snap length, simple block": (
        section("<") + interface("<", snap=32) + block("<", 3, struct.pack("<I", 60) + FRAMES[0][:32]),
        "frame 1 was cut to 32 of its 60 bytes by the snap length",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(CaptureError) as error:
        read(tmp_path, content)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'some.pcap'}: ")
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="No such file or directory; accepted is a capture"):
        read_capture(tmp_path / "nothing.pcap")
    with pytest.raises(CaptureError, match="Is a directory; accepted is a capture"):
        read_capture(tmp_path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_pcapng_cut_anywhere_but_between_blocks_is_refused(tmp_path: Path, order: str) -> None:
    blocks = [section(order), interface(order), enhanced(order, FRAMES[0]), enhanced(order, FRAMES[1])]
    content = b"".join(blocks)
    assert read(tmp_path, b"".join(blocks[:3])) == FRAMES[:1]
    for cut in set(range(len(content))) - {len(b"".join(blocks[:3]))}:
        with pytest.raises(CaptureError):
            read(tmp_path, content[:cut])


def test_scapy_reads_our_pcapng(tmp_path: Path) -> None:
    """So that the blocks above are pcapng to more than their own author."""
    path = tmp_path / "blocks.pcapng"
    path.write_bytes(section("<") + interface("<") + enhanced("<", FRAMES[0]))
    with RawPcapNgReader(str(path)) as reader:
        assert [data for data, _ in reader] == FRAMES[:1]


def times(tmp_path: Path, content: bytes) -> list[int]:
    path = tmp_path / "some.pcap"
    path.write_bytes(content)
    frames, times_ps = read_timed_capture(path)
    assert list(frames) == list(read_capture(path))
    return times_ps.tolist()


def timed(stamps: list[tuple[int, int]], order: str, magic: int) -> bytes:
    """Empty-looking frames at these (seconds, parts of a second)."""
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    return head + b"".join(struct.pack(f"{order}IIII", *stamp, 60, 60) + bytes(60) for stamp in stamps)


@pytest.mark.parametrize("order", ["<", ">"])
def test_times_of_a_classic_capture_are_in_its_parts_of_a_second_from_the_first_frame_on(
    tmp_path: Path, order: str
) -> None:
    stamps = [(4_000_000_000, 999_999), (4_000_000_001, 1)]
    assert times(tmp_path, timed(stamps, order, 0xA1B2C3D4)) == [0, 2_000_000]
    assert times(tmp_path, timed(stamps, order, 0xA1B23C4D)) == [0, 10**12 - 999_998 * 1000]


def test_a_frame_from_before_comes_at_once_behind_the_one_before_it(tmp_path: Path) -> None:
    stamps = [(1, 5), (1, 9), (1, 7), (1, 3), (1, 10)]
    assert times(tmp_path, timed(stamps, "<", 0xA1B23C4D)) == [0, 4000, 4000, 4000, 5000]
    assert times(tmp_path, timed([(4_000_000_000, 0), (0, 0)], "<", 0xA1B23C4D)) == [0, 0]


@pytest.mark.parametrize(
    ("options", "unit_ps"),
    [
        ([], 10**6),
        ([(9, b"\x09")], 1000),
        ([(9, b"\x03")], 10**9),
        ([(9, b"\x8a")], 10**12 / 1024),
        ([(2, b"eth"), (9, b"\x09"), (0, b"")], 1000),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_times_of_pcapng_have_the_resolution_of_their_interface(
    tmp_path: Path, order: str, options: list[tuple[int, bytes]], unit_ps: float
) -> None:
    text = b"".join(
        struct.pack(f"{order}HH", code, len(value)) + value.ljust(-(-len(value) // 4) * 4, b"\0")
        for code, value in options
    )
    described = block(order, 1, struct.pack(f"{order}HHI", 1, 0, 0) + text)
    start = 5 << 32
    content = section(order) + described + b"".join(enhanced(order, FRAMES[0], time=start + at) for at in (0, 1024))
    assert times(tmp_path, content) == [0, 1024 * unit_ps]


def test_interfaces_may_begin_in_seconds_of_their_own(tmp_path: Path) -> None:
    late = block("<", 1, struct.pack("<HHI", 1, 0, 0) + struct.pack("<HHq", 14, 8, 3))
    frames = enhanced("<", FRAMES[0], time=7) + enhanced("<", FRAMES[0], index=1, time=7)
    assert times(tmp_path, section("<") + interface("<") + late + frames) == [0, 3 * 10**12]


def test_times_that_are_none_are_refused_where_they_matter(tmp_path: Path) -> None:
    simple = block("<", 3, struct.pack("<I", 61) + FRAMES[1])
    with pytest.raises(CaptureError, match=r"some\.pcap: frame 2 has no time; accepted with its own timing are frames"):
        times(tmp_path, section("<") + interface("<") + enhanced("<", FRAMES[0]) + simple)
    with pytest.raises(CaptureError, match=r"frame 2 is 100001 s behind the first; accepted .* is at most 100000 s"):
        times(tmp_path, timed([(0, 0), (100_001, 0)], "<", 0xA1B2C3D4))
