"""Rings of flits, as requests to send see them."""

from typing import Final

from hermes.enso.registers import FLIT_BYTES, MAX_REQUEST_BYTES

_MAX_REQUEST_FLITS: Final = MAX_REQUEST_BYTES // FLIT_BYTES


def cut(address: int, start: int, flits: int, mask: int) -> list[tuple[int, int]]:
    """Requests for ``flits`` flits from index ``start`` of the ring at ``address``: (address, bytes) of each.

    Cut at the ring's end and at the longest request; ``mask`` is the ring's size in flits minus 1.
    """
    parts = []
    while flits:
        count = min(flits, mask + 1 - start, _MAX_REQUEST_FLITS)
        parts.append((address + start * FLIT_BYTES, count * FLIT_BYTES))
        start = (start + count) & mask
        flits -= count
    return parts
