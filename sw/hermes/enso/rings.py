"""Arithmetic of ring indices, which ascend modulo a power of two."""


def advance(origin: int, current: int, new: int, mask: int) -> int:
    """How far ``new`` is ahead of ``current``; 0 if it is not: news can overtake each other.

    Both lie at or ahead of ``origin``, by less than the ring's size; ``mask`` is that size minus 1.
    """
    step = ((new - origin) & mask) - ((current - origin) & mask)
    return step if step > 0 else 0
