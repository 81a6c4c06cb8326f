"""Captures: reads classic pcap and pcapng, writes classic pcap with nanosecond timestamps."""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cosim.traffic.frames import Frames

ETHERNET = 1
"""Link type of Ethernet frames without frame check sequence."""

LONGEST_PS = 10**17
"""No capture whose times matter may last longer: 100,000 s."""

_CLASSIC_MAGICS = {0xA1B2C3D4: 10**6, 0xA1B23C4D: 10**9}
"""And the parts of a second that each counts in."""
_NANOSECONDS = 0xA1B23C4D
_PS_PER_S = 10**12
_SECTION_HEADER, _INTERFACE, _OBSOLETE_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_SNAP_LENGTH = 262144
_RESOLUTION, _OFFSET = 9, 14  # options of an interface


class CaptureError(ValueError):
    """A capture that cannot be used; the message is one line that names the file, and the frame where there is one."""


class _Interface(NamedTuple):
    """How long its frames may be (0: no limit), the parts of a second that it counts, and its first second."""

    link: int
    snap_length: int
    per_second: int
    first_second: int


_Found = tuple[bytes, int | None]
"""A frame, and its time in ps if it has one."""


def read_capture(path: Path) -> Frames:
    """The frames of a capture, in its order; their times are left aside.

    Raises
    ------
    CaptureError
        The file cannot be read, is no capture, is not of Ethernet, ends too early, or has no frame or a cut one.
    """
    return Frames.pack(frame for frame, _ in _read(path))


def read_timed_capture(path: Path) -> tuple[Frames, NDArray[np.int64]]:
    """The frames of a capture, and when each comes: ps from the first on.

    Ascending: a frame with an earlier time than the one before comes at once behind that.

    Raises
    ------
    CaptureError
        As ``read_capture``; or a frame has no time, or the capture lasts longer than LONGEST_PS.
    """
    found = _read(path)
    begin = found[0][1] or 0
    times = []
    for number, (_, time) in enumerate(found, start=1):
        if time is None:
            raise CaptureError(f"{path}: frame {number} has no time; accepted with its own timing are frames with one")
        times.append(time - begin)
        if times[-1] > LONGEST_PS:
            raise CaptureError(
                f"{path}: frame {number} is {times[-1] // _PS_PER_S} s behind the first; "
                f"accepted with its own timing is at most {LONGEST_PS // _PS_PER_S} s"
            )
    ascending = np.maximum.accumulate(np.array([max(time, 0) for time in times], dtype=np.int64))
    return Frames.pack(frame for frame, _ in found), ascending


def _read(path: Path) -> list[_Found]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror}; accepted is a capture (pcap or pcapng)") from None
    if not content:
        raise CaptureError(f"{path}: the file is empty; accepted is a capture (pcap or pcapng)")
    found = list(_frames(path, memoryview(content)))
    if not found:
        raise CaptureError(f"{path}: there is no frame in it; accepted is a capture of at least one")
    return found


def write_capture(path: Path, frames: Iterable[bytes], times_ps: Iterable[int] | NDArray[np.int64]) -> None:
    """Write whole frames as a classic nanosecond pcap; times in ps, rounded down to ns.

    Raises
    ------
    ValueError
        There are not as many times as frames.
    """
    packed = frames if isinstance(frames, Frames) else Frames.pack(frames)
    times = times_ps if isinstance(times_ps, np.ndarray) else np.fromiter(times_ps, dtype=np.int64)
    if len(times) != len(packed):
        raise ValueError(f"{len(times)} times of {len(packed)} frames; accepted is one for each")
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", _NANOSECONDS, 2, 4, 0, 0, _SNAP_LENGTH, ETHERNET))
        for here, some in packed.parts():
            seconds, nanoseconds = np.divmod(times[here] // 1000, 10**9)
            heads = np.stack((seconds, nanoseconds, some.lengths, some.lengths), axis=1).astype("<u4")
            if (some.lengths == some.lengths[0]).all():
                rows = some.gathered().blob.reshape(len(some), -1)[:, : some.lengths[0]]
                file.write(np.hstack((heads.view(np.uint8), rows)).data)
            else:
                file.writelines(head + frame for head, frame in zip(map(bytes, heads), some, strict=True))


def _frames(path: Path, content: memoryview) -> Iterator[_Found]:
    for order in "<>" if len(content) >= 4 else "":
        magic = struct.unpack_from(f"{order}I", content)[0]
        if magic == _SECTION_HEADER:
            return _pcapng_frames(path, content)
        if magic in _CLASSIC_MAGICS:
            return _classic_frames(path, content, order, _CLASSIC_MAGICS[magic])
    raise CaptureError(f"{path}: is no capture (it begins with {bytes(content[:8])!r}); accepted is pcap or pcapng")


def _classic_frames(path: Path, content: memoryview, order: str, per_second: int) -> Iterator[_Found]:
    if len(content) < 24:
        raise CaptureError(f"{path}: the capture is truncated: it ends within its file header")
    _require_ethernet(f"{path}:", struct.unpack_from(f"{order}H", content, 20 if order == "<" else 22)[0])
    record = struct.Struct(f"{order}IIII")
    position, number = 24, 0
    while position < len(content):
        if len(content) - position < record.size:
            raise _truncated(path, number)
        number += 1
        seconds, parts, captured, original = record.unpack_from(content, position)
        position += record.size
        time = seconds * _PS_PER_S + parts * _PS_PER_S // per_second
        yield _frame(path, number, content, position, captured, original), time
        position += captured


def _pcapng_frames(path: Path, content: memoryview) -> Iterator[_Found]:
    position, number, order = 0, 0, "<"
    interfaces: list[_Interface] = []
    while position < len(content):
        if len(content) - position < 12:
            raise _truncated(path, number)
        if content[position : position + 4] == _SECTION_HEADER.to_bytes(4):  # the same in both byte orders
            order = "<" if struct.unpack_from("<I", content, position + 8)[0] == _BYTE_ORDER_MAGIC else ">"
            interfaces = []
        kind, length = struct.unpack_from(f"{order}II", content, position)
        if length > len(content) - position:
            raise _truncated(path, number)
        body, end = position + 8, position + length - 4
        if length < 12 or length % 4 or struct.unpack_from(f"{order}I", content, end)[0] != length:
            raise CaptureError(f"{path}: is no sound capture: the block at byte {position} has a wrong length")
        position = end + 4

        if kind == _INTERFACE and end - body >= 8:
            interfaces.append(_interface(content[body:end], order))
        elif kind in (_ENHANCED_PACKET, _OBSOLETE_PACKET) and end - body >= 20:
            number += 1
            index, high, low, captured, original = struct.unpack_from(f"{order}IIIII", content, body)
            if kind == _OBSOLETE_PACKET:  # 16 bits of interface, then a drop count
                index = struct.unpack_from(f"{order}H", content, body)[0]
            interface = _require_interface(path, number, interfaces, index)
            time = interface.first_second * _PS_PER_S + (high << 32 | low) * _PS_PER_S // interface.per_second
            yield _frame(path, number, content[:end], body + 20, captured, original), time
        elif kind == _SIMPLE_PACKET and end - body >= 4:
            number += 1
            original = struct.unpack_from(f"{order}I", content, body)[0]
            snap = _require_interface(path, number, interfaces, 0).snap_length
            captured = min(original, snap) if snap else original
            yield _frame(path, number, content[:end], body + 4, captured, original), None


def _interface(body: memoryview, order: str) -> _Interface:
    """What the body of an interface's block says; its options count up to the first that does not fit."""
    link, _, snap_length = struct.unpack_from(f"{order}HHI", body)
    per_second, first_second = 10**6, 0
    position = 8
    while position + 4 <= len(body):
        code, length = struct.unpack_from(f"{order}HH", body, position)
        value = body[position + 4 : position + 4 + length]
        if code == _RESOLUTION and len(value) == 1:
            per_second = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        elif code == _OFFSET and len(value) == 8:
            first_second = struct.unpack(f"{order}q", value)[0]
        position += 4 + -(-length // 4) * 4
    return _Interface(link, snap_length, per_second, first_second)


def _frame(path: Path, number: int, content: memoryview, start: int, captured: int, original: int) -> bytes:
    """Frame ``number`` (from 1) of the capture, checked to be there whole."""
    if captured > len(content) - start:
        raise _truncated(path, number - 1)
    if captured < original:
        raise CaptureError(
            f"{path}: frame {number} was cut to {captured} of its {original} bytes by the snap length; "
            "accepted are whole frames"
        )
    return bytes(content[start : start + captured])


def _truncated(path: Path, frames: int) -> CaptureError:
    """The error of a file that ends too early after ``frames`` whole frames."""
    return CaptureError(f"{path}: the capture is truncated: it ends within frame {frames + 1}")


def _require_interface(path: Path, number: int, interfaces: list[_Interface], index: int) -> _Interface:
    """An interface, checked to be there and of Ethernet."""
    if index >= len(interfaces):
        raise CaptureError(f"{path}: frame {number} is of interface {index}, which the capture does not describe")
    _require_ethernet(f"{path}: frame {number}", interfaces[index].link)
    return interfaces[index]


def _require_ethernet(where: str, link: int) -> None:
    if link != ETHERNET:
        raise CaptureError(f"{where} has link type {link}; accepted is {ETHERNET}, Ethernet")
