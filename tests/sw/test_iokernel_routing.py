"""Which kthread gets a uthread's softIRQs."""

from typing import Literal

import pytest

from hermes.iokernel.clients import Client, Record
from hermes.iokernel.cores import Cores
from hermes.iokernel.routing import Routing
from hermes.switches import Switches
from tests.tools.host import Host
from tests.tools.idle_runtimes import client_of, idle_record


class Routes:
    """A runtime with cores 1, 2, ... for its kthreads 0, 1, ..."""

    def __init__(
        self,
        kthreads: int,
        affinity: Literal["last_delivery", "message_source", "round_robin"] = "last_delivery",
        message_queue: Literal["core", "kthread"] = "core",
        *,
        others: int = 0,
    ) -> None:
        self.host = Host(cores=kthreads + others)
        self.host.engine.now = 1
        switches = Switches(affinity=affinity, message_queue=message_queue)
        self.cores = Cores(self.host.machine, switches, 1)
        self.record = idle_record(self.host, kthreads=kthreads, guaranteed=kthreads)
        self.other = idle_record(self.host, 1, kthreads=1 + others, guaranteed=others)
        self.routing = Routing(self.cores, switches)
        self.spread(self.record, kthreads)

    def spread(self, record: Record, kthreads: int) -> None:
        for _ in range(kthreads):
            self.cores.congested(record)

    def client(self, uthread: int) -> Client:
        return client_of(self.host, self.record, uthread)


def test_first_each_in_turn_and_then_where_the_last_one_went() -> None:
    routes = Routes(3)
    clients = [routes.client(uthread) for uthread in range(5)]
    assert [routes.routing.kthread(clients[uthread]) for uthread in (4, 2, 0, 1, 3)] == [0, 1, 2, 0, 1]
    assert [routes.routing.kthread(clients[uthread]) for uthread in (3, 1, 0, 2, 4, 4)] == [1, 0, 2, 1, 0, 0]
    assert [client.last for client in clients] == [2, 0, 1, 1, 0]


def test_who_parked_is_replaced_by_the_next_in_turn_for_good() -> None:
    routes = Routes(3)
    client = routes.client(0)
    assert routes.routing.kthread(client) == 0
    routes.cores.left(1)
    assert routes.routing.kthread(client) == 2, "turn 1 of kthreads 1 and 2"
    routes.cores.congested(routes.record)
    assert routes.record.active == [1, 2, 0]
    assert routes.routing.kthread(client) == 2


def test_who_is_being_preempted_gets_none() -> None:
    routes = Routes(2)
    client = routes.client(0)
    assert routes.routing.kthread(client) == 0
    routes.record.runtime.guaranteed = 0
    routes.other.runtime.guaranteed = 1
    routes.cores.congested(routes.other)
    assert routes.record.active == [1]
    assert routes.routing.kthread(client) == 1


def test_without_an_active_kthread_the_runtime_gets_a_core_at_once() -> None:
    routes = Routes(2)
    client = routes.client(0)
    for core in (1, 2):
        routes.cores.left(core)
    routes.cores.decided.clear()
    assert routes.routing.kthread(client) == 1 == client.last
    assert [(core, index) for core, _, index, _ in routes.cores.decided] == [(2, 1)]


def test_in_turn_every_time() -> None:
    routes = Routes(3, "round_robin")
    client = routes.client(0)
    assert [routes.routing.kthread(client) for _ in range(4)] == [0, 1, 2, 0]


def test_by_message_source_to_who_runs_on_the_core_whose_queue_last_told_of_it() -> None:
    routes = Routes(3, "message_source", others=1)
    routes.spread(routes.other, 1)
    client = routes.client(0)
    assert routes.routing.kthread(client) == 0, "none has: in turn"
    client.source = 2
    assert [routes.routing.kthread(client) for _ in range(2)] == [2, 2]
    client.source = 3
    assert [routes.routing.kthread(client) for _ in range(2)] == [1, 2], "another runtime has core 4 now"


def test_by_message_source_to_the_kthread_itself_if_each_has_a_queue() -> None:
    routes = Routes(2, "message_source", "kthread")
    routes.routing.name_queues(
        [(routes.other.runtime, 0), (routes.record.runtime, 0), (routes.record.runtime, 1)],
    )
    client = routes.client(0)
    for source, kthread in ((2, 1), (1, 0)):
        client.source = source
        assert [routes.routing.kthread(client) for _ in range(2)] == [kthread] * 2
    client.source = 0
    assert [routes.routing.kthread(client) for _ in range(2)] == [0, 1], "in turn: of another runtime"


@pytest.mark.parametrize("affinity", ["last_delivery", "message_source", "round_robin"])
def test_it_is_always_an_active_one(affinity: Literal["last_delivery", "message_source", "round_robin"]) -> None:
    routes = Routes(3, affinity)
    clients = [routes.client(uthread) for uthread in range(4)]
    for turn in range(60):
        client = clients[turn * 7 % 4]
        client.source = turn * 5 % 3
        if turn % 4 == 0:
            routes.cores.left(1 + turn // 4 % 3)
        if turn % 4 == 2:
            routes.cores.congested(routes.record)
        assert routes.routing.kthread(client) in routes.record.active, turn
