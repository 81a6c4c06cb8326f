"""What the full NIC moves per cycle, and how soon it begins: measured in bench_line_rate.py, held against limits here.

The limits, each a beat of 64 bytes per cycle, because a port has no more:

- RX counts the beats of host writes: data, notifications, and the completions of TX. The input gives a beat per cycle
  too, which is more than any wire does, so data always waits.
- TX counts the lines that the host gives: data, and the line of each request. With requests of 4 kB one line in 65 is a
  request, so the wire gets at most 64 / 65 of a beat per cycle.

A case with both directions is held to both limits; its rate is that of the direction that is further from its own.
"""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.nic.rtl import simulate
from enso_nic.config import FLIT_BYTES

SIZES = (60, 61, 64, 65, 128, 1514)
PIPES = {1: "one pipe", 2: "two pipes in turn", 8192: "8192 random pipes"}
SOFTWARE = {False: "no head writes", True: "software draining"}
DIRECTIONS = {(True, False): "RX", (False, True): "TX", (True, True): "both"}

LEAST_SHARE = 0.99
"""Of its limit that each case must reach."""
MOST_FIRST_WRITE_CYCLES, AIM_FIRST_WRITE_CYCLES = 32, 25
MOST_FIRST_READ_CYCLES = 12


def flits_of(frame_bytes: int) -> int:
    return -(-frame_bytes // FLIT_BYTES)


@dataclass(frozen=True)
class Case:
    """Frames of ``frame_bytes``, to or for so many pipes; ``drains``: software gives back what it took."""

    frame_bytes: int
    pipes: int
    drains: bool
    rx: bool
    tx: bool

    @property
    def name(self) -> str:
        words = [f"{self.frame_bytes} bytes", PIPES[self.pipes], SOFTWARE[self.drains], DIRECTIONS[self.rx, self.tx]]
        return ", ".join(words)

    @property
    def flits(self) -> int:
        return flits_of(self.frame_bytes)


CASES = [
    Case(size, pipes, drains, *directions)
    for size, pipes, drains, directions in itertools.product(SIZES, PIPES, SOFTWARE, DIRECTIONS)
]
PACKET_RATE_CASE = Case(60, 1, drains=False, rx=True, tx=False)
"""One-flit packets to one pipe, and no head check: here a packet per cycle is possible, and LEAST_SHARE is wanted."""


@dataclass(frozen=True)
class Count:
    """What happened up to a cycle, or in a window of so many cycles.

    Attributes
    ----------
    to_host, from_host, to_wire
        Beats of host writes, of read completions, and of frames that left.
    notifications, completions
        Host writes that were these.
    """

    cycles: int
    to_host: int
    from_host: int
    to_wire: int
    frames_sent: int
    notifications: int
    completions: int

    @property
    def rx_flits(self) -> int:
        """Flits of packets that were written to their pipes, if no register was read."""
        return self.to_host - self.notifications - self.completions

    def since(self, before: "Count") -> "Count":
        return Count(*(mine - theirs for mine, theirs in zip(vars(self).values(), vars(before).values(), strict=True)))


@dataclass(frozen=True)
class Rate:
    """What went through a port, and what could have."""

    beats_per_cycle: float
    packets_per_cycle: float
    limit: float

    @property
    def share(self) -> float:
        return self.beats_per_cycle / self.limit


def receive_rate(case: Case, window: Count) -> Rate:
    packets = window.rx_flits / case.flits
    return Rate(window.to_host / window.cycles, packets / window.cycles, limit=1.0)


def transmit_rate(window: Count) -> Rate:
    return Rate(window.from_host / window.cycles, window.frames_sent / window.cycles, limit=1.0)


def rates(case: Case, window: Count) -> dict[str, Rate]:
    """Of each direction of the case."""
    found = {"RX": receive_rate(case, window)} if case.rx else {}
    return found | ({"TX": transmit_rate(window)} if case.tx else {})


@dataclass(frozen=True)
class Latency:
    """In cycles, of a NIC at rest: the longest that was seen.

    Attributes
    ----------
    first_write
        From a frame's last flit in to the first beat of its first host write.
    first_read
        From a write of tx_tail, when the NIC takes it, to the first read request.
    """

    first_write: int
    first_read: int


def measure(
    folder: Path, cases: list[Case], say: Callable[[str], None], *, stall_percent: int = 0
) -> dict[Case, Count]:
    """Run the cases one after the other in one simulator; ``say`` gets the name of each before it runs.

    ``stall_percent`` of cycles the host takes no beat.
    """
    task = {"cases": [list(vars(case).values()) for case in cases], "stall_percent": stall_percent}
    outcome = _run("measure", folder, task, say)
    return {case: Count(**window) for case, window in zip(cases, outcome["windows"], strict=True)}


def latency(folder: Path) -> Latency:
    return Latency(**_run("latency", folder, {}, lambda _: None))


BURST_COUNTERS = ("rx_frames", "rx_admitted", "packet_buffer_full")


@dataclass(frozen=True)
class Burst:
    """Frames that came back to back while the host took a beat now and then.

    Attributes
    ----------
    frames
        That came.
    counters
        What the extension page says of them.
    waiting
        Flits of admitted frames that had not left for the host when the last frame came.
    written
        Flits that reached host memory in the end.
    """

    frames: int
    counters: dict[str, int]
    waiting: int
    written: int


def stall(folder: Path, frame_bytes: int, bursts: list[int], stall_percent: int) -> list[Burst]:
    """Bursts of so many frames, one after the other, while the host takes no beat in ``stall_percent`` of cycles."""
    task = {"frame_bytes": frame_bytes, "bursts": bursts, "stall_percent": stall_percent}
    return [Burst(**burst) for burst in _run("stall", folder, task, lambda _: None)["bursts"]]


def _run(entry: str, folder: Path, task: dict[str, object], say: Callable[[str], None]) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    result = folder / "result.json"
    file = folder / "task.json"
    file.write_text(json.dumps({**task, "result": str(result)}))
    simulate(f"tests.rtl.bench_line_rate:{entry}", file, folder=folder, progress=say)
    outcome: dict[str, Any] = json.loads(result.read_text())
    return outcome
