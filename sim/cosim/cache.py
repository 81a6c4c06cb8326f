"""What is built once per set of inputs, and kept.

Everything lies under ``build/cache`` of the project (or under the folder that the environment variable HERMES_BUILD
names), in a folder whose name holds a hash of all inputs. A folder appears whole or not at all, whoever builds it at
the same time and whenever a build is killed.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import filelock

from cosim.toolchain import ToolError

PROJECT = Path(__file__).resolve().parents[2]
BUILD_SECONDS = 1200
"""Longest that one build may take, or wait for another process that builds the same."""


def build_folder() -> Path:
    """Where everything that is built goes: HERMES_BUILD, by default ``build`` in the project."""
    return Path(os.environ.get("HERMES_BUILD") or PROJECT / "build").absolute()


def digest(*inputs: str | bytes | Path) -> str:
    """Hash of texts and of files' contents; names of files count, their folders do not."""
    total = hashlib.sha256()
    for item in inputs:
        if isinstance(item, Path):
            parts = [item.name.encode(), item.read_bytes()]
        else:
            parts = [item.encode() if isinstance(item, str) else item]
        for part in parts:
            total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()[:20]


def cached(name: str, key: str, make: Callable[[Path], None]) -> Path:
    """The folder ``name``-``key`` of the cache, filled by ``make(folder)`` if it is not there yet.

    Raises
    ------
    ToolError
        Another process has held this entry's lock for BUILD_SECONDS.
    """
    cache = build_folder() / "cache"
    folder = cache / f"{name}-{key}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(cache / f"{name}-{key}.lock", timeout=BUILD_SECONDS):
            if not folder.is_dir():
                partial = cache / f"{name}-{key}.partial"
                shutil.rmtree(partial, ignore_errors=True)  # of a build that was killed
                partial.mkdir()
                make(partial)
                partial.rename(folder)
    except filelock.Timeout:
        raise ToolError(f"waited {BUILD_SECONDS} s for another process that builds {folder.name}; end it") from None
    return folder


def run_step(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> None:
    """Run one build step; its output goes to ``build.log`` in ``folder``.

    Raises
    ------
    ToolError
        It failed: the message holds the end of what it printed.
    """
    log = folder / "build.log"
    with log.open("ab") as output:
        run = subprocess.run(
            command, cwd=folder, env=environment, stdout=output, stderr=output, check=False, timeout=BUILD_SECONDS
        )
    if run.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        raise ToolError(f"{Path(command[0]).name} failed with exit code {run.returncode} in {folder.name}:\n{tail}")


RTL = digest(*sorted((PROJECT / "rtl" / "enso_nic").rglob("*.py")))
"""Hash of the NIC's sources as this process imports them: one edited later must not become the key of what it was."""
