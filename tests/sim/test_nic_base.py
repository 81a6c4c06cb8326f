"""Host memory: who gets what of it, and rings that software sees twice."""

import gc
import resource
from pathlib import Path

import pytest

from cosim.nic.base import HOST_MEMORY_BASE, PAGE_BYTES, HostMemory


def test_allocations_are_aligned_apart_from_each_other_and_known_by_their_owner() -> None:
    memory = HostMemory.create(1 << 16)
    first, second = memory.allocate(100, 64, "the first"), memory.allocate(64, 4096, "the second")
    assert (first, second) == (HOST_MEMORY_BASE, HOST_MEMORY_BASE + 4096)
    assert memory.owner(first + 99) == "the first + 0x63"
    assert memory.owner(first + 100) == "nobody"
    assert memory.owner(second) == "the second + 0x0"


def test_a_memory_that_is_too_small_says_what_would_be_enough() -> None:
    memory = HostMemory.create(1 << 16)
    memory.allocate(PAGE_BYTES, PAGE_BYTES, "the first")
    with pytest.raises(
        MemoryError,
        match="host memory for the second: 65536 bytes wanted, 61440 of 65536 left; "
        "a host memory of 131072 bytes would hold it",
    ):
        memory.allocate(1 << 16, 1 << 16, "the second")


def test_bytes_and_words_are_the_same_memory() -> None:
    memory = HostMemory.create(PAGE_BYTES)
    memory.words[1] = 0x0807060504030201
    assert bytes(memory.bytes[8:16]) == bytes(range(1, 9))
    assert memory.size == PAGE_BYTES


@pytest.mark.parametrize("size", [PAGE_BYTES, 1 << 15, 2 << 20])
def test_behind_a_ring_software_sees_the_ring_again(size: int) -> None:
    memory = HostMemory.create(8 * size)
    memory.allocate(64, 64, "something before")
    rings = [memory.allocate_ring(size, f"ring {number}") for number in range(2)]
    behind = memory.allocate(64, 64, "something behind")
    assert rings == [HOST_MEMORY_BASE + size, HOST_MEMORY_BASE + 3 * size]
    assert behind == HOST_MEMORY_BASE + 5 * size
    for number, address in enumerate(rings):
        start = address - memory.base
        assert not any(memory.bytes[start : start + 2 * size])
        memory.bytes[start + size - 3 : start + size + 3] = bytes([number] * 3 + [10 + number] * 3)
        memory.words[(start + 2 * size) // 8 - 2] = 77
    for number, address in enumerate(rings):
        start = address - memory.base
        assert bytes(memory.bytes[start : start + 3]) == bytes([10 + number] * 3)
        assert bytes(memory.bytes[start + size : start + size + 3]) == bytes([10 + number] * 3)
        assert bytes(memory.bytes[start + 2 * size - 3 : start + 2 * size]) == bytes([number] * 3)
        assert memory.words[(start + size) // 8 - 2] == 77
    assert not any(memory.bytes[: rings[0] - memory.base])
    assert not any(memory.bytes[behind - memory.base :])


@pytest.mark.parametrize("size", [0, 512, PAGE_BYTES // 2, PAGE_BYTES + 64, 3 * PAGE_BYTES])
def test_a_ring_that_cannot_be_seen_twice_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"ring for pipe 3: {size} bytes; accepted are powers of two from 4096 on"):
        HostMemory.create(1 << 16).allocate_ring(size, "pipe 3")


def test_a_memory_that_nobody_has_any_more_leaves_no_file_open() -> None:
    gc.collect()  # what other tests left
    before = len(list(Path("/proc/self/fd").iterdir()))
    memory = HostMemory.create(1 << 16)
    memory.allocate_ring(PAGE_BYTES, "pipe 3")
    words = memory.words
    del memory
    words[0] = 1  # what is still in use stays
    del words
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_thousand_large_rings_cost_only_the_pages_that_are_touched() -> None:
    size = 2 << 20
    memory = HostMemory.create(2000 * size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(1000):
        start = memory.allocate_ring(size, f"pipe {number}") - memory.base
        memory.bytes[start + size] = 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10, "KiB"
