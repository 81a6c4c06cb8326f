"""TX: slots fetched, data fetched, frames cut and sent, completions written."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from enso_nic.config import FLIT_BYTES, MINIMUM_FRAME, NicConfig
from tests.rtl.contract import hit
from tests.rtl.golden.configuration import Configuration
from tests.rtl.golden.guard import Guard
from tests.rtl.golden.receive import Receive
from tests.rtl.golden.registers import RingMemory, Window
from tests.rtl.golden.steering import ETHERNET_HEADER, Timestamp, ip_end, is_ipv4, is_ipv6

SLOT_TAGS = range(128, 256)
"""Tags of reads of TX slots; the others read packet data."""
SIGNAL_CONFIG = 2
MINIMUM_IP_LENGTH = 20
DONE, MALFORMED, READ_ERROR, UNFINISHED, FORBIDDEN = 0, 1, 2, 6, 7
"""Codes of a completion; those of a config request are its own."""
MOST_HELD = 4
"""Completions that an unfinished frame may hold back."""


class TransmitRing:
    """The TX half of a notification buffer. Positions count slots and never wrap.

    Attributes
    ----------
    published
        Position of each tail that software wrote since the NIC last rested, its value, and how often the ring had been
        closed. tx_head becomes one of the values.
    fetched
        Position of the next slot to be fetched.
    closes
        How often it was closed.
    must_fetch
        The tail was written while the buffer was enabled, and it still is.
    """

    def __init__(self, number: int, close: Callable[[int], None]) -> None:
        self.number = number
        self._close = close
        self.tail = 0
        self.memory = Window(f"tx_mem of notification buffer {number}", RingMemory())
        self.published = [(0, 0, 0)]
        self.fetched = 0
        self.must_fetch = False
        self.closes = 0

    @property
    def _slots(self) -> int:
        return self.memory.latest.size

    def write_indices(self, data: int, *, low: bool, high: bool) -> None:
        """Write of tx_tail, which publishes the slots up to it, and of tx_head, which begins anew from there."""
        if high:
            # which slots are fetched twice would be a race
            assert not self.waiting(), f"notification buffer {self.number}: tx_head written while slots are published"
            head = data >> 32
            self.fetched = head % self._slots
            self.published = [(self.fetched, head, self.closes)]
        if low:
            self.tail = data & 0xFFFFFFFF
            self.must_fetch = self.memory.latest.enabled
        last = self.published[-1][0]
        self.published.append((last + (self.tail - last) % self._slots, self.tail, self.closes))

    def write_memory(self, access: int, data: int, *, low: bool, high: bool, size: int) -> None:
        """Write of tx_mem. What was published to a buffer that is closed need not be fetched."""
        memory = self.memory.latest.written(data, low=low, high=high, size=size)
        if self.memory.latest.enabled and (low or not memory.enabled):
            self.closes += 1
            self._close(self.number)
        if memory.size != self._slots:
            head = next(head for position, head, _ in self.published if position == self.fetched)
            self.fetched = head % memory.size
            last = self.fetched + (self.tail - head) % memory.size
            self.published = [(self.fetched, head, self.closes), (last, self.tail, self.closes)]
        self.memory.write(access, memory)
        self.must_fetch = self.must_fetch and memory.enabled

    def take(self, address: int, flits: int) -> int | None:
        """Fetch the next slots, if they are those at ``address``: how often the ring was closed when they came."""
        start = self.fetched % self._slots
        bases = [memory.value for memory in self.memory.possible() if memory.enabled]
        if address - FLIT_BYTES * start not in bases or start + flits > self._slots:
            return None
        closes = next((closes for position, _, closes in self.published if position > self.fetched), self.closes)
        self.fetched += flits
        what = f"notification buffer {self.number}: slots fetched that nobody published"
        assert self.fetched <= self.published[-1][0], what
        return closes

    def waiting(self) -> bool:
        return self.must_fetch and self.fetched != self.published[-1][0]

    def rest(self) -> None:
        """Nothing is on its way: tx_head stands where fetching did."""
        self.published = [each for each in self.published if each[0] >= self.fetched]

    def possible_indices(self, *, at_rest: bool) -> list[int]:
        """What the word of tx_tail and tx_head may read. The head jumps before its slots are asked for."""
        return [head << 32 | self.tail for place, head, _ in self.published if place == self.fetched or not at_rest]


@dataclass
class Request:
    """A fetched slot, and its completion as far as it is known.

    Attributes
    ----------
    slot
        Address of the slot.
    generation
        How often its buffer had been closed when it was published.
    address, length
        As software wrote them; 0 if the slot could not be read.
    flits
        Lines of data; 0 if it asks for none.
    asked
        Lines of its data that the NIC has asked for.
    lines
        Those that it was given; None: the host could not read it.
    taken
        How many of these have been cut into frames.
    is_skipped
        The rest of them is dropped.
    is_due
        Its completion may be written.
    """

    slot: int
    buffer: int
    address: int = 0
    length: int = 0
    is_config: bool = False
    framed: bool = False
    code: int = DONE
    flits: int = 0
    asked: set[int] = field(default_factory=set)
    lines: dict[int, bytes | None] = field(default_factory=dict)
    taken: int = 0
    is_skipped: bool = False
    is_due: bool = False
    generation: int = 0

    @property
    def completion(self) -> bytes:
        words = (0, self.address, self.length, self.code)
        return b"".join(word.to_bytes(8, "little") for word in words).ljust(FLIT_BYTES, b"\0")

    def covers(self, address: int, flits: int) -> bool:
        return self.address <= address and address + FLIT_BYTES * flits <= self.address + FLIT_BYTES * self.flits


class HostRead:
    """A read of host memory and its answer: of slots, or of data of ``request``."""

    def __init__(self, address: int, flits: int, request: Request | None = None) -> None:
        self.address = address
        self.flits = flits
        self.request = request
        self.lines: list[bytes | None] = []

    @property
    def is_complete(self) -> bool:
        return len(self.lines) == self.flits

    def lines_in_order(self) -> list[tuple[int, bytes | None]]:
        """(address, line)"""
        return [(self.address + FLIT_BYTES * i, line) for i, line in enumerate(self.lines)]


def stated_length(flit: bytes) -> int | None:
    """Bytes of the frame that begins with ``flit``, by its IP header; None without one, 0 if that cannot be."""
    if is_ipv4(flit):
        return ip_end(flit) if ip_end(flit) >= ETHERNET_HEADER + MINIMUM_IP_LENGTH else 0
    return ip_end(flit) if is_ipv6(flit) else None


class UnfinishedFrame:
    """A frame that the requests of one buffer have begun.

    Attributes
    ----------
    data
        What there is of it: whole flits.
    length
        Bytes that it will have; 0: none has begun.
    held
        Requests whose completions wait for its end.
    """

    def __init__(self) -> None:
        self.data = b""
        self.length = 0
        self.held: list[Request] = []

    def end(self, code: int = DONE) -> None:
        """It is whole, or dropped: nothing waits for it any more."""
        for request in self.held:
            request.is_due = True
            if request.flits and code != DONE:
                request.code = code
        self.data, self.length, self.held = b"", 0, []


class Packetiser:
    """Cuts the data of requests into frames, request by request."""

    def __init__(self, maximum_frame: int) -> None:
        self._maximum_frame = maximum_frame
        self._unfinished: dict[int, UnfinishedFrame] = {}  # of each buffer
        self.frames: deque[bytes] = deque()
        self.errors = 0

    def data(self, request: Request, lines: Sequence[bytes | None]) -> None:
        """All of a request's data. Sets its ``is_due`` and ``code``."""
        for line in lines:
            self.line(request, line)

    def line(self, request: Request, line: bytes | None) -> None:
        """The next line of a request's data; None: the host could not read it."""
        frame = self._unfinished.setdefault(request.buffer, UnfinishedFrame())
        left = request.length - FLIT_BYTES * request.taken
        request.taken += 1
        if line is None:
            hit("C-107")
            request.code = READ_ERROR
        if not request.is_skipped:
            self._flit(request, frame, line, left)
        if request.taken == request.flits:
            self._complete(request, frame)

    def _flit(self, request: Request, frame: UnfinishedFrame, line: bytes | None, left: int) -> None:
        """``left``: bytes of the request from here on."""
        available = min(left, FLIT_BYTES)
        flit = (line or b"")[:available].ljust(FLIT_BYTES, b"\0")
        is_header = request.framed and not frame.length
        if is_header:
            frame.length = int.from_bytes(flit[:4], "little")
        elif not frame.length:
            length = stated_length(flit)
            frame.length = left if length is None else length
        has_end = not is_header and frame.length <= len(frame.data) + available
        is_cut = not has_end and available < FLIT_BYTES
        if line is None or not 0 < frame.length <= self._maximum_frame or is_cut:
            self.errors += 1
            frame.end()
            request.is_skipped = True
        elif has_end:
            if frame.held:
                hit("C-120")
            self.frames.append((frame.data + flit)[: frame.length].ljust(MINIMUM_FRAME, b"\0"))
            frame.end()
        elif not is_header:
            frame.data += flit

    def nothing(self, request: Request) -> None:
        """A request without data: it waits for the unfinished frame of its buffer all the same."""
        self._complete(request, self._unfinished.setdefault(request.buffer, UnfinishedFrame()))

    def close(self, buffer: int) -> None:
        """The notification buffer was closed."""
        frame = self._unfinished.pop(buffer, None)
        if frame is not None and frame.length:
            hit("C-125")
            self.errors += 1
            frame.end(UNFINISHED)

    def _complete(self, request: Request, frame: UnfinishedFrame) -> None:
        """A request has passed: it completes, unless a frame is unfinished; that one it may be one too many for."""
        if not frame.length:
            request.is_due = True
        elif len(frame.held) < MOST_HELD:
            hit("C-123")
            frame.held.append(request)
        else:
            hit("C-124")
            frame.held.append(request)
            self.errors += 1
            frame.end(UNFINISHED)


class Transmit:
    """The TX half of the model."""

    def __init__(self, config: NicConfig, receive: Receive, guard: Guard, counters: Counter[str]) -> None:
        self._config = config
        self._receive = receive
        self._guard = guard
        self.configuration = Configuration(receive, counters)
        self._counters = counters
        self.rings = [TransmitRing(number, self._close) for number in range(config.notification_buffers)]
        self._packetiser = Packetiser(config.maximum_frame)
        self._timestamps = deque([self.configuration.timestamp])  # settings that the next frame may meet
        self._reads: dict[int, HostRead] = {}  # by tag, unanswered
        # (buffer, how often it had been closed, read), in order; None: here it was closed
        self._slots: deque[tuple[int, int, HostRead | None]] = deque()
        self._open: list[Request] = []  # without completion, in the order of fetching
        self._unread: deque[Request | int] = deque()  # of those, the ones that lack data; a number: a closed buffer

    def rest(self, access: int) -> None:
        """Nothing is on its way, and what was written up to this MMIO access can be seen by all that follows."""
        for ring in self.rings:
            ring.rest()
            ring.memory.settle(access)
        self._lose([request for request in self._open if request.is_due and self._is_lost(request)])
        self._timestamps = deque([self.configuration.timestamp])

    def may_lose(self) -> bool:
        """Whether completions may be lost that are not counted yet."""
        return any(self._is_lost(request) for request in self._open)

    def waiting(self) -> str:
        """What must still happen; empty if nothing must. Requests may wait for the rest of an unfinished frame."""
        rings = [ring.number for ring in self.rings if ring.waiting()]
        due = [request for request in self._open if request.is_due and not self._is_lost(request)]
        states = {
            f"slots published by buffers {rings}": bool(rings),
            f"{len(self._reads)} answers from host memory": bool(self._reads),
            f"data of {len(self._unread)} requests": bool(self._unread),
            f"{len(due)} completions": bool(due),
            f"{len(self._packetiser.frames)} frames to be sent": bool(self._packetiser.frames),
        }
        return ", ".join(what for what, is_so in states.items() if is_so)

    # --- host memory --------------------------------------------------------------------------------------------------

    def read(self, address: int, flits: int, tag: int) -> None:
        """The NIC asks for lines of host memory; of data as often as it likes, until the request completes."""
        assert tag not in self._reads, f"tag {tag} used again before its answer ended"
        if tag in SLOT_TAGS:
            self._reads[tag] = read = HostRead(address, flits)
            owners = [(ring.number, closes) for ring in self.rings if (closes := ring.take(address, flits)) is not None]
            assert owners, f"a fetch of {flits} slots at {address:#x}, where no enabled ring has its next slot"
            hit("C-093")
            self._slots.append((*owners[0], read))
            return
        requests = [request for request in self._open if request.covers(address, flits)]
        assert requests, f"a read of {flits} lines of data at {address:#x} that no request asks for"
        request = next((each for each in requests if address not in each.asked), requests[0])
        request.asked.update(range(address, address + FLIT_BYTES * flits, FLIT_BYTES))
        self._reads[tag] = HostRead(address, flits, request)

    def answer(self, tag: int, line: bytes | None, *, last: bool) -> None:
        """One line of an answer reaches the NIC; None: the host could not read it, nor what it leaves out."""
        read = self._reads[tag]
        read.lines.append(line)
        if not last:
            return
        read.lines += [None] * (read.flits - len(read.lines))
        del self._reads[tag]
        if read.request is not None:
            for address, data in read.lines_in_order():
                read.request.lines.setdefault((address - read.request.address) // FLIT_BYTES, data)
        self._go_on()

    def _close(self, buffer: int) -> None:
        """A notification buffer was closed."""
        self._slots.append((buffer, 0, None))
        self._go_on()

    def _go_on(self) -> None:
        """Do what can be done with what has been read, in order."""
        while self._slots and (self._slots[0][2] is None or self._slots[0][2].is_complete):
            buffer, generation, slots = self._slots.popleft()
            if slots is None:
                self._unread.append(buffer)
                continue
            for address, slot in slots.lines_in_order():
                self._request(Request(address, buffer, generation=generation), slot)
        while self._unread:
            request = self._unread[0]
            if isinstance(request, int):
                self._packetiser.close(request)
            elif not request.flits:
                self._packetiser.nothing(request)
            else:
                while request.taken in request.lines:
                    self._packetiser.line(request, request.lines[request.taken])
                if request.taken < request.flits:
                    break
            self._unread.popleft()
        self._counters["tx_error"] = self._packetiser.errors

    # --- requests -----------------------------------------------------------------------------------------------------

    def _request(self, request: Request, slot: bytes | None) -> None:
        """The next request, in the order of fetching. A config request takes effect here."""
        self._open.append(request)
        self._unread.append(request)
        if slot is None:
            hit("C-106")
            request.code = READ_ERROR
            return
        signal, address, length = (int.from_bytes(slot[i : i + 8], "little") for i in (0, 8, 16))
        request.address, request.length, request.framed = address, length & 0xFFFFF, bool(length >> 32 & 1)
        is_config = signal == SIGNAL_CONFIG
        if not self._guard.allows_request(request.buffer, address, request.length, is_config=is_config):
            hit("C-178")
            request.code = FORBIDDEN
        elif is_config:
            request.is_config = True
            request.code = self.configuration.request(slot)
            self._timestamps.append(self.configuration.timestamp)
        elif address % FLIT_BYTES or not request.length:
            hit("C-105")
            request.code = MALFORMED
        else:
            request.flits = -(-request.length // FLIT_BYTES)

    @staticmethod
    def _stamped(frame: bytes, timestamp: Timestamp, tick: int) -> bytes:
        if not timestamp.enabled:
            return frame
        hit("C-135")
        stamp = (tick & 0xFFFFFFFF).to_bytes(4, "big")
        return (frame[: timestamp.offset] + stamp + frame[timestamp.offset + 4 :])[: len(frame)]

    # --- what leaves --------------------------------------------------------------------------------------------------

    def _completing(self, address: int) -> Request | None:
        """The request at this slot, if it is the oldest of its buffer that must be completed."""
        for position, request in enumerate(self._open):
            earlier = [each for each in self._open[:position] if each.buffer == request.buffer]
            if request.slot == address and all(self._is_lost(each) for each in earlier):
                return request
        return None

    def _is_lost(self, request: Request) -> bool:
        """Its ring was closed since: it need not be completed any more, though it may be on its way already."""
        return request.generation != self.rings[request.buffer].closes

    def _lose(self, requests: list[Request]) -> None:
        for request in requests:
            assert request.is_due, f"the request at {request.slot:#x} was passed over"
            self._open.remove(request)
            self._counters["lost_completions"] += 1

    def is_completion(self, address: int) -> bool:
        """Whether a write to ``address`` is the next completion of a notification buffer."""
        return self._completing(address) is not None

    def completion(self, address: int, line: bytes) -> None:
        """The next completion of a notification buffer is written."""
        request = self._completing(address)
        assert request is not None, f"no completion is due at {address:#x}"
        where = f"the request at {request.slot:#x}"
        assert request.is_due, f"{where} was completed before its data was read and its frame whole"
        due = request.completion
        assert line == due, f"{where} was completed by {line.hex()} instead of {due.hex()}"
        for clause in ("C-102", "C-103", "C-104"):
            hit(clause)
        earlier = self._open[: self._open.index(request)]
        self._lose([each for each in earlier if each.buffer == request.buffer])
        self._open.remove(request)
        self._receive.configs_complete += request.is_config

    def frame(self, frame: bytes, tick: int = 0) -> None:
        """A frame left. ``tick`` in the cycle before it was shown is its time stamp, if it carries one."""
        assert self._packetiser.frames, f"a frame of {len(frame)} bytes that nothing caused: {frame.hex()}"
        due = self._packetiser.frames.popleft()
        while frame != self._stamped(due, self._timestamps[0], tick) and len(self._timestamps) > 1:
            self._timestamps.popleft()
        due = self._stamped(due, self._timestamps[0], tick)
        hit("C-129")
        assert frame == due, f"sent {frame.hex()} instead of {due.hex()}"
        self._counters["tx_frames"] += 1
