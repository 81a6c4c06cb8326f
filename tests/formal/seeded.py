"""Seeded bugs that the proofs must notice: for each specification one at least, with a counterexample.

By hand: ``python -m tests.formal.seeded SPECIFICATION FOLDER`` prints the first promise that the present RTL breaks.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from tests.formal.catalogue import SPECIFICATIONS
from tests.formal.engine import Circuit, ProofError, Verdict
from tests.rtl.mutant import RTL, Mutant

AT_ONCE = 2
SECONDS, DEPTH = 60, 40
"""For each promise: how long, and up to which cycle, a counterexample is looked for."""


@dataclass(frozen=True)
class Noticed:
    """A seeded bug, and the promise that it was seen to break; none if it escaped."""

    specification: str
    bug: Mutant
    promise: str
    depth: int
    seconds: float


BUGS: tuple[tuple[str, Mutant], ...] = (
    ("rx_parser", Mutant("rx_parser", "a bad frame is committed too", "with m.Elif(beat.error):", "with m.Elif(0):")),
    (
        "packet_buffer",
        Mutant(
            "packet_buffer",
            "a dropped frame is skipped by one flit too few",
            "m.d.sync += read_index.eq(read_index + flits_stored)",
            "m.d.sync += read_index.eq(read_index + flits_stored - 1)",
        ),
    ),
    (
        "pipe_manager",
        Mutant(
            "pipe_manager",
            "a pipe is filled to its last flit",
            "fits.eq(ring_flits <= free)",
            "fits.eq(ring_flits <= free + 1)",
        ),
    ),
    (
        "pipe_manager",
        Mutant(
            "pipe_manager",
            "a decision two cycles old is not seen",
            "Cat(result_valid[age] & (result_index[age] == reading.operation.index) for age in range(HISTORY))",
            "Cat(int(age != 1) & result_valid[age] & (result_index[age] == reading.operation.index) "
            "for age in range(HISTORY))",
        ),
    ),
    (
        "wake_up",
        Mutant(
            "pipe_manager",
            "a head check with data left disarms its pipe",
            "new_state.armed.eq(is_enabled & holds_data)",
            "new_state.armed.eq(0)",
        ),
    ),
    (
        "wake_up",
        Mutant(
            "pipe_manager",
            "a packet that is dropped disarms its pipe",
            "new_state.drops.eq(state.drops + 1),",
            "new_state.drops.eq(state.drops + 1), new_state.armed.eq(0),",
        ),
    ),
    (
        "operation_queue",
        Mutant(
            "operation_queue",
            "a check that finds the queue full is forgotten",
            "self.i.ready.eq(Mux(overflow, ~offers_retry & merged.i.ready, queue.w_rdy))",
            "self.i.ready.eq(1)",
        ),
    ),
    (
        "index_set",
        Mutant("index_set", "an index that leaves stays a member", "write.data.eq(looked),", "write.data.eq(1),"),
    ),
    (
        "notifier",
        Mutant(
            "notifier",
            "a full ring takes one more notification",
            "fits.eq(((head - tail - 1) & ring_mask) != 0)",
            "fits.eq(1)",
        ),
    ),
    (
        "write_planner",
        Mutant(
            "write_planner",
            "a write grows across a boundary",
            "adds_up(item.base, item.offset, next_line) & (beyond_boundary != 0)",
            "adds_up(item.base, item.offset, next_line)",
        ),
    ),
    (
        "dma_writer",
        Mutant(
            "dma_writer",
            "a notification leaves with the last line still to come",
            "rest.flits.eq(lines - 1)",
            "rest.flits.eq(Mux(shown.notify & (lines == 2), 0, lines - 1))",
        ),
    ),
    (
        "host_write_arbiter",
        Mutant(
            "host_write_arbiter",
            "a completion cuts into a write",
            "locked.eq(~(self.o.ready & self.o.payload.last))",
            "locked.eq(~self.o.ready)",
        ),
    ),
    (
        "output_gate",
        Mutant(
            "output_gate",
            "the gate closes inside an item",
            "self.closed.eq(self.close & ~stays_inside)",
            "self.closed.eq(self.close)",
        ),
    ),
    (
        "mmio",
        Mutant(
            "mmio",
            "a pipe's head is stored though its check is not taken",
            "(needs_check & self.operation.ready)",
            "needs_check",
        ),
    ),
    (
        "dma_guard",
        Mutant(
            "dma_guard",
            "a ring may end behind its window",
            "(first + lines <= window.end)",
            "(first <= window.end)",
        ),
    ),
    (
        "dma_guard",
        Mutant("dma_guard", "a pipe may name any buffer", "is_owned = ~is_pipe |", "is_owned = 1 |"),
    ),
    (
        "tx_requests",
        Mutant(
            "tx_requests",
            "a config request takes effect that is forbidden",
            "~slot.error & ~self.forbidden &",
            "~slot.error &",
        ),
    ),
    (
        "extension_page",
        Mutant(
            "extension_page",
            "rings of four lines are taken",
            "range(exact_log2(SMALLEST_RING), ",
            "range(exact_log2(SMALLEST_RING) - 1, ",
        ),
    ),
    (
        "tx_request_fetch",
        Mutant(
            "tx_request_fetch",
            "a tail beyond the ring is taken as it is",
            "tail.eq(stored.tail & (slots - 1))",
            "tail.eq(stored.tail)",
        ),
    ),
    (
        "ordered_reader",
        Mutant(
            "ordered_reader",
            "reads cross boundaries",
            "room.eq(self.max_read - (job.address[:3] & (self.max_read - 1)))",
            "room.eq(self.max_read)",
        ),
    ),
    (
        "tx_requests",
        Mutant(
            "tx_requests",
            "completions are written to a ring that was closed",
            "self.lost.eq(wants & ~was_shown & (due.generation != self.generation))",
            "self.lost.eq(0)",
        ),
    ),
    (
        "tx_frame_buffer",
        Mutant(
            "tx_frame_buffer",
            "a frame that began is shown before it ends",
            "with m.If(flit.last):\n                m.d.sync += whole",
            "with m.If(1):\n                m.d.sync += whole",
        ),
    ),
    (
        "configurator",
        Mutant(
            "configurator",
            "a flow request is offered every other cycle",
            "self.flow.valid.eq(1),",
            "self.flow.valid.eq(~self.timestamp.enable ^ self.flow.ready),",
        ),
    ),
    ("flow_updater", Mutant("flow_updater", "a key is withdrawn", "with m.If(self.key.ready):", "with m.If(1):")),
    (
        "flow_director",
        Mutant(
            "flow_director",
            "a frame that comes while an operation asks is lost",
            "entering.is_frame.eq(self.frame.valid),",
            "entering.is_frame.eq(self.frame.valid & ~updater.key.valid),",
        ),
    ),
    (
        "owed_notifications",
        Mutant("owed_notifications", "a retry is withdrawn", "with m.If(self.retry.ready):", "with m.If(1):"),
    ),
    (
        "rx_chain",
        Mutant(
            "owed_notifications",
            "a head is served before the decisions that did not see it",
            "SETTLE_CYCLES = 8",
            "SETTLE_CYCLES = 1",
        ),
    ),
    (
        "rx_chain",
        Mutant(
            "write_planner",
            "a packet is written together with one before, across the notification of that",
            "is_growing.eq(is_packet & ~(item.notify & ends))",
            "is_growing.eq(is_packet)",
        ),
    ),
    (
        "tx_chain",
        Mutant(
            "ordered_reader",
            "each line of a read says that it lies where the read begins",
            "line.address.eq(chunk.address + shown)",
            "line.address.eq(chunk.address)",
        ),
    ),
    (
        "packetiser",
        Mutant(
            "packetiser",
            "data of another buffer goes on with an unfinished frame",
            "& measured.first & inside & ~is_mine)",
            "& measured.first & 0)",
        ),
    ),
    (
        "packetiser",
        Mutant(
            "packetiser",
            "a frame may be a flit longer than the longest one",
            "most = Signal(), self._maximum_frame",
            "most = Signal(), self._maximum_frame + FLIT_BYTES",
        ),
    ),
    (
        "packetiser",
        Mutant(
            "packetiser",
            "a flit that waits is replaced",
            "take_decided.eq(decided_valid & (~has_flit | self.flit.ready))",
            "take_decided.eq(decided_valid)",
        ),
    ),
)
"""Each with the specification whose proof must fail."""


def notice_all(scratch: Path, names: Iterable[str]) -> list[Noticed]:
    """Look for each bug of these specifications with its proof."""
    wanted = set(names)
    bugs = [(name, bug, scratch / f"bug{number}") for number, (name, bug) in enumerate(BUGS) if name in wanted]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda each: _notice(*each), bugs))


def _notice(name: str, bug: Mutant, folder: Path) -> Noticed:
    began = time.monotonic()
    shutil.copytree(RTL, folder / "rtl" / "enso_nic", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "rtl" / "enso_nic" / bug.file).write_text(bug.mutated())
    search = os.pathsep.join([str(folder / "rtl"), *sys.path])
    run = subprocess.run(
        [sys.executable, "-m", "tests.formal.seeded", name, str(folder / "proof")],
        env={**os.environ, "PYTHONPATH": search}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode:
        raise ProofError(f"seeded bug '{bug.name}': {run.stderr[-500:]}")
    sys.stderr.write(f"{bug.name}: {run.stdout.strip() or 'not noticed'}\n")
    depth, _, promise = run.stdout.strip().partition(" ")
    return Noticed(name, bug, promise, int(depth or 0), time.monotonic() - began)


def seeded_table(noticed: Sequence[Noticed]) -> Table:
    """A line per seeded bug."""
    count = sum(bool(each.promise) for each in noticed)
    table = Table("block", "seeded bug", "promise that it breaks", "in cycle", "s",
                  title=f"{count} of {len(noticed)} seeded bugs noticed")  # fmt: skip
    for each in noticed:
        promise = escape(each.promise) if each.promise else "[red]none"
        table.add_row(each.bug.block, each.bug.name, promise, str(each.depth), f"{each.seconds:.0f}")
    return table


def first_broken(name: str, folder: Path) -> str:
    """Depth and text of a promise, or of a lemma, of this specification that is broken; else nothing."""
    spec = SPECIFICATIONS[name]()
    circuit = Circuit(spec, folder)
    doubtful = [
        number
        for number, promise in enumerate(spec.promises)
        if promise.is_bounded or circuit.induct(number, SECONDS).verdict is not Verdict.PROVEN
    ]
    for number in sorted(doubtful, key=lambda n: spec.promises[n].is_lemma):
        found = circuit.search(number, DEPTH, SECONDS)
        if found.verdict is Verdict.REFUTED:
            return f"{found.depth} {spec.promises[number].text}"
    return ""


if __name__ == "__main__":
    sys.stdout.write(first_broken(sys.argv[1], Path(sys.argv[2])))
