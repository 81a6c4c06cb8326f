"""One clause of the contract that the NIC keeps."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Clause:
    """A rule that can be checked.

    Attributes
    ----------
    id
        "C-001", "C-002" and so on.
    text
        What must hold, in one sentence.
    origin
        "enso 4.4": section 4.4 of the facts about upstream's NIC, "enso 10.4": item 4 of its section 10; "design 4":
        section 4 of the plan, and docs/design.md.
    """

    id: str
    text: str
    origin: str
