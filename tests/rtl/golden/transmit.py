"""TX: slots fetched, data fetched, frames cut and sent, completions written."""

from collections import Counter, deque
from dataclasses import dataclass

from enso_nic.config import FLIT_BYTES, MINIMUM_FRAME, NicConfig
from tests.rtl.golden.receive import Receive
from tests.rtl.golden.registers import RingMemory, Window
from tests.rtl.golden.steering import ETHERNET_HEADER, Key, ip_end, is_ipv4

SLOT_TAGS = range(128, 256)
"""Tags of reads of TX slots; the others read packet data."""
SIGNAL_CONFIG = 2
CONFIG_FLOW, CONFIG_FALLBACK = 1, 4
CONFIG_IDS = range(1, 5)
MINIMUM_IP_LENGTH = 20
PIPE_MASK = 0x1FFF
DONE, MALFORMED, READ_ERROR, UNKNOWN_CONFIG = range(4)
"""Codes of a completion."""


class TransmitRing:
    """The TX half of a notification buffer. Positions count slots and never wrap.

    Attributes
    ----------
    published
        Position of each tail that software wrote since the NIC last rested, and its value: tx_head becomes one of them.
    fetched
        Position of the next slot to be fetched.
    must_fetch
        The tail was written while the buffer was enabled, and it still is.
    """

    def __init__(self, number: int, slots: int) -> None:
        self.number = number
        self._slots = slots
        self.tail = 0
        self.memory = Window(f"tx_mem of notification buffer {number}", RingMemory())
        self.published = [(0, 0)]
        self.fetched = 0
        self.must_fetch = False

    def write_indices(self, data: int, *, low: bool, high: bool) -> None:
        """Write of tx_tail, which publishes the slots up to it, and of tx_head, which begins anew from there."""
        if high:
            # which slots are fetched twice would be a race
            assert not self.waiting(), f"notification buffer {self.number}: tx_head written while slots are published"
            head = data >> 32
            self.fetched = head % self._slots
            self.published = [(self.fetched, head)]
        if low:
            self.tail = data & 0xFFFFFFFF
            self.must_fetch = self.memory.latest.enabled
        last = self.published[-1][0]
        self.published.append((last + (self.tail - last) % self._slots, self.tail))

    def write_memory(self, access: int, data: int, *, low: bool, high: bool) -> None:
        """Write of tx_mem. What was published to a buffer that is closed need not be fetched."""
        memory = self.memory.latest.written(data, low=low, high=high)
        self.memory.write(access, memory)
        self.must_fetch = self.must_fetch and memory.enabled

    def take(self, address: int, flits: int) -> bool:
        """Whether the next slots to be fetched are those at ``address``; then they are."""
        start = self.fetched % self._slots
        bases = [memory.value for memory in self.memory.possible() if memory.enabled]
        if address - FLIT_BYTES * start not in bases or start + flits > self._slots:
            return False
        self.fetched += flits
        what = f"notification buffer {self.number}: slots fetched that nobody published"
        assert self.fetched <= self.published[-1][0], what
        return True

    def waiting(self) -> bool:
        return self.must_fetch and self.fetched != self.published[-1][0]

    def rest(self) -> None:
        """Nothing is on its way: tx_head stands where fetching did."""
        self.published = [each for each in self.published if each[0] >= self.fetched]

    def possible_indices(self, *, at_rest: bool) -> list[int]:
        """What the word of tx_tail and tx_head may read. The head jumps before its slots are asked for."""
        return [head << 32 | self.tail for position, head in self.published if position == self.fetched or not at_rest]


class HostRead:
    """A read of host memory and its answer. An error in one line spoils all of them: they are None."""

    def __init__(self, address: int, flits: int) -> None:
        self.address = address
        self.flits = flits
        self.lines: list[bytes | None] = []

    @property
    def is_complete(self) -> bool:
        return len(self.lines) == self.flits

    def lines_in_order(self) -> list[tuple[int, bytes | None]]:
        """(address, line); complete reads only."""
        failed = None in self.lines
        return [(self.address + FLIT_BYTES * i, None if failed else line) for i, line in enumerate(self.lines)]


@dataclass
class Request:
    """A fetched slot, and its completion as far as it is known.

    Attributes
    ----------
    slot
        Address of the slot.
    address, length
        As software wrote them; 0 if the slot could not be read.
    lines_missing
        Of its data.
    """

    slot: int
    buffer: int
    address: int = 0
    length: int = 0
    is_config: bool = False
    code: int = DONE
    lines_missing: int = 0

    @property
    def completion(self) -> bytes:
        words = (0, self.address, self.length, self.code)
        return b"".join(word.to_bytes(8, "little") for word in words).ljust(FLIT_BYTES, b"\0")


class Packetiser:
    """Cuts the data of requests into frames, line by line."""

    def __init__(self, maximum_frame: int) -> None:
        self._maximum_frame = maximum_frame
        self._begun = b""  # whole flits of an unfinished frame
        self._length = 0  # of that frame
        self._buffer = 0  # whose it is
        self._skip = False  # the rest of this request
        self.frames: deque[bytes] = deque()
        self.errors = 0

    def line(self, buffer: int, line: bytes | None, left: int, *, first: bool) -> None:
        """A line of a request; None: the host could not read it. ``left``: bytes of the request from here on."""
        if first:
            self._skip = False
            if self._begun and buffer != self._buffer:
                self._drop()
        self._buffer = buffer
        if self._skip:
            return
        available = min(left, FLIT_BYTES)
        flit = (line or b"")[:available].ljust(FLIT_BYTES, b"\0")
        if not self._begun:
            self._length = ip_end(flit) if is_ipv4(flit) else left
        is_short = is_ipv4(flit) and not self._begun and self._length < ETHERNET_HEADER + MINIMUM_IP_LENGTH
        has_end = self._length <= len(self._begun) + available
        is_cut = not has_end and available < FLIT_BYTES
        if line is None or is_short or self._length > self._maximum_frame or is_cut:
            self._drop()
            self._skip = True
        elif has_end:
            self.frames.append((self._begun + flit)[: self._length].ljust(MINIMUM_FRAME, b"\0"))
            self._begun = b""
        else:
            self._begun += flit

    def _drop(self) -> None:
        """Forget the frame that has begun, if one has."""
        self._begun = b""
        self.errors += 1


class Transmit:
    """The TX half of the model."""

    def __init__(self, config: NicConfig, receive: Receive, counters: Counter[str]) -> None:
        self._config = config
        self._receive = receive
        self._counters = counters
        self.rings = [TransmitRing(number, config.notification_slots) for number in range(config.notification_buffers)]
        self._packetiser = Packetiser(config.maximum_frame)
        self._reads: dict[int, HostRead] = {}  # by tag, unanswered
        self._slots: deque[tuple[int, HostRead]] = deque()  # (buffer, read), in the order of the requests
        self._data: deque[HostRead] = deque()  # likewise
        self._data_due: deque[tuple[int, int]] = deque()  # (address, flits) of data to be read
        self._requests: deque[Request] = deque()  # without completion

    def rest(self, access: int) -> None:
        """Nothing is on its way, and what was written up to this MMIO access can be seen by all that follows."""
        for ring in self.rings:
            ring.rest()
            ring.memory.settle(access)

    def waiting(self) -> str:
        """What must still happen; empty if nothing must."""
        rings = [ring.number for ring in self.rings if ring.waiting()]
        states = {
            f"slots published by buffers {rings}": bool(rings),
            f"{len(self._reads)} answers from host memory": bool(self._reads),
            f"{len(self._data_due)} reads of data": bool(self._data_due),
            f"{len(self._requests)} completions": bool(self._requests),
            f"{len(self._packetiser.frames)} frames to be sent": bool(self._packetiser.frames),
        }
        return ", ".join(what for what, is_so in states.items() if is_so)

    # --- host memory --------------------------------------------------------------------------------------------------

    def read(self, address: int, flits: int, tag: int) -> None:
        """The NIC asks for lines of host memory."""
        assert tag not in self._reads, f"tag {tag} used again before its answer ended"
        self._reads[tag] = read = HostRead(address, flits)
        if tag in SLOT_TAGS:
            owners = [ring for ring in self.rings if ring.take(address, flits)]
            assert owners, f"a fetch of {flits} slots at {address:#x}, where no enabled ring has its next slot"
            self._slots.append((owners[0].number, read))
            return
        assert self._data_due, f"a read of data at {address:#x} that no request asks for"
        due, left = self._data_due.popleft()
        assert address == due, f"a read of data at {address:#x}; due is {due:#x}"
        assert flits <= left, f"a read of {flits} lines of data at {address:#x}; due are {left}"
        if flits < left:
            self._data_due.appendleft((due + FLIT_BYTES * flits, left - flits))
        self._data.append(read)

    def answer(self, tag: int, line: bytes | None, *, last: bool) -> None:
        """One line of an answer reaches the NIC; None: the host could not read it, nor what it leaves out."""
        read = self._reads[tag]
        read.lines.append(line)
        if not last:
            return
        read.lines += [None] * (read.flits - len(read.lines))
        del self._reads[tag]
        while self._slots and self._slots[0][1].is_complete:
            buffer, slots = self._slots.popleft()
            for address, slot in slots.lines_in_order():
                self._request(Request(address, buffer), slot)
        while self._data and self._data[0].is_complete:
            for _, data in self._data.popleft().lines_in_order():
                self._take_data(data)

    # --- requests -----------------------------------------------------------------------------------------------------

    def _request(self, request: Request, slot: bytes | None) -> None:
        """The next request, in the order of fetching. A config request takes effect here."""
        self._requests.append(request)
        if slot is None:
            request.code = READ_ERROR
            return
        signal, address, length = (int.from_bytes(slot[i : i + 8], "little") for i in (0, 8, 16))
        request.address, request.length = address, length & 0xFFFFF
        if signal == SIGNAL_CONFIG:
            request.is_config = True
            if not self._configure(address, slot):
                request.code = UNKNOWN_CONFIG
        elif address % FLIT_BYTES or not request.length:
            request.code = MALFORMED
        else:
            request.lines_missing = -(-request.length // FLIT_BYTES)
            self._data_due.append((address, request.lines_missing))

    def _configure(self, number: int, line: bytes) -> bool:
        """Config request ``number``; whether there is such a one."""

        def word(start: int, size: int) -> int:
            return int.from_bytes(line[start : start + size], "little")

        steering = self._receive.steerings[-1]
        if number == CONFIG_FLOW:
            key = Key(word(16, 2), word(18, 2), word(20, 4), word(24, 4))
            changed = steering.with_rule(key, word(32, 4) & PIPE_MASK)
            self._counters["flow_inserts_failed"] += changed is None
            steering = changed or steering
        elif number == CONFIG_FALLBACK:
            steering = steering.with_fallback(word(16, 4), word(20, 4) & PIPE_MASK)
        self._receive.steerings.append(steering)
        return number in CONFIG_IDS

    def _take_data(self, line: bytes | None) -> None:
        """The next line of data, of the oldest request that lacks some."""
        request = next(request for request in self._requests if request.lines_missing)
        first = request.lines_missing == -(-request.length // FLIT_BYTES)
        left = request.length - FLIT_BYTES * (-(-request.length // FLIT_BYTES) - request.lines_missing)
        self._packetiser.line(request.buffer, line, left, first=first)
        self._counters["tx_error"] = self._packetiser.errors
        request.lines_missing -= 1
        if line is None:
            request.code = READ_ERROR

    # --- what leaves --------------------------------------------------------------------------------------------------

    def is_completion(self, address: int) -> bool:
        """Whether a write to ``address`` is the next completion."""
        return bool(self._requests) and self._requests[0].slot == address

    def completion(self, line: bytes) -> None:
        """The next completion is written."""
        request = self._requests.popleft()
        where = f"the request at {request.slot:#x}"
        assert not request.lines_missing, f"{where} was completed before its data was read"
        due = request.completion
        assert line == due, f"{where} was completed by {line.hex()} instead of {due.hex()}"
        self._receive.configs_complete += request.is_config

    def frame(self, frame: bytes) -> None:
        """A frame left."""
        assert self._packetiser.frames, f"a frame of {len(frame)} bytes that nothing caused: {frame.hex()}"
        due = self._packetiser.frames.popleft()
        assert frame == due, f"sent {frame.hex()} instead of {due.hex()}"
        self._counters["tx_frames"] += 1
