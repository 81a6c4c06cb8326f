"""Where captures of real traffic lie, which the project does not ship; what tests do without them, they say."""

import os
from pathlib import Path

CAPTURES = Path(os.environ.get("HERMES_CAPTURES", Path(__file__).parents[2] / "shared" / "captures"))


def capture_names(pattern: str = "*.pcap") -> list[str]:
    """The captures that are there, by name; none where the folder is absent."""
    return sorted(path.name for path in CAPTURES.glob(pattern))
