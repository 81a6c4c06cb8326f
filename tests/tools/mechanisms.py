"""Mechanisms that can be switched off, to see that their tests notice."""

from collections.abc import Callable

import pytest

from tests.tools.whole_host import OVERRIDES

Check = Callable[[], None]
Disable = Callable[[pytest.MonkeyPatch], None]


def identifiers(checks: dict[Check, Disable]) -> list[str]:
    """M-12 of ``test_m12_...``, for each check."""
    return [f"M-{check.__name__[6:8]}" for check in checks]


def override(switch: str, value: object) -> Disable:
    """All hosts have this switch so."""
    return lambda monkeypatch: monkeypatch.setitem(OVERRIDES, switch, value)


def require_failure(check: Check, disable: Disable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the mechanism its check fails."""
    disable(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check()
