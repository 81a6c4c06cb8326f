"""A NIC with open rings, for benches that take it from there."""

import dataclasses
from typing import Any

from enso_nic.config import TINY
from tests.rtl.golden import GoldenNic
from tests.rtl.golden.steering import Key
from tests.rtl.nic_bench import IDEAL, Conditions, NicBench, start_clock
from tests.rtl.nic_frames import DESTINATION
from tests.rtl.nic_software import Software, flow_slot

RULES = (
    "bench_nic",
    "bench_nic_transmit",
    "bench_nic_config",
    "bench_nic_contract",
    "bench_nic_extensions",
    "bench_nic_guard",
)
"""The benches of single rules."""
CONFIG = dataclasses.replace(TINY, commit_taps=True)
PORT = 1000
"""UDP port PORT + p leads to pipe p."""
RING = CONFIG.pipe_flits
SLOTS = CONFIG.notification_slots


def key_of(port: int) -> Key:
    return Key(destination_port=port, destination_address=DESTINATION)


class OpenNic:
    """A NIC after reset, with notification buffer 0 open, and pipes 1 and 2 that belong to it and have a flow each."""

    def __init__(self, dut: Any, conditions: Conditions) -> None:
        start_clock(dut)
        self.dut = dut
        self.bench = NicBench(dut, CONFIG, conditions)
        self.software = Software(self.bench, CONFIG)

    async def begin(self, *, start: int = 0, slot: int = 0) -> None:
        await self.bench.reset()
        await self.bench.settle()
        self.software.open_buffer(0, start=slot, tx_start=slot)
        for pipe in (1, 2):
            self.software.open_pipe(pipe, 0, start=start)
            await self.software.publish(0, flow_slot(key_of(PORT + pipe), pipe))
        await self.bench.settle()

    @property
    def golden(self) -> GoldenNic:
        assert self.bench.golden is not None
        return self.bench.golden

    @property
    def counters(self) -> dict[str, int]:
        """Those of the model that are not 0."""
        return dict(+self.golden.counters)

    async def receive(self, *frames: bytes) -> None:
        """Frames come in, and all that they cause happens."""
        for frame in frames:
            self.bench.receive(frame)
        await self.bench.settle()

    async def counts(self, **expected: int) -> None:
        """The NIC's own counters, as far as they are named."""
        counters = await self.software.counters()
        assert {name: counters[name] for name in expected} == expected, f"counters {counters}"
        await self.bench.settle()


async def nic(dut: Any, conditions: Conditions = IDEAL, *, start: int = 0, slot: int = 0) -> OpenNic:
    it = OpenNic(dut, conditions)
    await it.begin(start=start, slot=slot)
    return it
