"""The fast NIC: the RTL's queues, arbiters and decisions in C++ (nic/model), behind the same bridge.

It shares the bridge's C++ with the RTL: link, host memory, wire, and when Python is woken. What it lacks is a clock.
"""

import ctypes
import os
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cosim.cache import cached, digest, run_step
from cosim.nic.child import run_child
from cosim.nic.latencies import Latencies, measured
from cosim.toolchain import compiler_version, require
from enso_nic.config import FULL, NicConfig

_MODEL = Path(__file__).with_name("model")
_BRIDGE = Path(__file__).parents[1] / "pcie"
_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_SIZES = {"commit_taps"}


class FastNic:
    """The fast NIC in this process, as Bridge takes it.

    Parameters
    ----------
    library
        What ``fast_library`` gives.
    parameters
        What ``parameters_of`` gives.
    """

    def __init__(self, library: Path, parameters: tuple[int, ...]) -> None:
        self.native = ctypes.CDLL(str(library))
        self.native.model_run.restype = None
        calls = ctypes.PyDLL(str(library)).model_calls
        calls.restype = ctypes.py_object
        self.calls: Any = calls()  # model/calls.hpp
        self._parameters = parameters

    def open(self) -> bool:
        """Power it up, behind a bridge that is open; False if the bridge has an error to tell."""
        words = (ctypes.c_int64 * len(self._parameters))(*self._parameters)
        self.native.model_open.restype = ctypes.c_bool
        return bool(self.native.model_open(words, len(words)))


def fast_library() -> Path:
    """The shared library of the fast NIC and the bridge; compiled at the first call, which takes some seconds.

    Raises
    ------
    ToolError
        There is no compiler, or it failed.
    """
    require("g++")
    sources = sorted([*_MODEL.glob("*.?pp"), *_BRIDGE.glob("*.?pp")])
    folders = ["-I", str(_BRIDGE), "-I", sysconfig.get_path("include")]
    flags = ["-std=c++20", "-O3", "-Wall", "-Wextra", "-fPIC", "-shared", *folders]

    def make(folder: Path) -> None:
        command = ["g++", *flags, str(_MODEL / "model.cpp"), "-o", str(folder / "model.so")]
        run_step(command, folder, os.environ)

    return cached("fast", digest(*sources, *flags, sys.version, compiler_version()), make) / "model.so"


def parameters_of(config: NicConfig = FULL, latencies: Latencies | None = None) -> tuple[int, ...]:
    """Sizes and latencies, by default those last measured, as the C++ side takes them (parameters.hpp)."""
    sizes = [getattr(config, field.name) for field in fields(config) if field.name not in _NO_SIZES]
    return (*sizes, *(latencies or measured()).words())


def simulate_fast(
    entry: str,
    task: Path,
    *,
    folder: Path,
    progress: Callable[[str], None],
    parameters: tuple[int, ...] | None = None,
    environment: Mapping[str, str] = _NOTHING,
) -> None:
    """Await ``entry(nic, task, say)`` in a process with a fast NIC, of which it makes a Bridge.

    Parameters and errors as those of ``run_child``; ``environment`` is added to this process's.
    """
    words = map(str, parameters or parameters_of())
    run_child(
        [sys.executable, "-m", "cosim.nic.fast_child", str(fast_library()), *words],
        entry,
        task,
        folder=folder,
        progress=progress,
        environment={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "OPENBLAS_NUM_THREADS": "1",
            **environment,
        },
    )
