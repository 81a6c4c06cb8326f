"""Queues: first in, first out, bounded, and both ends are told what they wait for."""

import pytest

from hermes.queues import CAPACITY, SpscQueue
from hermes.world import QUEUE_POP, QUEUE_PUSH
from tests.tools.host import Host


class End:
    def __init__(self) -> None:
        self.told: list[int] = []

    def queue_changed(self, queue: int) -> None:
        self.told.append(queue)


def test_items_come_out_in_order_and_each_is_an_effect() -> None:
    host = Host()
    queue = SpscQueue(host.machine, 7, End())
    queue.push((0, 1, 2, 3, 9))
    queue.push((4, 5, 6, 7, 9))
    assert (len(queue), queue[0], queue[1]) == (2, (0, 1, 2, 3, 9), (4, 5, 6, 7, 9))
    assert [queue.pop(), queue.pop()] == [(0, 1, 2, 3, 9), (4, 5, 6, 7, 9)]
    assert [effect[1:3] for effect in host.effects] == [
        (QUEUE_PUSH, 7),
        (QUEUE_PUSH, 7),
        (QUEUE_POP, 7),
        (QUEUE_POP, 7),
    ]
    assert host.effects[1][3] == host.effects[3][3] != host.effects[0][3]


def test_it_counts_what_came_and_went() -> None:
    queue = SpscQueue(Host().machine, 3)
    for _ in range(5):
        queue.push((0, 0, 0, 0, 0))
    for _ in range(2):
        queue.pop()
    assert (queue.pushed, queue.popped, len(queue)) == (5, 2, 3)


def test_who_never_waits_need_not_be_told() -> None:
    queue = SpscQueue(Host().machine, 3)
    queue.capacity = 1
    queue.push((0, 0, 0, 0, 0))
    assert queue.is_full()
    queue.pop()
    assert not queue.is_full()


def test_the_consumer_is_told_of_each_item() -> None:
    consumer = End()
    queue = SpscQueue(Host().machine, 3, consumer)
    queue.push((0, 0, 0, 0, 0))
    queue.push((0, 0, 0, 0, 0))
    assert consumer.told == [3, 3]


@pytest.mark.parametrize("room", [1, 2, 3])
def test_whoever_waits_for_room_is_told_of_the_item_that_makes_it(room: int) -> None:
    producer = End()
    queue = SpscQueue(Host().machine, 3, End())
    queue.producer = producer
    for _ in range(CAPACITY - room + 1):
        assert len(queue) + room <= queue.capacity
        queue.push((0, 0, 0, 0, 0))
    assert queue.is_full() == (room == 1)
    queue.await_room(room)
    queue.pop()
    assert producer.told == [3]
    assert len(queue) + room <= queue.capacity


def test_who_does_not_wait_for_room_is_told_nothing() -> None:
    producer = End()
    queue = SpscQueue(Host().machine, 3, End(), producer)
    queue.capacity = 5
    for _ in range(2):
        queue.push((0, 0, 0, 0, 0))
    queue.pop()
    assert producer.told == []
