"""The hot modules compiled to machine code by mypyc, from the same sources: what they do is the same, but faster.

The simulator's process finds the packages, compiled, before those that this process runs. Nothing else does, so tests
and debuggers see Python.
"""

import ast
import compileall
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from cosim.cache import PROJECT, cached, digest, run_step

_PACKAGES = (PROJECT / "sw" / "hermes", PROJECT / "sim" / "cosim")
_ABOVE_RUNS = ("experiments", "report")
"""Packages that no run imports: a change there is none of the simulator."""
_HOT = (
    *("hermes/*.py", "hermes/apps/*.py", "hermes/enso/*.py", "hermes/iokernel/*.py", "hermes/runtime/*.py"),
    *("cosim/engine.py", "cosim/machine/*.py", "cosim/bench/queue_pattern.py"),
    "hermes/costs/__init__.py",
)
_COLD = {"__init__.py", "errors.py", "application.py", "switches.py"}
"""Packages; exceptions, which mypyc's classes cannot be; protocols that are asked whether something has them; what is
pickled."""
_SETUP = """\
import sys
from mypyc.build import mypycify
from setuptools import setup
modules = mypycify(["--ignore-missing-imports", *sys.argv[3:]], opt_level="3")
setup(name="compiled", packages=[], ext_modules=modules, script_args=sys.argv[1:3])
"""
_FLAGS = "-w -fvisibility=hidden -fno-semantic-interposition -fno-plt"
"""Nobody outside of what is compiled calls it by name, so calls inside need no table of addresses."""


def hot_modules(root: Path) -> list[str]:
    """The modules to compile, as paths in a folder that holds the packages."""
    found = (path for pattern in _HOT for path in root.glob(pattern))
    return sorted(str(path.relative_to(root)) for path in found if path.name not in _COLD or "costs" in path.parts)


def compiled_packages(tell: Callable[[], None] = lambda: None) -> Path | None:
    """The folder with the compiled packages, for PYTHONPATH; None if mypyc is not installed.

    The first call after a change of what is compiled, or of what that imports, takes a minute; ``tell`` is called
    before.

    Raises
    ------
    ToolError
        They cannot be compiled; the message holds the end of what the compiler said.
    """
    if importlib.util.find_spec("mypyc") is None:
        return None
    sources = {
        str(path.relative_to(package.parent)): path for package in _PACKAGES for path in sorted(package.rglob("*.py"))
    }

    def assemble(folder: Path) -> None:
        machine_code = _machine_code(sources, tell)
        _copy_packages(folder)
        for path in machine_code.rglob("*.so"):
            shutil.copy2(path, folder / path.relative_to(machine_code))
        compileall.compile_dir(folder, quiet=2)

    # which sources the compiler reads takes half a second to find out: a run whose sources are known does not
    return cached("compiled", digest(*_compiler(), *sources, *sources.values()), assemble)


def _compiler() -> tuple[str, ...]:
    """What decides about machine code beside the sources."""
    return _SETUP, _FLAGS, sys.version, version("mypy")


def _machine_code(sources: Mapping[str, Path], tell: Callable[[], None]) -> Path:
    """A folder with the compiled modules, each where its source is in the packages."""
    needed = _with_imports(sources)
    key = digest(*_compiler(), *needed, *(sources[name] for name in needed))

    def make(folder: Path) -> None:
        tell()
        with tempfile.TemporaryDirectory() as scratch:
            _copy_packages(Path(scratch))
            (Path(scratch) / "setup.py").write_text(_SETUP)
            environment = {**os.environ, "PYTHONPATH": "", "CFLAGS": _FLAGS, "MYPYPATH": ""}
            modules = hot_modules(Path(scratch))
            run_step([sys.executable, "setup.py", "build_ext", "--inplace", *modules], Path(scratch), environment)
            for path in Path(scratch).rglob("*.so"):
                if "build" not in path.relative_to(scratch).parts:
                    (folder / path.relative_to(scratch)).parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(path, folder / path.relative_to(scratch))

    return cached("machine-code", key, make)


def _copy_packages(folder: Path) -> None:
    for package in _PACKAGES:
        shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))


def _with_imports(sources: Mapping[str, Path]) -> list[str]:
    """What the compiler reads of these: the hot modules, and all that they import."""
    files = {name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): name for name in sources}
    waiting = [name for package in _PACKAGES for name in hot_modules(package.parent) if name in sources]
    found = set(waiting)
    while waiting:
        for node in ast.walk(ast.parse(sources[waiting.pop()].read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                modules = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
            elif isinstance(node, ast.Import):
                modules = [each.name for each in node.names]
            else:
                continue
            new = {files[module] for module in modules if module in files} - found
            found |= new
            waiting += new
    return sorted(found)
