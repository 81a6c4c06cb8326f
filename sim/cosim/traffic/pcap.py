"""Captures: reads classic pcap and pcapng, writes classic pcap with nanosecond timestamps."""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from cosim.traffic.frames import Frames

ETHERNET = 1
"""Link type of Ethernet frames without frame check sequence."""

_CLASSIC_MAGICS = (0xA1B2C3D4, 0xA1B23C4D)  # microseconds, nanoseconds
_SECTION_HEADER, _INTERFACE, _OBSOLETE_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_SNAP_LENGTH = 262144


class CaptureError(ValueError):
    """A capture that cannot be used; the message is one line that names the file, and the frame where there is one."""


def read_capture(path: Path) -> Frames:
    """The frames of a capture, in its order; their times are left aside.

    Raises
    ------
    CaptureError
        The file cannot be read, is no capture, is not of Ethernet, ends too early, or has no frame or a cut one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror}; accepted is a capture (pcap or pcapng)") from None
    if not content:
        raise CaptureError(f"{path}: the file is empty; accepted is a capture (pcap or pcapng)")
    frames = Frames.pack(_frames(path, memoryview(content)))
    if len(frames) == 0:
        raise CaptureError(f"{path}: there is no frame in it; accepted is a capture of at least one")
    return frames


def write_capture(path: Path, frames: Iterable[bytes], times_ps: Iterable[int]) -> None:
    """Write whole frames as a classic nanosecond pcap; times in ps, rounded down to ns."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", _CLASSIC_MAGICS[1], 2, 4, 0, 0, _SNAP_LENGTH, ETHERNET))
        for frame, time_ps in zip(frames, times_ps, strict=True):
            seconds, nanoseconds = divmod(time_ps // 1000, 10**9)
            file.write(struct.pack("<IIII", seconds, nanoseconds, len(frame), len(frame)) + frame)


def _frames(path: Path, content: memoryview) -> Iterator[bytes]:
    for order in "<>" if len(content) >= 4 else "":
        magic = struct.unpack_from(f"{order}I", content)[0]
        if magic == _SECTION_HEADER:
            return _pcapng_frames(path, content)
        if magic in _CLASSIC_MAGICS:
            return _classic_frames(path, content, order)
    raise CaptureError(f"{path}: is no capture (it begins with {bytes(content[:8])!r}); accepted is pcap or pcapng")


def _classic_frames(path: Path, content: memoryview, order: str) -> Iterator[bytes]:
    if len(content) < 24:
        raise CaptureError(f"{path}: the capture is truncated: it ends within its file header")
    _require_ethernet(f"{path}:", struct.unpack_from(f"{order}H", content, 20 if order == "<" else 22)[0])
    record = struct.Struct(f"{order}IIII")
    position, number = 24, 0
    while position < len(content):
        if len(content) - position < record.size:
            raise _truncated(path, number)
        number += 1
        _, _, captured, original = record.unpack_from(content, position)
        position += record.size
        yield _frame(path, number, content, position, captured, original)
        position += captured


def _pcapng_frames(path: Path, content: memoryview) -> Iterator[bytes]:
    position, number, order = 0, 0, "<"
    interfaces: list[tuple[int, int]] = []  # link type and snap length
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
            link, _, snap = struct.unpack_from(f"{order}HHI", content, body)
            interfaces.append((link, snap))
        elif kind in (_ENHANCED_PACKET, _OBSOLETE_PACKET) and end - body >= 20:
            number += 1
            interface, _, _, captured, original = struct.unpack_from(f"{order}IIIII", content, body)
            if kind == _OBSOLETE_PACKET:  # 16 bits of interface, then a drop count
                interface = struct.unpack_from(f"{order}H", content, body)[0]
            _require_interface(path, number, interfaces, interface)
            yield _frame(path, number, content[:end], body + 20, captured, original)
        elif kind == _SIMPLE_PACKET and end - body >= 4:
            number += 1
            original = struct.unpack_from(f"{order}I", content, body)[0]
            snap = _require_interface(path, number, interfaces, 0)
            captured = min(original, snap) if snap else original
            yield _frame(path, number, content[:end], body + 4, captured, original)


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


def _require_interface(path: Path, number: int, interfaces: list[tuple[int, int]], index: int) -> int:
    """The snap length of an interface, checked to be there and of Ethernet."""
    if index >= len(interfaces):
        raise CaptureError(f"{path}: frame {number} is of interface {index}, which the capture does not describe")
    link, snap = interfaces[index]
    _require_ethernet(f"{path}: frame {number}", link)
    return snap


def _require_ethernet(where: str, link: int) -> None:
    if link != ETHERNET:
        raise CaptureError(f"{where} has link type {link}; accepted is {ETHERNET}, Ethernet")
