"""A seeded bug: one replacement in the text of a block."""

import ast
from dataclasses import dataclass
from pathlib import Path

import enso_nic

RTL = Path(enso_nic.__file__).parent
WHOLE_NIC = "tests/rtl/test_nic.py::test_the_rules_one_by_one"


@dataclass(frozen=True)
class Mutant:
    """What is broken, and how.

    Attributes
    ----------
    block
        Name of the file in ``enso_nic``, without ending.
    name
        What is then wrong, as a sentence.
    old, new
        The text that is replaced, which occurs once in the file, and its replacement.
    bench
        The pytest node that must fail; by default all tests of the block.
    """

    block: str
    name: str
    old: str
    new: str
    bench: str = ""

    @property
    def file(self) -> str:
        return f"{self.block}.py"

    @property
    def tests(self) -> str:
        return self.bench or f"tests/rtl/test_{self.block}.py"

    def mutated(self) -> str:
        """The text of the file with the replacement.

        Raises
        ------
        ValueError
            The text to be replaced does not occur exactly once, or the replacement is no Python.
        """
        text = (RTL / self.file).read_text()
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"mutant '{self.name}': its text occurs {count} times in {self.file}; accepted is once")
        mutated = text.replace(self.old, self.new)
        try:
            ast.parse(mutated)
        except SyntaxError as error:
            raise ValueError(f"mutant '{self.name}': {self.file} does not parse with it: {error}") from None
        return mutated
