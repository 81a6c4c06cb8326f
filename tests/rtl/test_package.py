"""write_package: what another project picks up keeps its names, lints, and is the same each time."""

import json
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from cosim.build import verilog
from cosim.toolchain import find_verilator
from enso_nic.config import FULL, TINY
from enso_nic.nic import Nic
from enso_nic.package import CONFIGS, CORE, WRAPPER, core_ports, wrapper_ports, wrapper_text, write_package

GOLDEN = Path(__file__).with_name("golden_ports.txt")


def declared(text: str, module: str) -> set[tuple[str, str]]:
    """Direction with width, and name, of the ports that Verilog of the core declares."""
    body = re.search(rf"^module {module}\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)
    assert body, f"no module {module}"
    found = re.findall(r"^  (input|output) (\[\d+:0\] )?(\S+) ?;", body[0], re.MULTILINE)
    return {(f"{direction} {width}".strip(), name) for direction, width, name in found}


def test_no_port_changes_its_name_direction_or_width() -> None:
    """A change here breaks whoever uses the core: it belongs into the changelog."""
    ports = [CORE, *map(str, core_ports()), "", WRAPPER, *map(str, wrapper_ports()), ""]
    assert GOLDEN.read_text() == "\n".join(ports)


@pytest.mark.parametrize("config", [FULL, TINY], ids=["full", "tiny"])
def test_the_core_has_these_ports_in_every_configuration(config: object) -> None:
    told = {
        (
            f"{'input' if port.is_input else 'output'} {f'[{port.width - 1}:0]' if port.width > 1 else ''}".strip(),
            port.name,
        )
        for port in core_ports()
    }
    assert declared(verilog(Nic, config).read_text(), CORE) == told


def test_core_and_wrapper_together_give_verilator_nothing_to_warn_of(tmp_path: Path) -> None:
    (tmp_path / f"{WRAPPER}.sv").write_text(wrapper_text())
    verilator = find_verilator()
    files = [str(verilog(Nic, FULL)), f"{WRAPPER}.sv"]
    command = [str(verilator.executable), "--lint-only", "--top-module", WRAPPER, *files]
    run = subprocess.run(
        command, cwd=tmp_path, env=verilator.environment(), capture_output=True, text=True, check=False, timeout=600
    )
    assert (run.returncode, [line for line in run.stderr.splitlines() if "Warning" in line]) == (0, [])


def test_each_bit_of_each_payload_has_one_place_in_the_wrapper() -> None:
    text = wrapper_text()
    for stream, size in re.findall(r"wire \[(\d+):0\] (\S+)__payload;", text):
        width = int(stream) + 1
        taken = [
            int(high) - int(low) + 1 for high, low in re.findall(rf"assign \S+ = {size}__payload\[(\d+):(\d+)\];", text)
        ]
        packed = re.search(rf"assign {size}__payload = {{(.*)}};", text)
        assert bool(taken) != bool(packed), size
        if taken:
            assert sum(taken) == width
    assert text.count("__payload(") == 6


@pytest.mark.long
def test_the_same_sources_give_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    here = write_package("tiny", tmp_path / "here")
    code = "import sys; from pathlib import Path; from enso_nic.package import write_package; "
    code += "write_package('tiny', Path(sys.argv[1]))"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "there")], env=environment, check=True, timeout=600)
    assert {path.name: path.read_bytes() for path in here} == {
        path.name: path.read_bytes() for path in (tmp_path / "there").iterdir()
    }


@pytest.mark.long
def test_the_identity_tells_what_was_written(tmp_path: Path) -> None:
    *files, manifest = write_package("tiny", tmp_path)
    told = json.loads(manifest.read_text())
    assert told["configuration"] == "tiny"
    assert told["sizes"]["pipes"] == CONFIGS["tiny"].pipes
    assert told["sha256"] == {path.name: sha256(path.read_bytes()).hexdigest() for path in files}
    assert (tmp_path / "enso_nic.f").read_text().split() == ["enso_nic.v", "enso_nic_axis.sv"]
    assert "create_clock -name clk -period 4.000" in (tmp_path / "enso_nic.xdc").read_text()
