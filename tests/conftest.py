"""What holds for all tests."""

import pytest

import cosim  # noqa: F401  (before numpy, whose CPU dispatch it fixes)
from tests.captures import CAPTURES


def pytest_report_header() -> str:
    if CAPTURES.is_dir():
        return f"captures of real traffic: {CAPTURES}"
    return f"captures of real traffic: none at {CAPTURES} (HERMES_CAPTURES names the folder); generated ones only"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests measured, beside that they passed."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "measured":
                terminalreporter.write_line(f"{report.nodeid.partition('::')[2]}: {value}")
