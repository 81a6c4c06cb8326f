"""`make bench`: every speed as a ratio within one run; build/bench.json keeps the numbers for scripts."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cosim.bench import bridge_speed, idle_applications, kernel, run_speed, sweep_speed
from cosim.cache import build_folder
from cosim.measure.files import write_json


def main() -> None:
    """Measure, print, and write bench.json."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="hermes-bench-") as scratch:
        speed = bridge_speed.measure(Path(scratch), lambda step: console.print(f"[dim]{step}", highlight=False))
        runs = run_speed.measure(Path(scratch), lambda step: console.print(f"[dim]{step}", highlight=False))
        events = kernel.measure(lambda step: console.print(f"[dim]{step}", highlight=False))
        idle = idle_applications.measure(Path(scratch), lambda step: console.print(f"[dim]{step}", highlight=False))
    console.print("[dim]a sweep with one worker and with two", highlight=False)
    sweep_gain = sweep_speed.gain()
    rows: list[tuple[str, str, str, str]] = [
        ("offered load, 60-byte frames, both ways", f"{speed.million_frames_per_s:.1f} M frames/s, 0 dropped", "", ""),
        ("(a) the bare verilated NIC", f"{speed.raw / 1e6:.3f} M cycles/s", "", ""),
        ("(b) the bridge under cocotb", f"{speed.bridge / 1e6:.3f} M cycles/s", "", ""),
        ("(c) cocotb's stock runner, Python each cycle", f"{speed.stock / 1e6:.4f} M cycles/s", "", ""),
        ("b / a", f"{speed.bridge / speed.raw:.2f}", "0.25", "0.6"),
        ("b / c", f"{speed.bridge / speed.stock:.0f}", "20", "60"),
        ("outputs of a, b and c", f"equal: {speed.hash:016x}", "", ""),
        *(
            (f"{name} at half load, {how}, start-up included", f"{speed:,.0f} requests/s", least, aim)
            for how, speeds, least, aim in (
                ("RTL", runs.half_load, "5 k", "15 k"),
                ("fast NIC", runs.model, "50 k", "100 k"),
                ("fast NIC, interpreted", runs.model_interpreted, "20 k", "40 k"),
            )
            for name, speed in speeds.items()
        ),
        ("the event kernel, compiled", f"{events.compiled / 1e6:.2f} M events/s", "", ""),
        ("the same, interpreted", f"{events.interpreted / 1e6:.2f} M events/s", "", ""),
        ("SimPy, the same processes", f"{events.simpy / 1e6:.2f} M events/s", "", ""),
        ("event kernel / SimPy", f"{events.compiled / events.simpy:.1f} x", "", ""),
        ("default run, start-up included", f"{runs.default:,.0f} requests/s", "", ""),
        *(
            (f"{name}, an idle application per IOKernel iteration", f"{time:.1f} ns simulated", "", "")
            for name, time in idle.items()
        ),
        (f"{sweep_speed.POINTS}-point sweep, two workers against one", f"{sweep_gain:.2f} x", "1.7", ""),
        ("idle skipping at 100 krps, results identical", f"{runs.idle_skip_gain:.1f} x", "5", "20"),
    ]
    table = Table("measured", "", "at least", "aim", title="make bench")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    numbers: dict[str, Any] = {
        "raw_cycles_per_s": round(speed.raw),
        "cosim_cycles_per_s": round(speed.bridge),
        "cocotb_cycles_per_s": round(speed.stock),
        "line_rate_frames_per_s": round(speed.million_frames_per_s * 1e6),
        "transfers_hash": f"{speed.hash:016x}",
        "requests_per_s": round(min(runs.half_load.values())),
        "requests_per_s_by_system": {name: round(speed) for name, speed in runs.half_load.items()},
        "model_requests_per_s": round(min(runs.model.values())),
        "model_requests_per_s_by_system": {name: round(speed) for name, speed in runs.model.items()},
        "model_requests_per_s_interpreted": round(min(runs.model_interpreted.values())),
        "default_requests_per_s": round(runs.default),
        **events.numbers(),
        "idle_application_ns": {name: round(time, 2) for name, time in idle.items()},
        "sweep_gain": round(sweep_gain, 2),
        "idle_skip_gain": round(runs.idle_skip_gain, 2),
    }
    build_folder().mkdir(parents=True, exist_ok=True)
    write_json(build_folder() / "bench.json", numbers)
    sys.stdout.write(json.dumps(numbers) + "\n")


if __name__ == "__main__":
    main()
