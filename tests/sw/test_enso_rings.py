"""Ring arithmetic, against plain counting."""

from hypothesis import given
from hypothesis import strategies as st

from hermes.enso.rings import advance


@given(st.integers(0, 10**6), st.integers(0, 63), st.integers(0, 63))
def test_only_what_is_ahead_counts(origin: int, current: int, new: int) -> None:
    mask = 63
    ahead = advance(origin & mask, (origin + current) & mask, (origin + new) & mask, mask)
    assert ahead == max(0, new - current)
