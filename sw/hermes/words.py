"""Arrays of 64-bit integers, for what happens often."""

from typing import Final, cast

from librt.vecs import vec
from mypy_extensions import i64

IS_COMPILED: Final = not __file__.endswith(".py")


def words(count: int, value: int = 0) -> vec[i64]:
    """``count`` integers. Machine code reaches them without objects; Python gets a list, which is faster there."""
    return vec[i64]([value] * count) if IS_COMPILED else cast(vec[i64], [value] * count)
