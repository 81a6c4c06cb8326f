"""The NIC behind its link, as software on the simulated host reaches it: the RTL, inside its simulator, or a fast one.

Rules of time: docs/design.md. The C++ side (bridge.cpp) moves all data; Python is woken when a run ends, that is for
what software can see, and never per cycle.
"""

import ctypes
import mmap
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np
import numpy.typing as npt

from cosim.nic.base import PAGE_BYTES, Effect, HostMemory
from cosim.nic.fast import FastNic
from cosim.pcie.frame_blocks import Block, ClientTimes, SentFrames, client_block, frame_block
from cosim.pcie.link import LinkParameters

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject  # beside a fast NIC there is no cocotb

LATEST = 1 << 60
"""Latest host time that ``run`` takes: 13 days."""

# words of the block that both sides share: enum Status in bridge.hpp
_SAFE, _NEXT_CHANGE, _EFFECTS, _CYCLE, _BOUND, _DELIVERED, _SENT, _FAILED, _STATUS_WORDS = range(9)
_EFFECT_CAPACITY = 1 << 16  # kEffects

# result and arguments of the functions in bridge.cpp
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "open": (ctypes.c_bool, [ctypes.c_int64, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_bool]),
    "take_error": (ctypes.c_char_p, []),
    "memory": (ctypes.c_void_p, []),
    "memory_file": (ctypes.c_int, []),
    "status": (ctypes.c_void_p, []),
    "effects": (ctypes.c_void_p, []),
    "mmio_write": (ctypes.c_bool, [ctypes.c_int64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_int]),
    "mmio_read": (ctypes.c_bool, [ctypes.c_int64, ctypes.c_uint64, ctypes.c_int32]),
    "watch": (ctypes.c_bool, [ctypes.c_uint64, ctypes.c_uint64, ctypes.c_int32]),
    "advance": (ctypes.c_bool, [ctypes.c_int64]),
    "load_frames": (ctypes.c_bool, [ctypes.c_void_p]),
    "load_clients": (ctypes.c_bool, [ctypes.c_void_p]),
    "end_frames": (ctypes.c_bool, [ctypes.c_int64]),
    "sent_up_to": (ctypes.c_int64, [ctypes.c_int64, ctypes.c_void_p]),
    "fault": (None, [ctypes.c_uint64, ctypes.c_int]),
    "sent": (ctypes.c_int64, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]),
    "counters": (None, [ctypes.c_void_p]),
    "record": (ctypes.c_bool, [ctypes.c_char_p]),
    "record_transfers": (ctypes.c_bool, [ctypes.c_char_p]),
    "hash": (ctypes.c_uint64, []),
    "log_link": (None, []),
    "busy": (ctypes.c_int64, [ctypes.c_bool, ctypes.c_void_p]),
}


class BridgeError(RuntimeError):
    """Software or the RTL broke a rule, or nothing moves; the message says which, where and when."""


@dataclass(frozen=True)
class Counters:
    """What the bridge did so far.

    Attributes
    ----------
    cycles, cycles_skipped
        Clock cycles that the RTL ran, and those over which it jumped.
    wakes
        Times that Python was woken.
    calls
        DPI calls that carried something.
    bytes_up, bytes_down
        On the link, overhead included.
    writes_outside, reads_outside
        Accesses beyond host memory; such a write is ignored, such a read is answered by an error.
    first_outside
        Address of the first such write.
    to_host_beats, read_request_beats, read_completion_beats, mmio_request_beats, ethernet_tx_beats
        Transfers on these ports of the NIC.
    """

    cycles: int
    cycles_skipped: int
    wakes: int
    calls: int
    bytes_up: int
    bytes_down: int
    writes_outside: int
    reads_outside: int
    first_outside: int
    to_host_beats: int
    read_request_beats: int
    read_completion_beats: int
    mmio_request_beats: int
    ethernet_tx_beats: int


class Bridge:
    """The NIC behind its link (protocol: cosim.nic.base.Nic), and the wire.

    Parameters
    ----------
    top
        A fast NIC, or inside the simulator of the RTL cocotb's handle of the ``bridge`` module.
    memory_bytes
        Of host memory; a multiple of 4096. Pages cost nothing before they are touched.
    link
        Every number of link and wire.
    lookahead
        Cycles that the RTL may run before Python looks, or "max": as many as are exact. Results do not depend on it.
    skip_idle
        Jump over time in which the NIC waits. Results do not depend on it.
    """

    def __init__(
        self,
        top: "HierarchyObject | FastNic",
        *,
        memory_bytes: int,
        link: LinkParameters | None = None,
        lookahead: int | Literal["max"] = "max",
        skip_idle: bool = True,
    ) -> None:
        link = link or LinkParameters()
        if memory_bytes < PAGE_BYTES or memory_bytes % PAGE_BYTES:
            raise ValueError(f"host memory of {memory_bytes} bytes; accepted are multiples of {PAGE_BYTES}")
        if lookahead != "max" and lookahead < 1:
            raise ValueError(f"lookahead is {lookahead}; accepted are max and cycles from 1 up")
        # the RTL's is in this process, which is the simulator
        native = top.native if isinstance(top, FastNic) else ctypes.CDLL(None)
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(native, f"bridge_{name}")
            function.restype, function.argtypes = result, arguments
        self._native = native
        self._advance = native.bridge_advance
        words = link.words()
        cycles = 0 if lookahead == "max" else lookahead
        link_words = (ctypes.c_int64 * len(words))(*words)
        self._check(native.bridge_open(memory_bytes, link_words, len(words), cycles, skip_idle))
        self.link = link
        buffer = _shared(native.bridge_memory(), ctypes.c_uint8, memory_bytes)
        self.memory = HostMemory(buffer, native.bridge_memory_file())
        self._status = _shared(native.bridge_status(), ctypes.c_int64, _STATUS_WORDS).cast("q")
        self._effect_words = _shared(native.bridge_effects(), ctypes.c_uint64, 3 * _EFFECT_CAPACITY).cast("Q")
        self._blocks: list[Block] = []
        self.try_write: Callable[[int, int, int, int], bool] = native.bridge_mmio_write
        self.try_advance: Callable[[int], int] = self._try_advance
        self.try_run: Callable[[int], int] = self._try_run
        self.take_effects: Callable[[], list[Effect]] = self._take_effects
        if isinstance(top, FastNic):
            self._check(top.open())
            self._go_on, self._woken = native.model_run, None
            calls = top.calls
            self.try_write, self.try_advance = calls.write, calls.advance
            self.try_run, self.take_effects = calls.run, calls.take_effects
        else:
            from cocotb.triggers import ValueChange

            events: Any = top.events
            self._woken = ValueChange(events)

    def _check(self, fine: bool) -> None:
        if not fine:
            self.raise_error()

    def raise_error(self) -> NoReturn:
        """Raise what the C++ side has to tell."""
        raise BridgeError(self._native.bridge_take_error().decode())

    # --- Nic ---

    @property
    def next_change(self) -> int:
        """Host time of the NIC's first access to host memory that is not yet applied; NEVER if there is none."""
        return self._status[_NEXT_CHANGE]

    def mmio_write(self, now: int, address: int, value: int, size: int) -> None:
        """Posted write of 4 or 8 bytes, aligned to its size; ``address`` is a byte offset within BAR2."""
        self._check(self.try_write(now, address, value, size))

    def mmio_read(self, now: int, address: int, source: int) -> None:
        """Read an aligned 8-byte word; its value arrives as an effect of ``source``. At most 256 at a time."""
        self._check(self._native.bridge_mmio_read(now, address, source))

    def watch(self, address: int, length: int, source: int) -> None:
        """From now on a NIC write to these whole pages is an effect of ``source``; several lines of one are one."""
        self._check(self._native.bridge_watch(address, length, source))

    def advance(self, now: int) -> None:
        """Make host memory what it is at ``now``, the NIC's accesses at ``now`` itself included."""
        self._check(self._advance(now))

    async def run(self, bound: int) -> int:
        """Let the RTL run while it is certain that software, silent before host time ``bound``, cannot reach it.

        Gives the host time up to which software may run. Returns at once if that is ``bound`` or later already.

        Raises
        ------
        BridgeError
            The RTL broke a rule of its ports, or nothing moves; or effects of the last run were not taken.
        """
        status = self._status
        if bound > LATEST:
            raise BridgeError(f"run to {bound} ps; accepted is a time up to {LATEST} ps")
        if status[_EFFECTS]:
            raise BridgeError(
                f"run to {bound} ps with {status[_EFFECTS]} effects not taken: the first may need an answer"
            )
        if status[_SAFE] < bound:
            status[_BOUND] = bound
            if self._woken is None:
                self._go_on()
            else:
                await self._woken
            if status[_FAILED]:
                self._check(False)
        return status[_SAFE]

    def _try_advance(self, now: int) -> int:
        return self._status[_NEXT_CHANGE] if self._advance(now) else -1

    def _try_run(self, bound: int) -> int:
        status = self._status
        return status[_SAFE] if status[_SAFE] >= bound and not status[_EFFECTS] else -1

    def _take_effects(self) -> list[Effect]:
        count = self._status[_EFFECTS]
        if not count:
            return []
        self._status[_EFFECTS] = 0
        words = self._effect_words[: 3 * count].tolist()
        return list(zip(words[0::3], words[1::3], words[2::3], strict=True))

    # --- the wire ---

    def load_frames(
        self,
        data: npt.NDArray[np.uint8],
        offsets: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int32],
        times_ps: npt.NDArray[np.int64],
        errors: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.int64]:
        """Frames to come, after those loaded before; without frame check sequence.

        Parameters
        ----------
        data, offsets, lengths
            Frame i is ``data[offsets[i] : offsets[i] + lengths[i]]``, at least 1 byte.
        times_ps
            When the MAC has all of frame i, in order: its last beat is at the first edge from then on, or later, if the
            beats of the frame before are not through.
        errors
            Not 0: the MAC calls the frame bad.

        Returns
        -------
        int64: time of the edge of each frame's last beat; -1 before it came. Filled while the RTL runs.
        """
        block = frame_block(data, offsets, lengths, times_ps, errors)
        self._blocks.append(block)
        self._check(self._native.bridge_load_frames(ctypes.byref(block.native)))
        return block.delivered

    def load_clients(
        self,
        data: npt.NDArray[np.uint8],
        offsets: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int32],
        clients: npt.NDArray[np.int64],
        ports: npt.NDArray[np.int64],
        times: ClientTimes,
    ) -> npt.NDArray[np.int64]:
        """Frames of clients that wait for their answers, instead of frames whose times are known; once.

        Each client hands its first frame to the wire at the start, and each later one when it has thought about the
        answer to the one before. The wire takes one frame at a time, in the order in which it gets them.

        Parameters
        ----------
        data, offsets, lengths
            As ``load_frames`` takes them, of at most 1514 bytes each.
        clients
            Whose each frame is, from 0 up; one client's are sent in their order.
        ports
            Source port of the answer to each frame, UDP without IP options: each is one client's alone.
        times
            When they send.

        Returns
        -------
        int64: time of the edge of each frame's last beat; -1 before it came. Filled while the RTL runs.
        """
        if self._blocks:
            raise ValueError("clients beside other frames; accepted are either, and clients once")
        block = client_block(data, offsets, lengths, clients, ports, times)
        self._blocks.append(block)
        self._check(self._native.bridge_load_clients(ctypes.byref(block.native)))
        return block.delivered

    def end_frames(self, time_ps: int) -> None:
        """No frame begins at ``time_ps`` or later, whatever was loaded; a time that the RTL has not reached."""
        self._check(self._native.bridge_end_frames(time_ps))

    @property
    def frames_delivered(self) -> int:
        """Frames whose last beat the NIC got, as of the last run."""
        return self._status[_DELIVERED]

    @property
    def frames_sent(self) -> int:
        """Frames that the NIC sent, as of the last run."""
        return self._status[_SENT]

    def sent_up_to(self, time_ps: int) -> tuple[int, int]:
        """How many frames the NIC sent up to ``time_ps``, and when the last one of these left; -1 if none did."""
        last = ctypes.c_int64()
        count: int = self._native.bridge_sent_up_to(time_ps, ctypes.byref(last))
        return count, last.value

    def sent_frames(self) -> SentFrames:
        """All frames that the NIC sent so far."""
        file, pointers = ctypes.c_int(), [ctypes.c_void_p() for _ in range(2)]
        count = self._native.bridge_sent(ctypes.byref(file), *(ctypes.byref(pointer) for pointer in pointers))
        if not count:
            empty = np.zeros(0, np.int64)
            return SentFrames(np.zeros(0, np.uint8), empty, empty, empty)
        if file.value < 0:
            raise BridgeError("the frames that were sent could not be written to a file; accepted is room for them")
        ends, times = (
            np.ctypeslib.as_array((ctypes.c_int64 * count).from_address(p.value or 0)).copy() for p in pointers
        )
        mapping = mmap.mmap(file.value, int(ends[-1]), access=mmap.ACCESS_READ)
        offsets = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
        return SentFrames(np.frombuffer(mapping, np.uint8), offsets, ends - offsets, times)

    def log_link(self) -> None:
        """From now on, keep when each direction of the link is busy."""
        self._native.bridge_log_link()

    def busy(self, direction: Literal["up", "down"]) -> npt.NDArray[np.int64]:
        """When a direction of the link was busy since ``log_link``: int64 (n, 2), begin and end in ps, in order.

        The way up by the time of its entry at the NIC, the way down at the host. The RTL may have run ahead.
        """
        pointer = ctypes.c_void_p()
        count = self._native.bridge_busy(direction == "down", ctypes.byref(pointer))
        if not count:
            return np.zeros((0, 2), np.int64)
        times = np.ctypeslib.as_array((ctypes.c_int64 * count).from_address(pointer.value or 0))
        return times.reshape(-1, 2).copy()

    # --- for tests and benches ---

    @property
    def cycle(self) -> int:
        """The last clock cycle that has passed."""
        return self._status[_CYCLE]

    def fault(self, read: int, kind: Literal["drop", "abort", "poison"]) -> None:
        """Let the NIC's ``read``-th read (from 0) go unanswered, or get an error without data, or data marked bad."""
        self._native.bridge_fault(read, ("drop", "abort", "poison").index(kind) + 1)

    def counters(self) -> Counters:
        """What the bridge did so far."""
        words = (ctypes.c_int64 * len(fields(Counters)))()
        self._native.bridge_counters(words)
        return Counters(*words)

    def record(self, path: Path) -> None:
        """From now on, write the pins that the NIC gets to ``path`` (pins.hpp, RecordedPins), each cycle that runs.

        It also begins the hash of what the NIC sends.
        """
        self._check(self._native.bridge_record(str(path).encode()))

    def record_transfers(self, path: Path | None) -> None:
        """From now on, write each transfer from the NIC to ``path`` (pins.hpp, RecordedTransfer); None ends it."""
        self._check(self._native.bridge_record_transfers(None if path is None else str(path).encode()))

    def finish_record(self) -> int:
        """Close the file; gives the 64-bit hash of all transfers since ``record`` (pins.hpp, TransferHash)."""
        self._check(self._native.bridge_record(None))
        return int(self._native.bridge_hash())


def _shared(address: int | None, of: type[Any], count: int) -> memoryview:
    """Bytes of an array that C++ holds."""
    array = np.ctypeslib.as_array((of * count).from_address(address or 0))
    return array.data.cast("B")
