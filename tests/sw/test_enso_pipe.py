"""Pipes that receive: what the NIC told, what lies in them, what is taken, and how it is cut into requests."""

import pytest

from hermes.enso.pipe import Header, RxPipe, RxTxPipe
from hermes.enso.registers import RingSizes
from hermes.errors import ContractError
from tests.tools.host import SMALL, Host


def put(pipe: RxPipe, memory: memoryview, base: int, flit: int, length: int) -> None:
    """A packet of ``length`` bytes at a flit; only its IP length matters."""
    at = pipe.address - base + flit % pipe.flits * 64
    memory[at + 16 : at + 18] = (length - 14).to_bytes(2, "big")


def test_packets_are_found_by_their_ip_length_over_the_rings_end() -> None:
    memory = Host().memory
    pipe = RxTxPipe(memory, SMALL, 3)
    pipe.rx_head = pipe.rx_tail = pipe.notified_tail = 60
    lengths = [60, 64, 65, 200, 14 + 20]
    flit = 60
    for length in lengths:
        put(pipe, memory.bytes, memory.base, flit, length)
        flit += -(-length // 64)
    pipe.notified(flit % 64)
    assert pipe.available() == flit - 60 == 9
    ring = pipe.address - memory.base
    assert list(pipe.packets(9)) == [
        (ring + 60 * 64, 60),
        (ring + 61 * 64, 64),
        (ring + 62 * 64, 65),
        (ring + 64 * 64, 200),  # where software sees the ring's first flit again
        (ring + 68 * 64, 34),
    ]


def test_a_packet_over_the_rings_end_is_in_one_piece() -> None:
    memory = Host().memory
    pipe = RxTxPipe(memory, SMALL, 3)
    neighbour = memory.allocate(64, 64, "somebody else")
    pipe.rx_head = pipe.rx_tail = pipe.notified_tail = 63
    packet = bytearray(range(200))
    packet[16:18] = (200 - 14).to_bytes(2, "big")
    ring = pipe.address - memory.base
    memory.bytes[ring + 63 * 64 : ring + 64 * 64] = packet[:64]  # as the NIC does
    memory.bytes[ring : ring + 200 - 64] = packet[64:]
    pipe.notified(3)
    ((position, length),) = pipe.packets(4)
    assert bytes(memory.bytes[position : position + length]) == packet
    memory.bytes[position : position + length] = bytes(reversed(packet))
    assert bytes(memory.bytes[ring : ring + 200 - 64]) == bytes(reversed(packet))[64:]
    assert not any(memory.bytes[neighbour - memory.base :][:64])


def test_to_look_at_packets_takes_none_and_what_is_taken_stays_the_applications_until_it_is_freed() -> None:
    memory = Host().memory
    pipe = RxPipe(memory, SMALL, 3)
    for flit, length in enumerate([60, 64, 60]):
        put(pipe, memory.bytes, memory.base, flit, length)
    pipe.notified(3)
    assert list(pipe.packets(3)) == list(pipe.packets(3))
    assert (pipe.available(), pipe.rx_tail, pipe.rx_head) == (3, 0, 0)
    pipe.take(2)
    assert (pipe.available(), pipe.rx_tail, pipe.rx_head) == (1, 2, 0)
    pipe.free(2)
    assert (pipe.available(), pipe.rx_tail, pipe.rx_head) == (1, 2, 2)


def test_packets_can_be_taken_one_by_one() -> None:
    memory = Host().memory
    pipe = RxPipe(memory, SMALL, 3)
    pipe.rx_head = pipe.rx_tail = pipe.notified_tail = 62
    for flit, length in [(62, 60), (63, 70), (65, 60)]:
        put(pipe, memory.bytes, memory.base, flit, length)
    pipe.notified(2)
    left = [pipe.available() for _ in pipe.take_packets(4)]  # the one in hand is not yet taken
    assert [*left, pipe.available()] == [4, 3, 1, 0]
    assert (pipe.rx_tail, pipe.rx_head) == (2, 62)


def test_with_its_header_line_a_packet_is_taken_whole() -> None:
    memory = Host().memory
    pipe = RxPipe(memory, SMALL, 3, in_header_mode=True)
    put_header(pipe, memory.bytes, memory.base, 0, 65)
    put_header(pipe, memory.bytes, memory.base, 3, 1)
    pipe.notified(5)
    taken = [pipe.rx_tail for _ in pipe.take_packets(5)]
    assert [*taken, pipe.rx_tail] == [0, 3, 5]


def test_a_packet_beyond_the_tail_is_refused() -> None:
    memory = Host().memory
    pipe = RxTxPipe(memory, SMALL, 3)
    put(pipe, memory.bytes, memory.base, 0, 200)
    pipe.notified(3)
    with pytest.raises(ContractError, match="pipe 3: a packet of 200 bytes at flit 0 ends behind the tail"):
        list(pipe.packets(3))


def put_header(pipe: RxPipe, memory: memoryview, base: int, flit: int, length: int, **told: int) -> None:
    """A header line at a flit, as the NIC writes it."""
    at = pipe.address - base + flit % pipe.flits * 64
    words = ((length, 4), (told.get("hash", 0), 4), (told.get("arrival", 0), 8), (told.get("drops", 0), 4))
    memory[at : at + 64] = b"".join(value.to_bytes(size, "little") for value, size in words).ljust(64, b"\0")


def test_in_header_mode_packets_are_found_by_the_lines_before_them_over_the_rings_end() -> None:
    memory = Host().memory
    pipe = RxTxPipe(memory, SMALL, 3, in_header_mode=True)
    pipe.rx_head = pipe.rx_tail = pipe.notified_tail = 59
    lengths = [1, 64, 65, 1514, 60]  # the third one's header is the ring's last flit
    flit = 59
    for length in lengths:
        put_header(pipe, memory.bytes, memory.base, flit, length)
        flit += 1 + -(-length // 64)
    pipe.notified(flit % 64)
    ring = pipe.address - memory.base
    assert list(pipe.packets(pipe.available())) == [
        (ring + 60 * 64, 1),
        (ring + 62 * 64, 64),
        (ring + 64 * 64, 65),
        (ring + 67 * 64, 1514),
        (ring + 92 * 64, 60),
    ]
    assert pipe.send(pipe.available()) == [(pipe.address + 59 * 64, 5 * 64), (pipe.address, 29 * 64)]


def test_headers_tell_length_hash_arrival_and_drops() -> None:
    memory = Host().memory
    pipe = RxTxPipe(memory, SMALL, 3, in_header_mode=True)
    put_header(pipe, memory.bytes, memory.base, 0, 70, hash=0xFEDCBA98, arrival=(1 << 63) + 5, drops=0xFFFFFFFF)
    put_header(pipe, memory.bytes, memory.base, 3, 60, hash=1, arrival=2, drops=3)
    pipe.notified(5)
    ring = pipe.address - memory.base
    assert list(pipe.headers(5)) == [
        Header(position=ring + 64, length=70, hash=0xFEDCBA98, arrival=(1 << 63) + 5, drops=0xFFFFFFFF),
        Header(position=ring + 4 * 64, length=60, hash=1, arrival=2, drops=3),
    ]


def test_in_header_mode_too_a_packet_beyond_the_tail_is_refused() -> None:
    memory = Host().memory
    pipe = RxTxPipe(memory, SMALL, 3, in_header_mode=True)
    put_header(pipe, memory.bytes, memory.base, 0, 200)
    pipe.notified(4)
    with pytest.raises(ContractError, match="pipe 3: a packet of 200 bytes at flit 1 ends behind the tail, 4"):
        list(pipe.packets(4))


@pytest.mark.parametrize("head", [0, 5, 60])
def test_news_that_were_overtaken_change_nothing(head: int) -> None:
    pipe = RxPipe(Host().memory, SMALL, 0)
    pipe.rx_head = pipe.rx_tail = pipe.notified_tail = head
    for order, ahead, known in [(7, 5, 5), (21, 9, 9), (14, 7, 9), (21, 9, 9), (28, 63, 63)]:
        pipe.notified((head + ahead) % 64, order)
        assert pipe.available() == known


def test_news_older_than_what_was_freed_are_not_taken_for_a_full_ring() -> None:
    pipe = RxPipe(Host().memory, SMALL, 0)
    pipe.notified(10, order=2)
    pipe.take(10)
    pipe.free(10)
    pipe.notified(9, order=1)
    assert (pipe.notified_tail, pipe.available()) == (10, 0)
    pipe.notified(9, order=3)  # and this is one
    assert pipe.available() == 63


def test_the_same_news_twice_are_news_once() -> None:
    pipe = RxTxPipe(Host().memory, SMALL, 0)
    pipe.notified(10)
    pipe.send(10)
    pipe.notified(10)
    assert pipe.available() == 0


def test_after_a_restart_news_of_any_order_count() -> None:
    pipe = RxPipe(Host().memory, SMALL, 0)
    pipe.notified(10, order=5)
    pipe.take(10)
    pipe.restart()
    assert (pipe.rx_head, pipe.rx_tail, pipe.available()) == (0, 0, 0)
    pipe.notified(3, order=1)
    assert pipe.available() == 3


def test_a_send_is_cut_at_the_rings_end() -> None:
    pipe = RxTxPipe(Host().memory, SMALL, 0)
    pipe.rx_head = pipe.rx_tail = 60
    pipe.notified_tail = 10
    assert pipe.requests(14) == 2
    assert pipe.send(14) == [(pipe.address + 60 * 64, 4 * 64), (pipe.address, 10 * 64)]
    assert (pipe.rx_tail, pipe.available()) == (10, 0)


def test_a_send_is_cut_at_128_kib() -> None:
    pipe = RxTxPipe(Host().memory, RingSizes(), 0)
    pipe.notified(5000)
    kib = 1024
    assert [length for _, length in pipe.send(5000)] == [128 * kib, 128 * kib, 320_000 - 256 * kib]


def test_space_is_the_nics_again_only_when_it_is_freed() -> None:
    pipe = RxTxPipe(Host().memory, SMALL, 0)
    pipe.notified(40)
    pipe.send(40)
    assert pipe.rx_head == 0
    pipe.free(30)
    pipe.free(10)
    assert pipe.rx_head == 40
