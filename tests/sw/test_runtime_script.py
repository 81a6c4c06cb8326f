"""Uthreads written as generators: spawn, yield, park and wake, join, sleep, mutex; what each does and takes."""

from collections.abc import Callable, Generator

import pytest

from hermes.messages import BLOCKED, FINISHED
from hermes.runtime.script import (
    Acquire,
    Compute,
    Join,
    Mutex,
    Park,
    Release,
    Request,
    Script,
    Sleep,
    Spawn,
    Wake,
    Yield,
    endless,
    spawn_all,
)
from hermes.switches import Switches
from hermes.world import APPLICATION, BATCH, ENDLESS, QUEUE_FULL, UTHREAD_END, UTHREAD_START
from tests.tools.host import COSTS as C
from tests.tools.host import NS
from tests.tools.runtimes import RuntimeHost

US = 1_000 * NS
NEXT = C.scheduler_entry + 2 * C.poll_clean + C.lock + C.uthread_switch
"""From the end of a uthread to the start of the next one of the runqueue."""


class Scene:
    """Scripts on one core or more, which note what they do: (name, time)."""

    def __init__(self, cores: int = 1, *, tells: bool = False, parks: bool = False) -> None:
        switches = Switches(answer_wait=False, parking=parks)
        self.host = RuntimeHost(cores, tells=tells, switches=switches)
        self.log: list[tuple[str, int]] = []

    def script(self, name: str, *requests: Request | Callable[[], Request], activity: int = APPLICATION) -> Script:
        """It carries these out, one after the other, and notes when each is done."""

        def body() -> Generator[Request, None, None]:
            for request in requests:
                yield request() if callable(request) else request
                self.log.append((name, self.host.engine.now))

        return self.host.script(body(), activity)

    def run(self, *scripts: Script, until: int = 200 * US) -> list[str]:
        """Scripts are runnable on kthread 0, the others search; the names in the log."""
        self.host.push(0, *scripts)
        for core in range(len(self.host.kthreads)):
            self.host.grant(core + 1, core)
        self.host.run(until)
        return [name for name, _ in self.log]


def test_requests_are_carried_out_in_order_each_with_its_time() -> None:
    scene = Scene()
    mutex = Mutex()
    worker = scene.script("worker")
    main = scene.script(
        "main", Compute(3 * US), Acquire(mutex), Compute(7), Release(mutex), Spawn(worker), Wake(worker)
    )
    scene.run(main)
    (start, *_), (end, *_) = scene.host.times(UTHREAD_START), scene.host.times(UTHREAD_END)
    took = [3 * US, C.lock, 7, C.lock, C.uthread_switch + C.lock, C.lock]
    assert [time - start for _, time in scene.log] == [sum(took[: count + 1]) for count in range(6)]
    assert end == start + sum(took)
    assert main.ended == FINISHED


def test_a_spawned_uthread_is_runnable_at_once_on_its_makers_kthread() -> None:
    scene = Scene()
    worker = scene.script("worker", Compute(1))
    main = scene.script("main", Spawn(worker), Compute(2 * US), Compute(1))
    assert scene.run(main) == ["main", "main", "main", "worker"]
    assert worker.since == scene.log[0][1]
    assert scene.host.times(UTHREAD_START)[1] == scene.log[2][1] + NEXT


def test_who_yields_goes_behind_the_others() -> None:
    scene = Scene()
    first = scene.script("first", Compute(1), Yield(), Compute(1))
    others = [scene.script(name, Compute(1)) for name in ("second", "third")]
    assert scene.run(first, *others) == ["first", "second", "third", "first", "first"]
    assert first.ended == FINISHED


def test_who_parks_waits_until_it_is_woken() -> None:
    scene = Scene()
    sleeper = scene.script("sleeper", Compute(1), Park(), Compute(1))
    waker = scene.script("waker", Compute(20 * US), Wake(sleeper), Compute(20 * US))
    assert scene.run(sleeper, waker, until=15 * US) == ["sleeper"]
    assert sleeper.ended == BLOCKED
    scene.host.run(200 * US)
    assert [name for name, _ in scene.log] == ["sleeper", "waker", "waker", "waker", "sleeper", "sleeper"]


def test_who_was_woken_before_it_parks_does_not_wait_but_once() -> None:
    scene = Scene()
    sleeper = scene.script("sleeper", Park(), Compute(1), Park(), Compute(1))
    waker = scene.script("waker", Wake(sleeper), Wake(sleeper))
    assert scene.run(waker, sleeper) == ["waker", "waker", "sleeper", "sleeper"]
    assert sleeper.ended == BLOCKED
    assert len(scene.host.times(UTHREAD_START)) == 2


def test_a_wake_of_who_waits_for_something_else_does_not_end_that() -> None:
    scene = Scene()
    sleeper = scene.script("sleeper", Sleep(50 * US), Park(), Compute(1))
    waker = scene.script("waker", Compute(1 * US), Wake(sleeper))
    scene.run(sleeper, waker, until=40 * US)
    assert len(scene.host.times(UTHREAD_START)) == 2
    scene.host.run(80 * US)
    assert sleeper.has_ended, "it was awake when it came to its Park"


@pytest.mark.parametrize("ends_first", [False, True])
def test_a_join_waits_for_the_end_if_it_is_still_to_come(ends_first: bool) -> None:
    scene = Scene()
    worker = scene.script("worker", Compute(10 * US))
    joiners = [scene.script(f"joiner {number}", Join(worker)) for number in range(2)]
    scene.run(*([worker, *joiners] if ends_first else [*joiners, worker]), until=8 * US)
    if not ends_first:
        assert [joiner.waits_for() for joiner in joiners] == ["the end of uthread 0"] * 2
    scene.host.run(100 * US)
    assert [name for name, _ in scene.log] == ["worker", "joiner 0", "joiner 1"]
    assert len(scene.host.times(UTHREAD_START)) == (3 if ends_first else 5)


def test_who_sleeps_wakes_when_its_time_has_come_or_some_later() -> None:
    scene = Scene()
    sleeper = scene.script("sleeper", Sleep(30 * US))
    worker = scene.script("worker", Compute(50 * US), Compute(1 * US))
    scene.run(sleeper, worker)
    slept = scene.host.times(UTHREAD_START)[0] + C.lock
    assert [name for name, _ in scene.log] == ["worker", "worker", "sleeper"], "the worker was not interrupted"
    assert scene.log[2][1] > slept + 30 * US
    alone = Scene()
    alone.run(alone.script("sleeper", Sleep(30 * US)))
    slept = alone.host.times(UTHREAD_START)[0] + C.lock
    assert slept + 30 * US <= alone.log[0][1] < slept + 30 * US + 500 * NS


# --- mutex ------------------------------------------------------------------------------------------------------------


def test_a_mutex_is_held_by_one_and_then_by_the_next_in_line() -> None:
    scene, mutex = Scene(), Mutex()
    scripts = [scene.script(name, Acquire(mutex), Compute(2 * US), Yield(), Release(mutex)) for name in ("a", "b", "c")]
    assert scene.run(*scripts) == [*"aaaabbbbcccc"], "b and c asked while a had yielded"
    assert len(scene.host.times(UTHREAD_START)) == 2 * 3 + 2
    assert mutex.holder is None
    assert all(script.has_ended for script in scripts)


def test_who_finds_a_mutex_taken_pays_for_it_and_gives_its_core_up() -> None:
    scene, mutex = Scene(), Mutex()
    holder = scene.script("holder", Acquire(mutex), Yield(), Compute(1 * US), Release(mutex))
    other = scene.script("other", Acquire(mutex))
    scene.run(holder, other, until=2 * US)
    assert mutex.holder is holder
    assert other.waits_for() == "a mutex"
    start, end = scene.host.times(UTHREAD_START)[1], scene.host.times(UTHREAD_END)[1]
    assert end - start == C.lock_contended
    scene.host.run(20 * US)
    assert (mutex.holder, other.waits_for()) == (other, "")


def test_releasing_what_is_not_held_is_an_error() -> None:
    scene = Scene()
    with pytest.raises(ValueError, match=r"^uthread 0 releases a mutex that it does not hold$"):
        scene.run(scene.script("thief", Release(Mutex())))


# --- computing --------------------------------------------------------------------------------------------------------


def test_a_computation_that_is_cut_goes_on_with_what_was_left_as_often_as_it_is() -> None:
    """DESIGN 6, point 6: a pre-empted uthread is runnable again."""
    scene = Scene()
    host, worker = scene.host, scene.script("worker", Compute(40 * US), Compute(1))
    host.push(0, worker)
    host.grant(1, 0)
    for time in (10 * US, 40 * US):
        host.preempt(1, time)
        host.at(time + 15 * US, lambda: host.machine.ksched.grant(1, host.kthreads[0]))
    host.run(150 * US)
    starts, ends = host.times(UTHREAD_START), host.times(UTHREAD_END)
    assert len(starts) == 3
    # until it is cut it computes; between the interrupt and its end lies the clean yield
    computed = [end - start for start, end in zip(starts, ends, strict=True)]
    assert sum(computed) - 2 * C.clean_yield == 40 * US + 1
    assert worker.has_ended


def test_only_a_computation_can_be_cut() -> None:
    scene, mutex = Scene(), Mutex()
    seen: list[bool] = []
    worker = scene.script("worker", Compute(5 * US), Acquire(mutex), Compute(5 * US))
    start = C.ksched_idle_wake + 3 * C.line_dirty + NEXT - C.scheduler_entry
    for time in (start + 1 * US, start + 5 * US + C.lock // 2, start + 5 * US + C.lock + 1 * US):
        scene.host.at(time, lambda: seen.append(worker.is_computing))
    scene.run(worker)
    assert seen == [True, False, True]


@pytest.mark.parametrize("activity", [APPLICATION, BATCH])
def test_computing_counts_as_what_it_is_said_to(activity: int) -> None:
    scene = Scene()
    scene.run(scene.script("worker", Compute(5 * US), Park(), activity=activity))
    assert scene.host.machine.cores[1].times_at(scene.host.time)[activity] == 5 * US


def test_batch_uthreads_compute_without_an_end_one_action_after_the_other() -> None:
    body = endless()
    assert [next(body) for _ in range(3)] == [Compute(ENDLESS)] * 3


# --- creating ---------------------------------------------------------------------------------------------------------


def test_a_main_uthread_spawns_all_others_and_ends() -> None:
    scene = Scene()
    workers = [scene.script(str(number), Compute(1)) for number in range(3)]
    main = scene.host.script(spawn_all([*workers]))
    assert scene.run(main) == ["0", "1", "2"]
    assert main.has_ended


def test_a_spawn_that_must_be_told_waits_for_room() -> None:
    """DESIGN 6, point 4: queue-full spin is a category of its own."""
    scene = Scene(tells=True)
    host, worker = scene.host, scene.script("worker", Compute(1))
    main = scene.script("main", Spawn(worker))
    queue = host.queue(1)
    queue.capacity = 1  # the switch message takes it
    host.push(0, main)
    host.grant(1, 0)
    host.run(20 * US)
    assert host.runtime.runqueue_insertions == 1
    tried = host.times(UTHREAD_START)[0] + C.uthread_switch + C.lock + C.message_send + C.line_dirty
    room = 20 * US + 5
    host.at(room, queue.pop)
    look = tried + -(-(room - tried) // C.poll_clean) * C.poll_clean
    done = look + C.poll_clean + C.line_dirty
    host.run(done)
    assert scene.log == [("main", done)]
    assert worker.since == done
    assert host.machine.cores[1].times_at(done)[QUEUE_FULL] == done - tried
