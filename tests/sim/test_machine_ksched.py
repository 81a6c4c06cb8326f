"""Ksched: idle wake, pre-emption, park and switch, and the word by which the IOKernel learns who left."""

from dataclasses import replace

import pytest

from hermes.world import APPLICATION, IDLE, POLL, SWITCH, Core, Walk
from tests.tools.host import COSTS as C
from tests.tools.host import NS, Host, at

US = 1_000 * NS
IOKERNEL_ORDER = 1


class Program:
    """Computes for so long, then parks; interrupted, it does so 100 ns later."""

    def __init__(self, host: Host, duration: int = 1_000 * US) -> None:
        self.began: list[tuple[int, int]] = []  # (time, core): got it
        self.arrived: list[int] = []
        self.interrupts: list[int] = []
        self.parked: list[int] = []
        self._host = host
        self._duration = duration
        self._is_leaving = False

    def begin(self, core: Core) -> None:
        self.core = core
        self.began.append((self._host.engine.now, core.index))
        self._has_arrived = self._is_leaving = False

    def interrupt(self) -> bool:
        self.interrupts.append(self._host.engine.now)
        self.core.cut()
        self.core.spend(SWITCH, 100 * NS)
        self._is_leaving = True
        return True

    def step(self) -> bool:
        now, ksched = self._host.engine.now, self._host.machine.ksched
        if not self._has_arrived:
            self._has_arrived = True
            self.arrived.append(now)
            ksched.arrived(self.core.index)
        elif not self._is_leaving:
            self._is_leaving = True
        if self._is_leaving:
            self.parked.append(now)
            ksched.park(self.core.index)
            return False
        self.core.spend(APPLICATION, self._duration)
        return True

    def poll(self, source: int) -> bool:
        raise AssertionError("it never polls")

    def ready(self) -> int:
        raise AssertionError("it never polls")


def grant(host: Host, time: int, core: int, program: Program) -> None:
    at(host.engine, time, IOKERNEL_ORDER, lambda: host.machine.ksched.grant(core, program))


def word(host: Host, core: int) -> int:
    """What the IOKernel finds there, now."""
    return host.machine.ksched.left >> core & 1


def test_an_idle_core_wakes_and_its_program_steps_when_it_is_there() -> None:
    host = Host(cores=2)
    program = Program(host)
    grant(host, 5 * US, 2, program)
    host.run(10 * US)
    assert program.began == [(5 * US, 2)]
    assert program.arrived == [5 * US + C.ksched_idle_wake]
    times = host.machine.cores[2].times_at(host.time)
    assert (times[IDLE], times[SWITCH]) == (5 * US, C.ksched_idle_wake)
    assert host.machine.ksched.left == 0


def test_who_parks_leaves_an_idle_core_and_its_word_says_so_once() -> None:
    host = Host(cores=2)
    program = Program(host, 3 * US)
    grant(host, 0, 1, program)
    left = C.ksched_idle_wake + 3 * US
    host.run(left - 1)
    assert word(host, 1) == 0
    host.run(left + 5 * US)
    assert (word(host, 1), word(host, 2)) == (1, 0)
    assert host.machine.cores[1].times_at(host.time)[IDLE] == 5 * US
    assert [host.machine.ksched.take(1), host.machine.ksched.take(1)] == [1, 0]
    assert word(host, 1) == 0


def test_a_busy_core_is_interrupted_and_switches() -> None:
    """DESIGN 6, point 6: the victim works until the interrupt lands."""
    host = Host()
    victim, following = Program(host), Program(host)
    grant(host, 0, 1, victim)
    grant(host, 10 * US, 1, following)
    lands = 10 * US + C.ipi_flight
    left = lands + 100 * NS
    host.run(left + C.park_switch - 1)
    assert (victim.interrupts, victim.parked) == ([lands], [left])
    assert following.began == [(left, 1)]
    assert following.arrived == []
    assert word(host, 1) == 0, "an interrupted one counts once the next is there"
    times = host.machine.cores[1].times_at(host.time)
    assert times[APPLICATION] == lands - C.ksched_idle_wake
    assert times[SWITCH] == C.ksched_idle_wake + 100 * NS + C.park_switch - 1
    host.run(left + C.park_switch)
    assert following.arrived == [left + C.park_switch]
    assert host.machine.ksched.take(1) == 1


@pytest.mark.parametrize("early", [1, 500 * NS])
def test_a_victim_that_leaves_first_switches_at_once_and_its_interrupt_finds_nothing_to_do(early: int) -> None:
    host = Host()
    victim, following = Program(host, 10 * US), Program(host)
    grant(host, 0, 1, victim)
    left = C.ksched_idle_wake + 10 * US
    grant(host, left - early, 1, following)
    host.run(left + 5 * US)
    assert (victim.interrupts, victim.parked) == ([], [left])
    assert following.arrived == [left + C.park_switch]
    assert following.interrupts == []
    assert host.machine.ksched.take(1) == 1


def test_who_left_before_the_iokernel_noticed_is_not_interrupted_but_the_core_wakes() -> None:
    host = Host()
    first, second = Program(host, 1 * US), Program(host)
    grant(host, 0, 1, first)
    left = C.ksched_idle_wake + 1 * US
    grant(host, left + 1, 1, second)  # it believes the first one to be there
    host.run(left + 10 * US)
    assert second.arrived == [left + 1 + C.ksched_idle_wake]
    assert first.interrupts == second.interrupts == []
    assert host.machine.ksched.take(1) == 1


def test_an_interrupt_that_is_late_does_not_hit_the_next_ones_victim_early() -> None:
    host = Host(costs=replace(C, ipi_flight=20 * US))
    programs = [Program(host, 10 * US), Program(host), Program(host)]
    grant(host, 0, 1, programs[0])
    left = C.ksched_idle_wake + 10 * US
    grant(host, left - 1, 1, programs[1])  # lands long after the switch
    grant(host, left + 10 * US, 1, programs[2])
    host.run(left + 25 * US)
    assert programs[1].interrupts == []
    host.run(left + 50 * US)
    assert programs[1].interrupts == [left + 10 * US + 20 * US]
    assert programs[2].arrived == [left + 30 * US + 100 * NS + C.park_switch]
    assert host.machine.ksched.take(1) == 2


def test_a_core_that_switches_cannot_be_granted_again() -> None:
    host = Host()
    grant(host, 0, 1, Program(host))
    grant(host, 10 * US, 1, Program(host))
    grant(host, 10 * US + 1, 1, Program(host))
    with pytest.raises(ValueError, match=r"^core 1 is granted twice at 10000001 ps; it switches already$"):
        host.run(20 * US)


def test_who_leaves_wakes_the_walk_that_watches_the_words() -> None:
    class Watcher:
        def __init__(self) -> None:
            self.seen: list[tuple[int, int]] = []

        def begin(self, core: Core) -> None:
            self.core = core
            core.walk(Walk((10, 10, 10), ((0, 1, 2),), POLL))

        def interrupt(self) -> bool:
            raise AssertionError

        def step(self) -> bool:
            return False

        def ready(self) -> int:
            return host.machine.ksched.left  # core c is source c

        def poll(self, source: int) -> bool:
            self.seen.append((host.engine.now, source))
            self.core.spend(POLL, 1_000)
            host.machine.ksched.take(source)
            return True

    host = Host(cores=2)
    watcher = Watcher()
    host.machine.start(watcher, 0)
    host.machine.ksched.watch(0, 1)
    for core, duration in [(1, 3 * US), (2, 5 * US + 7)]:
        grant(host, 0, core, Program(host, duration))
    host.run(20 * US)
    first = C.ksched_idle_wake + 3 * US
    assert watcher.seen[0] == (first + 10 + (-first) % 30, 1)
    assert [source for _, source in watcher.seen] == [1, 2]
