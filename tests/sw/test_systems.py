"""The registry: systems by name, and a new one by its module and a line."""

from collections.abc import Mapping, Sequence

import pytest

from hermes.apps.echo import Echo
from hermes.systems import SYSTEMS, Balance, System, Workload, build
from hermes.systems.indirect import Indirect
from hermes.systems.priority import Priority
from hermes.systems.semi_direct import SemiDirect
from hermes.world import POLL, Control, Core, Message, Software, Walk, World
from tests.tools.host import SMALL, Host
from tests.tools.software import Bare

WORKLOAD = Workload(application=Echo, uthreads=2, rings=SMALL)


class Poller(Bare):
    """The toy's IOKernel: it polls, and nothing comes."""

    def begin(self, core: Core) -> None:
        core.walk(Walk((1_000,), ((0,),), POLL))


class Toy:
    """A system of its own: it has nothing of Hermes but the seam."""

    def __init__(self, world: World, workload: Workload) -> None:
        self.iokernel: Software = Poller()
        self.uthreads = workload.uthreads

    def set_up(self) -> Control[None]:
        yield from ()

    def control(self, message: Message) -> Control[int]:
        yield from ()
        return 0

    def start(self) -> None:
        """Nobody else runs."""

    def is_started(self) -> bool:
        return True

    def counts(self) -> Mapping[str, int]:
        return {}

    def messages(self) -> Mapping[str, int]:
        return {}

    def extra(self) -> Mapping[str, object]:
        return {}

    def waiting(self) -> Sequence[str]:
        return []

    def balances(self) -> Sequence[Balance]:
        return []


@pytest.mark.parametrize(
    ("name", "system"), [("indirect", Indirect), ("semi-direct", SemiDirect), ("priority", Priority)]
)
def test_a_system_is_found_by_name(name: str, system: type[System]) -> None:
    assert isinstance(build(name, Host().machine, WORKLOAD), system)


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"^system is 'direct'; accepted are indirect, semi-direct, priority$"):
        build("direct", Host().machine, WORKLOAD)


def test_a_system_is_added_by_its_module_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SYSTEMS, "toy", Toy)
    host = Host()
    system = build("toy", host.machine, WORKLOAD)
    assert isinstance(system, Toy)
    host.carry_out(system.set_up())
    host.machine.start(system.iokernel, 0)
    system.start()
    host.run(1_000_000)
    assert system.is_started()
    assert host.machine.times_at(1_000_000)[0][POLL] == 1_000_000
