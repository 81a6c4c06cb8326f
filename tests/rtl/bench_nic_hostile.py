"""A hostile application beside one that works: what the DMA guard keeps it from. Runs inside the simulator.

BENCH_SEQUENCES says how many random sequences it tries, BENCH_GUARD whether the guard is on; BENCH_TOTALS names the
file for what became of it. Without the guard the run ends as soon as it has touched something foreign.
"""

import json
import os
import random
from pathlib import Path
from typing import Any

import cocotb

from enso_nic import registers
from enso_nic.config import FLIT_BYTES
from tests.rtl.golden.steering import Key
from tests.rtl.nic_bench import BOTH, Conditions, NicBench, start_clock
from tests.rtl.nic_frames import DESTINATION
from tests.rtl.nic_software import flow_slot
from tests.rtl.tenants import HOSTILE, VICTIM, Hostile, Watch

AT_ONCE = 8
"""Sequences between two times at which the NIC rests, and all is looked through."""


async def prepare(bench: NicBench, *, guard: bool) -> None:
    """What the privileged software does: flow rules, owners, windows; then the applications open their rings."""
    await bench.reset()
    await bench.settle()
    VICTIM.open(bench)
    places = (VICTIM, HOSTILE)
    rules = [(Key(each.port + pipe, 0, DESTINATION, 0), pipe) for each in places for pipe in each.pipes]
    for number, (key, pipe) in enumerate(rules):
        bench.host.store(VICTIM.tx + FLIT_BYTES * number, flow_slot(key, pipe))
    bench.write(registers.notification_buffer_register(VICTIM.buffer, registers.TX_TAIL), len(rules))
    await bench.settle()
    for each in places:
        bench.write(registers.window_register(each.buffer), each.window.start, BOTH)
        bench.write(registers.window_register(each.buffer) + 8, each.window.stop, BOTH)
        for pipe in each.pipes:
            bench.write(registers.pipe_owner_register(pipe), each.buffer, BOTH)
    for pipe in range(HOSTILE.pipes.stop, 16):
        bench.write(registers.pipe_owner_register(pipe), 3, BOTH)
    bench.write(registers.extension_register("guard"), int(guard), BOTH)
    VICTIM.open(bench)
    HOSTILE.open(bench)
    await bench.settle()


@cocotb.test()
async def whatever_a_hostile_application_does_the_other_one_goes_on(dut: Any) -> None:
    start_clock(dut)
    seed, wanted = cocotb.RANDOM_SEED, int(os.environ["BENCH_SEQUENCES"])
    guard = os.environ["BENCH_GUARD"] == "1"
    draw = random.Random(seed)
    conditions = Conditions(
        wire_in=40,
        read_delay=draw.choice([0, 30]),
        shuffled=draw.random() < 0.5,
        max_payload=draw.choice([2, 4, 8]),
        max_read=draw.choice([2, 4, 8]),
        seed=draw.getrandbits(32),
    )
    bench = Watch(dut, conditions)
    await prepare(bench, guard=guard)
    bench.foreign_bytes = 0  # the rules came from its own ring
    victim, hostile, done = bench.victim, Hostile(bench, draw), 0
    while done < wanted and (guard or not bench.foreign_bytes):
        for _ in range(min(AT_ONCE, wanted - done)):
            for _ in range(draw.randrange(4)):
                draw.choice([victim.receive, victim.receive, victim.send])(draw)
            hostile.sequence()
            await bench.cycles(draw.choice([1, 20, 60]))
            done += 1
        await bench.settle(200_000)
        victim.check()
        await bench.settle()
    names = ("refused_rings", "refused_requests", "rx_packets", "tx_frames", "packet_buffer_full")
    totals = {name: await bench.read(registers.extension_register(name)) for name in names}
    totals |= {"sequences": done, "packets": victim.packets, "lost": victim.lost, "silent": victim.silent}
    totals["foreign_bytes"] = bench.foreign_bytes
    Path(os.environ["BENCH_TOTALS"]).write_text(json.dumps(totals))
