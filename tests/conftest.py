"""What holds for all tests."""

import cosim  # noqa: F401  (before numpy, whose CPU dispatch it fixes)
from tests.captures import CAPTURES


def pytest_report_header() -> str:
    if CAPTURES.is_dir():
        return f"captures of real traffic: {CAPTURES}"
    return f"captures of real traffic: none at {CAPTURES} (HERMES_CAPTURES names the folder); generated ones only"
