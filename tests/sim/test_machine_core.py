"""A core: actions, polling by arithmetic and step by step, and every picosecond accounted for."""

import pytest

from cosim.engine import Engine
from cosim.machine.cache import CacheLines
from cosim.machine.core import Core
from cosim.machine.effects import Effects
from cosim.machine.errors import AccountingError
from hermes.enso.registers import RX_HEAD, pipe_register
from hermes.world import APPLICATION, POLL, RX, Walk
from tests.tools.host import SMALL
from tests.tools.reference_nic import ReferenceNic

WALK = Walk((10, 20, 30), ((0, 1, 2), (0, 2, 1)), POLL)
LAP = 60
WORK = 100


class Toy:
    """Polls three sources; each item there takes 100 ps."""

    def __init__(self) -> None:
        self.items = [0, 0, 0]
        self.found: list[tuple[int, int]] = []
        self.core: Core
        self.engine: Engine
        self.dishonest = 0  # bits of sources that it keeps quiet about

    def step(self) -> bool:
        return False

    def poll(self, source: int) -> bool:
        if not self.items[source]:
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
    toy.core.walk(WALK)
    toy.core.start(toy, start)
    return toy


def put(toy: Toy, time: int, order: int, source: int) -> None:
    """An item arrives; what has the lower order comes first at equal time."""

    def arrive(a: int, b: int) -> None:
        toy.items[source] += 1
        toy.core.wake(source)

    toy.engine.schedule(time, order, toy.engine.kind(arrive), 0, 0)


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


@pytest.mark.parametrize(("order", "seen"), [(0, 10), (2, LAP + 40)])
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
    toy.core.times[RX] -= 1
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
