"""What the IOKernel knows of a runtime and of a uthread."""

import pytest

from hermes.iokernel.clients import PARKED
from tests.tools.host import SMALL, Host
from tests.tools.idle_runtimes import client_of, idle_record


def test_at_first_all_kthreads_of_a_runtime_are_parked() -> None:
    record = idle_record(Host(), kthreads=3)
    assert record.states == [PARKED] * 3
    assert (record.active, record.parked, record.cores) == ([], [0, 1, 2], [0, 0, 0])
    assert (record.is_overloaded, record.granted, record.woken) == (False, 0, set())
    assert record.kthread(2) is record.runtime.kthreads[2]


@pytest.mark.parametrize(("active", "bursts"), [(0, False), (1, False), (2, True)])
def test_a_runtime_bursts_with_more_cores_than_are_guaranteed_to_it(active: int, bursts: bool) -> None:
    record = idle_record(Host(), kthreads=3, guaranteed=1)
    record.active = list(range(active))
    assert record.is_bursting == bursts


def test_active_kthreads_have_their_turn_one_after_the_other() -> None:
    record = idle_record(Host(), kthreads=5)
    record.active = [4, 0, 2]
    assert [record.next_in_turn() for _ in range(4)] == [4, 0, 2, 4]
    record.active.remove(0)
    assert [record.next_in_turn() for _ in range(2)] == [4, 2], "also when there are fewer"


def test_a_uthread_shares_its_notification_buffer() -> None:
    host = Host()
    client = client_of(host, idle_record(host), 3)
    assert client.uthread == 3
    assert client.mask == SMALL.notification_slots - 1
    assert client.tx_slots == client.rx_slots + SMALL.notification_slots
    assert (client.waiting, client.last, client.source) == (False, -1, -1)
    assert (client.rx_head, client.tx_head, client.tx_tail) == (0, 0, 0)
