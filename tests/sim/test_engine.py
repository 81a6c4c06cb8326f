"""The event kernel: order of time, ties, bounds, and host memory as of each event."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.engine import FIRST_CORE_ORDER, LAST_ORDER, NIC_ORDER, ORDER_BITS, Agent, Engine
from cosim.nic.base import NEVER
from tests.tools.host import SMALL
from tests.tools.reference_nic import ReferenceNic


class Reporter(Agent):
    """Says that it was time."""

    def __init__(self, report: Callable[[], None]) -> None:
        self.event = report  # type: ignore[method-assign]

    def event(self) -> None: ...


def key(core: int, time: int) -> int:
    """Of an event of a core."""
    return time << ORDER_BITS | FIRST_CORE_ORDER + core


def make() -> tuple[Engine, list[tuple[int, int, int]], int]:
    """An engine, the log (time, a, b) of its events, and their kind."""
    engine = Engine(ReferenceNic(1 << 16, SMALL))
    log: list[tuple[int, int, int]] = []
    return engine, log, engine.kind(lambda a, b: log.append((engine.now, a, b)))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=30))
def test_events_come_in_the_order_of_time_then_order(events: list[tuple[int, int]]) -> None:
    engine, log, kind = make()
    for time, order in events:
        engine.schedule(time, order, kind, order, 0)
    assert engine.run(100) == NEVER
    assert [(time, order) for time, order, _ in log] == sorted(events)


def test_all_up_to_safe_are_handled_and_the_next_time_is_told() -> None:
    engine, log, kind = make()
    for time in (5, 10, 11):
        engine.schedule(time, 1, kind, 0, 0)
    assert engine.next_time == 5
    assert engine.run(10) == engine.next_time == 11
    assert [entry[0] for entry in log] == [5, 10]
    assert engine.run(10) == 11
    assert engine.run(11) == NEVER
    assert engine.events == 3


def test_what_an_event_causes_at_its_own_time_is_handled_too() -> None:
    engine, log, kind = make()
    again = engine.kind(lambda a, b: engine.schedule(engine.now, LAST_ORDER, kind, a, b))
    engine.schedule(7, NIC_ORDER, again, 1, 2)
    engine.schedule(7, 3, kind, 3, 4)
    engine.run(7)
    assert log == [(7, 3, 4), (7, 1, 2)]


def test_a_core_has_one_event_and_setting_its_time_replaces_it() -> None:
    engine, log, _ = make()
    for core in range(2):
        engine.add_core(Reporter(lambda core=core: log.append((engine.now, core, engine.order))))  # type: ignore[misc]
    engine.core_events[1] = key(1, 9)
    engine.core_events[0] = key(0, 7)
    engine.core_events[1] = key(1, 5)
    assert engine.next_time == 5
    engine.schedule(6, 0, engine.kind(lambda a, b: None), 0, 0)
    assert engine.next_time == 5
    assert engine.run(5) == 6
    assert engine.run(100) == NEVER
    assert log == [(5, 1, FIRST_CORE_ORDER + 1), (7, 0, FIRST_CORE_ORDER)]


def test_at_equal_time_the_nic_comes_first_then_each_core_and_what_has_its_order() -> None:
    engine, log, kind = make()
    for core in range(2):
        engine.add_core(Reporter(lambda core=core: log.append((engine.now, core, -1))))  # type: ignore[misc]
    for core in range(2):
        engine.core_events[core] = key(core, 7)
    for order in (LAST_ORDER, FIRST_CORE_ORDER + 1, FIRST_CORE_ORDER, NIC_ORDER):
        engine.schedule(7, order, kind, order, 0)
    engine.run(7)
    expected = [(NIC_ORDER, 0), (0, -1), (FIRST_CORE_ORDER, 0), (1, -1), (FIRST_CORE_ORDER + 1, 0), (LAST_ORDER, 0)]
    assert log == [(7, *entry) for entry in expected]
    assert engine.events == 6


def test_a_cores_event_in_the_past_is_an_error() -> None:
    engine, _, kind = make()
    engine.add_core(Reporter(lambda: None))
    engine.schedule(7, 0, kind, 0, 0)
    engine.run(7)
    engine.core_events[0] = key(0, 6)
    with pytest.raises(ValueError, match=r"^event of core 0 at 6 ps lies before the present, 7 ps$"):
        engine.run(8)


def test_an_event_in_the_past_is_an_error() -> None:
    engine, _, kind = make()
    engine.schedule(7, 0, kind, 0, 0)
    engine.run(7)
    engine.schedule(6, 0, kind, 0, 0)
    with pytest.raises(ValueError, match="lies before the present, 7 ps"):
        engine.run(8)


def test_host_memory_is_what_it_is_at_the_time_of_each_event() -> None:
    nic = ReferenceNic(1 << 16, SMALL)
    engine = Engine(nic)
    seen: list[tuple[int, int]] = []
    kind = engine.kind(lambda a, b: seen.append((engine.now, nic.memory.words[0])))
    nic.write_host(nic.memory.base, bytes((1,)) + bytes(7))
    (visible,) = [nic.next_change]
    for time in (visible - 1, visible, visible + 1):
        engine.schedule(time, 1, kind, 0, 0)
    asyncio.run(nic.run(visible - 1))
    engine.run(visible + 1)
    assert seen == [(visible - 1, 0), (visible, 1), (visible + 1, 1)]
