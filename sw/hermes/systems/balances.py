"""What the queues and rings of a host must add up to, at any time between two actions."""

from collections import Counter
from collections.abc import Iterable, Sequence

from hermes.iokernel.clients import Client
from hermes.iokernel.iokernel import IOKernel
from hermes.messages import FINISHED, PARK, PARKED, RX_HEAD, SWITCH, TX_TAIL
from hermes.queues import Item, SpscQueue
from hermes.runtime.runtime import Runtime
from hermes.runtime.server import Server
from hermes.runtime.softirq import READY, RX, TX_DONE
from hermes.runtime.uthread import Uthread
from hermes.systems.system import Balance


def balances(
    iokernel: IOKernel,
    runtimes: Sequence[Runtime],
    servers: Sequence[Server],
    answers: Iterable[SpscQueue],
    uthreads: Iterable[Uthread],
) -> list[Balance]:
    """Of every queue; of every uthread's notifications, requests and messages, on their whole way; and of uthreads.

    Parameters
    ----------
    uthreads
        That have been made, and that only packets, completions or interrupts make stop and go on.
    """
    result = [
        Balance(f"message or answer queue {queue.number}", queue.pushed, queue.popped, len(queue))
        for queue in (*iokernel.queues, *answers)
    ]
    softirqs = iokernel.overflow.items()
    for runtime in runtimes:
        for kthread in runtime.kthreads:
            who = f"of kthread {kthread.index} of runtime {runtime.number}"
            queue, runnable = kthread.softirqs, kthread.runqueue
            result.append(Balance(f"softIRQ queue {who}", queue.pushed, queue.popped, len(queue)))
            result.append(Balance(f"runqueue {who}", runnable.pushed, runnable.popped, len(runnable)))
            softirqs += queue.items() + kthread.in_hand()
    messages = [item for queue in iokernel.queues for item in queue.items()]
    sent = sum(backend.messages for backend in {server.device.backend for server in servers})
    for runtime in runtimes:
        sent += runtime.creations + sum(kthread.teller.messages for kthread in runtime.kthreads)
    pushed = sum(queue.pushed for queue in iokernel.queues)
    result.append(Balance("messages that runtimes sent, up to their queues", sent, pushed, 0))
    result += _of_iokernel(iokernel)
    result += _of_servers(iokernel, runtimes, servers, softirqs, messages)
    places = Counter(_where_uthreads_are(iokernel, runtimes, servers, softirqs, messages))
    for uthread in uthreads:
        has_ended = int(uthread.ended == FINISHED)
        result.append(Balance(f"uthread {uthread.number}", 1, has_ended, places[uthread.number]))
    return result


def _of_iokernel(iokernel: IOKernel) -> list[Balance]:
    own, clients = iokernel.device.notifications, iokernel.clients
    notifications, completions = iokernel.in_hand
    forwarded = sum(client.forwarded for client in clients)
    waiting = (own.tx_tail - own.tx_head) & (own.slots - 1)
    taken = sum(queue.popped for queue in iokernel.queues)
    return [
        Balance("messages that the IOKernel took", taken, sum(iokernel.mailbox.counts.values()), 0),
        Balance("requests that the NIC was given", forwarded, iokernel.completions, waiting),
        Balance(
            "notifications that the IOKernel took",
            iokernel.notifications,
            sum(client.notified for client in clients),
            notifications,
        ),
        Balance(
            "completions that the IOKernel took",
            iokernel.completions,
            sum(client.completed for client in clients),
            completions,
        ),
    ]


def _of_servers(
    iokernel: IOKernel,
    runtimes: Iterable[Runtime],
    servers: Iterable[Server],
    softirqs: Iterable[Item],
    messages: Iterable[Item],
) -> list[Balance]:
    result = []
    on_their_way = Counter((item[0], item[1]) for item in softirqs)
    told = {(item[0], item[1]) for item in messages}
    running = {kthread.running for runtime in runtimes for kthread in runtime.kthreads}
    for server in servers:
        client, buffer = iokernel.client_of_uthread[server.number], server.device.notifications
        who, mask = f"of uthread {server.number}", buffer.slots - 1
        coming, done = on_their_way[RX, server.number], on_their_way[TX_DONE, server.number]
        result.append(Balance(f"notifications {who}, up to its ring", client.notified, buffer.delivered, coming))
        unread = (buffer.rx_tail - buffer.rx_head) & mask
        result.append(Balance(f"notifications {who}, in its ring", buffer.delivered, buffer.taken, unread))
        outstanding = (buffer.tx_tail - buffer.tx_head) & mask
        result.append(Balance(f"requests {who}, in its ring", buffer.posted, buffer.reaped, outstanding))
        result.append(Balance(f"completions {who}, up to its ring", client.completed, buffer.completed, done))
        unreaped = buffer.complete_requests()
        result.append(Balance(f"completions {who}, in its ring", buffer.completed, buffer.reaped, unreaped))
        # what the IOKernel does not know yet is in a message, or about to be
        untaken, unsent = (buffer.rx_head - client.rx_head) & mask, (buffer.tx_tail - client.tx_tail) & mask
        may_tell = server in running
        is_coming = int(may_tell or (RX_HEAD, buffer.number) in told)
        known = buffer.taken - untaken
        result.append(Balance(f"notifications {who}, told to be taken", buffer.taken, known, untaken * is_coming))
        is_coming = int(may_tell or (TX_TAIL, buffer.number) in told)
        result.append(Balance(f"requests {who}, told", buffer.posted, client.forwarded, unsent * is_coming))
    return result


def _where_uthreads_are(
    iokernel: IOKernel,
    runtimes: Iterable[Runtime],
    servers: Iterable[Server],
    softirqs: Iterable[Item],
    messages: Iterable[Item],
) -> list[int]:
    """The number of each uthread, once for each place where it is."""
    clients: dict[int, Client] = iokernel.client_of_uthread
    places = [uthread.number for runtime in runtimes for kthread in runtime.kthreads for uthread in kthread.uthreads()]
    places += [server.number for server in servers if server.waiting]
    places += [client.uthread for client in iokernel.clients if client.waiting]
    places += [item[1] for item in softirqs if item[0] == READY]
    for kind, subject, _, other, _ in messages:
        if kind == PARK:
            places.append(iokernel.clients[subject].uthread)
        elif kind == SWITCH and subject in clients and other & 0xFF == PARKED:
            places.append(subject)
    return places
