"""The RTL as a simulator: cocotb keeps Python inside it, so a run is a child process of this one (cosim.nic.child)."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from amaranth.lib import wiring

from cosim.build import Model, cocotb_environment, cocotb_model, verilog
from cosim.nic.child import run_child
from enso_nic.config import FULL, NicConfig
from enso_nic.nic import Nic

WAVES = "waves.vcd"
_BRIDGE = Path(__file__).parents[1] / "pcie"
_NOTHING: Mapping[str, str] = MappingProxyType({})


def bridge_model(component: type[wiring.Component], *arguments: object, waves: bool = False) -> Model:
    """The simulator of ``component(*arguments)``, which has the NIC's ports, behind the bridge."""
    return cocotb_model(
        [verilog(component, *arguments), _BRIDGE / "bridge.sv"],
        top="bridge",
        public_ports=False,
        cpp=[_BRIDGE / "bridge.cpp"],
        headers=sorted(_BRIDGE.glob("*.hpp")),
        timing=True,
        trace=waves,
    )


def nic_model(config: NicConfig = FULL, *, waves: bool = False) -> Model:
    """The simulator of the NIC behind the bridge: built at the first call, which takes a minute or two."""
    return bridge_model(Nic, config, waves=waves)


def simulate(
    entry: str,
    task: Path,
    *,
    folder: Path,
    progress: Callable[[str], None],
    model: Model | None = None,
    environment: Mapping[str, str] = _NOTHING,
    silence_s: int = 600,
) -> None:
    """Await ``entry(top, task, say)`` inside the simulator of the RTL, which makes a Bridge of ``top``.

    Parameters and errors as those of ``run_child``, but for these.

    Parameters
    ----------
    folder
        The simulator also leaves ``results.xml`` in it, and ``waves.vcd`` of a traced model.
    model
        By default that of the full NIC without waves.
    environment
        Added to this process's, such as COCOTB_ENABLE_PROFILING=1, which leaves a profile in ``folder``.
    """
    model = model or nic_model()
    run_child(
        [str(model.executable), *(["--trace", "--trace-file", WAVES] if model.trace else [])],
        entry,
        task,
        folder=folder,
        progress=progress,
        environment={**cocotb_environment(model, "cosim.nic.rtl_child", folder), **environment},
        silence_s=silence_s,
    )
