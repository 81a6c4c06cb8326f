"""What runs inside the simulator of the RTL: one cocotb test."""

import cocotb
from cocotb.handle import HierarchyObject

from cosim.nic.inside import carry_out


@cocotb.test()
async def run_entry(top: HierarchyObject) -> None:
    """Do what the parent asks for."""
    await carry_out(top)
