"""Each mechanism of the design has a test that misses it when it is disabled."""

from tests.sw import test_mechanisms_iokernel, test_mechanisms_runtime, test_mechanisms_systems
from tests.tools.mechanisms import identifiers

DISABLED = {
    **test_mechanisms_iokernel.DISABLED,
    **test_mechanisms_runtime.DISABLED,
    **test_mechanisms_systems.DISABLED,
}


def test_there_is_one_for_each_of_m12_to_m39() -> None:
    assert set(identifiers(DISABLED)) == {f"M-{number}" for number in range(12, 40)}


def test_none_of_those_that_test_a_mechanism_was_left_out() -> None:
    modules = (test_mechanisms_iokernel, test_mechanisms_runtime, test_mechanisms_systems)
    tests = {name for module in modules for name in vars(module) if name.startswith("test_m")}
    allowed = {"test_m26_all_backends_bring_every_packet_back"}  # of which none is the mechanism
    assert tests - allowed == {check.__name__ for check in DISABLED}
