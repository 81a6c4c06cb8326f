"""The hot modules compiled to machine code by mypyc, from the same sources: what they do is the same, but faster.

The simulator's process finds the packages, compiled, before those that this process runs. Nothing else does, so tests
and debuggers see Python.
"""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
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


def hot_modules(root: Path) -> list[str]:
    """The modules to compile, as paths in a folder that holds the packages."""
    found = (path for pattern in _HOT for path in root.glob(pattern))
    return sorted(str(path.relative_to(root)) for path in found if path.name not in _COLD or "costs" in path.parts)


def compiled_packages(tell: Callable[[], None] = lambda: None) -> Path | None:
    """The folder with the compiled packages, for PYTHONPATH; None if mypyc is not installed.

    The first call after a change of the sources takes half a minute or more; ``tell`` is called before.

    Raises
    ------
    ToolError
        They cannot be compiled; the message holds the end of what the compiler said.
    """
    if importlib.util.find_spec("mypyc") is None:
        return None
    sources = sorted(
        path
        for package in _PACKAGES
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] not in _ABOVE_RUNS
    )
    names = (str(path.relative_to(PROJECT)) for path in sources)
    key = digest(_SETUP, sys.version, version("mypy"), *names, *sources)

    def make(folder: Path) -> None:
        tell()
        for package in _PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__", "*.so", *_ABOVE_RUNS)
            shutil.copytree(package, folder / package.name, ignore=ignored)
        (folder / "setup.py").write_text(_SETUP)
        environment = {**os.environ, "PYTHONPATH": "", "CFLAGS": "-w", "MYPYPATH": ""}
        run_step([sys.executable, "setup.py", "build_ext", "--inplace", *hot_modules(folder)], folder, environment)
        shutil.rmtree(folder / "build")

    return cached("compiled", key, make)
