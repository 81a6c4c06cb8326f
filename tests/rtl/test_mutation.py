"""The seeded bugs apply, and the runner tells those that a bench notices from those that it does not."""

from collections import Counter
from pathlib import Path

import pytest

from cosim.cache import PROJECT
from tests.rtl import mutation
from tests.rtl.mutant import RTL, Mutant
from tests.rtl.mutants import MUTANTS
from tests.rtl.mutation import Outcome, Row, mutation_table, run_mutants

ROTATED = ("flow_hash", "a rotation is wrong", '("a", "c", 11)', '("a", "c", 12)')
SAME = ("flow_hash", "nothing is wrong", '("a", "c", 11)', '("a", "c", 1 + 10)')


def test_each_seeded_bug_applies_and_has_a_bench() -> None:
    """All that do not are named at once: a change of a block may move several."""
    problems = []
    for mutant in MUTANTS:
        try:
            mutant.mutated()
        except ValueError as error:
            problems.append(str(error))
        if not (PROJECT / mutant.tests.split("::")[0]).is_file():
            problems.append(f"mutant '{mutant.name}': there is no {mutant.tests}")
    assert problems == []


def test_each_seeded_bug_is_another_one_and_no_block_is_without() -> None:
    counts = Counter((mutant.block, mutant.name) for mutant in MUTANTS)
    assert set(counts.values()) == {1}
    no_behaviour = {
        "__init__",
        "bits",
        "config",
        "export",
        "layouts",
        "package",
        "ports",
        "register_manual",
        "registers",
    }
    assert {block for block, _ in counts} == {path.stem for path in RTL.glob("*.py")} - no_behaviour


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("no such text", "", "its text occurs 0 times in flow_hash.py; accepted is once"),
        ("words", "", r"its text occurs \d+ times in flow_hash.py; accepted is once"),
        ('("a", "c", 11)', "(", "flow_hash.py does not parse with it"),
    ],
)
def test_a_replacement_that_does_not_apply_is_refused(old: str, new: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^mutant 'x': {reason}"):
        Mutant("flow_hash", "x", old, new).mutated()


def test_the_runner_tells_killed_survived_and_broken() -> None:
    mutants = [
        Mutant(*ROTATED),
        Mutant(*SAME),
        Mutant("flow_hash", "does not apply", "no such text", ""),
        Mutant("flow_hash", "does not elaborate", '("a", "c", 11)', '("a", "no such word", 11)'),
        Mutant(*ROTATED, bench="tests/rtl/test_flow_hash.py::no_such_test"),
    ]
    rows = run_mutants(mutants)
    assert [row.outcome for row in rows] == [Outcome.KILLED, Outcome.SURVIVED, *[Outcome.BROKEN] * 3]
    assert [row.mutant for row in rows] == mutants
    details = [row.detail for row in rows]
    assert details[0].startswith("tests/rtl/test_flow_hash.py::")
    assert "occurs 0 times" in details[2]
    assert "does not elaborate: KeyError" in details[3]
    assert details[4].startswith("does not pass without the bug")


def test_a_bench_that_hangs_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutation, "SECONDS", 0.01)
    row = mutation._judged(Mutant(*ROTATED), mutation._Run(0, ""))
    assert (row.outcome, row.detail) == (Outcome.KILLED, "tests/rtl/test_flow_hash.py took over 0.01 s")


def test_rtl_that_is_not_the_mutated_one_is_not_judged(tmp_path: Path) -> None:
    """As if the copy were not first on the path."""
    run = mutation._run("tests/rtl/test_flow_hash.py", tmp_path, {})
    assert run.code not in (0, 1)
    assert "enso_nic was imported from" in run.output


def test_the_table_counts_and_names_what_survived() -> None:
    rows = [
        Row(Mutant(*ROTATED), Outcome.KILLED, "tests/rtl/test_x.py::test", 1.4),
        Row(Mutant(*SAME), Outcome.SURVIVED, "", 2),
    ]
    table = mutation_table(rows)
    assert table.title == "1 of 2 seeded bugs killed"
    cells = [list(column.cells) for column in table.columns]
    assert cells[0] == ["a rotation is wrong", "nothing is wrong"]
    assert cells[2] == ["test_x.py::test", "test_flow_hash.py "]
    assert cells[4] == ["1", "2"]
