"""What queues and rings must add up to, whenever it is asked, and that what is lost shows."""

import random
from collections.abc import Callable

import pytest

from hermes.systems import SYSTEMS, Balance
from tests.tools.host import NS, udp_frame
from tests.tools.whole_host import WholeHost

US = 1_000 * NS


def loaded(system: str, seed: int = 1) -> WholeHost:
    """Three uthreads on two cores, and 120 packets in about as many microseconds, from now on."""
    host, draw = WholeHost(system, cores=2, uthreads=3, service_ps=2 * US), random.Random(seed)
    begin = host.start()
    frames = [udp_frame(draw.randrange(3), draw.randrange(60, 300)) for _ in range(120)]
    host.frames(frames, sorted(begin + draw.randrange(120 * US) for _ in frames))
    return host


def broken(balances: list[Balance]) -> list[str]:
    return [balance.what for balance in balances if balance.came != balance.left + balance.there]


@pytest.mark.parametrize("system", SYSTEMS)
def test_they_hold_at_any_time_between_two_actions(system: str) -> None:
    print("seed 1")
    host = loaded(system)
    begin = host.time
    under_way = 0
    for moment in range(begin, begin + 300 * US, 777 * NS):
        host.run(moment)
        balances = list(host.system.balances())
        assert broken(balances) == []
        under_way += sum(balance.there for balance in balances)
    assert under_way > 100
    host.run(begin + 600 * US)
    left = [balance.what for balance in host.system.balances() if balance.there]
    assert left == ["uthread 0", "uthread 1", "uthread 2"], "where they wait"
    assert len(host.nic.sent) + host.nic.drops.get("pipe_full", 0) == 120


def test_there_is_one_of_each_queue_and_of_each_uthreads_rings_and_each_has_seen_something() -> None:
    host = loaded("priority")
    host.run(host.time + 600 * US)
    names = [balance.what for balance in host.system.balances()]
    assert len(set(names)) == len(names)
    idle = [balance.what for balance in host.system.balances() if not balance.came]
    assert idle == []


def lose_a_notification(host: WholeHost) -> None:
    host.iokernel.client_of_uthread[1].notified += 1


def lose_a_softirq(host: WholeHost) -> None:
    host.system.runtimes[0].kthreads[1].softirqs.pushed += 1


def lose_a_uthread(host: WholeHost) -> None:
    host.system.runtimes[0].kthreads[0].runqueue.pushed += 1


def lose_a_message(host: WholeHost) -> None:
    host.system.queues[1].popped -= 1


def lose_a_request(host: WholeHost) -> None:
    host.iokernel.clients[2].forwarded += 1


def reap_twice(host: WholeHost) -> None:
    host.system.servers[0].device.notifications.reaped += 1


@pytest.mark.parametrize(
    ("lose", "what"),
    [
        (lose_a_notification, "notifications of uthread 1, up to its ring"),
        (lose_a_softirq, "softIRQ queue of kthread 1 of runtime 0"),
        (lose_a_uthread, "runqueue of kthread 0 of runtime 0"),
        (lose_a_message, "message or answer queue 1"),
        (lose_a_request, "requests that the NIC was given"),
        (reap_twice, "requests of uthread 0, in its ring"),
    ],
)
def test_what_is_lost_or_done_twice_shows(lose: Callable[[WholeHost], None], what: str) -> None:
    host = loaded("indirect")
    host.run(host.time + 600 * US)
    assert broken(list(host.system.balances())) == []
    lose(host)
    assert what in broken(list(host.system.balances()))
