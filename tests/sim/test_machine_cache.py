"""Cache lines: a transfer is paid when a line changes hands, by whoever takes it, and never otherwise (DESIGN 6, 3)."""

from hypothesis import given
from hypothesis import strategies as st

from cosim.machine.cache import CacheLines

DIRTY = 60
CORES = 4


def test_a_slot_costs_its_new_owner_only() -> None:
    lines = CacheLines(DIRTY, CORES)
    first = lines.allocate(10)
    second = lines.allocate(1)
    assert second == first + 10
    assert [lines.take(core, first) for core in (0, 1, 1, 2, 1, 1)] == [0, DIRTY, 0, DIRTY, DIRTY, 0]
    assert lines.take(1, first + 1) == DIRTY, "another slot is another line"


def test_many_can_hold_a_line_and_a_write_takes_it_from_them() -> None:
    lines = CacheLines(DIRTY, CORES)
    line = lines.allocate_polled(1)
    assert [lines.read(core, line) for core in (1, 2, 1, 2)] == [DIRTY, DIRTY, 0, 0]
    assert lines.write_cost(1, line) == DIRTY
    assert lines.write(1, line) == 1 << 2
    assert lines.write_cost(1, line) == 0
    assert (lines.read(1, line), lines.read_cost(2, line), lines.read(2, line)) == (0, DIRTY, DIRTY)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, CORES - 1), st.integers(0, 2)), max_size=60))
def test_any_sequence_costs_what_it_would_with_a_set_of_holders_per_line(accesses: list[tuple[bool, int, int]]) -> None:
    lines = CacheLines(DIRTY, CORES)
    lines.allocate_polled(2)
    first = lines.allocate_polled(3)
    holders: list[set[int]] = [set(), set(), set()]
    for is_write, core, index in accesses:
        if is_write:
            assert lines.write_cost(core, first + index) == (DIRTY if holders[index] - {core} else 0)
            lost = lines.write(core, first + index)
            assert lost == sum(1 << other for other in holders[index] - {core})
            holders[index] = {core}
        else:
            assert lines.read(core, first + index) == (0 if core in holders[index] else DIRTY)
            holders[index].add(core)
        for other in range(CORES):
            stale = [line for line in range(3) if lines.copies[other].stale >> first + line & 1]
            assert stale == [line for line in range(3) if other not in holders[line]]
            for begin, count in [(0, 3), (1, 2), (2, 1)]:
                bits = lines.stale_lines(other, first + begin, count)
                assert bits == sum(1 << line - begin for line in stale if begin <= line < begin + count)
