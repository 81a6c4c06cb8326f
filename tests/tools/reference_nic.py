"""A NIC in plain Python behind a link of fixed latency: what software may rely on, and nothing else.

It stands in for the RTL where a test is about software: same registers, same rules of pipes, notifications and
requests, same rules of time (cosim.nic.base). Nothing is ever full but a ring, and nothing takes longer than it must.
"""

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from cosim.nic.base import NEVER, PAGE_BYTES, Effect, HostMemory
from cosim.traffic.frames import Frames
from cosim.traffic.steering import ACCEPTED, FlowKey, steer
from hermes.enso.registers import (
    BUFFER_ID_MASK,
    CONFIG_FALLBACK,
    CONFIG_FLOW,
    CONFIG_FLOW_DELETE,
    CONFIG_REQUEST,
    FLIT_BYTES,
    FRAMED,
    NO_SUCH_FLOW,
    NOTIFICATION_BUFFERS,
    PIPES,
    RX_HEAD,
    RX_MEM_HIGH,
    RX_MEM_LOW,
    RX_TAIL,
    SLOT_BYTES,
    TX_HEAD,
    TX_MEM_LOW,
    TX_TAIL,
    RingSizes,
    pipe_mode_register,
)

PROPAGATION_PS = 400_000
MEMORY_READ_PS = 100_000
INSIDE_PS = 100_000
"""From a frame's last bit to its first write, and from data to the wire."""
BYTE_PS = 64
"""Of the link, and of the wire."""
TICK_PS = 5_000

_MAXIMUM_FRAME = 1514
_FIRST_EXTENSION_PAGE = PIPES + NOTIFICATION_BUFFERS
_REGISTER = 4


class ReferenceNic:
    """See the module's docstring.

    Attributes
    ----------
    sent
        Frames that left, with the time in picoseconds.
    drops
        Frames that did not reach a pipe, by cause.
    registers
        32-bit registers by address.
    flows, fallback, round_robin
        Pipe by key, the mask for other keys (None: they are dropped), and whether those go to pipes in turn.
    fault
        "notification" or "completion": from now on the NIC loses those.
    runs
        Times that ``run`` was called.
    """

    def __init__(self, memory_bytes: int, rings: RingSizes | None = None, *, lookahead_ps: int = NEVER) -> None:
        self.memory = HostMemory.create(memory_bytes)
        self.sent: list[tuple[int, bytes]] = []
        self.drops: dict[str, int] = {}
        self.fault = ""
        self.runs = 0
        self._rings = rings or RingSizes()
        self._lookahead = lookahead_ps
        self._events: list[tuple[int, int, int, Callable[[], None]]] = []  # by NIC time
        self._accesses: list[tuple[int, int, Callable[[], None]]] = []  # to host memory, by host time
        self._sequence = 0
        self._time = 0
        self._up_free = self._wire_free = 0
        self._effects: list[Effect] = []
        self._first_effect = NEVER
        self._watched: dict[int, int] = {}
        self.registers: dict[int, int] = {}
        self._enabled: set[int] = set()  # pages of which the ring's address was written
        self._armed: set[int] = set()
        self.flows: dict[FlowKey, int] = {}
        self.fallback: int | None = None
        self.round_robin = False
        self._in_turn = 0  # frames steered so
        self._partial: dict[int, bytes] = {}
        self._pipe_drops: dict[int, int] = {}

    # --- Nic ----------------------------------------------------------------------------------------------------------

    @property
    def next_change(self) -> int:
        return self._accesses[0][0] if self._accesses else NEVER

    def mmio_write(self, now: int, address: int, value: int, size: int) -> None:
        assert now + PROPAGATION_PS >= self._time, f"a write at {now} ps reaches the NIC in its past"
        assert size in (4, 8), size
        self._at(now + PROPAGATION_PS, 1, lambda: self._write_word(address, value, size))

    def mmio_read(self, now: int, address: int, source: int) -> None:
        def answer() -> None:
            self._effect(self._up(8), source, self.word(address))

        self._at(now + PROPAGATION_PS, 1, answer)

    def try_write(self, now: int, address: int, value: int, size: int) -> bool:
        self.mmio_write(now, address, value, size)
        return True

    def try_advance(self, now: int) -> int:
        self.advance(now)
        return self.next_change

    def try_run(self, bound: int) -> int:
        return -1

    def raise_error(self) -> NoReturn:
        raise AssertionError("nothing failed")

    def watch(self, address: int, length: int, source: int) -> None:
        for page in range(address // PAGE_BYTES, (address + length - 1) // PAGE_BYTES + 1):
            self._watched[page] = source

    def advance(self, now: int) -> None:
        while self._accesses and self._accesses[0][0] <= now:
            heappop(self._accesses)[2]()

    async def run(self, bound: int) -> int:
        """The NIC's own events up to bound, or an effect, plus the way down; host accesses before that are applied."""
        self.runs += 1
        assert not self._effects, "effects of the last run were not taken"
        self._first_effect = NEVER
        bound = min(bound, self._time - PROPAGATION_PS + self._lookahead)
        while True:
            limit = min(bound, self._first_effect)
            event = self._events[0][0] if self._events else NEVER
            if self.next_change < limit and self.next_change + PROPAGATION_PS <= event:
                heappop(self._accesses)[2]()
            elif event < limit + PROPAGATION_PS:
                self._time = event
                heappop(self._events)[3]()
            else:
                break
        self._time = max(self._time, limit + PROPAGATION_PS)
        return self._time + PROPAGATION_PS - 1

    def take_effects(self) -> list[Effect]:
        effects, self._effects = sorted(self._effects), []
        return effects

    # --- for tests ----------------------------------------------------------------------------------------------------

    @property
    def time(self) -> int:
        """Up to which the NIC has run."""
        return self._time

    def settle(self) -> None:
        """Let all that is under way arrive, and all that follows from it."""
        while self._events or self._accesses:
            if not self._events or self.next_change < self._events[0][0]:
                heappop(self._accesses)[2]()
            else:
                self._time, _, _, do = heappop(self._events)
                do()

    def register(self, address: int) -> int:
        """A 32-bit register."""
        return self.registers.get(address, 0)

    def word(self, address: int) -> int:
        """Two registers that follow each other."""
        return self.register(address) | self.register(address + _REGISTER) << 32

    # --- the wire -----------------------------------------------------------------------------------------------------

    def load_frames(
        self,
        data: npt.NDArray[np.uint8],
        offsets: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int32],
        times_ps: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.int64]:
        """As cosim.pcie.bridge.Bridge; gives the times at which the frames arrive."""
        steering = steer(Frames(data, offsets, lengths), _MAXIMUM_FRAME)
        for index, time in enumerate(times_ps.tolist()):
            start = int(offsets[index])
            frame = data[start : start + int(lengths[index])].tobytes()
            if steering.cause[index] != ACCEPTED:
                self._at(time + INSIDE_PS, 0, partial(self._drop, str(steering.cause[index])))
                continue
            refusal, key = str(steering.refusal[index]), steering.flows[int(steering.flow[index])]
            self._at(time + INSIDE_PS, 0, partial(self._frame, frame, refusal, key))
        return times_ps

    # --- inside -------------------------------------------------------------------------------------------------------

    def _at(self, time: int, rank: int, do: Callable[[], None]) -> None:
        self._sequence += 1
        heappush(self._events, (time, rank, self._sequence, do))

    def _access(self, time: int, do: Callable[[], None]) -> None:
        self._sequence += 1
        heappush(self._accesses, (time, self._sequence, do))

    def _up(self, size: int) -> int:
        """Host time at which something sent up now has arrived; in order."""
        self._up_free = max(self._up_free, self._time) + (size + 24) * BYTE_PS
        return self._up_free + PROPAGATION_PS

    def _effect(self, time: int, source: int, value: int) -> None:
        self._effects.append((time, source, value))
        self._first_effect = min(self._first_effect, time)

    def write_host(self, address: int, data: bytes) -> None:
        """Send a write up, now."""
        time = self._up(len(data))
        at = address - self.memory.base
        assert 0 <= at <= self.memory.size - len(data), f"a write to {address:#x}, outside host memory"

        def land() -> None:
            self.memory.bytes[at : at + len(data)] = data

        self._access(time, land)
        source = self._watched.get(address // PAGE_BYTES)
        if source is not None:
            self._effect(time, source, address)

    def _read_host(self, address: int, size: int, then: Callable[[bytes], None]) -> None:
        time = self._up(0) + MEMORY_READ_PS
        at = address - self.memory.base

        def sample() -> None:
            data = bytes(self.memory.bytes[at : at + size])
            self._at(time + PROPAGATION_PS, 0, lambda: then(data))

        self._access(time, sample)

    # --- registers ----------------------------------------------------------------------------------------------------

    def _of_page(self, page: int, register: int) -> int:
        return self.register(page * PAGE_BYTES + register)

    def _memory_of(self, page: int) -> int:
        """Address of the ring; 0: disabled."""
        return self.word(page * PAGE_BYTES + RX_MEM_LOW) & ~BUFFER_ID_MASK if page in self._enabled else 0

    def _write_word(self, address: int, value: int, size: int) -> None:
        for offset in range(0, size, _REGISTER):
            self._write_register(address + offset, value >> 8 * offset & 0xFFFFFFFF)

    def _write_register(self, address: int, value: int) -> None:
        page, register = divmod(address, PAGE_BYTES)
        self.registers[address] = value
        if register == RX_MEM_LOW:
            self._enabled.discard(page)
        elif register == RX_MEM_HIGH and self.word(page * PAGE_BYTES + RX_MEM_LOW):
            self._enabled.add(page)
        elif register == RX_HEAD and page < PIPES:
            if self._of_page(page, RX_TAIL) != value:
                self._notify(page)
            else:
                self._armed.discard(page)
        elif register == TX_TAIL and PIPES <= page < _FIRST_EXTENSION_PAGE:
            self._fetch(page, value)

    # --- RX -----------------------------------------------------------------------------------------------------------

    def _drop(self, cause: str, pipe: int | None = None) -> None:
        self.drops[cause] = self.drops.get(cause, 0) + 1
        if pipe is not None:
            self._pipe_drops[pipe] = self._pipe_drops.get(pipe, 0) + 1

    def _frame(self, frame: bytes, refusal: str, key: FlowKey) -> None:
        pipe = self.flows.get(key)
        if pipe is None and self.fallback is not None:
            pipe = (self._in_turn if self.round_robin else sum(key)) & self.fallback
            self._in_turn += self.round_robin
        in_header_mode = pipe is not None and self.register(pipe_mode_register(pipe))
        if refusal != ACCEPTED and not in_header_mode:
            self._drop(refusal, pipe)
            return
        if pipe is None:
            self._drop("no_flow")
            return
        kept = self._with_header(frame, key, pipe) if in_header_mode else frame[: 14 + int.from_bytes(frame[16:18])]
        flits = -(-len(kept) // FLIT_BYTES)
        tail, size, ring = self._of_page(pipe, RX_TAIL), self._rings.pipe_flits, self._memory_of(pipe)
        if not ring:
            self._drop("pipe_disabled", pipe)
            return
        if (self._of_page(pipe, RX_HEAD) - tail - 1) % size < flits:
            self._drop("pipe_full", pipe)
            return
        for index in range(flits):
            line = kept[index * FLIT_BYTES : (index + 1) * FLIT_BYTES].ljust(FLIT_BYTES, b"\0")
            self.write_host(ring + (tail + index) % size * FLIT_BYTES, line)
        self.registers[pipe * PAGE_BYTES + RX_TAIL] = (tail + flits) % size
        if pipe not in self._armed:
            self._notify(pipe)

    def _with_header(self, frame: bytes, key: FlowKey, pipe: int) -> bytes:
        """Behind the line that tells of it; a hash is the sum of the key."""
        words = (
            (len(frame), 4),
            (sum(key) & 0xFFFFFFFF, 4),
            (self._time // TICK_PS, 8),
            (self._pipe_drops.get(pipe, 0), 4),
        )
        header = b"".join(value.to_bytes(size, "little") for value, size in words)
        return header.ljust(FLIT_BYTES, b"\0") + frame

    def _notify(self, pipe: int) -> None:
        self._armed.add(pipe)
        page = PIPES + (self._of_page(pipe, RX_MEM_LOW) & BUFFER_ID_MASK)
        tail, slots, ring = self._of_page(page, RX_TAIL), self._rings.notification_slots, self._memory_of(page)
        if not ring or self.fault == "notification":
            return
        assert (self._of_page(page, RX_HEAD) - tail - 1) % slots, "a notification ring is full"
        words = (1, pipe, self._of_page(pipe, RX_TAIL))
        line = b"".join(word.to_bytes(8, "little") for word in words).ljust(SLOT_BYTES, b"\0")
        self.write_host(ring + tail * SLOT_BYTES, line)
        self.registers[page * PAGE_BYTES + RX_TAIL] = (tail + 1) % slots

    # --- TX -----------------------------------------------------------------------------------------------------------

    def _fetch(self, page: int, tail: int) -> None:
        head, slots = self._of_page(page, TX_HEAD), self._rings.notification_slots
        ring = self.word(page * PAGE_BYTES + TX_MEM_LOW)
        if not ring:
            return
        self.registers[page * PAGE_BYTES + TX_HEAD] = tail
        while head != tail % slots:
            slot = ring + head * SLOT_BYTES
            self._read_host(slot, SLOT_BYTES, partial(self._request, page, slot))
            head = (head + 1) % slots

    def _request(self, page: int, slot: int, line: bytes) -> None:
        signal, address, length = (int.from_bytes(line[at : at + 8], "little") for at in (0, 8, 16))
        if signal == CONFIG_REQUEST:
            self._complete(slot, line, self._configure(address, line))
            return

        is_framed, length = bool(length & FRAMED), length & FRAMED - 1

        def send(data: bytes) -> None:
            self._send(page, data, is_framed=is_framed)
            if self.fault != "completion":
                self._complete(slot, line)

        assert length, "a request without bytes"
        self._read_host(address, length, send)

    def _complete(self, slot: int, line: bytes, code: int = 0) -> None:
        self.write_host(slot, (bytes(8) + line[8:24] + code.to_bytes(8, "little")).ljust(SLOT_BYTES, b"\0"))

    def _configure(self, config: int, line: bytes) -> int:
        """The completion's code."""

        def field(at: int, size: int) -> int:
            return int.from_bytes(line[at : at + size], "little")

        if config == CONFIG_FALLBACK:
            self.fallback = field(20, 4) if field(16, 4) else None
            self.round_robin = bool(field(24, 8) >> 63)
            return 0
        key = FlowKey(field(16, 2), field(18, 2), field(20, 4), field(24, 4))
        if config == CONFIG_FLOW:
            self.flows[key] = field(32, 4)
        elif key not in self.flows:
            return NO_SUCH_FLOW
        elif config == CONFIG_FLOW_DELETE:
            del self.flows[key]
        return 0

    def _send(self, page: int, data: bytes, *, is_framed: bool) -> None:
        """Cut data into packets; one may go on in the next request of the same buffer."""
        data = self._partial.pop(page, b"") + data
        while data:
            length = int.from_bytes(data[:4], "little") if is_framed else 14 + int.from_bytes(data[16:18])
            start = FLIT_BYTES if is_framed else 0
            if start + length > len(data):
                self._partial[page] = data
                return
            data = data[start:]
            self._wire_free = max(self._wire_free, self._time + INSIDE_PS) + (max(length, 60) + 24) * BYTE_PS
            self.sent.append((self._wire_free, data[:length].ljust(60, b"\0")))
            data = data[-(-length // FLIT_BYTES) * FLIT_BYTES :]
