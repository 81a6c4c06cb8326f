"""A long run of everything at once, with faults: packets by the million, each judged by the golden model.

Runs inside the simulator. BENCH_PACKETS says how many, frames received and sent; BENCH_TOTALS names the file for what
became of them.
"""

import json
import os
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cocotb

from enso_nic import registers
from enso_nic.config import TINY
from tests.rtl.golden import GoldenNic
from tests.rtl.golden.steering import Key
from tests.rtl.nic_bench import BOTH, HIGH, LOW, Conditions, NicBench, start_clock
from tests.rtl.nic_frames import DESTINATION, MACS, counting, ipv4, tcp, udp
from tests.rtl.nic_software import Software, data_slot, fallback_slot, flow_slot, rate_limit_slot, timestamp_slot

CONFIG = replace(TINY, commit_taps=True)
PIPES, BUFFERS, PORTS = 8, 2, 10
"""Pipe p belongs to buffer p % BUFFERS; frames to ports from PIPES on have no rule."""
LIFE = 20_000
"""Packets from one reset to the next."""
STALLING = ("to_host", "read_request", "read_completion", "wire_out", "wire_in", "mmio")
SHARES = (100, 100, 90, 60, 30)


class Life:
    """A NIC from reset to reset: software that drains its pipes and echoes, and whatever goes wrong."""

    def __init__(self, dut: Any, draw: random.Random) -> None:
        self._draw = draw
        conditions = Conditions(
            **{each: draw.choice(SHARES) for each in STALLING},
            read_delay=draw.choice([0, 20, 200]),
            shuffled=draw.random() < 0.5,
            max_payload=draw.choice([2, 4, 8]),
            max_read=draw.choice([2, 4, 8]),
            seed=draw.getrandbits(32),
        )
        self.bench = NicBench(dut, CONFIG, conditions, 4 << 20)
        self.software = Software(self.bench, CONFIG)
        sizes = (60, 60, 60, 65)
        self._frames = [udp(port, size, number) for port in range(PORTS) for number, size in enumerate(sizes)]
        self._frames += [tcp(port, 60, port) for port in range(PORTS)]
        self._odd = [
            MACS[:12] + b"\x86\xdd" + counting(60, 1),
            MACS[:12] + b"\x08\x06" + counting(28, 2),
            ipv4(counting(40, 3), total=90),
            udp(1, 300) + bytes(20),
            udp(2, 1514),
            udp(3, 1515),
            udp(4)[:20],
        ]
        self._places: list[tuple[int, int]] = []

    @property
    def golden(self) -> GoldenNic:
        assert self.bench.golden is not None
        return self.bench.golden

    async def open(self) -> None:
        """After reset: rings somewhere, a rule for most ports, and data to be sent."""
        draw = self._draw
        await self.bench.reset(draw.choice(["rst", "host__reset"]), answers=draw.random() < 0.5)
        for buffer in range(BUFFERS):
            slot = draw.randrange(CONFIG.notification_slots)
            self.software.open_buffer(buffer, start=slot, tx_start=slot)
        for pipe in range(PIPES):
            self.software.open_pipe(pipe, pipe % BUFFERS, start=draw.randrange(CONFIG.pipe_flits))
        for pipe in range(PIPES):
            await self.software.publish(0, flow_slot(Key(pipe, 0, DESTINATION, 0), pipe))
        batches = [[udp(9, 60, number) for number in range(count)] for count in (1, 4, 16, 30)]
        self._places = [self.software.place(*batch) for batch in batches]
        self._places.append(self.software.place(udp(9, 1514), udp(9, 100)))

    def packets(self) -> int:
        counters = self.golden.counters
        return counters["rx_frames"] + counters["tx_frames"]

    async def step(self) -> None:
        """Some frames come; software gives room back, sends, and now and then something goes wrong."""
        draw, bench, software = self._draw, self.bench, self.software
        for _ in range(draw.choice([8, 24, 60])):
            bench.receive(draw.choice(self._frames), bad=draw.random() < 0.01)
        if draw.random() < 0.2:
            bench.receive(draw.choice(self._odd))
        for pipe in range(PIPES):
            if draw.random() < 0.6:
                software.write_head(pipe, self.golden.receive.pipes[pipe].tail)
        for buffer in range(BUFFERS):
            if draw.random() < 0.9:
                software.write_notification_head(buffer, self.golden.to_host.rings[buffer].tail)
            if draw.random() < 0.5 and software.free_slots(buffer) > 4:
                await software.publish(buffer, data_slot(*draw.choice(self._places)))
        if draw.random() < 0.1:
            await self._trouble()
        await bench.cycles(draw.choice([1, 20, 60]))
        if len(bench.queued_frames) > 200:
            await bench.cycles(200)

    async def _trouble(self) -> None:
        draw, bench, software = self._draw, self.bench, self.software
        buffer, pipe = draw.randrange(BUFFERS), draw.randrange(PIPES)
        kind = draw.randrange(11)
        if kind == 0:
            what = draw.choice(["to_host", "read_request", "ethernet_tx", "read_completion"])
            bench.hold(what, cycles=draw.randrange(1, 300))
        elif kind == 1:
            address, length = software.place(udp(9, 200))
            bench.host.poisoned.add(address)
            await self._publish(buffer, data_slot(address, length))
        elif kind == 2:
            wrong = [data_slot(64, 64), data_slot(self._places[0][0] + 8, 60), data_slot(0, 0)]
            await self._publish(buffer, draw.choice(wrong))
        elif kind == 3:
            software.close_pipe(pipe)
        elif kind == 4:
            software.close_pipe(pipe)
            await bench.read(registers.pipe_register(pipe, registers.RX_MEM_LOW))
            software.open_pipe(pipe, pipe % BUFFERS, start=draw.randrange(CONFIG.pipe_flits))
        elif kind == 5:
            software.set_header_mode(pipe, on=draw.random() < 0.5)
        elif kind == 6:
            software.set_modes(registers.Mode(draw.choice([0, 0, *range(8)])))
        elif kind == 7:
            await self._publish(buffer, timestamp_slot(enable=draw.random() < 0.5, offset=draw.choice([18, 46, 60])))
        elif kind == 8:
            await self._publish(buffer, fallback_slot(draw.choice([0, 4]), 3, round_robin=draw.random() < 0.5))
        elif kind == 9:
            await self._publish(buffer, rate_limit_slot(enable=draw.random() < 0.3, numerator=8, denominator=10))
        else:
            enables = draw.choice([BOTH, LOW, HIGH])
            bench.write(registers.pipe_register(pipe, registers.RX_TAIL), draw.getrandbits(64), enables)

    async def _publish(self, buffer: int, slot: bytes) -> None:
        if self.software.free_slots(buffer):
            await self.software.publish(buffer, slot)

    async def end(self) -> Counter[str]:
        """Everything that was begun ends, and is accounted for."""
        await self.bench.settle(200_000)
        counters = await self.software.counters()
        await self.bench.settle()
        assert {name: counters[name] for name in self.golden.counters} == dict(self.golden.counters)
        dropped = sum(counters[cause] for cause in registers.DROP_CAUSES if cause != "tx_error")
        assert counters["rx_frames"] == counters["rx_packets"] + dropped, f"frames are missing: {counters}"
        return Counter(counters)


@cocotb.test()
async def packets_by_the_million_and_every_one_accounted_for(dut: Any) -> None:
    start_clock(dut)
    seed, wanted = cocotb.RANDOM_SEED, int(os.environ["BENCH_PACKETS"])
    draw, totals, packets = random.Random(seed), Counter[str](), 0
    while packets < wanted:
        life = Life(dut, draw)
        await life.open()
        while life.packets() < min(LIFE, wanted - packets):
            await life.step()
        totals += await life.end()
        packets = totals["rx_frames"] + totals["tx_frames"]
        print(f"seed {seed}: {packets:,} of {wanted:,} packets")
        Path(os.environ["BENCH_TOTALS"]).write_text(json.dumps(totals))
