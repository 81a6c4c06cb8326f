"""What software steps cost: profiles of constants with unit, range and source, read once into integer picoseconds."""

import hashlib
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

DEFAULT = Path(__file__).parent / "default.toml"

_PICOSECONDS = {"ps": 1, "ns": 1_000, "us": 1_000_000}
_KEYS = {"default", "low", "high", "unit", "source", "meaning"}

Bound = Literal["default", "low", "high"]


@dataclass(frozen=True, slots=True)
class Costs:
    """Durations in picoseconds; what each one covers is told in the profile, beside its value."""

    iok_loop: int
    poll_clean: int
    line_dirty: int
    line_dma: int
    message_send: int
    message_receive: int
    notification_route: int
    softirq_push: int
    tx_copy: int
    completion_route: int
    mmio_issue: int
    heap_peek: int
    heap_fix: int
    answer_write: int
    scheduler_entry: int
    uthread_switch: int
    softirq_call: int
    softirq_item: int
    steal_probe: int
    steal_take: int
    lock: int
    lock_contended: int
    packet_parse: int
    packet_send: int
    completion_reap: int
    copy_per_64_bytes: int
    park: int
    ksched_idle_wake: int
    ipi_flight: int
    clean_yield: int
    park_switch: int
    shenango_reallocation: int

    @property
    def sha256(self) -> str:
        """Identifies these values, in hexadecimal."""
        text = "".join(f"{field.name}={getattr(self, field.name)}\n" for field in fields(self))
        return hashlib.sha256(text.encode()).hexdigest()

    def __reduce__(self) -> tuple[type["Costs"], tuple[int, ...]]:
        """Pickled by its values: who reads it may have it compiled."""
        return Costs, tuple(getattr(self, field.name) for field in fields(self))


def load(profile: Path = DEFAULT, bound: Bound = "default") -> Costs:
    """Read a profile: of each constant its default, or the low or high end of its range.

    Raises
    ------
    ValueError
        The profile lacks a constant, has one that nobody knows, or one that is not
        ``0 < low <= default <= high`` in ps, ns or us, with source and meaning.
    """
    table = tomllib.loads(profile.read_text(encoding="utf-8"))
    names = {field.name for field in fields(Costs)}
    for name in sorted(names ^ table.keys()):
        problem = "is missing" if name in names else "is unknown"
        raise ValueError(f"cost profile {profile.name}: {name} {problem}; accepted are {', '.join(sorted(names))}")
    return Costs(**{name: _picoseconds(profile.name, name, entry, bound) for name, entry in table.items()})


def _picoseconds(profile: str, name: str, entry: object, bound: Bound) -> int:
    where = f"cost profile {profile}: {name}"
    if not isinstance(entry, dict) or entry.keys() != _KEYS:
        raise ValueError(f"{where} needs exactly the keys {', '.join(sorted(_KEYS))}")
    if entry["unit"] not in _PICOSECONDS:
        raise ValueError(f"{where}.unit is {entry['unit']!r}; accepted are {', '.join(_PICOSECONDS)}")
    low, default, high = entry["low"], entry["default"], entry["high"]
    if not all(type(value) is int for value in (low, default, high)) or not 0 < low <= default <= high:
        raise ValueError(
            f"{where} is {low!r}, {default!r}, {high!r}; accepted are integers, 0 < low <= default <= high"
        )
    value: int = entry[bound]
    return value * _PICOSECONDS[entry["unit"]]
