"""``python -m enso_nic FILE`` writes the Verilog of the full NIC, module ``enso_nic``."""

import sys
from pathlib import Path

from enso_nic.config import FULL
from enso_nic.export import verilog_text
from enso_nic.nic import Nic


def main(arguments: list[str]) -> int:
    """Write the file that ``arguments`` names; gives the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m enso_nic FILE\n")
        return 2
    path = Path(arguments[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(verilog_text(Nic(FULL), "enso_nic"))
    sys.stdout.write(f"{path}: {path.stat().st_size:,} bytes\n")
    return 0


sys.exit(main(sys.argv[1:]))
