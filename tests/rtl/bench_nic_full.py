"""The full configuration: its last pipe and its last notification buffer, over the ends of their rings."""

from dataclasses import replace
from typing import Any

import cocotb

from enso_nic import registers
from enso_nic.config import FULL
from tests.rtl.contract import covers
from tests.rtl.golden.steering import steering_key
from tests.rtl.nic_bench import Conditions, NicBench, start_clock
from tests.rtl.nic_frames import udp
from tests.rtl.nic_software import Software, data_slot, flow_slot

CONFIG = replace(FULL, commit_taps=True)
PIPE, BUFFER = CONFIG.pipes - 1, CONFIG.notification_buffers - 1
HOST_BYTES = 8 << 20
FRAMES = [udp(80, size, size) for size in (60, 64, 65, 300, 1514, 60)]


@cocotb.test()
@covers("C-006", "C-024", "C-141")
async def the_last_pipe_and_the_last_buffer_work_over_the_ends_of_their_rings(dut: Any) -> None:
    start_clock(dut)
    bench = NicBench(dut, CONFIG, Conditions(to_host=70, read_delay=30, shuffled=True), HOST_BYTES)
    software = Software(bench, CONFIG)
    await bench.reset()
    await bench.settle()
    software.open_buffer(BUFFER, start=CONFIG.notification_slots - 2, tx_start=CONFIG.notification_slots - 3)
    software.open_pipe(PIPE, BUFFER, start=CONFIG.pipe_flits - 5)
    await software.publish(BUFFER, flow_slot(steering_key(FRAMES[0]), PIPE))
    await bench.settle()
    for frame in FRAMES:
        bench.receive(frame)
        await bench.settle()
        assert bench.golden is not None
        software.write_head(PIPE, bench.golden.receive.pipes[PIPE].tail)
    await software.publish(BUFFER, *(data_slot(*software.place(frame)) for frame in FRAMES))
    await bench.settle()
    assert bench.sent == FRAMES

    flits = sum(-(-len(frame) // 64) for frame in FRAMES)
    tail = (CONFIG.pipe_flits - 5 + flits) % CONFIG.pipe_flits
    assert await bench.read(registers.pipe_register(PIPE, registers.RX_TAIL)) == tail << 32 | tail
    slots = await bench.read(registers.notification_buffer_register(BUFFER, registers.RX_TAIL))
    assert slots & 0xFFFFFFFF == len(FRAMES) - 2
    slots = await bench.read(registers.notification_buffer_register(BUFFER, registers.TX_TAIL))
    assert slots == (len(FRAMES) - 2) << 32 | len(FRAMES) - 2
    counters = await software.counters()
    assert {name: count for name, count in counters.items() if count} == {
        "rx_frames": len(FRAMES),
        "rx_admitted": len(FRAMES),
        "rx_packets": len(FRAMES),
        "tx_frames": len(FRAMES),
        "notifications": len(FRAMES),
    }
