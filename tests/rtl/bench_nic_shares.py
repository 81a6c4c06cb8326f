"""How fast an application receives and sends beside a hostile one, behind the DMA guard. Runs inside the simulator.

BENCH_NEIGHBOUR is what the hostile one does: nobody (there is none), wild (random sequences), greedy (the same as the
other one), long (the same, with requests 8 times as long). BENCH_CYCLES says for how long, BENCH_TOTALS names the file
for what became of the other one. Frames come from the wire at a pace that host writes can follow, whatever it does.
"""

import json
import os
import random
from pathlib import Path
from typing import Any

import cocotb

from enso_nic import registers
from enso_nic.config import FLIT_BYTES, TINY
from tests.rtl.bench_nic_hostile import prepare
from tests.rtl.nic_bench import NicBench, start_clock
from tests.rtl.nic_frames import udp
from tests.rtl.nic_software import data_slot
from tests.rtl.tenants import HOSTILE, VICTIM, Hostile, Place

PACE = 16
"""Cycles from one frame from the wire to the next of the same application."""
FRAME, FLITS = 300, 5
SENT = 1000
"""Bytes of a frame that is sent."""
WILD = 4
"""Paces between two hostile sequences."""
MOST = TINY.notification_slots - 1
"""TX requests that may be under way."""


class Counting(NicBench):
    """Counts the lines that the NIC reads: at most one in each cycle."""

    read_lines = 0

    def _take_request(self, request: dict[str, int]) -> None:
        self.read_lines += request["flits"]
        super()._take_request(request)


class Busy:
    """Takes what comes and gives its room back at once; sends as much as its TX ring takes.

    Attributes
    ----------
    received, sent
        Packets that were notified, and requests that completed.
    """

    def __init__(self, bench: NicBench, place: Place, frames_per_request: int) -> None:
        self._bench, self._place, self._frames = bench, place, frames_per_request
        self.received = self.sent = 0
        self._offered = 0
        self._heads = dict.fromkeys(place.pipes, 0)
        self._rx = self._tx = self._done = 0
        frame = udp(9, SENT, 0)
        stride = -(-SENT // FLIT_BYTES) * FLIT_BYTES
        bench.host.store(place.data, frame.ljust(stride, b"\0") * frames_per_request)
        self._length = stride * (frames_per_request - 1) + SENT

    def step(self) -> None:
        """A pace."""
        pipe = self._place.pipes[self._offered % len(self._place.pipes)]
        self._bench.receive(udp(self._place.port + pipe, FRAME, self._offered))
        self._offered += 1
        self._take()
        self._send()

    def _take(self) -> None:
        bench, place = self._bench, self._place
        before = self._rx
        while True:
            slot = place.rx + FLIT_BYTES * self._rx
            signal, pipe, tail = (int.from_bytes(bench.host.load(slot + i, 8), "little") for i in (0, 8, 16))
            if not signal:
                break
            bench.host.store(slot, bytes(8))
            self._rx = (self._rx + 1) % TINY.notification_slots
            self.received += (tail - self._heads[pipe]) % TINY.pipe_flits // FLITS
            self._heads[pipe] = tail
            bench.write(registers.pipe_register(pipe, registers.RX_HEAD), tail)
        if self._rx != before:
            bench.write(registers.notification_buffer_register(place.buffer, registers.RX_HEAD), self._rx)

    def _send(self) -> None:
        bench, place = self._bench, self._place
        slots = TINY.notification_slots
        while self._done != self._tx and not any(bench.host.load(place.tx + FLIT_BYTES * self._done, 8)):
            self._done = (self._done + 1) % slots
            self.sent += self._frames
        before = self._tx
        while (self._tx - self._done) % slots < MOST:
            bench.host.store(place.tx + FLIT_BYTES * self._tx, data_slot(place.data, self._length))
            self._tx = (self._tx + 1) % slots
        if self._tx != before:
            bench.write(registers.notification_buffer_register(place.buffer, registers.TX_TAIL), self._tx)


@cocotb.test()
async def beside_a_neighbour(dut: Any) -> None:
    start_clock(dut)
    neighbour, paces = os.environ["BENCH_NEIGHBOUR"], int(os.environ["BENCH_CYCLES"]) // PACE
    draw = random.Random(cocotb.RANDOM_SEED)
    bench = Counting(dut, TINY)
    await prepare(bench, guard=True)
    victim, hostile = Busy(bench, VICTIM, 1), Hostile(bench, draw)
    greedy = Busy(bench, HOSTILE, 8 if neighbour == "long" else 1)
    bench.read_lines = 0
    for pace in range(paces):
        victim.step()
        if neighbour == "wild" and pace % WILD == 0:
            hostile.sequence()
        elif neighbour in ("greedy", "long"):
            greedy.step()
        await bench.cycles(PACE)
    totals = {"received": victim.received, "sent": victim.sent, "offered": paces}
    totals |= {"cycles": paces * PACE, "read_lines": bench.read_lines}
    Path(os.environ["BENCH_TOTALS"]).write_text(json.dumps(totals))
