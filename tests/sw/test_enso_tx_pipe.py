"""A TX pipe: room for packets, which completions give back."""

import random

import pytest

from hermes.enso.tx_pipe import TxPipe
from tests.tools.host import SMALL, Host


def make(begin: int = 0, *, in_header_mode: bool = False) -> tuple[TxPipe, memoryview, int]:
    """With its first free flit at ``begin``; all bytes, and where its ring begins in them."""
    memory = Host().memory
    memory.allocate(4096, 4096, "somebody before")
    pipe = TxPipe(memory, SMALL, "a test", in_header_mode=in_header_mode)
    pipe.tx_head = pipe.tx_tail = pipe.tx_end = begin
    return pipe, memory.bytes, pipe.address - memory.base


def test_packets_begin_at_a_flit_and_take_as_many_as_was_written() -> None:
    pipe, _, ring = make()
    positions = []
    for most, written in [(1514, 60), (1514, 64), (1514, 65), (200, 200)]:
        positions.append(pipe.allocate(most))
        assert pipe.allocate(most) == positions[-1], "nothing was written yet"
        pipe.extend(written)
    assert positions == [ring, ring + 64, ring + 128, ring + 256]
    assert (pipe.written(), pipe.capacity()) == (8, 63 - 8)
    assert pipe.send(5) == [(pipe.address, 5 * 64)]
    assert (pipe.written(), pipe.capacity()) == (3, 63 - 8)


def test_room_is_all_flits_but_one_and_comes_back_when_they_are_sent() -> None:
    pipe, _, ring = make()
    assert pipe.capacity() == 63
    assert pipe.allocate(63 * 64) == ring
    for _ in range(63):
        assert pipe.allocate(64) != -1
        pipe.extend(64)
    assert (pipe.allocate(1), pipe.capacity()) == (-1, 0)
    pipe.send(63)
    assert pipe.allocate(1) == -1, "asked for is not sent"
    pipe.complete(2)
    assert pipe.allocate(129) == -1
    assert pipe.allocate(128) == ring + 63 * 64


@pytest.mark.parametrize("in_header_mode", [False, True])
def test_a_packet_that_never_fits_is_refused(in_header_mode: bool) -> None:
    pipe, _, ring = make(in_header_mode=in_header_mode)
    most = (63 - in_header_mode) * 64
    assert pipe.allocate(most) == ring + 64 * in_header_mode
    with pytest.raises(ValueError, match=f"a test: room for a packet of {most + 1} bytes; accepted are up to {most}"):
        pipe.allocate(most + 1)


def test_a_packet_over_the_rings_end_is_in_one_piece_and_sent_as_two_requests() -> None:
    pipe, memory, ring = make(begin=62)
    packet = bytes(range(200))
    position = pipe.allocate(1514)
    memory[position : position + 200] = packet
    pipe.extend(200)
    assert pipe.requests(4) == 2
    parts = pipe.send(4)
    assert parts == [(pipe.address + 62 * 64, 2 * 64), (pipe.address, 2 * 64)]
    as_the_nic_reads = b"".join(bytes(memory[ring + address - pipe.address :][:length]) for address, length in parts)
    assert as_the_nic_reads[:200] == packet
    assert pipe.tx_end == pipe.tx_tail == 2


@pytest.mark.parametrize("begin", [0, 62, 63])
def test_in_header_mode_a_line_before_each_packet_tells_its_length(begin: int) -> None:
    pipe, memory, ring = make(begin, in_header_mode=True)
    memory[ring : ring + 4096] = b"\xff" * 4096  # of earlier laps
    for length in (65, 1):
        position = pipe.allocate(length)
        memory[position : position + length] = bytes(length)
        pipe.extend(length)
    lines = [bytes(memory[ring + (begin + flit) % 64 * 64 :][:64]) for flit in range(5)]
    assert [int.from_bytes(lines[flit][:4], "little") for flit in (0, 3)] == [65, 1]
    assert lines[1] == bytes(64)
    assert (lines[2][:1], lines[4][:1]) == (b"\0", b"\0")
    assert pipe.written() == 5


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_written_and_sent_no_byte_of_it_changes_before_it_is_sent(seed: int) -> None:
    print(f"seed {seed}")
    draw = random.Random(seed)
    pipe, memory, ring = make(begin=draw.randrange(64))
    waiting: list[tuple[int, bytes]] = []  # flits and bytes of packets that are not sent, oldest first
    asked = 0  # of them, how many it was asked to send
    for _ in range(2000):
        kind = draw.randrange(3)
        length = draw.randint(1, 1000)
        if kind == 0 and (position := pipe.allocate(1000)) != -1:
            packet = draw.randbytes(length)
            memory[position : position + length] = packet
            pipe.extend(length)
            waiting.append((-(-length // 64), packet))
        elif kind == 1 and (flits := sum(count for count, _ in waiting[asked:])):
            data = b"".join(bytes(memory[ring + address - pipe.address :][:size]) for address, size in pipe.send(flits))
            for count, packet in waiting[asked:]:
                assert data.startswith(packet)
                data = data[count * 64 :]
            asked = len(waiting)
        elif kind == 2 and asked:
            pipe.complete(waiting.pop(0)[0])
            asked -= 1
        assert pipe.capacity() == 63 - sum(count for count, _ in waiting)
        assert pipe.written() == sum(count for count, _ in waiting[asked:])
