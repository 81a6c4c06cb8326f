"""``python -m tests.rtl.figures FOLDER`` draws the figures of docs/nic.md from simulations of the NIC."""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.rtl.recordings import PIPE_RINGS, RX_BLOCKS, receive, transmit

DARK, MIDDLE, LIGHT = "0.35", "0.72", "0.9"
READ_FLITS = 8
"""The longest host read."""
RX_ROWS = ("wire", "packet buffer", *RX_BLOCKS, "host port")


def chart(rows: Sequence[str], cycles: int, origin: str, row_height: float = 0.36) -> tuple[Figure, Axes]:
    """Axes with a row per name, the first on top: row i is y = i to i + 1, cycle n is x = n to n + 1."""
    figure = Figure(figsize=(10, 0.9 + row_height * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, cycles), ylim=(len(rows), 0), xlabel=f"time in cycles, {origin}")
    axes.set_yticks([i + 0.5 for i in range(len(rows))], rows)
    axes.set_xticks(range(0, cycles + 1, 5))
    axes.set_xticks(range(cycles + 1), minor=True)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", which="both", color="0.93")
    axes.hlines(range(1, len(rows)), 0, cycles, color="0.8", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def bar(axes: Axes, y: float, start: float, end: float, text: str, shade: str = LIGHT, height: float = 0.72) -> None:
    """Something is busy from one cycle to another."""
    axes.barh(y, end - start, height, start, color=shade, edgecolor="black", linewidth=0.7)
    color = "white" if shade == DARK else "black"
    axes.text((start + end) / 2, y, text, ha="center", va="center_baseline", color=color, fontsize=10)


def transfers(axes: Axes, y: float, cycles: Iterable[int], text: str | Iterable[str], shade: str = MIDDLE) -> None:
    """A box in each of these cycles, all with the same text, or each with its own."""
    cycles = list(cycles)
    texts = [text] * len(cycles) if isinstance(text, str) else text
    for cycle, each in zip(cycles, texts, strict=True):
        bar(axes, y, cycle, cycle + 1, each, shade)


def span(axes: Axes, y: float, start: int, end: int, text: str) -> None:
    """An arrow from one cycle to another, and behind it what it means."""
    arrow = {"arrowstyle": "<->", "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (end, y), (start, y), arrowprops=arrow)
    axes.text(end + 0.3, y, text, va="center_baseline")


def numbers(values: Sequence[int]) -> list[str]:
    """1, 2 and so on: a number for each value."""
    return [str(i + 1) for i in range(len(values))]


# --- the figures ------------------------------------------------------------------------------------------------------


def rx_frame() -> Figure:
    """One frame of five flits, alone."""
    reception = receive([(0, 300)])
    (frame,) = reception.frames
    rows = [*RX_ROWS, ""]
    figure, axes = chart(rows, 33, "from the first beat on the wire")
    transfers(axes, 0.5, frame.wire, numbers(frame.wire))
    bar(axes, 1.5, *frame.buffered, "holds the flits")
    enters = frame.wire[-1]
    bar(axes, 2.5, frame.wire[0], enters, "beats 1 to 4")
    for i, (name, cycles) in enumerate(frame.stages().items()):
        bar(axes, i + 2.5, enters, enters + cycles, str(cycles), MIDDLE)
        axes.text(enters + cycles + 0.3, i + 2.5, "cycles" if name == RX_BLOCKS[0] else "", va="center_baseline")
        enters += cycles
    transfers(axes, len(rows) - 1.5, frame.host, numbers(frame.host))
    transfers(axes, len(rows) - 1.5, reception.notifications, "N", DARK)
    span(axes, len(rows) - 0.5, frame.wire[-1], frame.host[0], f"{frame.host[0] - frame.wire[-1]} cycles")
    return figure


def rx_burst() -> Figure:
    """Four frames back to back, the third of them to another pipe."""
    reception = receive([(0, 60), (0, 200), (1, 60), (0, 60)])
    figure, axes = chart(RX_ROWS, 34, "from the first beat on the wire", row_height=0.72)
    lane = 1 / len(reception.frames)
    for number, frame in enumerate(reception.frames):
        shade, y = MIDDLE if frame.pipe else LIGHT, lane * (number + 0.5)
        transfers(axes, 0.5, frame.wire, str(number + 1), shade)
        times = [frame.buffered, *zip([frame.wire[0], *frame.leaves.values()], frame.leaves.values(), strict=False)]
        for row, (enters, leaves) in enumerate(times):
            bar(axes, row + 1 + y, enters, leaves, str(number + 1), shade, lane * 0.84)
        transfers(axes, len(RX_ROWS) - 0.5, frame.host, str(number + 1), shade)
    transfers(axes, len(RX_ROWS) - 0.5, reception.notifications, "N", DARK)
    return figure


def tx_request() -> Figure:
    """One request of two frames, of one flit and of nine."""
    cycles = transmit([60, 560])
    rows = ["tail write", "TX request fetch", "slot reader", "TX requests", "data reader", "read requests"]
    rows += ["read completions", "packetiser", "TX frame buffer", "wire", "completion"]
    figure, axes = chart(rows, 50, "from the tail write")
    (tail,), (job,), (slot,), (data_job,) = (cycles[name] for name in ("tail write", "slot job", "slot", "data job"))
    (slot_read, *data_reads), (slot_line, *_) = cycles["read request"], cycles["read line"]
    lines, flits, wire = cycles["data line"], cycles["flit"], cycles["wire out"]
    frames = ["1", *"2" * (len(lines) - 1)]

    transfers(axes, 0.5, [tail], "T", DARK)
    span(axes, 0.5, tail + 1, slot_read, f"first read request {slot_read - tail} cycles after the tail write")
    bar(axes, 1.5, tail, job, f"{job - tail}", MIDDLE)
    bar(axes, 2.5, job, slot_read, f"{slot_read - job}", MIDDLE)
    bar(axes, 2.5, slot_read, slot_line, "")
    bar(axes, 2.5, slot_line, slot, f"{slot - slot_line}", MIDDLE)
    bar(axes, 3.5, slot, data_job, f"{data_job - slot}", MIDDLE)
    whole = cycles["read line"][READ_FLITS]  # of the first read; the slot's line came before
    bar(axes, 4.5, data_job, data_reads[0], f"{data_reads[0] - data_job}", MIDDLE)
    bar(axes, 4.5, data_reads[0], whole, "waits for the read")
    bar(axes, 4.5, whole, lines[0], f"{lines[0] - whole}", MIDDLE)
    bar(axes, 4.5, lines[0], lines[-1], "lines leave in order")
    transfers(axes, 5.5, [slot_read, *data_reads], ["S", *"D" * len(data_reads)])
    transfers(axes, 6.5, cycles["read line"], ["S", *frames])
    bar(axes, 7.5, lines[0], flits[0], f"{flits[0] - lines[0]}", MIDDLE)
    bar(axes, 7.5, flits[0], flits[-1], "flits leave")
    for y, (first, last, leaves) in ((8.25, (flits[0], flits[0], wire[0])), (8.7, (flits[1], flits[-1], wire[1]))):
        if last > first:
            bar(axes, y, first, last, "not whole yet", height=0.42)
        bar(axes, y, last, leaves, f"{leaves - last}", MIDDLE, height=0.42)
    transfers(axes, 9.5, wire, frames)
    transfers(axes, 10.5, cycles["completion"], "C", DARK)
    return figure


def host_port() -> Figure:
    """Ten packets of one flit, of one pipe, to a host that stalls: they share writes."""
    stalls = range(24, 34)
    reception = receive([(0, 60)] * 10, stalls)
    start, end = 18, 45
    rows = ["valid", "ready", "first", "last", "flits", "line of the ring", "packet"]
    figure, axes = chart(rows, end, "from the first beat on the wire", row_height=0.5)
    axes.set_xlim(start, end)
    axes.axvspan(stalls.start, stalls.stop, color="0.95", zorder=0)
    host, edges = reception.host[start:end], range(start, end + 1)
    for row, name in enumerate(rows[:4]):
        levels = [row + 0.8 - 0.6 * getattr(each, name) for each in host]
        axes.stairs(levels, edges, baseline=None, color="black", linewidth=1.5)
    for cycle, each in enumerate(host, start):
        offset = each.line - PIPE_RINGS
        if each.first:
            bar(axes, 4.5, cycle, cycle + 1, str(each.flits))
        if each.first and offset >= 0:
            bar(axes, 5.5, cycle, cycle + 1, str(offset))
    lines = [line for frame in reception.frames for line in frame.host]
    transfers(axes, 6.5, lines, numbers(lines))
    transfers(axes, 6.5, reception.notifications, "N", DARK)
    return figure


FIGURES: dict[str, Callable[[], Figure]] = {
    "nic-rx-frame.svg": rx_frame,
    "nic-rx-burst.svg": rx_burst,
    "nic-tx-request.svg": tx_request,
    "nic-host-port.svg": host_port,
}
"""By the name of the file."""


def draw(folder: Path) -> None:
    """Write all figures; they are the same bytes each time."""
    # the salt makes ids that are the same each time
    with mpl.rc_context({"font.size": 11, "svg.hashsalt": "enso_nic"}):
        for name, figure in FIGURES.items():
            figure().savefig(folder / name, metadata={"Date": None})


def main(arguments: list[str]) -> int:
    """Draw into the folder that ``arguments`` names; gives the exit code."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write("usage: python -m tests.rtl.figures FOLDER, a folder that exists\n")
        return 2
    draw(Path(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
