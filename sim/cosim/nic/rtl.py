"""Runs Python beside the RTL: cocotb keeps it inside the simulator, so a run is a child process of this one.

    simulate("cosim.run:inside", task, folder=scratch, progress=show)

starts the simulator of the NIC and awaits ``cosim.run.inside(top, task, say)`` in it, which makes a Bridge of ``top``;
each line that it says is given to ``show`` here.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from types import MappingProxyType

from amaranth.lib import wiring

from cosim.build import Model, cocotb_environment, cocotb_model, verilog
from enso_nic.config import FULL, NicConfig
from enso_nic.nic import Nic

ENTRY, TASK, PIPE = "HERMES_ENTRY", "HERMES_TASK", "HERMES_PIPE"
"""Environment variables by which the child learns what to do, and where to say how it goes (a file descriptor)."""

WAVES, LOG = "waves.vcd", "simulator.log"
_BRIDGE = Path(__file__).parents[1] / "pcie"
_NOTHING: Mapping[str, str] = MappingProxyType({})


class SimulatorError(RuntimeError):
    """What ran in the simulator failed: ``kind`` is the name of its exception; or the simulator itself ended early."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def bridge_model(component: type[wiring.Component], *arguments: object, waves: bool = False) -> Model:
    """The simulator of ``component(*arguments)``, which has the NIC's ports, behind the bridge."""
    return cocotb_model(
        [verilog(component, *arguments), _BRIDGE / "bridge.sv"],
        top="bridge",
        public_ports=False,
        cpp=[_BRIDGE / "bridge.cpp"],
        headers=sorted(_BRIDGE.glob("*.hpp")),
        timing=True,
        trace=waves,
    )


def nic_model(config: NicConfig = FULL, *, waves: bool = False) -> Model:
    """The simulator of the NIC behind the bridge: built at the first call, which takes a minute or two."""
    return bridge_model(Nic, config, waves=waves)


def simulate(
    entry: str,
    task: Path,
    *,
    folder: Path,
    progress: Callable[[str], None],
    model: Model | None = None,
    environment: Mapping[str, str] = _NOTHING,
    silence_s: int = 600,
) -> None:
    """Await ``entry`` inside the simulator.

    Parameters
    ----------
    entry
        ``module:function``; awaited as ``function(top, task, say)``.
    task
        Handed to it: the file that says what to do.
    folder
        The child's working folder: it leaves ``simulator.log``, ``results.xml``, and ``waves.vcd`` of a traced model.
    progress
        Called with each line that the child says.
    model
        By default that of the full NIC without waves.
    environment
        Added to this process's, such as COCOTB_ENABLE_PROFILING=1, which leaves a profile in ``folder``.
    silence_s
        Wall time in which the child must say something.

    Raises
    ------
    SimulatorError
        The entry raised, or the simulator did not come to its end. The child is gone whatever is raised here.
    """
    model = model or nic_model()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / LOG
    ours, theirs = os.pipe()
    variables = {
        **cocotb_environment(model, "cosim.nic.rtl_child", folder),
        **environment,
        ENTRY: entry,
        TASK: str(task.absolute()),
        PIPE: str(theirs),
    }
    command = [str(model.executable), *(["--trace", "--trace-file", WAVES] if model.trace else [])]
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
