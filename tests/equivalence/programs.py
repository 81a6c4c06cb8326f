"""Software that does whatever the registers allow, drawn at random, while frames of all kinds come: it is to bring the
NIC into as many states as a short time holds. What it does depends on the seed alone, never on what the NIC answers.
"""

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cosim.pcie.bridge import Bridge
from cosim.pcie.link import NIC_CYCLE_PS, LinkParameters
from enso_nic import registers as r

US = 1_000_000
PIPES, BUFFERS = 6, 3
PIPE_FLITS, SLOTS = 32, 16
PORTS = 100
"""Destinations: more than the smallest flow table has places for."""
DATA_BYTES = 1 << 16
SWEEP_PS = 40 * US
MEMORY_BYTES = 1 << 21


def link_of(seed: int) -> LinkParameters:
    """A link of its own for each seed; half of them stall, cut and reorder."""
    draw = random.Random(seed)
    rough = draw.random() < 0.5
    return LinkParameters(
        propagation_up_ps=draw.choice([4000, 100_000, 400_000]),
        propagation_down_ps=draw.choice([4000, 100_000, 400_000]),
        max_payload_bytes=draw.choice([128, 256, 512]),
        max_read_bytes=draw.choice([128, 256, 512]),
        cut_completions=int(rough),
        completion_jitter_ps=500_000 if rough else 0,
        to_host_stall_percent=draw.choice([0, 10, 50]) if rough else 0,
        tx_stall_percent=draw.choice([0, 10, 50]) if rough else 0,
        seed=seed,
    )


def udp(draw: random.Random, size: int) -> bytes:
    payload = size - 42
    header = struct.pack("!6s6sH", draw.randbytes(6), draw.randbytes(6), 0x0800)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, size - 14, 0, 0, 64, 17, 0, draw.randbytes(4), bytes([10, 0, 0, 1]))
    ports = struct.pack("!HHHH", draw.randrange(1 << 16), 1024 + draw.randrange(PORTS), payload + 8, 0)
    return header + ip + ports + draw.randbytes(payload)


def frame(draw: random.Random) -> bytes:
    """Mostly UDP, of which some say a wrong length or end with padding; also IPv6, ARP and giants."""
    size = draw.choice([60, 60, 60, 64, 65, 128, 129, 300, 1000, 1514])
    kind = draw.random()
    if kind < 0.75:
        return udp(draw, size)
    if kind < 0.82:
        return udp(draw, size) + bytes(draw.randrange(1, 90))
    if kind < 0.88:
        broken = bytearray(udp(draw, size))
        broken[16:18] = draw.randbytes(2)
        return bytes(broken)
    if kind < 0.93:
        return struct.pack("!12sHIHBB", draw.randbytes(12), 0x86DD, 0x60000000, size - 54, 17, 64) + bytes(size - 22)
    if kind < 0.97:
        return draw.randbytes(12) + b"\x08\x06" + draw.randbytes(46)
    return udp(draw, 1514) + bytes(draw.choice([100, 20_000]))


class Program:
    """Draws what software does."""

    def __init__(self, bridge: Bridge, seed: int) -> None:
        self._bridge, self._draw, self.now = bridge, random.Random(seed), 0
        memory = bridge.memory
        self._pipes = [memory.allocate(64 * PIPE_FLITS, 4096, "pipe") for _ in range(PIPES)]
        self._rx = [memory.allocate(64 * SLOTS, 4096, "notifications") for _ in range(BUFFERS)]
        self._tx = [memory.allocate(64 * SLOTS, 4096, "requests") for _ in range(BUFFERS)]
        self._data = memory.allocate(DATA_BYTES, 4096, "data")
        self._tails = [0] * BUFFERS
        self._fill()

    def _fill(self) -> None:
        """Data for TX: frames from line to line, and some that are none."""
        offset, start = 0, self._data - self._bridge.memory.base
        while offset < DATA_BYTES - 2048:
            found = frame(self._draw)[:1600]
            self._bridge.memory.bytes[start + offset : start + offset + len(found)] = found
            offset += -(-len(found) // 64) * 64

    async def run(self, until: int) -> None:
        while await self._bridge.run(until) < until:
            self._bridge.take_effects()
        self._bridge.take_effects()
        self._bridge.advance(until)
        self.now = until

    def write(self, address: int, value: int, size: int) -> None:
        self._bridge.mmio_write(self.now, address, value, size)

    def enable(self) -> None:
        self.write(r.extension_register("pipe_ring_flits"), PIPE_FLITS, 8)
        self.write(r.extension_register("notification_ring_slots"), SLOTS, 8)
        for buffer in range(BUFFERS):
            self._set_window(buffer, self._bridge.memory.base, MEMORY_BYTES)
        for pipe in range(PIPES):
            self.write(r.pipe_owner_register(pipe), self._draw.randrange(BUFFERS), 8)
        self.write(r.extension_register("guard"), self._draw.randrange(2), 8)
        for pipe in range(PIPES):
            self._enable_pipe(pipe)
        for buffer in range(BUFFERS):
            self._enable_rings(buffer)

    def _enable_pipe(self, pipe: int) -> None:
        self.write(r.pipe_register(pipe, r.RX_MEM_LOW), self._pipes[pipe] | self._draw.randrange(BUFFERS + 1), 8)

    def _enable_rings(self, buffer: int) -> None:
        self.write(r.notification_buffer_register(buffer, r.RX_MEM_LOW), self._rx[buffer], 8)
        self.write(r.notification_buffer_register(buffer, r.TX_MEM_LOW), self._tx[buffer], 8)

    def _set_window(self, buffer: int, first: int, size: int) -> None:
        self.write(r.window_register(buffer), first | self._draw.randrange(2), 8)
        self.write(r.window_register(buffer) + 8, first + size, 8)

    def _change_guard(self, pipe: int, buffer: int) -> None:
        """Switch the DMA guard, or change one of its tables; then ask what it refused last."""
        draw, base = self._draw, self._bridge.memory.base
        kind = draw.randrange(4)
        if kind < 2:
            self.write(r.extension_register("guard"), kind, 8)
        elif kind == 2:
            self.write(r.pipe_owner_register(pipe), draw.randrange(BUFFERS + 2), draw.choice([4, 8]))
        else:
            size = draw.choice([0, MEMORY_BYTES // 16, MEMORY_BYTES])
            self._set_window(buffer, base + 64 * draw.randrange(2000), size)
        for name in ("refused_page", "refused_address", "refused_rings", "refused_requests"):
            self._bridge.mmio_read(self.now, r.extension_register(name), 1)

    def act(self) -> None:
        """One thing, of which those that software does most are the most likely."""
        draw = self._draw
        pipe, buffer, chance = draw.randrange(PIPES), draw.randrange(BUFFERS), draw.random()
        if chance < 0.35:
            self.write(r.pipe_register(pipe, r.RX_HEAD), draw.randrange(PIPE_FLITS), 4)
        elif chance < 0.55:
            self.write(r.notification_buffer_register(buffer, r.RX_HEAD), draw.randrange(SLOTS), 4)
        elif chance < 0.85:
            self._send(buffer)
        elif chance < 0.9:
            address = draw.choice([r.pipe_register(pipe, 0), r.notification_buffer_register(buffer, 0)])
            if draw.random() < 0.3:
                address = r.extension_register(draw.choice(["rx_packets", "modes", "version"]))
            self._bridge.mmio_read(self.now, address + 8 * draw.randrange(4), 1)
        elif chance < 0.92:
            self.write(r.pipe_register(pipe, r.RX_TAIL), draw.randrange(1 << 37), draw.choice([4, 8]))
        elif chance < 0.94:
            self.write(r.notification_buffer_register(buffer, r.RX_TAIL), draw.randrange(1 << 37), draw.choice([4, 8]))
        elif chance < 0.95:
            self._change_guard(pipe, buffer)
        elif chance < 0.96:
            self.write(r.pipe_register(pipe, draw.choice([r.RX_MEM_LOW, r.RX_MEM_HIGH])), 0, 4)
        elif chance < 0.967:
            registers = [r.RX_MEM_LOW, r.RX_MEM_HIGH, r.TX_MEM_LOW, r.TX_MEM_HIGH]
            self.write(r.notification_buffer_register(buffer, draw.choice(registers)), 0, 4)
        elif chance < 0.975:
            self.write(r.pipe_mode_register(pipe), draw.randrange(2), 8)
        elif chance < 0.98:
            self.write(r.extension_register("modes"), draw.randrange(8), 8)
        elif chance < 0.99:
            self._enable_pipe(pipe)
        elif chance < 0.998:
            self._enable_rings(buffer)
        else:
            self.write(r.extension_register("reset"), r.RESET_KEY, 8)
            self.enable()

    def _send(self, buffer: int) -> None:
        """Some slots, of which each is a request for data or for another setting."""
        memory, count = self._bridge.memory, self._draw.randrange(1, 5)
        for turn in range(count):
            slot = (self._tails[buffer] + turn) % SLOTS
            offset = self._tx[buffer] - memory.base + 64 * slot
            memory.bytes[offset : offset + 64] = self._slot().ljust(64, b"\0")
        self._tails[buffer] = (self._tails[buffer] + count) % SLOTS
        self.write(r.notification_buffer_register(buffer, r.TX_TAIL), self._tails[buffer], 4)

    def _slot(self) -> bytes:
        draw, chance = self._draw, self._draw.random()
        if chance < 0.8:
            length = draw.choice([60, 64, 128, 640, 1514, 4096]) if chance < 0.75 else draw.randrange(5000)
            address = self._data + 64 * draw.randrange(DATA_BYTES // 64 - 100) + (chance > 0.78)
            return struct.pack("<QQQ", 1, address, length | (chance < 0.1) << 32)
        key = struct.pack("<HHIIII", 1024 + draw.randrange(PORTS), 0, 0x0A000001, 0, 17, draw.randrange(PIPES))
        body = {
            1: key,
            0x100: key,
            0x101: key,
            2: struct.pack("<QQ", draw.randrange(2) << 63, draw.choice([0, 20, 42, 60, 99])),
            3: struct.pack("<HHI", draw.choice([1, 3]), draw.choice([1, 2, 5]), draw.randrange(2) << 31),
            4: struct.pack("<IIQ", draw.randrange(2), 3, draw.randrange(2) << 63),
            99: b"",
        }
        number = 1 if chance < 0.9 else draw.choice(list(body))
        return struct.pack("<QQ", 2, number) + body[number]

    def load_frames(self, until: int) -> None:
        """Frames up to then: bursts without a gap, and single ones."""
        draw = self._draw
        frames: list[bytes] = []
        times: list[int] = []
        time = self.now + 10 * US
        while time < until:
            for _ in range(draw.choice([1, 1, 5, 40])):
                frames.append(frame(draw))
                time += (len(frames[-1]) + 24) * 80
                times.append(time)
            time += draw.randrange(4 * US)
        lengths = np.array([len(each) for each in frames])
        offsets = np.cumsum(lengths) - lengths
        errors = np.array([draw.random() < 0.02 for _ in frames])
        self._bridge.load_frames(
            np.frombuffer(b"".join(frames), np.uint8), offsets, lengths.astype(np.int32), np.array(times), errors
        )


async def inside(top: Any, task: Path, say: Callable[[str], None]) -> None:
    """Carry out the program of the seed; recorded pins and transfers go beside the task file."""
    wanted = json.loads(task.read_text())
    seed, span = wanted["seed"], wanted["us"] * US
    bridge = Bridge(top, memory_bytes=MEMORY_BYTES, link=link_of(seed))
    bridge.record(task.with_name("pins.bin"))
    bridge.record_transfers(task.with_name("transfers.bin"))
    program, draw = Program(bridge, seed), random.Random(-seed)
    for _ in range(5):
        bridge.fault(draw.randrange(1000), draw.choice(["abort", "poison"]))
    await program.run(SWEEP_PS)
    program.enable()
    end = SWEEP_PS + span
    program.load_frames(end - 30 * US)
    while program.now < end - 20 * US:
        await program.run(program.now + draw.choice([4000, 50_000, 500_000, 2 * US]))
        for _ in range(draw.choice([1, 1, 3])):
            program.act()
    await program.run(end)
    bridge.finish_record()
    bridge.record_transfers(None)
    say(f"{bridge.counters().cycles} cycles")


async def opening(top: Any, task: Path, say: Callable[[str], None]) -> None:
    """A short frame in every cycle while the NIC opens, and again while software resets it; then, what became of them.

    The task file names the first cycle, and how many cycles such a time is long.
    """
    first, count = json.loads(task.read_text())
    bridge = Bridge(top, memory_bytes=MEMORY_BYTES)
    bridge.record(task.with_name("pins.bin"))
    bridge.record_transfers(task.with_name("transfers.bin"))
    program, lengths = Program(bridge, 1), np.full(count, 60, np.int32)
    frames = np.frombuffer(udp(random.Random(1), 60) * count, np.uint8)
    for begin in (first * NIC_CYCLE_PS, SWEEP_PS + 2 * US + US // 5):
        bridge.load_frames(frames, 60 * np.arange(count), lengths, np.full(count, begin))
    await program.run(SWEEP_PS)
    for end in (2 * SWEEP_PS, 3 * SWEEP_PS):
        for name in ("rx_admitted", "in_reset"):
            bridge.mmio_read(program.now, r.extension_register(name), 1)
        await program.run(program.now + 2 * US)
        program.write(r.extension_register("reset"), r.RESET_KEY, 8)
        await program.run(end)
    bridge.finish_record()
    bridge.record_transfers(None)
    say(f"{bridge.counters().cycles} cycles")
