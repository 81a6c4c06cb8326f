"""How values are written in settings: times and rates with units, switches; and what a wrong one is answered."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_PS = {"ps": 1, "ns": 10**3, "us": 10**6, "ms": 10**9, "s": 10**12}
_SUFFIXES = {"": 1, "k": 10**3, "M": 10**6}


class ConfigError(ValueError):
    """A setting that cannot work; the message is one line that names it, its value and what would be accepted."""


class Frozen(BaseModel):
    """A part of a configuration: it does not change, and knows every name it is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, validate_default=True)


def parse_duration(text: str) -> int:
    """Picoseconds of ``800ns``, ``1.5us`` or ``0``.

    Raises
    ------
    ValueError
        It is no such time, or no whole number of ps.
    """
    return 0 if text == "0" else _whole(text, _PS)


def parse_rate(text: str) -> int:
    """Frames per second of ``2500``, ``100k`` or ``1.5M``; ValueError as ``parse_duration``."""
    return _whole(text, _SUFFIXES)


def _whole(text: str, units: Mapping[str, int]) -> int:
    """A number with one of these units, which must come out whole."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([a-zA-Z]*)", text)
    if match is None or match[2] not in units:
        raise ValueError(text)
    value = Decimal(match[1]) * units[match[2]]
    if value != int(value):
        raise ValueError(text)
    return int(value)


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _rate(value: object) -> object:
    return parse_rate(value) if isinstance(value, str) else value


LONGEST_PS = 10**15
"""No time in a setting is longer: 1000 s."""

Duration = Annotated[int, Field(ge=0, le=LONGEST_PS), BeforeValidator(_duration)]
"""Picoseconds; text has a unit."""

Rate = Annotated[int, Field(ge=0, le=10**12), BeforeValidator(_rate)]
"""Frames per second; text may have a suffix."""
