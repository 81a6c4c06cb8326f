"""The usual way: cocotb's stock runner and clock, Python in each cycle, wide values through VPI."""

import json
import os
import time
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from cosim.pcie.pins import RECORDED_PINS, Flag, TransferHash


@cocotb.test()
async def replay(top: HierarchyObject) -> None:
    """Play the pins of HERMES_PINS up to HERMES_LAST_CYCLE; HERMES_RESULT gets cycles, seconds and hash."""
    dut: Any = top
    last, first_timed = int(os.environ["HERMES_LAST_CYCLE"]), int(os.environ["HERMES_FIRST_TIMED"])
    pins = np.fromfile(os.environ["HERMES_PINS"], RECORDED_PINS, count=last + 1)
    pins = pins[pins["cycle"] <= last]
    inputs = (
        (Flag.RX_VALID, dut.ethernet_rx__valid, dut.ethernet_rx__payload, pins["rx"], 578),
        (Flag.COMPLETION_VALID, dut.host__read_completion__valid, dut.host__read_completion__payload,
         pins["completion"], 525),
        (Flag.MMIO_VALID, dut.host__mmio_request__valid, dut.host__mmio_request__payload, pins["mmio"], 105),
    )  # fmt: skip
    outputs = (
        (1, Flag.TO_HOST_READY, dut.host__to_host__ready, dut.host__to_host__valid, dut.host__to_host__payload, 19),
        (2, Flag.READ_REQUEST_READY, dut.host__read_request__ready, dut.host__read_request__valid,
         dut.host__read_request__payload, 3),
        (3, Flag.TX_READY, dut.ethernet_tx__ready, dut.ethernet_tx__valid, dut.ethernet_tx__payload, 19),
    )  # fmt: skip
    dut.host__max_payload.value = dut.host__max_read.value = 8
    dut.host__bus_master.value = 1
    dut.host__reset.value = 0
    edge = RisingEdge(dut.clk)
    Clock(dut.clk, 4, unit="ns").start(start_high=False)

    transfers: list[tuple[int, int, int, int]] = []
    timed, began = 0, 0.0
    for i, (cycle, flags) in enumerate(zip(pins["cycle"].tolist(), pins["flags"].tolist(), strict=True)):
        if cycle >= first_timed:
            if not timed:
                began = time.perf_counter()
            timed += 1
        dut.rst.value = int(bool(flags & Flag.RESET))
        dut.cycle.value = cycle
        dut.tick.value = cycle * 4 // 5
        for flag, valid, payload, values, bits in inputs:
            valid.value = int(bool(flags & flag))
            if flags & flag:
                payload.value = int.from_bytes(values[i].tobytes(), "little") & ((1 << bits) - 1)
        for _, flag, ready, _, _, _ in outputs:
            ready.value = int(bool(flags & flag))
        await edge
        for port, flag, _, valid, payload, words in outputs:
            if flags & flag and not flags & Flag.RESET and valid.value == 1:
                transfers.append((port, cycle, payload.value.to_unsigned(), words))
    wall = time.perf_counter() - began
    total = TransferHash()
    for port, cycle, payload, words in transfers:
        total.add(port, cycle, payload, words)
    result = {"cycles": timed, "wall_s": wall, "hash": total.value}
    Path(os.environ["HERMES_RESULT"]).write_text(json.dumps(result))
