"""docs/costs.md says what the default profile says."""

from dataclasses import fields
from pathlib import Path

import pytest

from cosim.cache import PROJECT
from hermes.costs import Costs
from hermes.costs.manual import main, manual


def test_the_table_is_that_of_this_profile() -> None:
    made_by = "python -m hermes.costs.manual docs/costs.md"
    assert (PROJECT / "docs" / "costs.md").read_text() == manual(), f"make it anew: {made_by}"


def test_every_constant_has_a_line_with_value_range_and_source() -> None:
    lines = {line.split("`")[1]: line for line in manual().splitlines() if line.startswith("| `")}
    assert sorted(lines) == sorted(field.name for field in fields(Costs))
    assert lines["lock"].startswith("| `lock` | 20 ns | 15 to 30 | take and release a spinlock")
    assert lines["lock"].endswith("| engineering estimate for a 3 GHz server core |")


def test_it_is_written_where_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "costs.md")]) == 0
    assert (tmp_path / "costs.md").read_text() == manual()
    assert main([]) == 2
    assert capsys.readouterr().err == "usage: python -m hermes.costs.manual FILE\n"
