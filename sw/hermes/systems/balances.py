"""What the queues and rings of a host must add up to, at any time between two actions."""

from collections.abc import Iterable, Sequence

from hermes.iokernel.iokernel import IOKernel
from hermes.queues import SpscQueue
from hermes.runtime.runtime import Runtime
from hermes.runtime.server import Server
from hermes.runtime.softirq import RX, TX_DONE
from hermes.systems.system import Balance


def balances(
    iokernel: IOKernel, runtimes: Sequence[Runtime], servers: Sequence[Server], queues: Iterable[SpscQueue]
) -> list[Balance]:
    """Of every queue; and of every uthread's notifications and requests, on their whole way."""
    result = [
        Balance(f"message or answer queue {queue.number}", queue.pushed, queue.popped, len(queue)) for queue in queues
    ]
    on_their_way: dict[tuple[int, int], int] = {}
    items = iokernel.overflow.items()
    for runtime in runtimes:
        for kthread in runtime.kthreads:
            who = f"of kthread {kthread.index} of runtime {runtime.number}"
            queue, runnable = kthread.softirqs, kthread.runqueue
            result.append(Balance(f"softIRQ queue {who}", queue.pushed, queue.popped, len(queue)))
            result.append(Balance(f"runqueue {who}", runnable.pushed, runnable.popped, runnable.count()))
            items += [queue[index] for index in range(len(queue))] + kthread.in_hand()
    for item in items:
        on_their_way[item[0], item[1]] = on_their_way.get((item[0], item[1]), 0) + 1

    for server in servers:
        client, buffer = iokernel.client_of_uthread[server.number], server.device.notifications
        who = f"of uthread {server.number}"
        coming, done = on_their_way.get((RX, server.number), 0), on_their_way.get((TX_DONE, server.number), 0)
        unread = (buffer.rx_tail - buffer.rx_head) & (buffer.slots - 1)
        outstanding = (buffer.tx_tail - buffer.tx_head) & (buffer.slots - 1)
        result.append(Balance(f"notifications {who}, up to its ring", client.notified, buffer.delivered, coming))
        result.append(Balance(f"notifications {who}, in its ring", buffer.delivered, buffer.taken, unread))
        result.append(Balance(f"requests {who}, in its ring", buffer.posted, buffer.reaped, outstanding))
        result.append(Balance(f"completions {who}, up to its ring", client.completed, buffer.completed, done))
    own = iokernel.device.notifications
    forwarded = sum(client.forwarded for client in iokernel.clients)
    waiting = (own.tx_tail - own.tx_head) & (own.slots - 1)
    result.append(Balance("requests that the NIC was given", forwarded, iokernel.completions, waiting))
    return result
