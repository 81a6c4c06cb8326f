"""verilog_text: small, readable, and nothing lost on the way."""

import re

import pytest
from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.config import FULL, TINY
from enso_nic.export import verilog_text
from enso_nic.packet_buffer import PacketBuffer


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


def test_contents_that_would_be_lost_are_refused() -> None:
    verilog_text(Table([0, 0]), "top")
    with pytest.raises(ValueError, match="memory table has initial contents"):
        verilog_text(Table([0, 1]), "top")


def test_the_same_component_gives_the_same_text() -> None:
    assert verilog_text(PacketBuffer(TINY), "buffer") == verilog_text(PacketBuffer(TINY), "buffer")
