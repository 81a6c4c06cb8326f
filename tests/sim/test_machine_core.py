"""A core: actions, polling by arithmetic and step by step, and every picosecond accounted for."""

from functools import partial

import pytest

from cosim.engine import Engine
from cosim.machine.cache import CacheLines
from cosim.machine.core import Core
from cosim.machine.effects import Effects
from cosim.machine.errors import AccountingError
from cosim.nic.base import NEVER
from hermes.world import APPLICATION, POLL, RX, SWITCH, Walk
from hermes.world import Core as AnyCore
from tests.tools.host import SMALL, at
from tests.tools.reference_nic import ReferenceNic
from tests.tools.software import Bare

WALK = Walk((10, 20, 30), ((0, 1, 2), (0, 2, 1)), POLL)
LAP = 60
WORK = 100


class Toy(Bare):
    """Polls three sources; each item there takes 100 ps. Of alarms it only notes the looks that it was called for."""

    def __init__(self) -> None:
        self.items = [0, 0, 0]
        self.found: list[tuple[int, int]] = []
        self.looks: list[tuple[int, int, int]] = []  # (time, source, laps) of those at sources with a due alarm
        self.due = [NEVER, NEVER, NEVER]  # when the alarm of each source is
        self.core: Core
        self.engine: Engine
        self.dishonest = 0  # bits of sources that it keeps quiet about
        self.begins_again = False  # the walk, at the end of each action

    def begin(self, core: AnyCore) -> None:
        core.walk(WALK)

    def step(self) -> bool:
        if self.begins_again:
            self.core.walk(WALK)
        return False

    def alarm(self, source: int, time: int, laps: int = 0) -> None:
        self.due[source] = time
        self.core.alarm(source, time, laps)

    def poll(self, source: int) -> bool:
        if not self.items[source]:
            if self.due[source] <= self.engine.now:
                self.looks.append((self.engine.now, source, self.core.laps))
            self.core.spend(POLL, WALK.costs[source])
            return False
        self.items[source] -= 1
        self.found.append((self.engine.now, source))
        self.core.spend(RX, WORK)
        return True

    def ready(self) -> int:
        return sum(1 << source for source in range(3) if self.items[source]) & ~self.dishonest


def make(*, is_naive: bool, start: int = 0) -> Toy:
    nic = ReferenceNic(1 << 16, SMALL)
    toy, engine = Toy(), Engine(nic)
    lines = CacheLines(60, 1)
    toy.engine, toy.core = engine, Core(0, engine, nic, Effects(engine), lines, is_naive=is_naive)
    toy.core.start(toy, start)
    return toy


def put(toy: Toy, time: int, order: int, source: int) -> None:
    """An item arrives."""

    def arrive() -> None:
        toy.items[source] += 1
        toy.core.wake(source)

    at(toy.engine, time, order, arrive)


@pytest.fixture(params=[False, True], ids=["arithmetic", "naive"])
def toy(request: pytest.FixtureRequest) -> Toy:
    return make(is_naive=request.param)


def test_a_source_is_seen_when_the_walk_gets_there(toy: Toy) -> None:
    put(toy, 5 * LAP * 2 + 11, 0, 1)  # in an even lap, the look at 1 began at + 10
    toy.engine.run(2_000)
    assert toy.found == [(5 * LAP * 2 + LAP + 40, 1)]


def test_the_walk_goes_on_behind_the_source_it_stopped_at(toy: Toy) -> None:
    put(toy, 1, 0, 1)
    put(toy, 1, 0, 2)
    put(toy, 1, 0, 0)
    toy.engine.run(2_000)
    assert toy.found == [(10, 1), (10 + WORK, 2), (10 + 2 * WORK, 0)]


def test_two_items_at_one_source_take_two_laps(toy: Toy) -> None:
    put(toy, 1, 0, 2)
    put(toy, 1, 0, 2)
    toy.engine.run(2_000)
    assert toy.found == [(30, 2), (30 + WORK + 10, 2)], "in the odd lap, source 2 comes second"


@pytest.mark.parametrize(("order", "seen"), [(0, 10), (1, LAP + 40), (2, LAP + 40)])
def test_at_the_very_time_of_a_look_the_lower_order_comes_first(toy: Toy, order: int, seen: int) -> None:
    put(toy, 10, order, 1)
    toy.engine.run(1_000)
    assert toy.found == [(seen, 1)]


def test_an_earlier_look_supersedes_a_later_one(toy: Toy) -> None:
    put(toy, 601, 0, 2)  # lap 10 began at 600
    put(toy, 602, 0, 1)
    toy.engine.run(2_000)
    assert toy.found == [(610, 1), (610 + WORK, 2)]


def test_time_adds_up_wherever_it_is_cut(toy: Toy) -> None:
    for time in (1, 95, 96, 700):
        put(toy, time, 0, time % 3)
    for end in range(0, 1_500, 7):
        toy.engine.run(end)
        times = toy.core.times_at(end)
        assert sum(times) == end
        assert times[APPLICATION] == 0
    assert times[RX] == 4 * WORK


def test_both_ways_cut_the_same() -> None:
    ways = [make(is_naive=False, start=17), make(is_naive=True, start=17)]
    for toy in ways:
        for i, time in enumerate((30, 95, 96, 97, 700, 705, 1_111)):
            put(toy, time, i % 3, i % 3)
    for end in range(20, 1_500):
        for toy in ways:
            toy.engine.run(end)
        assert ways[0].core.times_at(end) == ways[1].core.times_at(end), end
    assert ways[0].found == ways[1].found
    assert ways[0].engine.events < ways[1].engine.events


# --- alarms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "laps", "look"),
    [
        (605, 0, (610, 1, 10)),
        (610, 0, (610, 1, 10)),
        (611, 0, (11 * LAP + 40, 1, 11)),
        (0, 5, (5 * LAP + 40, 1, 5)),
        (605, 5, (610, 1, 10)),
        (5 * LAP + 41, 5, (6 * LAP + 10, 1, 6)),
    ],
)
@pytest.mark.parametrize("is_set", [0, 95, 100])
def test_an_alarm_makes_the_first_look_from_its_time_and_lap_on_worth_it(
    toy: Toy, time: int, laps: int, look: tuple[int, int, int], is_set: int
) -> None:
    at(toy.engine, is_set, 0, lambda: toy.alarm(1, time, laps))
    toy.engine.run(1_000)
    assert next(seen for seen in toy.looks if seen[0] >= time and seen[2] >= laps) == look


@pytest.mark.parametrize(("time", "laps"), [(605, 12), (12 * LAP, 0), (0, 12)])
def test_only_who_is_woken_looks_before_an_alarm_is_due(time: int, laps: int) -> None:
    toy = make(is_naive=False)
    polls: list[int] = []
    inner = toy.poll

    def poll(source: int) -> bool:
        polls.append(toy.engine.now)
        return inner(source)

    toy.poll = poll  # type: ignore[method-assign]
    at(toy.engine, 5, 0, partial(toy.alarm, 1, time, laps))
    at(toy.engine, 100, 0, partial(toy.core.wake, 1))  # for nothing
    at(toy.engine, 640, 0, partial(toy.core.wake, 1))  # after its time, before its lap
    toy.engine.run(12 * LAP + 10)
    assert (len(polls), polls[-1]) == (3, 12 * LAP + 10)
    assert toy.engine.events < 10


def test_an_alarm_replaces_the_last_one() -> None:
    toy = make(is_naive=False)
    at(toy.engine, 5, 0, lambda: toy.alarm(1, 100))
    at(toy.engine, 6, 0, lambda: toy.alarm(2, 200))
    at(toy.engine, 7, 0, lambda: toy.alarm(1, 600))
    toy.engine.run(620)
    assert toy.looks == [(610, 1, 10)]


@pytest.mark.parametrize("begins_again", [False, True])
def test_a_walk_that_begins_ends_all_alarms(begins_again: bool) -> None:
    toy = make(is_naive=False)
    toy.begins_again = begins_again
    at(toy.engine, 5, 0, lambda: toy.alarm(1, 700))
    put(toy, 400, 0, 0)
    toy.engine.run(1_000)
    assert bool(toy.looks) != begins_again


def test_alarms_by_arithmetic_and_look_by_look_are_the_same_whenever_they_are_set() -> None:
    """DESIGN 6, point 1: naive polling gives the same."""
    for moment in range(0, 2 * LAP + 1, 3):
        ways = [make(is_naive=False), make(is_naive=True)]
        for toy in ways:
            at(toy.engine, moment, moment % 3, partial(toy.alarm, 1, 300, 2))
            at(toy.engine, 600, 0, partial(toy.alarm, 2, 20, 9))
            put(toy, 433, 0, 0)
            toy.engine.run(1_000)
        for source, time, end, laps in [(1, 300, 600, 2), (2, 600, 1_000, 9)]:
            first, second = (
                [x for x in toy.looks if x[1] == source and x[2] >= laps and time <= x[0] < end] for toy in ways
            )
            assert first == second
            assert first
        assert ways[0].found == ways[1].found
        assert ways[0].core.times_at(1_000) == ways[1].core.times_at(1_000)


@pytest.mark.parametrize("is_naive", [False, True])
@pytest.mark.parametrize("moment", [1, 60, 95, 100, 101])
def test_a_search_is_cut_wherever_it_is(moment: int, is_naive: bool) -> None:
    toy = make(is_naive=is_naive)

    def interrupt() -> None:
        toy.core.cut()
        toy.core.spend(SWITCH, 7)
        toy.core.leave()

    at(toy.engine, moment, 9, interrupt)
    toy.engine.run(500)
    put(toy, 501, 0, 1)
    toy.engine.run(1_000)
    times = toy.core.times_at(500)
    assert (times[POLL], times[SWITCH], sum(times)) == (moment, 7, 500)
    assert toy.found == [], "nobody looks any more"


def test_looks_at_lines_that_others_wrote_cost_more_and_both_ways_the_same() -> None:
    """DESIGN 6, point 3: an empty look at an unchanged line is a hit; only a change of owner costs."""

    class Reader(Toy):
        walk: Walk
        lines: CacheLines

        def begin(self, core: AnyCore) -> None:
            core.walk(self.walk)

        def poll(self, source: int) -> bool:
            if self.items[source]:
                return super().poll(source)
            self.core.spend(POLL, WALK.costs[source] + self.lines.read(0, self.walk.lines[0] + source))
            return False

    ways = []
    for is_naive in (False, True):
        nic = ReferenceNic(1 << 16, SMALL)
        toy, engine = Reader(), Engine(nic)
        toy.lines = CacheLines(1_000, 2)
        toy.walk = Walk(WALK.costs, WALK.orders, POLL, (toy.lines.allocate_polled(3),))
        toy.engine, toy.core = engine, Core(0, engine, nic, Effects(engine), toy.lines, is_naive=is_naive)
        toy.core.start(toy, 0)

        def write(toy: Reader = toy) -> None:
            toy.lines.write(1, toy.walk.lines[0] + 1)
            toy.core.wake(1)

        at(engine, 5_000, 2, write)
        engine.run(20_000)
        ways.append(toy)
    for toy in ways:
        assert not toy.lines.copies[0].stale, "it read the line again"
        put(toy, 20_001, 0, 0)
        engine = toy.engine
        engine.run(21_000)
        dear = 4 * 1_000  # three looks at first, one at what was written
        assert (toy.found[0][0] - dear) % (2 * LAP) in (0, LAP)
    assert ways[0].found == ways[1].found
    assert ways[0].core.times_at(21_000) == ways[1].core.times_at(21_000)


class Waiter(Bare):
    """Waits for one thing, then works for 100 ps, and waits again."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.is_there = False
        self.steps: list[int] = []
        self.core: Core
        self.engine: Engine

    def begin(self, core: AnyCore) -> None:
        core.walk(self.walk)

    def step(self) -> bool:
        self.steps.append(self.engine.now)
        self.core.walk(self.walk)
        return False

    def ready(self) -> int:
        return int(self.is_there)

    def poll(self, source: int) -> bool:
        if self.is_there:
            self.is_there = False
            self.core.spend(RX, WORK)
            return True
        self.core.spend(POLL, 8)
        return False


def test_what_is_certain_to_be_found_needs_no_event_for_its_look_and_gives_the_same() -> None:
    ways = []
    for is_certain, is_naive in [(True, False), (False, False), (True, True)]:
        nic = ReferenceNic(1 << 16, SMALL)
        waiter, engine = Waiter(Walk((8,), ((0,),), POLL, is_certain=is_certain)), Engine(nic)
        waiter.engine = engine
        waiter.core = Core(0, engine, nic, Effects(engine), CacheLines(60, 1), is_naive=is_naive)
        waiter.core.start(waiter, 3)

        def come(waiter: Waiter = waiter) -> None:
            waiter.is_there = True
            waiter.core.wake(0)

        for time in (1_001, 2_222):
            at(engine, time, 0, come)
        times = []
        for end in range(3, 3_000, 5):
            engine.run(end)
            times.append(waiter.core.times_at(end))
        ways.append((waiter.steps, times, engine.events))
    assert ways[0][:2] == ways[1][:2] == ways[2][:2]
    first, second = 1_003, 1_003 + WORK + 1_120
    assert ways[0][0] == [3, first + WORK, second + WORK]
    assert ways[0][2] == ways[1][2] - 2


# --- what must not happen ---------------------------------------------------------------------------------------------


def test_software_that_keeps_quiet_about_a_source_is_caught() -> None:
    toy = make(is_naive=True)
    toy.dishonest = 2
    put(toy, 1, 0, 1)
    with pytest.raises(AccountingError, match="core 0: source 1 is not ready, but a look did not cost 20"):
        toy.engine.run(1_000)


def test_time_that_is_lost_is_caught() -> None:
    toy = make(is_naive=False)
    put(toy, 1, 0, 1)
    toy.engine.run(50)
    toy.core._times[RX] -= 1
    with pytest.raises(AccountingError, match="core 0: 50 ps passed, accounted for are 49 ps: rx 39, poll 10"):
        toy.core.times_at(50)


def test_time_that_passes_unspent_is_caught() -> None:
    toy = make(is_naive=False)
    put(toy, 1, 0, 1)
    toy.engine.run(50)
    toy.core.busy_until += 1
    with pytest.raises(AccountingError, match="core 0: 50 ps passed, accounted for are 49 ps: rx 39, poll 10"):
        toy.core.times_at(50)


def test_it_is_quiet_when_only_others_can_make_it_go_on(toy: Toy) -> None:
    toy.engine.run(100)
    assert toy.core.is_quiet
    put(toy, 101, 0, 1)
    toy.engine.run(102)
    assert not toy.core.is_quiet
    toy.engine.run(1_000)
    assert toy.core.is_quiet
