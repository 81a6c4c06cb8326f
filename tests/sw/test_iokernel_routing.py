"""Which kthread gets a uthread's softIRQs."""

from hermes.iokernel.routing import LastDelivery
from hermes.runtime.runtime import Runtime
from hermes.runtime.softirq import NotificationHandler
from tests.tools.host import Host
from tests.tools.uthreads import Named


class Nobody:
    def queue_changed(self, queue: int) -> None:
        """No softIRQ is pushed here."""


def test_first_round_robin_then_always_the_same() -> None:
    host = Host(cores=3)
    uthreads = [Named(i, host) for i in range(5)]
    handler = NotificationHandler(host.machine, uthreads)
    route = LastDelivery(Runtime(host.machine, host.machine.cores[1:], uthreads, handler, Nobody(), 0))
    assert [route.kthread(uthread) for uthread in (4, 2, 0, 1, 3)] == [0, 1, 2, 0, 1]
    assert [route.kthread(uthread) for uthread in (3, 1, 0, 2, 4, 4)] == [1, 0, 2, 1, 0, 0]
