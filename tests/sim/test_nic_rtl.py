"""Python inside the simulator: what it says, how it fails, and that it never outlives its parent's wish."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cosim.nic.child import SimulatorError
from cosim.nic.rtl import WAVES, bridge_model, simulate
from tests.sim.mirror import Mirror


def play(entry: str, folder: Path, waves: bool = False, silence_s: int = 60) -> list[str]:
    """Lines that the entry said."""
    said: list[str] = []
    task = folder / "task"
    task.write_text("do it")
    simulate(
        f"tests.sim.rtl_entries:{entry}",
        task,
        folder=folder / "run",
        progress=said.append,
        model=bridge_model(Mirror, waves=waves),
        silence_s=silence_s,
    )
    return said


def is_gone(process: int, within_s: int = 10) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        status = Path(f"/proc/{process}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_what_it_says_arrives(tmp_path: Path) -> None:
    assert play("reads_a_register", tmp_path) == ["task: do it", "cycle 202"]


def test_an_exception_arrives_as_one_line(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match=r"^nothing there; accepted is something$") as error:
        play("raises", tmp_path)
    assert error.value.kind == "LookupError"
    assert "in raises" in (tmp_path / "run" / "simulator.log").read_text(), "the traceback is in the log"


def test_an_unknown_entry_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match="has no attribute 'nobody'"):
        play("nobody", tmp_path)


def test_an_early_end_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match="the simulator ended early with exit code 3; its last words: "):
        play("leaves", tmp_path)


def test_silence_is_an_error_and_ends_the_child(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match="the simulator has said nothing for 10 s"):
        play("is_silent", tmp_path, silence_s=10)
    assert is_gone(int((tmp_path / "task").read_text()))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_child_ends_with_its_parent(how: signal.Signals, tmp_path: Path) -> None:
    code = f"import sys; from tests.sim.test_nic_rtl import play, Path; play('is_silent', Path({str(tmp_path)!r}))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True) as parent:
        end = time.monotonic() + 60
        while not (tmp_path / "task").exists() or not (tmp_path / "task").read_text().isdigit():
            assert time.monotonic() < end, "the child did not start within 60 s"
            time.sleep(0.05)
        parent.send_signal(how)
        _, errors = parent.communicate(timeout=30)
    assert ("KeyboardInterrupt" in errors) == (how == signal.SIGINT)
    assert is_gone(int((tmp_path / "task").read_text()))


def test_waves_show_each_edge_at_its_time(tmp_path: Path) -> None:
    assert play("reads_a_register", tmp_path, waves=True) == ["task: do it", "cycle 202"]
    identifier, now, rises = "", 0, []
    for line in (tmp_path / "run" / WAVES).read_text().splitlines():
        if line.lstrip().startswith("$var") and line.split()[4] == "clk" and not identifier:
            identifier = line.split()[3]
        elif line.startswith("#"):
            now = int(line[1:])
        elif identifier and line == f"1{identifier}":
            rises.append(now)
    assert len(rises) > 5
    assert rises[0] == 1, "the edge of cycle 0: at time 0 the trace begins"
    assert all(time % 4000 == 0 for time in rises[1:])
    assert 202 * 4000 in rises
