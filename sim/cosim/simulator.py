"""A run in the simulator's process: from what is to be simulated to what it leaves behind.

This process imports what it needs and no more: a sweep starts hundreds of them.
"""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray

from cosim.mapped import read_object, write_object
from cosim.measure.conservation import check_balances
from cosim.pcie.bridge import Bridge, BridgeError
from cosim.pcie.frame_blocks import ClientTimes
from cosim.pcie.link import NIC_CYCLE_PS, LinkParameters
from cosim.simulation import Options, Report, Simulation, memory_bytes
from cosim.traffic.frames import Frames
from cosim.traffic.load import Load
from cosim.traffic.wire import MAC_PS
from enso_nic.registers import COUNTERS, DROP_CAUSES, extension_register
from hermes.enso.registers import UPSTREAM

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

    from cosim.nic.fast import FastNic

Told = Callable[[int, int], None]
"""Told how many requests are answered, and how many there are."""

ENTRY = "cosim.simulator:inside"
OUTCOME = "outcome.pickle"
"""Where ``inside`` leaves what came of its task, in the task's folder."""
PINS, TRANSFERS = "pins.bin", "transfers.bin"
"""What the NIC gets and sends, in the folder of a run that is recorded."""

_LOOKS = 200
"""How often progress is looked at while requests come."""
_SAY_S = 0.1
_DRAIN_STEP_PS = 20_000_000
_SETTLED_PS = 1_000_000
"""After so long a frame that came is counted."""
_NO_LAST_PS = 1 << 53
"""Behind all times: it is not known when the last request comes, so the time of the cores is split to the end."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a simulator is to do.

    Attributes
    ----------
    requests, settings, link
        What is simulated.
    lookahead, skip_idle
        See Bridge.
    drain_ps
        Longest time behind the last request.
    record
        Folder for what the NIC gets and sends.
    """

    requests: Load
    settings: Options
    link: LinkParameters
    lookahead: int | Literal["max"]
    skip_idle: bool
    drain_ps: int
    record: Path | None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a simulation leaves behind.

    Attributes
    ----------
    arrivals_ps
        int64, when the last beat of each request entered the NIC; -1 where it did not.
    returned, returned_ps
        The frames that left the NIC, in order, and the time of the last beat of each.
    end_ps
        Host time up to which all was simulated.
    counters
        The NIC's counters by name, read then.
    report
        What software and machine counted.
    pipe_flits
        Size of the pipes.
    link
        Of a traced run, by direction: int64 (n, 2), begin and end in ps of the spans in which the link was busy.
    """

    arrivals_ps: NDArray[np.int64]
    returned: Frames
    returned_ps: NDArray[np.int64]
    end_ps: int
    counters: dict[str, int]
    report: Report
    pipe_flits: int = UPSTREAM.pipe_flits
    link: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)


async def inside(top: "HierarchyObject | FastNic", task_file: Path, say: Callable[[str], None]) -> None:
    """Carry out the Task in this file, which another process wrote; OUTCOME holds (Outcome, how it went)."""
    gc.disable()  # a simulation makes no cycles, and millions of small objects
    task = cast(Task, read_object(task_file))
    settings = task.settings
    nic = Bridge(
        top,
        memory_bytes=memory_bytes(settings),
        link=task.link,
        lookahead=task.lookahead,
        skip_idle=task.skip_idle,
    )
    began = time.monotonic()
    if task.record:
        nic.record(task.record / PINS)
        nic.record_transfers(task.record / TRANSFERS)
    outcome = await simulate(nic, settings, task.requests, task.drain_ps, seldom(say))
    if task.record:
        nic.finish_record()
        nic.record_transfers(None)
    counters = nic.counters()
    if counters.writes_outside:
        raise BridgeError(
            f"{counters.writes_outside} writes of the NIC outside host memory, the first to {counters.first_outside:#x}"
        )
    how_it_went = {"simulation_s": round(time.monotonic() - began, 3), "bridge": asdict(counters)}
    write_object(task_file.with_name(OUTCOME), (outcome, how_it_went))


def seldom(say: Callable[[str], None]) -> Told:
    """Says it at most every tenth of a second: to hear a line costs more than to simulate some microseconds."""
    said_s = -_SAY_S

    def tell(done: int, total: int) -> None:
        nonlocal said_s
        now_s = time.monotonic()
        if now_s - said_s >= _SAY_S or done == total:
            say(f"{done} {total}")
            said_s = now_s

    return tell


async def simulate(nic: Bridge, settings: Options, requests: Load, drain_ps: int, tell: Told) -> Outcome:
    """Send the requests through software on this NIC until all came back, or the time to drain is over.

    All that is decided here depends on simulated time alone, never on how far the RTL has run ahead.
    """
    simulation = Simulation(nic, settings)
    if settings.trace:
        nic.log_link()
    # by then the RTL may be ahead of the software by the way down
    start = await simulation.prepare() + max(nic.link.propagation_down_ps, NIC_CYCLE_PS)
    arrivals = _load_frames(nic, requests, start)
    if requests.clients is None:
        now = await _send_all(nic, simulation, requests, start, drain_ps, tell)
    else:
        now = await _answer_clients(nic, simulation, requests, start, drain_ps, tell)
    counters = {name: await simulation.read_register(extension_register(name)) for name in COUNTERS}

    sent = nic.sent_frames()
    counted = slice(counters["tx_frames"])  # what left the NIC after it had told how much had
    returned = Frames(sent.data, sent.offsets[counted], sent.lengths[counted].astype(np.int32))
    report, pipe_flits = simulation.report(), settings.rings.pipe_flits
    check_balances(report.balances)  # what was lost says more than who waits for it
    dropped = sum(counters[cause] for cause in DROP_CAUSES)
    await simulation.require_progress(max(0, nic.frames_delivered - nic.frames_sent - dropped))
    await simulation.require_heads()
    link = {"up": nic.busy("up"), "down": nic.busy("down")} if settings.trace else {}
    return Outcome(arrivals, returned, sent.times_ps[counted], now, counters, report, pipe_flits, link)


def _load_frames(nic: Bridge, requests: Load, start: int) -> NDArray[np.int64]:
    """Let the requests come from ``start`` on; gives the times at which they do, as they become known."""
    frames = requests.requests
    if requests.clients is None:
        return nic.load_frames(frames.blob, frames.offsets, frames.lengths, requests.deliver_ps + start)
    times = ClientTimes(start_ps=start, think_ps=requests.think_ps, mac_ps=MAC_PS)
    return nic.load_clients(frames.blob, frames.offsets, frames.lengths, requests.client, requests.ports, times)


async def _send_all(nic: Bridge, simulation: Simulation, requests: Load, start: int, drain_ps: int, tell: Told) -> int:
    """Simulate until all answers left, or ``drain_ps`` after the last request came; gives the host time then."""
    last, expected = int(requests.deliver_ps[-1]) + start, int(requests.is_admitted.sum())
    now, end = start, last + drain_ps
    step = max(1, -(-(last - start) // _LOOKS))
    while now < end:
        now = min(now + step, last) if now < last else min(now + _DRAIN_STEP_PS, end)
        await simulation.run(last, now)
        tell(nic.frames_sent, expected)
        if now >= last and _sent_by(nic, now)[0] == expected:
            break
    return now


async def _answer_clients(
    nic: Bridge, simulation: Simulation, requests: Load, start: int, drain_ps: int, tell: Told
) -> int:
    """Simulate until all answers left, or for ``drain_ps`` no more requests came; gives the host time then."""
    expected = len(requests.requests)
    now, end = start, start + drain_ps
    while now < end:
        now = min(now + _DRAIN_STEP_PS, end)
        await simulation.run(_NO_LAST_PS, now)
        tell(nic.frames_sent, expected)
        sent, latest = _sent_by(nic, now)
        if sent == expected:
            return now
        end = max(end, latest + requests.think_ps + drain_ps)
    # nothing may come while the counters are read; the RTL may be ahead of the software by the way down
    last = now + max(nic.link.propagation_down_ps, NIC_CYCLE_PS)
    nic.end_frames(last)
    await simulation.run(_NO_LAST_PS, last + _SETTLED_PS)
    return last + _SETTLED_PS


def _sent_by(nic: Bridge, host_time: int) -> tuple[int, int]:
    """Frames that left the NIC by the time that the host sees at ``host_time``, and when the last of these did."""
    return nic.sent_up_to(host_time - nic.link.propagation_up_ps)
