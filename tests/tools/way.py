"""The way of a packet through a host, as the effects that lie on it, each at its time."""

from collections.abc import Sequence

from hermes.world import NIC_WRITE
from tests.tools.host import COSTS as C
from tests.tools.host import NS, Host, udp_frame
from tests.tools.whole_host import WholeHost

Step = tuple[int, int, int, int]
"""Kind and subject of an effect, what leads up to it in picoseconds, and less than how much it may wait before that."""

MESSAGES, SOFTIRQS = 0, 4
"""Numbers of the queues of core 1, and of kthread 0, of a host with one core of each."""
ANSWERS = 2
OWN = 2 * C.poll_clean
MESSAGE = C.message_send + C.line_dirty
SWITCHED = C.scheduler_entry + OWN + C.lock + C.uthread_switch
TOLD = C.line_dirty + C.message_receive
"""To take a message."""
ROUTED = C.line_dma + C.notification_route
COMPLETED = C.line_dma + C.completion_route
PUSHED = C.softirq_push + C.line_dirty
FORWARDED = TOLD + C.tx_copy + C.line_dirty + C.mmio_issue
"""To take a message that a send of one request was posted."""
CALLED = OWN + C.softirq_call + C.lock + C.line_dirty
"""To find one softIRQ and call the handler."""
PACKET = C.line_dma + C.packet_parse + C.packet_send + C.line_dirty
"""To handle a packet, and post it in a slot that was another core's."""


def one_packet(system: str) -> tuple[WholeHost, int]:
    """A kthread that never parks, and has served nobody yet, gets a packet; the time before it comes."""
    host = WholeHost(system, parking=False)
    before = host.start()
    host.frames([udp_frame(0)], [before + 2_000 * NS])
    host.run(before + 12_000 * NS)
    return host, before


def follow(host: Host, before: int, steps: Sequence[Step]) -> list[int]:
    """Each step's effect is the next of its kind and subject, and comes when it must; the times.

    The first one begins it all, whenever it is.
    """
    effects = iter(host.effects)
    times: list[int] = []
    for number, (kind, subject, takes, waits) in enumerate(steps):
        time = next(time for time, of, about, _ in effects if (of, about) == (kind, subject) and time > before)
        if times:
            gap = time - times[-1]
            assert takes <= gap < takes + max(waits, 1), f"step {number}: {gap} ps for {takes} ps + {waits} ps"
        times.append(time)
    return times


def first(kind: int, subject: int) -> Step:
    """Where a way begins."""
    return kind, subject, 0, 0


ARRIVAL = first(NIC_WRITE, 0)
COMPLETION = first(NIC_WRITE, 1)
