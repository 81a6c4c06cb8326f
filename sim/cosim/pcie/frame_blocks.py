"""Frames as the C++ side of the bridge takes and gives them (wire.hpp)."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_LONGEST_OF_CLIENT = 1514  # kLongestOfClient
_PORTS = 1 << 16  # kPorts


@dataclass(frozen=True)
class SentFrames:
    """Frames that left the NIC, in order.

    Attributes
    ----------
    data
        uint8: the bytes of all frames.
    offsets, lengths
        int64: where in ``data`` each frame starts, and its bytes.
    times_ps
        int64: time of the edge at which the MAC took its last beat.
    """

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    times_ps: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.times_ps)

    def frame(self, index: int) -> bytes:
        """The bytes of one frame."""
        start = int(self.offsets[index])
        return self.data[start : start + int(self.lengths[index])].tobytes()


@dataclass(frozen=True)
class Block:
    """Frames to come.

    Attributes
    ----------
    native
        What C++ takes.
    delivered
        int64: time of the edge of each frame's last beat; -1 before it came.
    arrays
        Others that C++ reads.
    """

    native: ctypes.Structure
    delivered: npt.NDArray[np.int64]
    arrays: tuple[npt.NDArray[Any], ...]


@dataclass(frozen=True, kw_only=True)
class ClientTimes:
    """When clients send, in ps.

    Attributes
    ----------
    start_ps
        All hand their first frames to the wire.
    think_ps
        From an answer to the client's next frame.
    mac_ps
        From the wire to the NIC, and from the NIC to the client.
    """

    start_ps: int
    think_ps: int
    mac_ps: int


class _FrameBlock(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_void_p) for name in ("data", "offsets", "lengths", "times", "errors", "delivered")
    ] + [("count", ctypes.c_int64)]  # fmt: skip


class _ClientBlock(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_void_p) for name in ("data", "offsets", "lengths", "next", "first", "client_of", "delivered")
    ] + [(name, ctypes.c_int64) for name in ("clients", "start", "think", "mac")]  # fmt: skip


def frame_block(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    times_ps: npt.NDArray[np.int64],
    errors: npt.NDArray[np.uint8] | None,
) -> Block:
    """Frames of which is known when they come; see ``Bridge.load_frames``."""
    count = len(times_ps)
    times = np.ascontiguousarray(times_ps, np.int64)
    bad = np.zeros(count, np.uint8) if errors is None else np.ascontiguousarray(errors, np.uint8)
    frames = _checked_frames(data, offsets, lengths, (times, bad))
    if (np.diff(times) < 0).any():
        raise ValueError("times of frames go back; accepted are those of one wire, in order")
    delivered = np.full(count, -1, np.int64)
    arrays = (*frames, times, bad)
    return Block(_FrameBlock(*_addresses(*arrays, delivered), count), delivered, arrays)


def client_block(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    clients: npt.NDArray[np.int64],
    ports: npt.NDArray[np.int64],
    times: ClientTimes,
) -> Block:
    """Frames of clients that wait for their answers; see ``Bridge.load_clients``."""
    frames = _checked_frames(data, offsets, lengths, (clients, ports))
    longest = int(frames[2].max(initial=0))
    if longest > _LONGEST_OF_CLIENT:
        raise ValueError(f"a client's frame of {longest} bytes; accepted are {_LONGEST_OF_CLIENT} at most")
    client_of = np.full(_PORTS, -1, np.int32)
    client_of[ports] = clients
    if (client_of[ports] != clients).any():
        raise ValueError("a port of two clients; accepted is one client for each")
    order = np.argsort(clients, kind="stable")
    is_follower = clients[order[1:]] == clients[order[:-1]]
    following = np.full(len(clients), -1, np.int64)
    following[order[:-1][is_follower]] = order[1:][is_follower]
    first = np.full(int(clients.max(initial=-1)) + 1, -1, np.int64)
    first[clients[order[::-1]]] = order[::-1]  # the last to be written is the first in order
    delivered = np.full(len(clients), -1, np.int64)
    arrays = (*frames, following, first, client_of)
    numbers = (len(first), times.start_ps, times.think_ps, times.mac_ps)
    return Block(_ClientBlock(*_addresses(*arrays, delivered), *numbers), delivered, arrays)


def _checked_frames(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    others: Sequence[npt.NDArray[Any]],
) -> tuple[npt.NDArray[Any], ...]:
    """The frames as C++ takes them, if they are whole, and if each has one of the others."""
    sizes = [len(offsets), len(lengths), *map(len, others)]
    if len(set(sizes)) > 1:
        raise ValueError(f"arrays of frames of lengths {sizes}; accepted is one length for all")
    if len(offsets) and (offsets.min() < 0 or lengths.min() < 1 or (offsets + lengths).max() > len(data)):
        raise ValueError(f"a frame beyond the {len(data)} bytes of data, or without any byte")
    return (
        np.ascontiguousarray(data, np.uint8),
        np.ascontiguousarray(offsets, np.int64),
        np.ascontiguousarray(lengths, np.int32),
    )


def _addresses(*arrays: npt.NDArray[Any]) -> list[int]:
    return [array.ctypes.data for array in arrays]
