"""What the NIC shows at its pins, cycle by cycle, with the taps that judge it and without them."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cocotb

from enso_nic import registers
from enso_nic.config import TINY
from tests.rtl.golden.steering import steering_key
from tests.rtl.nic_bench import Conditions, NicBench, start_clock
from tests.rtl.nic_frames import tcp, udp
from tests.rtl.nic_software import Software, data_slot, fallback_slot, flow_slot

CONFIG = replace(TINY, commit_taps=os.environ["BENCH_TAPS"] == "1")
CONDITIONS = Conditions(
    to_host=60, read_request=70, read_completion=70, wire_out=70, wire_in=80, mmio=60, read_delay=30, shuffled=True
)


@cocotb.test()
async def the_same_stimulus_and_a_digest_of_the_outputs(dut: Any) -> None:
    start_clock(dut)
    bench = NicBench(dut, CONFIG, CONDITIONS)
    software = Software(bench, CONFIG)
    await bench.reset()
    for buffer in range(2):
        software.open_buffer(buffer, start=14, tx_start=13)
        software.open_pipe(buffer, buffer, start=60)
        await software.publish(buffer, flow_slot(steering_key(udp(buffer)), buffer), fallback_slot(2, 1))
    for turn in range(12):
        for number in range(6):
            bench.receive(udp((turn + number) % 3, 60 + 97 * number, number), bad=number == turn)
        bench.receive(tcp(5, 60 + turn))
        frames = [udp(9, 60 + 113 * number, turn) for number in range(3)]
        await software.publish(turn % 2, *(data_slot(*software.place(frame)) for frame in frames))
        await bench.read(registers.pipe_register(turn % 2, registers.RX_TAIL))
        software.write_head(turn % 2, (60 + 8 * turn) % CONFIG.pipe_flits)
        software.write_notification_head(turn % 2, turn)
    await bench.settle()
    counters = await software.counters()
    assert min(counters[name] for name in ("pipe_full", "bad_frame", "tx_frames", "notifications")) > 0, f"{counters}"
    Path(os.environ["BENCH_DIGEST"]).write_text(f"{bench.now} {bench.digest.hexdigest()}\n")
