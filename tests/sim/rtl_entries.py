"""What test_nic_rtl.py lets run inside the simulator."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cocotb.triggers import Timer

from cosim.nic.base import Effect
from cosim.pcie.bridge import Bridge
from tests.sim.mirror import LINE

Say = Callable[[str], None]


async def reads_a_register(top: Any, task: Path, say: Say) -> None:
    bridge = Bridge(top, memory_bytes=1 << 20)
    say(f"task: {task.read_text()}")
    now = await bridge.run(1000)
    bridge.mmio_write(now, LINE, bridge.memory.base, 8)
    bridge.mmio_read(now, 0, 1)
    effects: list[Effect] = []
    while not effects:
        await bridge.run(now + 10_000_000)
        effects = bridge.take_effects()
    say(f"cycle {effects[0][2]}")


async def raises(top: Any, task: Path, say: Say) -> None:
    say("so far so good")
    raise LookupError("nothing there; accepted is something")


async def leaves(top: Any, task: Path, say: Say) -> None:
    say("good bye")
    sys.stdout.flush()
    os._exit(3)


async def is_silent(top: Any, task: Path, say: Say) -> None:
    task.write_text(str(os.getpid()))
    say("listen")
    while True:
        await Timer(1, "us")
