"""What is told of a kthread's switches: one message or two, when, with what, and how long it is waited for."""

from collections.abc import Callable

import pytest

from hermes.messages import BLOCKED, CREATE, FINISHED, PARKED, RUNNABLE, SWITCH, switched
from hermes.queues import Item
from hermes.runtime.script import Body, Compute, Park, Spawn, Yield
from hermes.runtime.softirq import ready_softirq
from hermes.runtime.switching import Silent
from hermes.switches import Switches
from hermes.world import ANSWER, CORE_LEFT, QUEUE_FULL, QUEUE_PUSH, UTHREAD_END, UTHREAD_START
from tests.tools.host import COSTS as C
from tests.tools.host import NS
from tests.tools.runtimes import ANSWERS, RuntimeHost

US = 1_000 * NS
OWN = 2 * C.poll_clean
NEW = 2 * C.line_dirty
MESSAGE = C.message_send + C.line_dirty
UNANSWERED = Switches(answer_wait=False, parking=False)


def messages(host: RuntimeHost, core: int = 1) -> list[Item]:
    queue = host.queue(core)
    return [queue[index] for index in range(len(queue))]


def answering(host: RuntimeHost, core: int = 1, after: int = 500 * NS) -> list[Item]:
    """Every message is answered so long after it was sent; the messages."""
    queue = host.queue(core)
    told: list[Item] = []

    class IOKernel:
        def queue_changed(self, number: int) -> None:
            told.append(queue[len(queue) - 1])
            host.at(host.engine.now + after, lambda: host.answer(core))

    queue.consumer = IOKernel()
    return told


def test_without_messages_nothing_is_told() -> None:
    host = RuntimeHost()
    host.push(0, *host.workers(2, 1 * US))
    host.run(host.grant(1, 0) + 10 * US)
    assert len(host.starts()) == 2
    assert host.told() == []
    assert (Silent().tells, Silent().cost, Silent().next) == (False, 0, None)


def test_from_one_uthread_to_the_next_of_the_own_runqueue_it_is_one_message() -> None:
    host = RuntimeHost(tells=True, switches=UNANSWERED)
    host.push(0, *host.workers(3, 1 * US))
    host.run(host.grant(1, 0) + 10 * US)
    assert host.told() == [(SWITCH, -1, 0), (SWITCH, 0, 1), (SWITCH, 1, 2), (SWITCH, 2, -1)]


@pytest.mark.parametrize("source", ["softirq", "steal", "own softirq"])
def test_without_one_in_the_own_runqueue_it_is_told_at_once_and_the_next_when_it_is_found(source: str) -> None:
    host = RuntimeHost(cores=1, kthreads=2, tells=True, switches=UNANSWERED)
    workers = host.workers(2, 1 * US)
    host.push(0, workers[0])
    if source == "steal":
        host.push(1, workers[1])
    else:
        host.kthreads[source == "softirq"].softirqs.push(ready_softirq(1, -1, 0))
    host.run(host.grant(1, 0) + 10 * US)
    assert host.told() == [(SWITCH, -1, 0), (SWITCH, 0, -1), (SWITCH, -1, 1), (SWITCH, 1, -1)]


def parks() -> Body:
    yield Park()


def yields() -> Body:
    yield Yield()
    yield Compute(50 * US)


def ends() -> Body:
    yield Compute(1 * US)


@pytest.mark.parametrize(("body", "state"), [(parks, BLOCKED), (yields, RUNNABLE), (ends, FINISHED)])
def test_a_message_says_what_became_of_the_previous_one(body: Callable[[], Body], state: int) -> None:
    host = RuntimeHost(tells=True, switches=UNANSWERED)
    host.push(0, host.script(body()), *host.workers(1, 1 * US))
    host.run(host.grant(1, 0) + 10 * US)
    left = next(message for message in messages(host) if message[1] == 0)
    assert left[3] == switched(state, 0, 0)


def test_a_message_brings_the_heads_of_who_was_left_and_the_time() -> None:
    host = RuntimeHost(tells=True, switches=UNANSWERED)
    (worker,) = host.workers(1, 1 * US)
    worker.heads = lambda: (5, 7)  # type: ignore[method-assign]
    worker.ended = PARKED
    host.push(0, worker, *host.workers(1, 1 * US))
    host.run(host.grant(1, 0) + 10 * US)
    pushes = [effect[0] for effect in host.effects if effect[1] == QUEUE_PUSH]
    assert messages(host)[1][3] == switched(BLOCKED, 5, 7)
    assert [message[4] for message in messages(host)] == pushes[: len(messages(host))]


# --- when -------------------------------------------------------------------------------------------------------------


def test_an_entry_is_told_in_the_switch_and_the_uthread_starts_with_its_answer() -> None:
    """DESIGN 6, point 1: the answer is seen by the next look of the kthread's spin."""
    for after in range(100 * NS, 120 * NS, 3 * NS):
        host = RuntimeHost(tells=True)
        answering(host, after=after)
        host.push(0, *host.workers(1, 1 * US))
        begin = host.grant(1, 0)
        told = begin + OWN + NEW + C.lock + C.line_dirty + MESSAGE + C.uthread_switch
        answered = told + after
        look = told + -(-after // C.poll_clean) * C.poll_clean
        start = look + C.poll_clean + C.line_dirty
        host.run(start)
        assert host.times(QUEUE_PUSH)[-2:] == [told, answered]
        assert host.times(UTHREAD_START) == [start]
        assert host.machine.cores[1].times_at(start)[ANSWER] == start - told
        assert len(host.answer_queue(1)) == 0


def test_a_uthread_that_was_left_for_none_is_told_before_the_search_begins() -> None:
    host = RuntimeHost(tells=True, switches=UNANSWERED)
    host.push(0, *host.workers(1, 1 * US))
    host.run(host.grant(1, 0) + 10 * US)
    (end,) = host.times(UTHREAD_END)
    assert messages(host)[1][:3] == (SWITCH, 0, -1)
    assert messages(host)[1][4] == end + C.scheduler_entry + MESSAGE


def test_without_waiting_the_uthread_starts_as_soon_as_it_is_told() -> None:
    host = RuntimeHost(tells=True, switches=UNANSWERED)
    host.push(0, *host.workers(1, 1 * US))
    host.run(host.grant(1, 0) + 3 * US)
    assert host.times(UTHREAD_START) == [messages(host)[0][4]]
    assert host.machine.cores[1].times_at(host.time)[ANSWER] == 0


def test_with_a_full_queue_it_waits_for_room_and_the_time_is_told_apart() -> None:
    """DESIGN 6, point 4: queue-full spin is a category of its own."""
    host = RuntimeHost(tells=True, switches=UNANSWERED)
    queue = host.queue(1)
    queue.capacity = 1
    queue.push((CREATE, 0, 0, 0, 0))
    host.push(0, *host.workers(1, 1 * US))
    begin = host.grant(1, 0)
    full = begin + OWN + NEW + C.lock + C.line_dirty + MESSAGE + C.uthread_switch
    room = full + 10 * US + 3
    host.at(room, queue.pop)
    look = full + -(-(room - full) // C.poll_clean) * C.poll_clean
    sent = look + C.poll_clean + C.line_dirty
    host.run(sent)
    assert host.times(UTHREAD_START) == [sent]
    assert host.machine.cores[1].times_at(sent)[QUEUE_FULL] == sent - full


def test_pre_emption_is_held_off_until_the_answer_is_there() -> None:
    host = RuntimeHost(tells=True)
    answering(host, after=20 * US)
    host.push(0, *host.workers(1, 1 * US))
    begin = host.grant(1, 0)
    host.preempt(1, begin + 1 * US)
    host.run(begin + 18 * US)
    assert host.times(CORE_LEFT) == []
    host.run(begin + 60 * US)
    assert len(host.times(CORE_LEFT)) == 1


def test_who_is_interrupted_tells_that_its_uthread_is_runnable_before_it_goes() -> None:
    """DESIGN 6, point 6: a pre-empted uthread is reported as runnable."""
    host = RuntimeHost(tells=True)
    taken = answering(host)
    host.push(0, *host.workers(2, 50 * US))
    begin = host.grant(1, 0)
    lands = host.preempt(1, begin + 10 * US)
    host.run(lands + 10 * US)
    assert [item[:4] for item in taken] == [
        (SWITCH, -1, 0, switched(PARKED, 0, 0)),
        (SWITCH, 0, -1, switched(RUNNABLE, 0, 0)),
    ]
    told = lands + C.clean_yield + MESSAGE
    assert taken[1][4] == told
    answered = told + 500 * NS
    look = told + -(-(answered - told) // C.poll_clean) * C.poll_clean
    assert host.times(CORE_LEFT) == [look + C.poll_clean + C.line_dirty]
    assert len(host.kthreads[0].runqueue) == 2


def test_who_comes_back_after_an_interruption_searches_on_when_it_has_told_what_it_left() -> None:
    host = RuntimeHost(tells=True)
    answering(host)
    host.push(0, *host.workers(1, 20 * US))
    begin = host.grant(1, 0)
    host.preempt(1, begin + 5 * US)
    host.at(begin + 40 * US, lambda: host.machine.ksched.grant(1, host.kthreads[0]))
    host.run(begin + 65 * US)
    assert len(host.times(UTHREAD_END)) == 2
    left = host.times(CORE_LEFT)
    assert host.runtime.parkings == len(left) - 1 == 1
    assert left[1] > host.times(UTHREAD_END)[1] + Switches().park_ps


def test_who_is_interrupted_in_a_search_has_told_everything_already() -> None:
    host = RuntimeHost(tells=True, switches=UNANSWERED)
    host.push(0, *host.workers(1, 1 * US))
    begin = host.grant(1, 0)
    host.preempt(1, begin + 10 * US)
    host.run(begin + 20 * US)
    assert host.told() == [(SWITCH, -1, 0), (SWITCH, 0, -1)]


# --- new uthreads -----------------------------------------------------------------------------------------------------


def test_new_uthreads_are_told_when_they_become_runnable() -> None:
    host = RuntimeHost(tells=True, switches=UNANSWERED)

    def main() -> Body:
        for worker in host.uthreads[1:]:
            yield Spawn(worker)

    host.script(main())
    host.workers(2, 1 * US)
    host.push(0, host.uthreads[0])
    host.run(host.grant(1, 0) + 20 * US)
    start = host.times(UTHREAD_START)[0]
    created = [message for message in messages(host) if message[0] == CREATE]
    each = C.uthread_switch + C.lock + MESSAGE
    assert created == [(CREATE, 1, 0, 0, start + each), (CREATE, 2, 0, 0, start + 2 * each)]


def test_answers_come_through_the_queue_of_the_core_that_the_kthread_has() -> None:
    host = RuntimeHost(cores=2, kthreads=1, tells=True)
    answering(host, core=2)
    host.push(0, *host.workers(1, 1 * US))
    host.run(host.grant(2, 0) + 10 * US)
    assert host.starts() == [(0, 2)]
    pushed = [effect[2] for effect in host.effects if effect[1] == QUEUE_PUSH]
    assert pushed == [2, ANSWERS + 2, 2, ANSWERS + 2]


@pytest.mark.parametrize("seed", range(3))
def test_waits_for_answers_by_arithmetic_and_look_by_look_are_the_same(seed: int) -> None:
    """DESIGN 6, point 1: the answer spin."""
    print(f"seed {seed}")
    outcomes = []
    for is_naive in (False, True):
        host = RuntimeHost(cores=2, tells=True, is_naive=is_naive)
        for core in (1, 2):
            answering(host, core, 333 * NS + seed * 1_237 * core)
        host.push(0, *host.workers(9, 700 * NS + seed))
        host.grant(1, 0)
        host.grant(2, 1, 100 * NS)
        host.preempt(1, 4 * US + seed * 100 * NS)
        host.run(20 * US)
        outcomes.append((host.effects, host.machine.times_at(host.time)))
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0][0]) > 60
