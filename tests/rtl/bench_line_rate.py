"""Runs inside the simulator of the full NIC behind a link that takes and gives a beat in every cycle.

The NIC never waits for its surroundings: frames come back to back, a beat per cycle, which is faster than any wire, and
the host port and the wire take a beat whenever there is one. So what is measured is the NIC. Software looks once per 64
packets.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
from cocotb.handle import HierarchyObject

from cosim.pcie.bridge import Bridge
from cosim.pcie.link import NIC_CYCLE_PS, LinkParameters
from enso_nic import registers as r
from enso_nic.config import FULL
from tests.rtl.line_rate import BURST_COUNTERS, Case, Count, flits_of
from tests.rtl.line_rate_software import MEMORY_BYTES, Array, Software
from tests.rtl.nic_frames import udp
from tests.rtl.nic_software import fallback_slot

PACKETS_PER_LOOK = 64
WARM_UP_CYCLES = 4000
WINDOW_CYCLES = 20_000
RX_CYCLES = WARM_UP_CYCLES + WINDOW_CYCLES + 4000
"""Of frames that come: enough beyond the window's end, and less than a pipe holds."""
TX_CYCLES = RX_CYCLES + 16_384
"""Of requests: the NIC fetches 128 of them ahead, and must have more to fetch until the window ends."""


def _endless_link(*, to_host_stall_percent: int = 0) -> LinkParameters:
    """Any number of bytes in no time; 225 cycles from a read to its answer."""
    return LinkParameters(
        bytes_per_second=10**15,
        overhead_bytes=0,
        memory_read_ps=100_000,
        wire_bits_per_second=10**15,
        wire_overhead_bytes=0,
        to_host_stall_percent=to_host_stall_percent,
    )


def random_frames(count: int, size: int) -> Array:
    """UDP frames, a row each, to random addresses."""
    frames = np.tile(np.frombuffer(udp(80, size), np.uint8), (count, 1))
    frames[:, 30:34] = np.random.default_rng(count).integers(0, 256, (count, 4), np.uint8)
    return frames


async def _ready(top: HierarchyObject, link: LinkParameters, lookahead: int | Literal["max"] = "max") -> Software:
    """Software whose NIC is out of reset, all its rings open."""
    software = Software(Bridge(top, memory_bytes=MEMORY_BYTES, link=link, lookahead=lookahead))
    await software.open()
    return software


async def measure(top: HierarchyObject, task: Path, say: Callable[[str], None]) -> None:
    """A window of each case."""
    wanted = json.loads(task.read_text())
    software = await _ready(top, _endless_link(to_host_stall_percent=wanted["stall_percent"]))
    windows = []
    for case in (Case(*values) for values in wanted["cases"]):
        say(case.name)
        windows.append(asdict(await _window(software, case)))
    Path(wanted["result"]).write_text(json.dumps({"windows": windows}))


async def _window(software: Software, case: Case) -> Count:
    await software.configure(case.pipes)
    software.drains = case.drains
    software.look_every(PACKETS_PER_LOOK * case.flits)
    bridge, start = software.bridge, await software.count()
    frames = RX_CYCLES // case.flits if case.rx else 0
    last = bridge.frames_delivered + frames
    software.receive(random_frames(frames, case.frame_bytes))
    if case.tx:
        software.send(case, TX_CYCLES)
    await software.run(WARM_UP_CYCLES)
    before = await software.count()
    await software.run(WINDOW_CYCLES)
    after = await software.count()
    assert bridge.frames_delivered < last or not case.rx, f"{case.name}: no frame comes any more"
    assert software.in_flight or not case.tx, f"{case.name}: no request waits any more"
    await software.drain()
    all_of_it = (await software.count()).since(start)
    assert all_of_it.from_host == all_of_it.to_wire + all_of_it.completions, f"{case.name}: lines were read in vain"
    return after.since(before)


async def latency(top: HierarchyObject, task: Path, say: Callable[[str], None]) -> None:
    """Of a NIC at rest, seen cycle by cycle."""
    wanted = json.loads(task.read_text())
    software = await _ready(top, _endless_link(), lookahead=1)
    found = {"first_write": await _first_write(software), "first_read": await _first_read(software)}
    Path(wanted["result"]).write_text(json.dumps(found))


async def _first_write(software: Software) -> int:
    longest = 0
    for pipes in (1, FULL.pipes):
        await software.configure(pipes)
        for size in (60, 1514):
            frames = random_frames(1, size)
            came = software.receive(frames)
            cycle = await software.next_transfer("to_host_beats")
            longest = max(longest, cycle - int(came[0]) // NIC_CYCLE_PS)
            await software.drain()
    return longest


async def _first_read(software: Software) -> int:
    longest = 0
    for buffer in (0, FULL.notification_buffers - 1):
        software.put(buffer, fallback_slot(1, 0))
        software.ring_doorbell(buffer)
        taken = await software.next_transfer("mmio_request_beats")
        longest = max(longest, await software.next_transfer("read_request_beats") - taken)
        await software.drain()
    return longest


async def stall(top: HierarchyObject, task: Path, say: Callable[[str], None]) -> None:
    """Bursts of frames, one after the other, while the host port is not always ready."""
    wanted = json.loads(task.read_text())
    software = await _ready(top, _endless_link(to_host_stall_percent=wanted["stall_percent"]))
    await software.configure(FULL.pipes)
    bursts = [await _burst(software, count, wanted["frame_bytes"]) for count in wanted["bursts"]]
    Path(wanted["result"]).write_text(json.dumps({"bursts": bursts}))


async def _counters(software: Software) -> dict[str, int]:
    return {name: await software.read(r.extension_register(name)) for name in BURST_COUNTERS}


async def _burst(software: Software, frames: int, size: int) -> dict[str, Any]:
    flits, page = flits_of(size), await _counters(software)
    before = await software.count()
    first = software.bridge.cycle + 2
    software.receive(random_frames(frames, size))
    await software.run_to_cycle(first + frames * flits - 1)  # frames come without gaps
    last_came = await software.count()
    await software.drain()
    end = await software.count()
    now = await _counters(software)
    counters = {name: now[name] - page[name] for name in page}
    return {
        "frames": frames,
        "counters": counters,
        "waiting": counters["rx_admitted"] * flits - last_came.since(before).rx_flits,
        "written": end.since(before).rx_flits,
    }
