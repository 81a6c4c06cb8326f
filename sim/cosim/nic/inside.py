"""What runs inside the child of ``cosim.nic.child``, whichever NIC it holds."""

import ctypes
import importlib
import json
import os
import signal
from pathlib import Path
from typing import Any

from cosim.nic.child import ENTRY, PIPE, TASK

_PR_SET_PDEATHSIG = 1


async def carry_out(nic: object) -> None:
    """Await the entry with this NIC, and tell the parent what became of it."""
    # the NIC may run long without Python: let Ctrl-C end the process at once, and the parent's end too
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with os.fdopen(int(os.environ[PIPE]), "w", buffering=1) as pipe:

        def tell(**message: Any) -> None:  # noqa: ANN401 (whatever JSON takes)
            pipe.write(json.dumps(message) + "\n")

        module, _, function = os.environ[ENTRY].partition(":")
        try:
            entry = getattr(importlib.import_module(module), function)
            await entry(nic, Path(os.environ[TASK]), lambda line: tell(say=line))
        except Exception as error:
            tell(failed=type(error).__name__, message=str(error))
            raise  # its traceback goes to the simulator's log
        tell(done=True)
