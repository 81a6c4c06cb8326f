"""A core's actions: one after the other, cut, given up; and what its time went to meanwhile."""

import pytest

from cosim.engine import Engine
from cosim.machine.cache import CacheLines
from cosim.machine.core import Core
from cosim.machine.effects import Effects
from hermes.enso.registers import RX_HEAD, pipe_register
from hermes.world import APPLICATION, BATCH, ENDLESS, IDLE, RX, SWITCH
from hermes.world import Core as AnyCore
from tests.tools.host import SMALL, at
from tests.tools.reference_nic import ReferenceNic


class Worker:
    """Takes one action after the other; an interrupt cuts the one under way, if it may, and 7 ps later it leaves."""

    def __init__(self, *actions: list[tuple[int, int]], can_be_cut: bool = True) -> None:
        self.actions = list(actions)
        self.can_be_cut = can_be_cut
        self.steps: list[int] = []
        self.left: list[int] = []
        self.is_leaving = False
        self.core: Core
        self.engine: Engine

    def begin(self, core: AnyCore) -> None:
        """Nothing to prepare."""

    def interrupt(self) -> bool:
        if self.can_be_cut:
            self.left.append(self.core.cut())
            self.core.spend(SWITCH, 7)
            self.is_leaving = True
        return self.can_be_cut

    def step(self) -> bool:
        self.steps.append(self.engine.now)
        if self.is_leaving or not self.actions:
            self.core.leave()
            return False
        for activity, duration in self.actions.pop(0):
            self.core.spend(activity, duration)
        return True

    def poll(self, source: int) -> bool:
        raise AssertionError("it never polls")

    def ready(self) -> int:
        raise AssertionError("it never polls")


def work(*actions: list[tuple[int, int]], can_be_cut: bool = True) -> Worker:
    """It gets an idle core at 300, and is there at 350."""
    nic = ReferenceNic(1 << 16, SMALL)
    worker, engine = Worker(*actions, can_be_cut=can_be_cut), Engine(nic)
    worker.engine, worker.core = engine, Core(0, engine, nic, Effects(engine), CacheLines(60, 1), is_naive=False)
    worker.core.start(None, 100)
    at(engine, 300, 0, lambda: worker.core.run(worker, SWITCH, 50))
    return worker


def split(core: Core, end: int) -> dict[int, int]:
    return {activity: time for activity, time in enumerate(core.times_at(end)) if time}


def test_a_core_without_software_idles_and_every_picosecond_is_some_activitys() -> None:
    """DESIGN 6, point 4: the time of a core adds up at any moment."""
    worker = work([(RX, 10), (APPLICATION, 40)], [(APPLICATION, 60)])
    for end in range(100, 600):
        worker.engine.run(end)
        assert sum(worker.core.times_at(end)) == end - 100
    assert worker.steps == [350, 400, 460]
    assert split(worker.core, 600) == {IDLE: 200 + 140, SWITCH: 50, RX: 10, APPLICATION: 100}


def test_idle_time_ends_when_the_core_is_run_again() -> None:
    worker = work([(APPLICATION, 50)])
    again = Worker([(BATCH, 30)])
    again.engine, again.core = worker.engine, worker.core
    at(worker.engine, 550, 0, lambda: worker.core.run(again, SWITCH, 20))
    worker.engine.run(1_000)
    assert (worker.steps, again.steps) == ([350, 400], [570, 600])
    assert split(worker.core, 1_000) == {IDLE: 200 + 150 + 400, SWITCH: 70, APPLICATION: 50, BATCH: 30}


@pytest.mark.parametrize(
    ("moment", "left", "times"),
    [
        (350, 150, {}),
        (355, 145, {RX: 5}),
        (360, 140, {RX: 10}),
        (401, 99, {RX: 10, APPLICATION: 41}),
        (499, 1, {RX: 10, APPLICATION: 139}),
    ],
)
def test_a_cut_action_gives_back_what_was_left_of_it(moment: int, left: int, times: dict[int, int]) -> None:
    worker = work([(RX, 10), (APPLICATION, 140)], [(APPLICATION, 60)])
    at(worker.engine, moment, 9, worker.core.interrupt)
    worker.engine.run(1_000)
    assert worker.left == [left]
    assert worker.steps == [350, moment + 7], "its end is no event any more"
    assert split(worker.core, 1_000) == {IDLE: 200 + 1_000 - moment - 7, SWITCH: 57, **times}


def test_an_interrupt_that_cuts_nothing_changes_nothing() -> None:
    worker = work([(APPLICATION, 100)], can_be_cut=False)
    at(worker.engine, 377, 9, worker.core.interrupt)
    worker.engine.run(500)
    assert worker.steps == [350, 450]


def test_an_endless_action_counts_as_far_as_it_has_come_and_ends_when_cut() -> None:
    worker = work([(BATCH, ENDLESS)])
    worker.engine.run(5_000)
    assert split(worker.core, 5_000) == {IDLE: 200, SWITCH: 50, BATCH: 4_650}
    assert worker.core.is_quiet, "only an interrupt can end it"
    at(worker.engine, 6_000, 9, worker.core.interrupt)
    worker.engine.run(7_000)
    assert worker.left == [ENDLESS - 5_650]
    assert split(worker.core, 7_000) == {IDLE: 200 + 993, SWITCH: 57, BATCH: 5_650}


def test_register_writes_reach_the_nic_and_are_effects() -> None:
    nic = ReferenceNic(1 << 16, SMALL)
    engine = Engine(nic)
    effects = Effects(engine)
    before = effects.hexdigest()
    core = Core(0, engine, nic, effects, CacheLines(60, 1), is_naive=False)
    engine.now = 77
    core.mmio_write(pipe_register(3, RX_HEAD), 5)
    nic.settle()
    assert nic.register(pipe_register(3, RX_HEAD)) == 5
    assert effects.last_time == 77
    assert effects.hexdigest() != before
