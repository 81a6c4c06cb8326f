"""How what is to be sent is cut into requests, against plain counting."""

from hypothesis import given
from hypothesis import strategies as st

from hermes.enso.rings import cut


@given(st.integers(0, 4095), st.integers(0, 4095))
def test_requests_cover_what_is_sent_in_order_within_the_ring_and_the_longest_request(start: int, flits: int) -> None:
    base, size = 0x1000000, 4096 * 64
    parts = cut(base, start, flits, 4095)
    covered = [address - base + at for address, length in parts for at in range(0, length, 64)]
    assert covered == [(start + flit) % 4096 * 64 for flit in range(flits)]
    assert all(base <= address and address + length <= base + size for address, length in parts)
    assert all(64 <= length <= 128 * 1024 for _, length in parts)
    assert len(parts) <= 2 + flits // 2048, "no more than it takes"
