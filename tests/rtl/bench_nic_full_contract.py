"""What the full configuration must have room for, and how fast it resets."""

from dataclasses import replace
from typing import Any

import cocotb

from enso_nic.config import FULL
from tests.rtl.contract import covers
from tests.rtl.golden.steering import Key, steering_key
from tests.rtl.nic_bench import NicBench, start_clock
from tests.rtl.nic_frames import udp
from tests.rtl.nic_software import Software, data_slot, flow_slot

CONFIG = replace(FULL, commit_taps=True)
PIPE, BUFFER = 8191, 1023
HOST_BYTES = 16 << 20
FRAME = udp(80, 1514)
FRAME_FLITS = 24
LONGEST_RESET, HEAD_WRITES, PACKET_FLITS, READS = 8192, 512, 16384, 64


async def opened(dut: Any) -> tuple[NicBench, Software]:
    start_clock(dut)
    bench = NicBench(dut, CONFIG, host_bytes=HOST_BYTES)
    software = Software(bench, CONFIG)
    await bench.reset()
    await bench.settle()
    software.open_buffer(BUFFER)
    software.open_pipe(PIPE, BUFFER)
    await software.publish(BUFFER, flow_slot(steering_key(FRAME), PIPE))
    await bench.settle()
    return bench, software


@cocotb.test()
@covers("C-154")
async def the_tables_are_clear_8192_cycles_after_reset(dut: Any) -> None:
    start_clock(dut)
    bench = NicBench(dut, CONFIG, host_bytes=HOST_BYTES)
    await bench.reset()
    cycles = 0
    while not bench.is_ready:
        await bench.cycle()
        cycles += 1
        assert cycles <= LONGEST_RESET + 1, "a cycle more until it shows"
    print(f"ready {cycles} cycles after reset")


@cocotb.test()
@covers("C-041")
async def head_writes_are_not_merged_while_512_may_wait(dut: Any) -> None:
    bench, software = await opened(dut)
    bench.receive(FRAME)
    await bench.settle()
    bench.hold("to_host", cycles=4 * HEAD_WRITES)
    for _ in range(HEAD_WRITES):
        software.write_head(PIPE, 0)
    await bench.settle()
    assert bench.golden is not None
    assert bench.golden.counters["notifications"] == 1 + HEAD_WRITES


@cocotb.test()
@covers("C-064", "C-149")
async def so_many_flits_wait_for_a_host_that_stalls(dut: Any) -> None:
    bench, _ = await opened(dut)
    bench.hold("to_host")
    count = PACKET_FLITS // FRAME_FLITS
    for _ in range(count):
        bench.receive(FRAME)
    await bench.cycles(count * FRAME_FLITS + 100)
    assert bench.golden is not None
    assert bench.golden.counters["rx_admitted"] == count
    bench.release()
    await bench.settle(40_000)


@cocotb.test()
@covers("C-111")
async def so_many_host_reads_of_512_bytes_are_under_way(dut: Any) -> None:
    bench, software = await opened(dut)
    before = bench.reads
    await software.publish(BUFFER, data_slot(*software.place(*[FRAME] * 40)))
    await bench.cycles(50)  # for the slot
    bench.hold("read_completion")
    await bench.cycles(300)
    assert bench.host.unanswered >= READS
    assert bench.reads > before
    bench.release()
    await bench.settle()
    assert bench.sent == [FRAME] * 40


@cocotb.test()
@covers("C-078", "C-079")
async def nine_tenths_of_8192_rules_find_a_place(dut: Any) -> None:
    bench, software = await opened(dut)
    bench.golden = None  # it would keep a copy of the table for each rule
    rules, batch = 8192 * 9 // 10, 2000
    for first in range(0, rules, batch):
        keys = [Key(port & 0xFFFF, 7, port, 9) for port in range(first, min(first + batch, rules))]
        await software.publish(BUFFER, *(flow_slot(key, PIPE) for key in keys), limit=400_000)
    while software.free_slots(BUFFER) < CONFIG.notification_slots - 1:
        await bench.cycles(100)
        assert bench.now < 1_000_000, "rules are still being inserted"
    slots = [bench.host.load(software.slot_address(BUFFER, 1 + number, tx=True)) for number in range(rules)]
    assert sum(slot[24] for slot in slots) == 0
    counters = await software.counters()
    assert counters["flow_inserts_failed"] == 0
