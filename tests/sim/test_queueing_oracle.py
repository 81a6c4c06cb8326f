"""The whole simulator against queueing theory, with the reference NIC: see tests.tools.queueing_oracle."""

import pytest

from hermes.systems import SYSTEMS
from tests.tools.queueing_oracle import require_one_queue, require_queue_for_each

every_system = pytest.mark.parametrize("system", SYSTEMS)
every_kind = pytest.mark.parametrize("kind", ["constant", "exponential"])
usual = pytest.mark.parametrize(("cores", "load"), [(2, 0.5), (2, 0.8), (4, 0.5), (4, 0.8)])
extreme = pytest.mark.parametrize(("cores", "load"), [(1, 0.5), (1, 0.9), (4, 0.9), (8, 0.8)])


@every_system
@usual
@every_kind
def test_with_one_queue_each_request_waits_as_long_as_in_theory(
    system: str, cores: int, load: float, kind: str
) -> None:
    require_one_queue(cores, load, kind, count=300, seed=1, system=system)


@every_system
@usual
@every_kind
def test_with_a_queue_for_each_kthread_somebody_starts_whenever_somebody_does_in_theory(
    system: str, cores: int, load: float, kind: str
) -> None:
    require_queue_for_each(cores, load, kind, count=300, seed=2, system=system)


@pytest.mark.long
@every_system
@extreme
@every_kind
def test_theory_holds_for_long(system: str, cores: int, load: float, kind: str) -> None:
    require_one_queue(cores, load, kind, count=5000, seed=3, system=system)
    require_queue_for_each(cores, load, kind, count=5000, seed=4, system=system)
