"""What `make bench` says about idle applications."""

import asyncio

import pytest

from cosim.bench.idle_applications import empty_iteration_ps
from cosim.simulation import Options, Simulation, memory_bytes
from hermes.systems import SYSTEMS
from tests.tools.reference_nic import ReferenceNic
from tests.tools.reference_run import RINGS


@pytest.mark.parametrize("cores", [1, 4])
@pytest.mark.parametrize("system", SYSTEMS)
def test_an_empty_iteration_is_the_iokernels_walk(system: str, cores: int) -> None:
    options = Options(system=system, cores=cores, rings=RINGS)
    simulation = Simulation(ReferenceNic(memory_bytes(options), RINGS), options)
    asyncio.run(simulation.prepare())
    assert simulation._machine.cores[0]._position.table.length == empty_iteration_ps(system, cores)
