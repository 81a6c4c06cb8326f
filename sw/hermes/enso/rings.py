"""Rings of flits, as requests to send see them."""

from typing import Final

from mypy_extensions import i64

from hermes.enso.registers import FLIT_BYTES, MAX_REQUEST_BYTES

_MAX_REQUEST_FLITS: Final = MAX_REQUEST_BYTES // FLIT_BYTES


def requests(start: i64, flits: i64, mask: i64) -> i64:
    """How many ``cut`` gives."""
    count: i64 = 0
    while flits:
        part = _part(start, flits, mask)
        start = (start + part) & mask
        flits -= part
        count += 1
    return count


def cut(address: int, start: i64, flits: i64, mask: i64) -> list[tuple[int, int]]:
    """Requests for ``flits`` flits from index ``start`` of the ring at ``address``: (address, bytes) of each.

    Cut at the ring's end and at the longest request; ``mask`` is the ring's size in flits minus 1.
    """
    parts = []
    while flits:
        part = _part(start, flits, mask)
        parts.append((address + start * FLIT_BYTES, part * FLIT_BYTES))
        start = (start + part) & mask
        flits -= part
    return parts


def _part(start: i64, flits: i64, mask: i64) -> i64:
    """Flits of the first one."""
    most = mask + 1 - start
    if most > _MAX_REQUEST_FLITS:
        most = _MAX_REQUEST_FLITS
    return most if most < flits else flits
