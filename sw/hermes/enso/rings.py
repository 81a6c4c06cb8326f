"""Arithmetic of ring indices, which ascend modulo a power of two."""

from hermes.enso.registers import FLIT_BYTES, MAX_REQUEST_BYTES

_MAX_REQUEST_FLITS = MAX_REQUEST_BYTES // FLIT_BYTES


def advance(origin: int, current: int, new: int, mask: int) -> int:
    """How far ``new`` is ahead of ``current``; 0 if it is not: news can overtake each other.

    Both lie at or ahead of ``origin``, by less than the ring's size; ``mask`` is that size minus 1.
    """
    step = ((new - origin) & mask) - ((current - origin) & mask)
    return step if step > 0 else 0


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
