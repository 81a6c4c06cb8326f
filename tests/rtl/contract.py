"""The contract of the NIC as a table of clauses, and which of them the tests have shown.

A test says with ``@covers("C-012", "C-013")`` what it would fail without. The golden model says ``hit("C-040")`` where
it judges a rule. While the environment variable HERMES_SIM_HITS names a folder, each process appends to a file of its
own in there what its tests have shown once they passed; `read_hits` adds that up.

    @cocotb.test()
    @covers("C-041")
    async def a_drop_leaves_the_pipe_as_it_was(dut: Any) -> None: ...

Left out of the table are rows about what no test of the NIC alone can show: host software (enso 4.1 to 4.3 but for what
it demands of the NIC, 10.8, 10.11, 10.16 to 10.21), the kernel driver (1.6), huge pages (most of 3), JTAG as such (1.5;
its settings are on the extension page), identity and capabilities of Intel's PCIe block (1.1, 2.4), and upstream's way
of building things (5). A rule that upstream and the plan share is one clause.
"""

import functools
import inspect
import os
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from rich.table import Table

from tests.rtl.clause import Clause
from tests.rtl.clauses_receive import RECEIVE
from tests.rtl.clauses_transmit import TRANSMIT

P = ParamSpec("P")
R = TypeVar("R")

CLAUSES: tuple[Clause, ...] = RECEIVE + TRANSMIT
IDS = {clause.id for clause in CLAUSES}
FOLDER_VARIABLE = "HERMES_SIM_HITS"
GOLDEN = "golden model"
"""Who judged, where no test is named."""

_judged: Counter[str] = Counter()


# --- what tests say ---------------------------------------------------------------------------------------------------


def covers(*ids: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a pytest function, or a coroutine under ``cocotb.test()``, as one that fails if these clauses are broken.

    Raises
    ------
    ValueError
        An id is not in the table.
    """
    unknown = [each for each in ids if each not in IDS]
    if unknown or not ids:
        raise ValueError(f"covers{ids}: accepted are ids from {CLAUSES[0].id} to {CLAUSES[-1].id}")

    def decorate(test: Callable[P, R]) -> Callable[P, R]:
        name = f"{test.__module__}::{test.__qualname__}"

        if inspect.iscoroutinefunction(test):
            bench = cast(Callable[P, Coroutine[object, object, None]], test)

            @functools.wraps(test)
            async def awaited(*arguments: P.args, **named: P.kwargs) -> None:
                _judged.clear()
                await bench(*arguments, **named)
                _record(ids, name)

            return cast(Callable[P, R], awaited)

        @functools.wraps(test)
        def called(*arguments: P.args, **named: P.kwargs) -> R:
            _judged.clear()
            result = test(*arguments, **named)
            _record(ids, name)
            return result

        return called

    return decorate


def hit(clause: str) -> None:
    """The golden model judges this clause. It counts if the test that it serves covers something, and passes."""
    _judged[clause] += 1


def _record(ids: tuple[str, ...], test: str) -> None:
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return
    lines = [f"{each} 1 {test}\n" for each in ids]
    lines += [f"{each} {count} {GOLDEN}\n" for each, count in _judged.items()]
    # processes write at once: each has its own file
    with (Path(folder) / f"{os.getpid()}.hits").open("a") as file:
        file.writelines(lines)


# --- what they have shown ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """A clause, the tests that have shown it, and how often it was."""

    clause: Clause
    tests: tuple[str, ...]
    hits: int


def read_hits(folder: Path) -> list[Shown]:
    """All clauses, in order, with what the processes that wrote to ``folder`` have shown.

    Raises
    ------
    ValueError
        A line of a file is none that a test writes.
    """
    hits: dict[str, Counter[str]] = {each: Counter() for each in IDS}
    for file in sorted(folder.glob("*.hits")):
        for line in file.read_text().splitlines():
            each, count, test = (*line.split(maxsplit=2), "", "", "")[:3]
            if each not in IDS or not count.isdecimal() or not test:
                raise ValueError(f"{file} has the line {line!r}; accepted is a clause of the contract, a count, a test")
            hits[each][test] += int(count)
    return [Shown(clause, tuple(sorted(hits[clause.id])), hits[clause.id].total()) for clause in CLAUSES]


def contract_table(shown: list[Shown]) -> Table:
    """For a terminal or a report: each clause and who has shown it; those that nobody has shown stand out."""
    covered = sum(each.hits > 0 for each in shown)
    table = Table(title=f"The NIC's contract: {covered} of {len(shown)} clauses shown", show_lines=True)
    for header in ("Clause", "What must hold", "Origin", "Shown by"):
        table.add_column(header)
    table.add_column("Hits", justify="right")
    for each in shown:
        tests = "\n".join(test.removeprefix("tests.rtl.") for test in each.tests) or "nobody"
        style = None if each.hits else "bold red"
        table.add_row(each.clause.id, each.clause.text, each.clause.origin, tests, str(each.hits), style=style)
    return table
