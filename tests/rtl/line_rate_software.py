"""Software that keeps the full NIC busy, and looks at nothing but notifications and completions."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.pcie.bridge import Bridge
from cosim.pcie.link import NIC_CYCLE_PS
from enso_nic import registers as r
from enso_nic.config import FLIT_BYTES, FULL
from tests.rtl.line_rate import Case, Count, flits_of
from tests.rtl.nic_frames import udp
from tests.rtl.nic_software import data_slot, fallback_slot

REQUEST_BYTES = 4096
REQUESTS_IN_FLIGHT = 128
PIPE_STRIDE = 1024
"""Pipes lie this close to each other: nobody reads what the NIC writes there."""
RING_BYTES = FULL.notification_slots * FLIT_BYTES
MEMORY_BYTES = (FULL.notification_buffers + 2) * RING_BYTES + FULL.pipes * PIPE_STRIDE + FULL.pipe_flits * FLIT_BYTES
"""Of the host; pages that nobody touches cost nothing."""
OPENING_CYCLES = 4 * FULL.pipes
"""More than it takes to clear the tables, or to open all pipes."""
FIRST_LOOK_CYCLES = 64
SETTLE_CYCLES = 1000
MOST_SETTLES = 4000
ANSWER = 1

Array = npt.NDArray[Any]


class Software:
    """All pipes, whose notifications go to buffer 0, and TX rings of all notification buffers; a step is a look."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge, memory = bridge, bridge.memory
        self._words, self._base = memory.words, memory.base
        self.now = 0
        self.drains = True
        self._look_ps = FIRST_LOOK_CYCLES * NIC_CYCLE_PS
        pipes = FULL.pipes * PIPE_STRIDE + FULL.pipe_flits * FLIT_BYTES
        self._pipes = memory.allocate(pipes, PIPE_STRIDE, "pipes")
        self._rx = memory.allocate(RING_BYTES, RING_BYTES, "RX notifications")
        buffers = FULL.notification_buffers
        self._tx = memory.allocate(buffers * RING_BYTES, RING_BYTES, "TX requests")
        self._rx_head = 0
        self._tails: dict[int, int] = {}  # of pipes that hold data, as far as known
        self._tx_head, self._tx_tail = [0] * buffers, [0] * buffers
        self._waiting: set[int] = set()  # buffers with requests that are not complete
        self._data = memory.allocate(2 * REQUEST_BYTES, REQUEST_BYTES, "TX data")
        self._request = b""
        self._buffers, self._next_buffer = 1, 0
        self._to_publish = self.in_flight = 0
        self.notifications = self.completions = 0

    def _write(self, address: int, value: int, size: int = 4) -> None:
        self.bridge.mmio_write(self.now, address, value, size)

    async def open(self) -> None:
        """Enable all rings."""
        await self._run_to(self.now + OPENING_CYCLES * NIC_CYCLE_PS)
        self._write(r.notification_buffer_register(0, r.RX_MEM_LOW), self._rx, 8)
        for buffer in range(FULL.notification_buffers):
            self._write(r.notification_buffer_register(buffer, r.TX_MEM_LOW), self._tx + buffer * RING_BYTES, 8)
        for pipe in range(FULL.pipes):
            self._write(r.pipe_register(pipe, r.RX_MEM_LOW), self._pipes + pipe * PIPE_STRIDE, 8)
        await self._run_to(self.now + OPENING_CYCLES * NIC_CYCLE_PS)

    async def _run_to(self, now: int) -> None:
        self.now = now
        while await self.bridge.run(now) < now:
            pass

    async def run_until(self, end: int) -> None:
        """Look again and again, up to this host time."""
        while self.now < end:
            await self._run_to(min(self.now + self._look_ps, end))
            self.look()

    def look_every(self, cycles: int) -> None:
        self._look_ps = cycles * NIC_CYCLE_PS

    async def run(self, cycles: int) -> None:
        await self.run_until(self.now + cycles * NIC_CYCLE_PS)

    async def read(self, register: int) -> int:
        """The word at this register."""
        self.bridge.mmio_read(self.now, register, ANSWER)
        for _ in range(1000):
            await self._run_to(self.now + self._look_ps)
            for _, _, value in self.bridge.take_effects():
                return value
        raise TimeoutError(f"no answer to a read of {register:#x} in 1000 looks")

    async def run_to_cycle(self, cycle: int) -> None:
        """Until the NIC has done this cycle and no more; at the end software does not look for a round trip."""
        link = self.bridge.link
        end = (cycle + 1) * NIC_CYCLE_PS - link.propagation_down_ps
        await self.run_until(end - 2 * (link.propagation_up_ps + link.propagation_down_ps))
        await self._run_to(end)
        assert self.bridge.cycle == cycle, f"the NIC has done cycle {self.bridge.cycle}, not {cycle}"

    async def next_transfer(self, counter: str, limit: int = 1000) -> int:
        """The cycle in which this counter of a bridge with a lookahead of 1 goes up; nobody looks meanwhile."""
        before = getattr(self.bridge.counters(), counter)
        for _ in range(limit):
            self.now = await self.bridge.run(self.now + limit * NIC_CYCLE_PS)
            if getattr(self.bridge.counters(), counter) != before:
                return self.bridge.cycle
        raise TimeoutError(f"{counter} stays {before} for {limit} cycles")

    async def count(self) -> Count:
        """What happened so far. Waits until host memory shows as much, and looks meanwhile."""
        bridge = self.bridge
        cycle, counters = bridge.cycle, bridge.counters()
        sent = bridge.frames_sent
        await self.run_until(cycle * NIC_CYCLE_PS + bridge.link.propagation_up_ps)
        return Count(
            cycles=cycle,
            to_host=counters.to_host_beats,
            from_host=counters.read_completion_beats,
            to_wire=counters.ethernet_tx_beats,
            frames_sent=sent,
            notifications=self.notifications,
            completions=self.completions,
        )

    # --- a look -------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Take notifications and completions; if it drains, give back what they tell of, and publish more."""
        self.bridge.advance(self.now)
        self._take_notifications()
        self._take_completions()
        if self.drains:
            self._free()
            self._publish(REQUESTS_IN_FLIGHT - self.in_flight)

    def _take_notifications(self) -> None:
        words, tails, head = self._words, self._tails, self._rx_head
        while words[slot := (self._rx + FLIT_BYTES * head - self._base) // 8]:
            words[slot] = 0
            tails[words[slot + 1]] = words[slot + 2]
            head = (head + 1) % FULL.notification_slots
        self.notifications += (head - self._rx_head) % FULL.notification_slots
        self._rx_head = head

    def _free(self) -> None:
        for pipe, tail in self._tails.items():
            self._write(r.pipe_register(pipe, r.RX_HEAD), tail)
        if self._tails:
            self._tails.clear()
            self._write(r.notification_buffer_register(0, r.RX_HEAD), self._rx_head)

    def _take_completions(self) -> None:
        words = self._words
        for buffer in tuple(self._waiting):
            head, tail = self._tx_head[buffer], self._tx_tail[buffer]
            while head != tail and not words[(self._slot(buffer, head) - self._base) // 8]:
                head = (head + 1) % FULL.notification_slots
                self.completions += 1
                self.in_flight -= 1
            self._tx_head[buffer] = head
            if head == tail:
                self._waiting.discard(buffer)

    def _slot(self, buffer: int, index: int) -> int:
        return self._tx + buffer * RING_BYTES + FLIT_BYTES * index

    def _publish(self, most: int) -> None:
        count = max(0, min(most, self._to_publish))
        touched = set()
        for _ in range(count):
            self.put(self._next_buffer, self._request)
            touched.add(self._next_buffer)
            self._next_buffer = (self._next_buffer + 1) % self._buffers
        self._to_publish -= count
        for buffer in touched:
            self.ring_doorbell(buffer)

    def put(self, buffer: int, request: bytes) -> None:
        at = self._slot(buffer, self._tx_tail[buffer]) - self._base
        self.bridge.memory.bytes[at : at + FLIT_BYTES] = request
        self._tx_tail[buffer] = (self._tx_tail[buffer] + 1) % FULL.notification_slots
        self._waiting.add(buffer)
        self.in_flight += 1

    def ring_doorbell(self, buffer: int) -> None:
        self._write(r.notification_buffer_register(buffer, r.TX_TAIL), self._tx_tail[buffer])

    # --- a case -------------------------------------------------------------------------------------------------------

    async def configure(self, pipes: int) -> None:
        """Frames go to pipe 0, to pipes 0 and 1 in turn, or to a pipe by the hash of their keys."""
        self.put(0, fallback_slot(pipes, pipes - 1, round_robin=pipes == 2))
        self.ring_doorbell(0)
        self.drains = True
        await self.run(SETTLE_CYCLES)
        assert not self.in_flight, "the config request is not complete"

    def send(self, case: Case, cycles: int) -> None:
        """Publish requests for so many cycles, to the notification buffers in turn; if it drains, as they complete."""
        room = case.flits * FLIT_BYTES
        content = udp(80, case.frame_bytes).ljust(room, b"\0") * -(-REQUEST_BYTES // room)
        start = self._data - self._base
        self.bridge.memory.bytes[start : start + len(content)] = content
        self._request = data_slot(self._data, len(content))
        self._buffers, self._next_buffer = min(case.pipes, FULL.notification_buffers), 0
        self._to_publish = cycles * FLIT_BYTES // len(content)
        self._publish(REQUESTS_IN_FLIGHT if self.drains else self._to_publish)

    def receive(self, frames: Array) -> Array:
        """Frames, a row each, come back to back; gives the array of the times at which they will have come."""
        count, size = frames.shape
        # all at once: then a beat comes in each cycle
        at = np.full(count, (self.bridge.cycle + 2 + flits_of(size)) * NIC_CYCLE_PS)
        lengths = np.full(count, size, np.int32)
        return self.bridge.load_frames(frames.reshape(-1), size * np.arange(count, dtype=np.int64), lengths, at)

    async def drain(self) -> None:
        """Let all that was offered go by, until no pipe holds data and no request waits."""
        self.drains = True
        before = None
        for _ in range(MOST_SETTLES):
            await self.run(SETTLE_CYCLES)
            counters = self.bridge.counters()
            # head writes that find nothing to tell of give no beat, and may keep frames waiting
            moved = counters.to_host_beats, counters.mmio_request_beats
            if moved == before and not self.in_flight:
                return
            before = moved
        raise TimeoutError(
            f"the NIC is not at rest after {MOST_SETTLES * SETTLE_CYCLES} cycles: {self.in_flight} requests wait"
        )
