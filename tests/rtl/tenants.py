"""Two applications that share a NIC behind its DMA guard: one that works, and one that is hostile."""

import random
from collections import deque
from typing import Any

from enso_nic import registers
from enso_nic.config import FLIT_BYTES, TINY
from enso_nic.layouts import HostWriteKind
from tests.rtl.golden.steering import Key, flits
from tests.rtl.host_model import BASE
from tests.rtl.nic_bench import BOTH, HIGH, HOST_BYTES, LOW, Conditions, NicBench
from tests.rtl.nic_frames import DESTINATION, udp
from tests.rtl.nic_software import config_slot, data_slot, fallback_slot, flow_slot, rate_limit_slot, timestamp_slot

RING, SLOTS = TINY.pipe_flits * FLIT_BYTES, TINY.notification_slots * FLIT_BYTES
HALF = HOST_BYTES // 2
SECRET = b"for no other's eyes"
WORD = (1 << 64) - 1


class Place:
    """Where an application has its rings and data: in a half of host memory that is its window."""

    def __init__(self, buffer: int, pipes: range, port: int) -> None:
        self.buffer, self.pipes, self.port = buffer, pipes, port
        self.window = range(BASE + HALF * buffer, BASE + HALF * (buffer + 1))
        self.rx, self.tx = self.window.start, self.window.start + SLOTS
        rings = self.window.start + 4 * SLOTS
        self.rings = {pipe: rings + RING * number for number, pipe in enumerate(pipes)}
        self.data = rings + RING * len(pipes)

    def open(self, bench: NicBench) -> None:
        """Enable its rings, all empty."""
        buffer = registers.notification_buffer_register(self.buffer, 0)
        for register, value in ((registers.RX_TAIL, 0), (registers.TX_TAIL, 0)):
            bench.write(buffer + register, value, BOTH)
        bench.write(buffer + registers.RX_MEM_LOW, self.rx, BOTH)
        bench.write(buffer + registers.TX_MEM_LOW, self.tx, BOTH)
        for pipe in self.pipes:
            self.open_pipe(bench, pipe)

    def open_pipe(self, bench: NicBench, pipe: int) -> None:
        bench.write(registers.pipe_register(pipe, registers.RX_TAIL), 0, BOTH)
        bench.write(registers.pipe_register(pipe, registers.RX_MEM_LOW), self.rings[pipe] | self.buffer, BOTH)


VICTIM = Place(0, range(4), 1000)
HOSTILE = Place(1, range(4, 8), 2000)


class Watch(NicBench):
    """A bench that has the two applications, or the count of foreign bytes, told of each line that the NIC touches."""

    def __init__(self, dut: Any, conditions: Conditions) -> None:
        super().__init__(dut, TINY, conditions)
        self.victim = Victim(self)
        self.foreign_bytes = 0
        self._line = 0

    def _take_to_host(self, beat: dict[str, int]) -> None:
        if HostWriteKind(beat["kind"]) is HostWriteKind.WRITE:
            self._line = beat["address"] if beat["first"] else self._line + 1
            self._touched(self._line * FLIT_BYTES, beat["data"].to_bytes(FLIT_BYTES, "little"))
        super()._take_to_host(beat)

    def _take_request(self, request: dict[str, int]) -> None:
        for line in range(request["address"], request["address"] + request["flits"]):
            self._touched(line * FLIT_BYTES, None)
        super()._take_request(request)

    def _touched(self, address: int, line: bytes | None) -> None:
        """The NIC writes a line, or reads one (None)."""
        is_fine = address in HOSTILE.window
        if address in VICTIM.window:
            is_fine = self.victim.reads(address) if line is None else self.victim.gets(address, line)
        if not is_fine:
            self.foreign_bytes += FLIT_BYTES


class Victim:
    """Receives and sends, and knows each line that the NIC must write for it.

    Attributes
    ----------
    packets, lost
        In both directions; those that did not come, or whose completion did not.
    silent
        How often a pipe that was empty got packets, and not exactly one notification.
    """

    def __init__(self, bench: Watch) -> None:
        self._bench = bench
        self.packets = self.lost = self.silent = 0
        self._tails = dict.fromkeys(VICTIM.pipes, 0)
        self._used = dict.fromkeys(VICTIM.pipes, 0)  # lines since it gave its ring back
        self._due: dict[int, tuple[bytes, int]] = {}  # lines of its rings by their addresses, and of which packet
        self._completions: deque[tuple[int, bytes]] = deque()
        self._slot = self._notified = 0
        self._notifications: list[int] = []  # their pipes
        self._possible: dict[int, set[int]] = {pipe: set() for pipe in VICTIM.pipes}
        self._sending: list[bytes] = []
        self._data = VICTIM.data

    # --- what the NIC does --------------------------------------------------------------------------------------------

    def reads(self, address: int) -> bool:
        """Whether the NIC may read this line: slots, and data of what is being sent."""
        return VICTIM.tx <= address < VICTIM.tx + SLOTS or VICTIM.data <= address < self._data

    def gets(self, address: int, line: bytes) -> bool:
        """Whether the NIC must write this line, now."""
        if self._due.get(address, (None, 0))[0] == line:
            del self._due[address]
            return True
        if self._completions and self._completions[0] == (address, line):
            self._completions.popleft()
            return True
        signal, pipe, tail = (int.from_bytes(line[i : i + 8], "little") for i in (0, 8, 16))
        is_next = address == VICTIM.rx + FLIT_BYTES * (self._notified % TINY.notification_slots)
        if is_next and signal == 1 and tail in self._possible.get(pipe, ()):
            self._notified += 1
            self._notifications.append(pipe)
            return True
        return False

    # --- what it does -------------------------------------------------------------------------------------------------

    def receive(self, draw: random.Random) -> None:
        """A frame comes, if its pipe surely has room."""
        pipe, size = draw.choice(VICTIM.pipes), draw.choice([70, 100, 200, 300])
        frame = udp(VICTIM.port + pipe, size, self.packets)
        frame = frame[:42] + SECRET + frame[42 + len(SECRET) :]
        lines = flits(frame)
        if self._used[pipe] + len(lines) >= TINY.pipe_flits // 2:
            return
        for line in lines:
            self._due[VICTIM.rings[pipe] + FLIT_BYTES * self._tails[pipe]] = line.ljust(FLIT_BYTES, b"\0"), self.packets
            self._tails[pipe] = (self._tails[pipe] + 1) % TINY.pipe_flits
        self._used[pipe] += len(lines)
        self._possible[pipe].add(self._tails[pipe])
        self._bench.receive(frame)
        self.packets += 1

    def send(self, draw: random.Random) -> None:
        """A frame leaves, if there is a slot."""
        if len(self._completions) >= TINY.notification_slots - 1:
            return
        frame = udp(9, draw.choice([70, 200, 1000]), self.packets)
        frame = frame[:42] + SECRET + frame[42 + len(SECRET) :]
        slot = VICTIM.tx + FLIT_BYTES * self._slot
        self._bench.host.store(self._data, frame)
        self._bench.host.store(slot, data_slot(self._data, len(frame)))
        completion = b"".join(word.to_bytes(8, "little") for word in (0, self._data, len(frame), 0))
        self._completions.append((slot, completion.ljust(FLIT_BYTES, b"\0")))
        self._data += len(flits(frame)) * FLIT_BYTES
        self._slot = (self._slot + 1) % TINY.notification_slots
        self._bench.write(registers.notification_buffer_register(VICTIM.buffer, registers.TX_TAIL), self._slot)
        self._sending.append(frame)
        self.packets += 1

    def check(self) -> None:
        """The NIC rests: what was due has come; then give all room back."""
        bench = self._bench
        self.lost += len({packet for _, packet in self._due.values()})
        sent = [frame for frame in bench.sent if SECRET in frame]
        missing = len(self._sending) - sum(mine == theirs for mine, theirs in zip(self._sending, sent, strict=False))
        self.lost += max(missing, len(self._completions))
        # the first packet of a pipe that was empty notifies
        self.silent += sum(self._notifications.count(pipe) != (used > 0) for pipe, used in self._used.items())
        if SECRET in bench.host.memory[HALF : 2 * HALF] or len(sent) > len(self._sending):
            bench.foreign_bytes += len(SECRET)
        bench.sent.clear()
        for pipe in VICTIM.pipes:
            bench.write(registers.pipe_register(pipe, registers.RX_HEAD), self._tails[pipe])
        head = self._notified % TINY.notification_slots
        bench.write(registers.notification_buffer_register(VICTIM.buffer, registers.RX_HEAD), head)
        self._due.clear()
        self._completions.clear()
        self._sending.clear()
        self._notifications.clear()
        self._used = dict.fromkeys(VICTIM.pipes, 0)
        self._possible = {pipe: set() for pipe in VICTIM.pipes}
        self._data = VICTIM.data


class Hostile:
    """Does what it likes with the pages that are mapped for it, and with its own memory."""

    def __init__(self, bench: NicBench, draw: random.Random) -> None:
        self._bench, self._draw = bench, draw
        self._pages = [*HOSTILE.pipes, registers.FIRST_NOTIFICATION_BUFFER_PAGE + HOSTILE.buffer]

    def sequence(self) -> None:
        """Some steps."""
        steps = (self._register, self._register, self._ring, self._flood, self._slots, self._slots, self._read)
        for _ in range(self._draw.randint(1, 6)):
            self._draw.choice(steps)()
        for _ in range(self._draw.randrange(5)):
            port = HOSTILE.port + self._draw.choice(HOSTILE.pipes)
            self._bench.receive(udp(port, self._draw.choice([60, 65, 300, 600]), self._draw.randrange(256)))

    def _address(self) -> int:
        """Somewhere: in its own window, at its ends, where the other one has something, or anywhere."""
        draw = self._draw
        own = [HOSTILE.rx, HOSTILE.tx, HOSTILE.data, *HOSTILE.rings.values()]
        ends = [HOSTILE.window.start - FLIT_BYTES, HOSTILE.window.stop - FLIT_BYTES, HOSTILE.window.stop - RING // 2]
        foreign = [VICTIM.rx, VICTIM.tx, VICTIM.data, *VICTIM.rings.values(), 0, WORD & ~0x3FF]
        address = draw.choice(draw.choice([own, ends, foreign, [draw.getrandbits(64)]]))
        return address + draw.choice([0, 0, 0, FLIT_BYTES, 1024]) & WORD

    def _register(self) -> None:
        """Any register of its pages, by any bytes."""
        draw, page = self._draw, self._draw.choice(self._pages)
        offset = 8 * draw.choice([draw.randrange(4), draw.randrange(512)])
        values = [draw.getrandbits(64), draw.randrange(64) << 32 | draw.randrange(64), 0]
        values.append(self._address() & ~0x3FF | draw.choice([0, 1, 2, 3, 1000]))
        enables = draw.choice([LOW, HIGH, BOTH, BOTH, draw.randrange(256)])
        self._bench.write(registers.PAGE_BYTES * page + offset, draw.choice(values), enables)

    def _ring(self) -> None:
        """Open all as it ought to be; or a pipe, with some notification buffer, or in some place."""
        draw, kind, pipe = self._draw, self._draw.randrange(3), self._draw.choice(HOSTILE.pipes)
        if kind == 0:
            HOSTILE.open(self._bench)
            return
        value = HOSTILE.rings[pipe] | draw.randrange(4) if kind == 1 else self._address() & ~0x3FF | HOSTILE.buffer
        register = registers.pipe_register(pipe, registers.RX_MEM_LOW)
        if draw.random() < 0.5:
            self._bench.write(register, value, BOTH)
        else:
            self._bench.write(register, value & 0xFFFFFFFF)
            self._bench.write(register + 4, value >> 32)

    def _flood(self) -> None:
        """Heads, far more than the queue takes."""
        for _ in range(self._draw.choice([8, 40])):
            page = self._draw.choice(self._pages)
            self._bench.write(registers.PAGE_BYTES * page + registers.RX_HEAD, self._draw.randrange(100))

    def _slots(self) -> None:
        """Requests of all kinds, published at once."""
        draw = self._draw
        for slot in range(TINY.notification_slots):
            if draw.random() < 0.4:
                self._bench.host.store(HOSTILE.tx + FLIT_BYTES * slot, self._request())
        register = registers.notification_buffer_register(HOSTILE.buffer, registers.TX_TAIL)
        self._bench.write(register, draw.randrange(TINY.notification_slots))

    def _request(self) -> bytes:
        draw, key = self._draw, Key(VICTIM.port + self._draw.choice(VICTIM.pipes), 0, DESTINATION, 0)
        configs = [
            *(flow_slot(key, draw.choice(HOSTILE.pipes), number) for number in (1, 0x100, 0x101)),
            timestamp_slot(enable=True, offset=draw.randrange(60)),
            rate_limit_slot(enable=True, numerator=1, denominator=1000),
            fallback_slot(4, 7, round_robin=True),
            config_slot(draw.getrandbits(16)),
        ]
        length = draw.choice([60, 64, 100, 1000, 2000])
        if draw.random() < 0.3:
            frame = udp(9, length if length < 1500 else 60, draw.randrange(256))
            self._bench.host.store(HOSTILE.data, frame)
            return data_slot(HOSTILE.data, len(frame) // draw.choice([1, 1, 2]), framed=draw.random() < 0.1)
        return draw.choice([data_slot(self._address(), length), draw.choice(configs), draw.randbytes(FLIT_BYTES)])

    def _read(self) -> None:
        self._bench.post_read(registers.PAGE_BYTES * self._draw.choice(self._pages) + 8 * self._draw.randrange(4))
