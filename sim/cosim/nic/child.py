"""Runs a simulation in a process of its own, and listens to it.

    run_child(command, "cosim.simulator:inside", task, folder=scratch, progress=show)

What the process does with it is in ``cosim.nic.inside``: it awaits ``cosim.simulator.inside(nic, task, say)``; each
line that this says is given to ``show`` here.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

ENTRY, TASK, PIPE = "HERMES_ENTRY", "HERMES_TASK", "HERMES_PIPE"
"""Environment variables by which the child learns what to do, and where to say how it goes (a file descriptor)."""

LOG = "simulator.log"


class SimulatorError(RuntimeError):
    """What ran in the simulator failed: ``kind`` is the name of its exception; or the simulator itself ended early."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def run_child(
    command: Sequence[str],
    entry: str,
    task: Path,
    *,
    folder: Path,
    progress: Callable[[str], None],
    environment: Mapping[str, str],
    silence_s: int = 600,
) -> None:
    """Await ``entry`` in the process that ``command`` starts.

    Parameters
    ----------
    command
        A program that calls ``cosim.nic.inside.carry_out``.
    entry
        ``module:function``; awaited as ``function(nic, task, say)``.
    task
        Handed to it: the file that says what to do.
    folder
        The child's working folder: it leaves ``simulator.log``.
    progress
        Called with each line that the child says.
    environment
        All of the child's.
    silence_s
        Wall time in which the child must say something.

    Raises
    ------
    SimulatorError
        The entry raised, or the simulator did not come to its end. The child is gone whatever is raised here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / LOG
    ours, theirs = os.pipe()
    variables = {**environment, ENTRY: entry, TASK: str(task.absolute()), PIPE: str(theirs)}
    with os.fdopen(ours, "rb", buffering=0) as pipe:
        try:
            with log.open("wb") as output:
                child = subprocess.Popen(
                    command, cwd=folder, env=variables, stdout=output, stderr=output, pass_fds=[theirs]
                )
        finally:
            os.close(theirs)
        try:
            outcome = _listen(pipe.fileno(), progress, silence_s)
            code = child.wait(timeout=60)
        except subprocess.TimeoutExpired:
            raise SimulatorError("Timeout", f"the simulator did not end within 60 s after {entry} did") from None
        finally:
            _end(child)
    if "failed" in outcome:
        raise SimulatorError(outcome["failed"], outcome["message"])
    if "done" not in outcome or code != 0:
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        tail = " | ".join(log.read_text(errors="replace").splitlines()[-3:])
        raise SimulatorError("Crash", f"the simulator ended early with {how}; its last words: {tail}")


def _listen(pipe: int, progress: Callable[[str], None], silence_s: int) -> dict[str, str]:
    """The child's last message, when it closes the pipe."""
    outcome: dict[str, str] = {}
    rest = b""
    with DefaultSelector() as selector:
        selector.register(pipe, EVENT_READ)
        while True:
            heard, end = False, time.monotonic() + silence_s
            while not heard and time.monotonic() < end:
                heard = bool(selector.select(timeout=end - time.monotonic()))
            if not heard:
                raise SimulatorError("Timeout", f"the simulator has said nothing for {silence_s} s")
            data = os.read(pipe, 65536)
            if not data:
                return outcome
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                outcome = json.loads(line)
                if "say" in outcome:
                    progress(outcome["say"])


def _end(child: subprocess.Popen[bytes]) -> None:
    """No child outlives the call that started it."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(timeout=5)
