"""The contract's table, and how it is told which clauses the tests have shown."""

import asyncio
import inspect
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tests.rtl import contract
from tests.rtl.contract import CLAUSES, FOLDER_VARIABLE, GOLDEN, IDS, contract_table, covers, hit, read_hits


def named(function: str) -> set[str]:
    """Clauses that calls of ``covers`` or ``hit`` name in the sources of the tests."""
    own = {Path(__file__), Path(contract.__file__)}
    sources = [path.read_text() for path in Path(__file__).parent.rglob("*.py") if path not in own]
    calls = [arguments for source in sources for arguments in re.findall(rf"\b{function}\(([^()]*)\)", source)]
    return {clause for arguments in calls for clause in re.findall(r'"(C-\w*)"', arguments)}


def shown(folder: Path) -> dict[str, tuple[tuple[str, ...], int]]:
    """Tests and hits of each clause that has any."""
    return {each.clause.id: (each.tests, each.hits) for each in read_hits(folder) if each.hits}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


# --- the table --------------------------------------------------------------------------------------------------------


def test_ids_are_consecutive_and_texts_are_sentences_that_occur_once() -> None:
    assert [clause.id for clause in CLAUSES] == [f"C-{number:03}" for number in range(1, len(CLAUSES) + 1)]
    assert len({clause.text for clause in CLAUSES}) == len(CLAUSES)
    for clause in CLAUSES:
        assert re.fullmatch(r"[A-Za-z].*\.", clause.text), clause
        assert re.fullmatch(r"((enso|design) )?[\d.]+(, ((enso|design) )?[\d.]+)*", clause.origin), clause


def test_each_clause_has_a_test_but_those_to_come() -> None:
    assert named("covers") == IDS


def test_the_golden_model_names_clauses_of_the_table() -> None:
    assert named("hit")
    assert named("hit") <= IDS


def test_an_unknown_clause_is_refused_when_the_test_is_loaded() -> None:
    with pytest.raises(ValueError, match="accepted are ids from C-001 to C-"):
        covers("C-001", "C-999")
    with pytest.raises(ValueError, match="accepted are ids"):
        covers()


# --- hits -------------------------------------------------------------------------------------------------------------


def test_a_test_that_passes_hits_its_clauses_and_keeps_name_and_arguments(folder: Path) -> None:
    @covers("C-002", "C-001")
    def some_test(number: int) -> int:
        return number + 1

    assert some_test.__name__ == "some_test"
    assert [some_test(number) for number in (1, 2)] == [2, 3]
    name = f"{__name__}::{some_test.__qualname__}"
    assert shown(folder) == {"C-001": ((name,), 2), "C-002": ((name,), 2)}


def test_a_coroutine_hits_when_it_has_ended(folder: Path) -> None:
    @covers("C-003")
    async def bench(dut: object) -> None:
        assert shown(folder) == {}

    assert inspect.iscoroutinefunction(bench)
    asyncio.run(bench(None))
    assert list(shown(folder)) == ["C-003"]


def test_a_test_that_fails_hits_nothing(folder: Path) -> None:
    @covers("C-001")
    def fails() -> None:
        hit("C-004")
        raise AssertionError

    @covers("C-002")
    async def fails_too() -> None:
        hit("C-004")
        raise AssertionError

    @covers("C-003")
    def passes() -> None:
        hit("C-005")
        hit("C-005")

    with pytest.raises(AssertionError):
        fails()
    with pytest.raises(AssertionError):
        asyncio.run(fails_too())
    passes()
    found = shown(folder)
    assert set(found) == {"C-003", "C-005"}
    assert found["C-005"] == ((GOLDEN,), 2)


def test_nothing_is_written_unless_a_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)

    @covers("C-001")
    def passes() -> None:
        hit("C-002")

    passes()
    assert not list(tmp_path.iterdir())


def test_processes_may_write_at_once(folder: Path) -> None:
    program = """
from tests.rtl.contract import covers
@covers("C-001", "C-174")
def passes(): pass
for _ in range(500): passes()
"""
    children = [subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2]) for _ in range(2)]
    assert [child.wait(timeout=60) for child in children] == [0, 0]
    assert len(list(folder.iterdir())) == 2
    assert {clause: hits for clause, (_, hits) in shown(folder).items()} == {"C-001": 1000, "C-174": 1000}


def test_a_line_that_no_test_writes_is_refused(tmp_path: Path) -> None:
    for line in ("C-001", "C-001 one tests::a", "C-999 1 tests::a"):
        (tmp_path / "1.hits").write_text(f"C-001 1 tests::a\n{line}\n")
        with pytest.raises(ValueError, match="accepted is a clause of the contract, a count, a test"):
            read_hits(tmp_path)


def test_the_table_says_how_many_are_shown_and_by_whom(folder: Path) -> None:
    @covers("C-002")
    def passes() -> None:
        hit("C-002")

    passes()
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(contract_table(read_hits(folder)))
    text = console.export_text()
    assert f"1 of {len(CLAUSES)} clauses shown" in text
    assert re.search(r"C-002.*golden model.*2", text)
    assert text.count("│ nobody ") == len(CLAUSES) - 1
