"""A pytest plugin for runs against mutated RTL: that RTL must be the one which is imported, and must elaborate."""

import os
from pathlib import Path

import pytest
from amaranth.hdl import Fragment

BROKEN = 64
"""Exit code of a run in which it is not; pytest itself uses 0 to 5."""


def pytest_sessionstart() -> None:
    """End the run with BROKEN unless ``enso_nic`` comes from the folder MUTATED_RTL and its NIC elaborates."""
    folder = Path(os.environ["MUTATED_RTL"])
    try:
        from enso_nic import nic
        from enso_nic.config import TINY

        Fragment.get(nic.Nic(TINY), None).prepare()
    except Exception as error:
        pytest.exit(f"the mutated RTL does not elaborate: {type(error).__name__}: {error}", BROKEN)
    if Path(nic.__file__).parent != folder / "enso_nic":
        pytest.exit(f"enso_nic was imported from {Path(nic.__file__).parent}, not from {folder}", BROKEN)
