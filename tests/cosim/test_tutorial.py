"""docs/tutorial.md: its commands do what it says, with the outputs that it shows."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosim.cache import PROJECT

TUTORIAL = (PROJECT / "docs" / "tutorial.md").read_text(encoding="utf-8")
PROGRAMS = Path(sys.executable).parent

pytestmark = pytest.mark.long


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command, and the lines that stand below it."""
    for block in re.findall(r"(?:^    .*\n)+", TUTORIAL, flags=re.MULTILINE):
        first, *shown = (line[4:] for line in block.splitlines())
        if first.startswith("$ "):
            yield first[2:], shown


def test_the_commands_of_the_tutorial_print_what_it_shows(tmp_path: Path) -> None:
    toml = re.findall(r"```toml\n(.*?)```", TUTORIAL, flags=re.DOTALL)
    (tmp_path / "mine.toml").write_text(toml[0])
    (tmp_path / "wrong.toml").write_text(toml[0].replace("{ rate =", "{ rates ="))
    done = 0
    for command, shown in commands():
        program, *arguments = shlex.split(command)
        ended = subprocess.run(
            [PROGRAMS / Path(program).name, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            stdin=subprocess.DEVNULL,
        )
        told = ended.stdout + ended.stderr
        for line in shown:
            assert line in told, f"{command}: {line!r} is not in\n{told}"
        done += 1
    assert done == 6
