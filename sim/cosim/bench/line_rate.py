"""The busiest that the bridge can be: 60-byte frames at line rate, echoed by software that looks once per 64 packets.

Runs inside the simulator. The software is as little as possible: no packet is touched, every byte that arrived is sent
back from where it lies.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cocotb.handle import HierarchyObject

from cosim.pcie.bridge import Bridge
from enso_nic import registers as r
from enso_nic.config import FULL

FRAME_BYTES = 60
FLIT_BYTES = 64
PACKETS_PER_LOOK = 64
MAC_LATENCY_PS = 200_000
RING_BYTES = FULL.pipe_flits * FLIT_BYTES
NOTIFICATION_RING_BYTES = FULL.notification_slots * FLIT_BYTES
TX_REQUEST, CONFIG_REQUEST, CONFIG_FALLBACK = 1, 2, 4
LONGEST_REQUEST_FLITS = 2048
ANSWER = 1
DRAIN_PS = 100_000_000


def frame_gap_ps() -> int:
    """Picoseconds between two frames at 100 GbE with 24 bytes of frame check sequence, preamble and gap."""
    return (FRAME_BYTES + 24) * 80


def one_frame() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A UDP packet to 10.0.0.1."""
    ethernet, ip, udp = "0200000000010200000000020800", "4500002e00000000401100000a0000020a000001", "10000400001a0000"
    return np.frombuffer(bytes.fromhex(ethernet + ip + udp).ljust(FRAME_BYTES, b"\x5a"), np.uint8)


class Echo:
    """Pipe 0 and notification buffer 0, driven by register writes."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge, memory = bridge, bridge.memory
        self._words, self._base = memory.words, memory.base
        self._pipe = memory.allocate(RING_BYTES, RING_BYTES, "pipe")
        rings = memory.allocate(2 * NOTIFICATION_RING_BYTES, 2 * NOTIFICATION_RING_BYTES, "notification buffer")
        self._rx, self._tx = rings, rings + NOTIFICATION_RING_BYTES
        self._rx_head = self._tx_head = self._tx_tail = 0
        self._arrived = self._asked = 0  # flits, modulo the ring
        self._freed = 0
        self._ends: list[int] = []  # pipe position behind each request in flight
        for register, value in ((r.RX_MEM_LOW, self._rx), (r.TX_MEM_LOW, self._tx)):
            bridge.mmio_write(0, r.notification_buffer_register(0, register), value, 8)
        bridge.mmio_write(0, r.pipe_register(0, r.RX_MEM_LOW), self._pipe, 8)
        self._post(CONFIG_REQUEST, CONFIG_FALLBACK, 1)  # one pipe, mask 0
        self._ends.append(0)
        bridge.mmio_write(0, r.notification_buffer_register(0, r.TX_TAIL), self._tx_tail, 4)

    def _post(self, signal: int, address: int, length: int) -> None:
        slot = (self._tx + FLIT_BYTES * self._tx_tail - self._base) // 8
        self._words[slot], self._words[slot + 1], self._words[slot + 2] = signal, address, length
        self._tx_tail = (self._tx_tail + 1) % FULL.notification_slots

    def look(self, now: int) -> None:
        """Take what came, ask to send it back, give back what was sent."""
        bridge, words = self._bridge, self._words
        bridge.advance(now)
        head = self._rx_head
        while words[slot := (self._rx + FLIT_BYTES * head - self._base) // 8]:
            words[slot] = 0
            self._arrived = words[slot + 2]
            head = (head + 1) % FULL.notification_slots
        if head != self._rx_head:
            self._rx_head = head
            bridge.mmio_write(now, r.notification_buffer_register(0, r.RX_HEAD), head, 4)
        if self._asked != self._arrived:
            while self._asked != self._arrived:
                end = self._arrived if self._arrived > self._asked else FULL.pipe_flits
                flits = min(end - self._asked, LONGEST_REQUEST_FLITS)
                self._post(TX_REQUEST, self._pipe + FLIT_BYTES * self._asked, FLIT_BYTES * flits)
                self._asked = (self._asked + flits) % FULL.pipe_flits
                self._ends.append(self._asked)
            bridge.mmio_write(now, r.notification_buffer_register(0, r.TX_TAIL), self._tx_tail, 4)
        done = 0
        while self._tx_head != self._tx_tail and not words[(self._tx + FLIT_BYTES * self._tx_head - self._base) // 8]:
            self._tx_head = (self._tx_head + 1) % FULL.notification_slots
            done += 1
        # also the same value: it asks whether more came
        if done:
            self._freed = self._ends[done - 1]
            del self._ends[:done]
        bridge.mmio_write(now, r.pipe_register(0, r.RX_HEAD), self._freed, 4)


async def read_register(bridge: Bridge, now: int, name: str) -> int:
    """A word of the extension page."""
    bridge.mmio_read(now, r.extension_register(name), ANSWER)
    while True:
        now = await bridge.run(now + 1_000_000)
        for _, source, value in bridge.take_effects():
            if source == ANSWER:
                return value


async def inside(top: HierarchyObject, task: Path, say: Callable[[str], None]) -> None:
    """Echo ``frames`` frames sent every ``gap_ps``; the task file says also where results and recorded pins go."""
    wanted = json.loads(task.read_text())
    frames, gap = wanted["frames"], wanted["gap_ps"]
    bridge = Bridge(top, memory_bytes=(RING_BYTES + NOTIFICATION_RING_BYTES) * 4)
    if wanted["record"]:
        bridge.record(Path(wanted["record"]))
    echo = Echo(bridge)
    now = await bridge.run(60_000_000)  # the tables are clear, the fallback is set
    start = now + 10_000_000
    times = start + gap * np.arange(1, frames + 1, dtype=np.int64) + MAC_LATENCY_PS
    bridge.load_frames(
        np.tile(one_frame(), frames),
        FRAME_BYTES * np.arange(frames, dtype=np.int64),
        np.full(frames, FRAME_BYTES, np.int32),
        times,
    )
    await bridge.run(start)
    before, began = bridge.counters(), time.perf_counter()
    now, end = start, int(times[-1]) + DRAIN_PS
    while bridge.frames_sent < frames and now < end:
        now += PACKETS_PER_LOOK * gap
        while await bridge.run(now) < now:
            say(f"{bridge.frames_sent} of {frames} frames")
        bridge.take_effects()
        echo.look(now)
    wall, after = time.perf_counter() - began, bridge.counters()
    result = {
        "wall_s": wall,
        "cycles": after.cycles - before.cycles,
        "wakes": after.wakes - before.wakes,
        "sent": bridge.frames_sent,
        "hash": bridge.finish_record() if wanted["record"] else None,
        "first_busy_cycle": int(times[0]) // 4000 - 1,
    }
    result["received"] = await read_register(bridge, now, "rx_frames")
    Path(wanted["result"]).write_text(json.dumps(result))
