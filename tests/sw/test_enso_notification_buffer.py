"""Both rings of a notification buffer, from both sides, over their wrap-around."""

import pytest

from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.registers import CONFIG_REQUEST, TX_REQUEST, UPSTREAM
from hermes.errors import ContractError
from tests.tools.host import SMALL, Host


def make() -> NotificationBuffer:
    return NotificationBuffer(Host().memory, SMALL, "a test")


def slot_words(buffer: NotificationBuffer, address: int, slot: int, memory: memoryview, base: int) -> list[int]:
    at = (address - base) // 8 + 8 * slot
    return memory[at : at + 8].tolist()


def test_rings_lie_on_pages_of_their_own_as_upstream_lays_them_out() -> None:
    memory = Host(memory_bytes=1 << 23).memory
    buffer = NotificationBuffer(memory, UPSTREAM, "a test")
    assert buffer.address % (2 << 20) == 0
    assert buffer.tx_address == buffer.address + (1 << 20)
    small = NotificationBuffer(memory, SMALL, "a test")
    assert small.tx_address // 4096 != small.address // 4096


def test_notifications_are_taken_in_order_and_their_slots_cleared() -> None:
    buffer = make()
    for lap in range(5):
        for i in range(7):
            buffer.deliver(pipe=i, tail=100 * lap + i)
        taken = []
        while buffer.has_notification():
            slot = buffer.take_notification()
            taken.append((slot, buffer.pipe_of(slot), buffer.tail_of(slot)))
        assert taken == [((7 * lap + i) % 16, i, 100 * lap + i) for i in range(7)]
    assert buffer.rx_head == 35 % 16


def test_an_rx_slot_looks_as_the_nic_writes_it() -> None:
    memory = Host().memory
    buffer = NotificationBuffer(memory, SMALL, "a test")
    buffer.deliver(pipe=3, tail=17)
    assert slot_words(buffer, buffer.address, 0, memory.words, memory.base) == [1, 3, 17, 0, 0, 0, 0, 0]


def test_a_notification_too_many_is_refused() -> None:
    buffer = make()
    for i in range(16):
        buffer.deliver(pipe=0, tail=i)
    with pytest.raises(ContractError, match="notification buffer of a test: no room for a notification of pipe 5"):
        buffer.deliver(pipe=5, tail=16)


def test_a_tx_slot_looks_as_the_nic_reads_it() -> None:
    memory = Host().memory
    buffer = NotificationBuffer(memory, SMALL, "a test")
    assert buffer.post(0x1234540, 192) == 0
    assert slot_words(buffer, buffer.tx_address, 0, memory.words, memory.base) == [1, 0x1234540, 192, 0, 0, 0, 0, 0]


def test_a_framed_request_says_so_above_its_length_and_still_does_when_it_is_forwarded() -> None:
    memory = Host().memory
    client, own = NotificationBuffer(memory, SMALL, "a uthread"), NotificationBuffer(memory, SMALL, "the IOKernel")
    own.forward(client, client.post(0x1234540, 192, framed=True))
    for buffer in (client, own):
        words = slot_words(buffer, buffer.tx_address, 0, memory.words, memory.base)
        assert words == [1, 0x1234540, 192 | 1 << 32, 0, 0, 0, 0, 0]


def test_who_delivers_can_mark_a_notification() -> None:
    buffer = make()
    buffer.deliver(pipe=1, tail=2, row=3)
    buffer.deliver(pipe=1, tail=4)
    slots = [buffer.take_notification(), buffer.take_notification()]
    assert [(buffer.tail_of(slot), buffer.row_of(slot)) for slot in slots] == [(2, 3), (4, 0)]


def test_one_slot_of_the_tx_ring_stays_empty() -> None:
    buffer = make()
    assert buffer.tx_room() == 15
    for _ in range(15):
        buffer.post(0x1000, 64)
    assert buffer.tx_room() == 0


def test_completions_are_taken_in_order_only() -> None:
    buffer = make()
    slots = [buffer.post(0x1000, 64) for _ in range(3)]
    buffer.complete(slots[1])
    assert not buffer.has_completion()
    buffer.complete(slots[0])
    assert buffer.has_completion()
    assert [buffer.take_completion(), buffer.take_completion()] == slots[:2]
    assert not buffer.has_completion()
    buffer.complete(slots[2])
    assert buffer.take_completion() == slots[2]
    assert not buffer.has_completion(), "an empty ring has none, whatever its slots hold"
    assert buffer.errors == 0


def test_parts_of_one_send_are_told_apart_from_its_end() -> None:
    buffer = make()
    first, second = buffer.post(0x1000, 64, continues=True), buffer.post(0x2000, 64)
    assert (buffer.ends_send(first), buffer.ends_send(second)) == (False, True)


def test_errors_of_the_nic_are_counted() -> None:
    memory = Host().memory
    buffer = NotificationBuffer(memory, SMALL, "a test")
    slot = buffer.post(0x1000, 64)
    memory.words[(buffer.tx_address - memory.base) // 8 + 8 * slot + 3] = 2
    buffer.complete(slot)
    buffer.take_completion()
    assert buffer.errors == 1


def test_a_request_is_forwarded_whole_from_one_ring_to_another() -> None:
    memory = Host().memory
    client, own = NotificationBuffer(memory, SMALL, "a uthread"), NotificationBuffer(memory, SMALL, "the IOKernel")
    own.post(0x3000, 64)
    client.post(0x1000, 128)
    client.post(0x2000, 256, CONFIG_REQUEST)
    assert [own.forward(client, 0), own.forward(client, 1)] == [1, 2]
    assert slot_words(own, own.tx_address, 1, memory.words, memory.base)[:3] == [TX_REQUEST, 0x1000, 128]
    assert slot_words(own, own.tx_address, 2, memory.words, memory.base)[:3] == [CONFIG_REQUEST, 0x2000, 256]
