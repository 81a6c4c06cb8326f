"""The registry of systems, and what a workload must be."""

import pytest

from hermes.apps.echo import Echo
from hermes.enso.control import FlowKey
from hermes.systems import SYSTEMS, Workload, build
from hermes.systems.indirect import Indirect
from tests.tools.host import SMALL, Host

WORKLOAD = Workload(application=Echo(), uthreads=2, rings=SMALL)


def test_a_system_is_found_by_name() -> None:
    assert isinstance(build("indirect", Host().machine, WORKLOAD), Indirect)


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"^system is 'direct'; accepted are indirect$"):
        build("direct", Host().machine, WORKLOAD)


def test_a_system_is_added_by_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Toy(Indirect):
        pass

    monkeypatch.setitem(SYSTEMS, "toy", Toy)
    assert isinstance(build("toy", Host().machine, WORKLOAD), Toy)


def test_a_workload_that_cannot_work_is_refused() -> None:
    with pytest.raises(ValueError, match="uthreads is 0; accepted are 1 and more"):
        Workload(application=Echo(), uthreads=0)
    with pytest.raises(ValueError, match=r"flow \(1, 0, 2, 0\) goes to uthread 8; accepted are 0 to 7"):
        Workload(application=Echo(), flows=[(FlowKey(1, 0, 2, 0), 8)])


def test_a_system_needs_a_core_beside_the_iokernels() -> None:
    with pytest.raises(ValueError, match="cores is 0; accepted are 1 and more beside the IOKernel's"):
        build("indirect", Host(cores=0).machine, WORKLOAD)
