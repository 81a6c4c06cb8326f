"""The ``hermes`` command, as a user calls it."""

import subprocess
import sys
from pathlib import Path

HERMES = Path(sys.executable).with_name("hermes")


def hermes(folder: Path, *arguments: str | Path, seconds: int = 900) -> subprocess.CompletedProcess[str]:
    """Call it in this folder."""
    return subprocess.run(
        [HERMES, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
    )
