"""``python -m hermes.costs.manual FILE`` writes the table of the default cost profile."""

import sys
import tomllib
from pathlib import Path

from hermes.costs import DEFAULT, load

INTRODUCTION = """# What software's steps cost

Made from the default profile, `sw/hermes/costs/default.toml`: `.venv/bin/python -m hermes.costs.manual docs/costs.md`.
Where each constant is spent is in [hermes.md](hermes.md), what the costs leave out in [model.md](model.md).

| name | default | low to high | what | source |
|---|---|---|---|---|
"""


def manual() -> str:
    """The whole text."""
    load()  # the profile is sound
    profile = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))
    rows = (
        f"| `{name}` | {cost['default']} {cost['unit']} | {cost['low']} to {cost['high']} "
        f"| {cost['meaning']} | {cost['source']} |\n"
        for name, cost in profile.items()
    )
    return INTRODUCTION + "".join(rows)


def main(arguments: list[str]) -> int:
    """Write the file that ``arguments`` names; gives the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m hermes.costs.manual FILE\n")
        return 2
    Path(arguments[0]).write_text(manual(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
