"""Hermes Semi-Direct: the IOKernel writes the uthread's rings, and learns by message that it waits."""

from cosim.traffic.echo import expected_echo
from hermes.systems.semi_direct import SemiDirect
from hermes.world import QUEUE_POP, QUEUE_PUSH, UTHREAD_END, UTHREAD_START
from tests.tools.host import COSTS as C
from tests.tools.host import udp_frame
from tests.tools.way import (
    ARRIVAL,
    CALLED,
    COMPLETED,
    COMPLETION,
    FORWARDED,
    MESSAGE,
    MESSAGES,
    OWN,
    PACKET,
    PUSHED,
    ROUTED,
    SOFTIRQS,
    SWITCHED,
    TOLD,
    first,
    follow,
    one_packet,
)
from tests.tools.whole_host import lap

LAP = lap(1)
READ = 2 * C.line_dirty
"""The lines of a kthread's queues, which the last scan looked at."""


def test_the_way_of_one_packet_step_by_step() -> None:
    """DESIGN 6, points 1 and 2: every step waits for a look at most, and its effects land at its end."""
    host, before = one_packet("semi-direct")
    assert isinstance(host.system, SemiDirect)
    kthread = [
        ARRIVAL,
        (QUEUE_PUSH, SOFTIRQS, ROUTED + PUSHED, LAP),
        (QUEUE_POP, SOFTIRQS, CALLED + READ + C.softirq_item, OWN),
        (UTHREAD_START, 0, SWITCHED, 0),
        (QUEUE_PUSH, MESSAGES, 3 * C.poll_clean + C.line_dirty + MESSAGE, 0),  # the IOKernel wrote the slot
        (QUEUE_PUSH, MESSAGES, PACKET + MESSAGE, 0),
        (QUEUE_PUSH, MESSAGES, OWN + MESSAGE, 0),  # it waits
        (UTHREAD_END, 0, 0, 0),
    ]
    times = follow(host, before, kthread)
    follow(host, times[4] - 1, [first(QUEUE_PUSH, MESSAGES), (QUEUE_POP, MESSAGES, TOLD, LAP)])
    follow(host, times[5] - 1, [first(QUEUE_PUSH, MESSAGES), (QUEUE_POP, MESSAGES, FORWARDED, LAP)])
    assert host.system.messages()["park"] == 1 + 2, "once when it was made"
    assert [frame for _, frame in host.nic.sent] == [expected_echo(udp_frame(0))]


def test_its_completion_brings_it_back_to_reap() -> None:
    host, before = one_packet("semi-direct")
    kthread = [
        COMPLETION,
        (QUEUE_PUSH, SOFTIRQS, COMPLETED + PUSHED, LAP),
        (QUEUE_POP, SOFTIRQS, CALLED + C.softirq_item, OWN),
        (UTHREAD_START, 0, SWITCHED, 0),
        (QUEUE_PUSH, MESSAGES, OWN + C.completion_reap + C.line_dirty + C.mmio_issue + OWN + MESSAGE, 0),
        (UTHREAD_END, 0, 0, 0),
    ]
    follow(host, before, kthread)
    host.require_balance()
