"""Set-up: what the machine lacks is named at once, with the command that installs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[1] / "scripts" / "setup.sh"


def setup_without(tmp_path: Path, *absent: str, python: str = "python3") -> str:
    """What set-up says on a machine that lacks these tools; it must stop there."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in {"sh", "dirname", "as", "g++", "make", "perl"} - set(absent):
        found = [folder for folder in os.get_exec_path() if (Path(folder) / tool).exists()]
        (tools / tool).symlink_to(Path(found[0]) / tool)
    if "python3" not in absent:
        (tools / "python3").symlink_to(sys.executable)
    run = subprocess.run(
        ["sh", str(SETUP), python], env={"PATH": str(tools)}, capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 1
    assert run.stdout == ""
    return run.stderr


@pytest.mark.parametrize("tool", ["g++", "make", "perl"])
def test_a_missing_tool_is_named_with_its_debian_package(tmp_path: Path, tool: str) -> None:
    message = setup_without(tmp_path, tool)
    assert message.startswith(f"missing: {tool}")
    assert message.endswith(f"; install it with: sudo apt-get install {tool}\n")
    assert message.count("\n") == 1


def test_everything_that_is_missing_is_named_together(tmp_path: Path) -> None:
    message = setup_without(tmp_path, "perl", "make", "python3")
    assert [line.split(",")[0] for line in message.splitlines()] == [
        "missing: make; install it with: sudo apt-get install make",
        "missing: perl",
        "missing: python3",
    ]


def test_a_python_that_is_too_old_is_named_with_its_version(tmp_path: Path) -> None:
    old = tmp_path / "python2"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.1 && exit 0\nexit 1\n')
    old.chmod(0o755)
    message = setup_without(tmp_path, python=str(old))
    assert message.startswith(f"missing: Python 3.11 or later ({old} is Python 3.9.1)")
    assert "sudo apt-get install python3 python3-venv python3-dev" in message


def test_missing_header_files_are_named(tmp_path: Path) -> None:
    bare = tmp_path / "python-without-headers"
    bare.write_text('#!/bin/sh\n[ "$1" = - ] && exit 1\nexit 0\n')
    bare.chmod(0o755)
    message = setup_without(tmp_path, python=str(bare))
    assert message.startswith("missing: Python's header files and shared library; install it with: ")
    assert message.endswith(" python3-dev\n")
