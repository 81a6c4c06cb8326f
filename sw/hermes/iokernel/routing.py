"""Which kthread learns of a notification or a completion."""

from hermes.iokernel.clients import ACTIVE, Client
from hermes.iokernel.cores import Cores
from hermes.runtime.runtime import Runtime
from hermes.switches import Switches


class Routing:
    """By affinity: ``last_delivery``, ``message_source`` or ``round_robin`` (hermes.switches); only to active kthreads.

    Who is not active, or not known, is replaced by the next active one in turn, which is remembered. A runtime without
    active kthreads gets a core.
    """

    def __init__(self, cores: Cores, switches: Switches) -> None:
        self._cores = cores
        self._affinity = switches.affinity
        self._queues_are_kthreads = switches.message_queue == "kthread"
        self._kthread_of_queue: list[tuple[Runtime, int]] = []

    def name_queues(self, kthreads: list[tuple[Runtime, int]]) -> None:
        """Whose message queues those are, where each kthread has its own."""
        self._kthread_of_queue = kthreads

    def kthread(self, client: Client) -> int:
        """Index of the kthread for a softIRQ about a uthread."""
        record = client.record
        if not record.active:
            index = self._cores.for_delivery(record)
        else:
            index = client.last if self._affinity == "last_delivery" else -1
            if self._affinity == "message_source" and client.source >= 0:
                index = self._source(client)
            if index < 0 or record.states[index] != ACTIVE:
                index = record.next_in_turn()
        client.last = index
        return index

    def _source(self, client: Client) -> int:
        if not self._queues_are_kthreads:
            return self._cores.kthread_on(client.source + 1, client.record)
        runtime, index = self._kthread_of_queue[client.source]
        return index if runtime is client.record.runtime else -1
