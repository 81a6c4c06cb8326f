"""The synthesis report: what it counts, which path it finds, and when it complains."""

import json
from typing import Any

import pytest

from tests.synthesis.blocks import BLOCKS
from tests.synthesis.board import differences
from tests.synthesis.families import FAMILIES, XCUP
from tests.synthesis.netlist import Netlist, Path, read_netlist
from tests.synthesis.synthesise import BASELINE, GROWTH, MEASURED, SLACK, grown, main


def cell(kind: str, inputs: dict[str, list[Any]], outputs: dict[str, list[Any]]) -> dict[str, Any]:
    directions = {**dict.fromkeys(inputs, "input"), **dict.fromkeys(outputs, "output")}
    return {"type": kind, "port_directions": directions, "connections": {**inputs, **outputs}}


def lut(inputs: list[Any], output: int) -> dict[str, Any]:
    return cell("LUT4", {name: [bit] for name, bit in zip("ABCD", inputs, strict=False)}, {"Z": [output]})


def module(cells: dict[str, dict[str, Any]], outputs: list[int], names: dict[str, int]) -> dict[str, Any]:
    return {
        "cells": cells,
        "ports": {"o": {"direction": "output", "bits": outputs}},
        "netnames": {name: {"bits": [bit]} for name, bit in names.items()},
    }


def test_the_longest_path_is_counted_in_luts_from_register_to_register() -> None:
    netlist = read_netlist(
        module(
            {
                "q": cell("TRELLIS_FF", {"DI": [9]}, {"Q": [2]}),
                "a": lut([2, "0"], 3),
                "b": lut([3, 2], 4),
                "c": lut([4], 5),
                "r": cell("TRELLIS_FF", {"DI": [5]}, {"Q": [6]}),
                "d": lut([6], 7),
            },
            [7],
            {"q": 2, "end": 5, "o": 7},
        )
    )
    assert netlist == Netlist(4, 2, 0, Path(3, "q", "end"))


def test_a_multiplexer_belongs_to_its_luts_and_a_carry_chain_counts_once() -> None:
    chain = {
        "first": cell("CCU2C", {"A0": [2], "CIN": ["0"]}, {"COUT": [10], "S0": [11]}),
        "second": cell("CCU2C", {"A0": [2], "CIN": [10]}, {"COUT": [12], "S0": [13]}),
        "third": cell("CCU2C", {"A0": [2], "CIN": [12]}, {"S0": [14]}),
    }
    assert read_netlist(module(chain, [14], {"i": 2})).path.levels == 1
    mux = {"a": lut([2], 3), "b": lut([2], 4), "m": cell("PFUMX", {"ALUT": [3], "BLUT": [4]}, {"Z": [5]})}
    assert read_netlist(module(mux, [5], {"i": 2})).path.levels == 1


def test_a_path_ends_where_a_memory_is_written_and_goes_on_where_it_is_read() -> None:
    memory = {
        "address": lut([2], 3),
        "m": cell("TRELLIS_DPR16X4", {"RAD": [3], "DI": [5]}, {"DO": [4]}),
        "data": lut([2], 6),
        "more": lut([6], 5),
        "out": lut([4], 7),
    }
    assert read_netlist(module(memory, [7], {"i": 2})).path.levels == 3


def test_primitives_of_an_ultrascale_count_as_luts_memories_and_levels() -> None:
    cells = {
        "q": cell("FDRE", {"D": [9]}, {"Q": [2]}),
        "not": cell("INV", {"I": [2]}, {"O": [3]}),
        "a": cell("LUT6", {"I0": [3]}, {"O": [4]}),
        "first": cell("CARRY4", {"S": [4], "CI": ["0"]}, {"CO": [5]}),
        "second": cell("CARRY4", {"S": [3], "CI": [5]}, {"O": [6]}),
        "m": cell("RAM32M16", {"ADDRA": [6], "ADDRH": [8], "DIA": [7]}, {"DOA": [10]}),
        "b": cell("LUT2", {"I0": [2]}, {"O": [7]}),
        "c": cell("RAMB36E2", {"ADDR": [10]}, {"DOUT": [11]}),
    }
    netlist = read_netlist(module(cells, [11], {"q": 2, "address": 10}), XCUP)
    assert netlist == Netlist(2 + 8, 1, 2, Path(3, "q", "address"))


@pytest.mark.parametrize("what", MEASURED)
def test_a_block_that_grows_by_more_than_its_share_is_named(what: str) -> None:
    baseline = {"block": dict.fromkeys(MEASURED, 1000)}
    allowed = 1000 + round(1000 * GROWTH) + SLACK
    sizes = dict.fromkeys(MEASURED, 1000)
    assert grown("block", Netlist(**{**sizes, what: allowed}, path=Path(0, "", "")), baseline) == []
    (line,) = grown("block", Netlist(**{**sizes, what: allowed + 1}, path=Path(0, "", "")), baseline)
    assert line.startswith(f"block: {allowed + 1} {what}, +5.9%")


def test_a_whole_is_compared_with_the_sum_of_its_parts() -> None:
    part, path = {"a": 40, "b": 60}, Path(0, "", "")
    parts = {name: Netlist(size, 10 * size, 0, path) for name, size in part.items()}
    assert differences(Netlist(110, 900, 0, path), parts) == pytest.approx({"luts": 0.1, "ffs": -0.1, "brams": -1})


def test_a_block_without_a_baseline_is_named() -> None:
    (line,) = grown("new", Netlist(1, 1, 1, Path(0, "", "")), {})
    assert "--accept new" in line


@pytest.mark.parametrize("family", FAMILIES)
def test_each_block_has_a_baseline(family: str) -> None:
    assert set(json.loads(BASELINE.read_text())[family]) == set(BLOCKS)


@pytest.mark.long
def test_a_small_block_has_the_size_of_its_baseline() -> None:
    assert main(["output_gate"]) == 0
