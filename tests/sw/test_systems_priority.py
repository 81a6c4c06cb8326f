"""Hermes Priority: every switch is told and answered, and the IOKernel keeps a heap of who could run."""

import pytest

from cosim.traffic.echo import expected_echo
from hermes.messages import CREATE, FINISHED, RUNNABLE, SWITCH, switched
from hermes.runtime.timers import NEVER
from hermes.systems.priority import Priority
from hermes.world import QUEUE_POP, QUEUE_PUSH, UTHREAD_END, UTHREAD_START
from tests.tools.host import COSTS as C
from tests.tools.host import udp_frame
from tests.tools.way import (
    ANSWERS,
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
from tests.tools.whole_host import alone, lap

LAP = lap(1)
HEAP = 2 * C.heap_fix
ANSWERED = TOLD + C.answer_write + C.line_dirty
"""To take a message and answer it."""
SEEN = C.poll_clean + C.line_dirty
"""To find the answer."""


def test_the_way_of_one_packet_step_by_step() -> None:
    """DESIGN 6, points 1 and 2: every step waits for a look at most, and its effects land at its end."""
    host, before = one_packet("priority")
    assert isinstance(host.system, Priority)
    kthread = [
        ARRIVAL,
        (QUEUE_PUSH, SOFTIRQS, ROUTED + PUSHED + HEAP, LAP),  # it could run, from now on
        (QUEUE_POP, SOFTIRQS, CALLED + C.softirq_item, OWN),
        (QUEUE_PUSH, MESSAGES, SWITCHED + MESSAGE, 0),  # it is next
        (QUEUE_PUSH, ANSWERS, ANSWERED + HEAP, LAP),
        (UTHREAD_START, 0, SEEN, C.poll_clean),
        (QUEUE_PUSH, MESSAGES, 3 * C.poll_clean + C.line_dirty + MESSAGE, 0),
        (QUEUE_PUSH, MESSAGES, PACKET + MESSAGE, 0),
        (UTHREAD_END, 0, OWN, 0),
        (QUEUE_PUSH, MESSAGES, C.scheduler_entry + MESSAGE, 0),  # it waits
    ]
    times = follow(host, before, kthread)
    answer = [(QUEUE_PUSH, ANSWERS, ANSWERED, LAP), (QUEUE_POP, ANSWERS, SEEN, C.poll_clean)]
    sent = follow(host, times[7] - 1, [first(QUEUE_PUSH, MESSAGES), (QUEUE_POP, MESSAGES, FORWARDED, LAP)])[1]
    follow(host, sent - 1, [first(QUEUE_POP, MESSAGES), *answer])
    assert [frame for _, frame in host.nic.sent] == [expected_echo(udp_frame(0))]


@pytest.mark.parametrize("is_new", [False, True])
@pytest.mark.parametrize("entry_is_read_first", [False, True])
def test_a_thiefs_message_may_be_read_before_the_one_that_the_uthread_can_run(
    is_new: bool, entry_is_read_first: bool
) -> None:
    """Two cores' queues: who runs already is not noted as waiting for a core, in whichever order that is told."""
    host = alone(cores=2, uthreads=2, kthreads=2, system="priority")
    begin = host.begin()
    host.run(begin + 1_000_000)
    runnable = (CREATE, 0, 0, 0) if is_new else (SWITCH, 0, -1, switched(RUNNABLE, 0, 0))
    first, second = (0, 1) if entry_is_read_first else (1, 0)
    host.message(first, SWITCH, -1, 0, switched(FINISHED, 0, 0), time=begin + 200)
    host.message(second, *runnable, time=begin + 100)
    host.later(5_000_000)
    assert host.iokernel.detector.next_time() == NEVER
    host.message(second, *runnable, time=begin + 300)
    host.later(1_000_000)
    assert host.iokernel.detector.next_time() < NEVER, "since then it can run again"


def test_its_completion_brings_it_back_to_reap() -> None:
    host, before = one_packet("priority")
    kthread = [
        COMPLETION,
        (QUEUE_PUSH, SOFTIRQS, COMPLETED + PUSHED + HEAP, LAP),
        (QUEUE_POP, SOFTIRQS, CALLED + C.softirq_item, OWN),
        (QUEUE_PUSH, MESSAGES, SWITCHED + MESSAGE, 0),
        (QUEUE_PUSH, ANSWERS, ANSWERED + HEAP, LAP),
        (UTHREAD_START, 0, SEEN, C.poll_clean),
        (UTHREAD_END, 0, OWN + C.completion_reap + C.line_dirty + C.mmio_issue + OWN, 0),
        (QUEUE_PUSH, MESSAGES, C.scheduler_entry + MESSAGE, 0),
        (QUEUE_PUSH, ANSWERS, ANSWERED, LAP),
        (QUEUE_POP, ANSWERS, SEEN, C.poll_clean),
    ]
    follow(host, before, kthread)
    host.require_balance()
