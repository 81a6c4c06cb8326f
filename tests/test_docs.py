"""docs/hermes.md and docs/model.md name what is there, and all of it."""

import importlib
import re
from dataclasses import fields
from pathlib import Path

import pytest

from cosim.cache import PROJECT
from cosim.measure.stages import STAGES, TIMES
from cosim.pcie.link import LinkParameters
from cosim.switch_settings import SWITCH_NAMES, accepted_by
from cosim.values import parse_duration
from hermes.costs import Costs
from hermes.messages import NAMES
from hermes.switches import Switches
from hermes.world import ACTIVITIES

DOCS = PROJECT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), PROJECT / "README.md"])
HERMES, MODEL = (DOCS / name for name in ("hermes.md", "model.md"))
CODE = re.compile(r"\[`([\w.]+)`\]\(\.\./((?:sw|sim|rtl|tests)/[\w/]+)\.py\)")


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its header."""
    section = page.read_text().split(f"\n## {heading}\n")[1]
    lines = [line for line in section.split("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_exists(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    assert [link for link in links if ":" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", [HERMES, MODEL], ids=lambda page: page.name)
def test_the_code_that_a_page_names_exists(page: Path) -> None:
    named = set(CODE.findall(page.read_text()))
    assert len(named) > 20
    for shown, file in sorted(named):
        if file.startswith("tests/"):
            assert f"def {shown}(" in (PROJECT / f"{file}.py").read_text(), f"{shown} in {file}"
            continue
        place, *rest = shown.split(".")
        module = file.removesuffix("/__init__")
        assert place == Path(module).name, f"{shown} in {file}"
        found: object = importlib.import_module(module.split("/", 1)[1].replace("/", "."))
        for name in rest:
            assert hasattr(found, name), f"{shown}: {name}"
            found = getattr(found, name)


def test_every_switch_is_there_with_its_values_and_its_default() -> None:
    table = {cells[0].strip("`"): cells for cells in rows(HERMES, "9. Switches")}
    assert list(table) == list(SWITCH_NAMES)
    for name, field in SWITCH_NAMES.items():
        _, values, default, what, why = table[name]
        value = getattr(Switches(), field)
        if isinstance(value, bool):
            assert (values, default) == ("on, off", "on" if value else "off"), name
        elif isinstance(value, str):
            assert (values.split(", "), default) == (accepted_by(field).split(" or "), value), name
        elif field.endswith("_ps"):
            assert (values, parse_duration(default)) == ("time", value), name
        else:
            assert (values, default) == ("1 or more", str(value)), name
        assert what, name
        assert why, name


def test_every_cost_says_where_it_is_spent() -> None:
    text = HERMES.read_text()
    assert [field.name for field in fields(Costs) if f"`{field.name}`" not in text] == []


def test_every_message_is_there_with_its_number() -> None:
    told = {int(cells[0], 16): cells[1].strip("`") for cells in rows(HERMES, "8. Messages")}
    assert told == NAMES


def test_every_stage_is_there_in_order_and_begins_with_its_stamp() -> None:
    table = rows(HERMES, "10. Stages of a request")
    assert [cells[0].strip("`") for cells in table] == [*STAGES, ""]
    assert [cells[1].split("`")[1] for cells in table] == list(TIMES)


def test_every_mechanism_of_the_design_is_there() -> None:
    assert [cells[0] for cells in rows(HERMES, "11. Mechanisms")] == [f"M-{number}" for number in range(12, 40)]


def test_every_activity_of_a_core_is_explained() -> None:
    assert [cells[0].strip("`") for cells in rows(MODEL, "Where a core's time goes")] == list(ACTIVITIES)


def test_every_number_of_the_link_is_there_with_its_default() -> None:
    told = {cells[0].strip("`"): cells[1].replace(",", "").split()[0] for cells in rows(MODEL, "The link and the wire")}
    assert told == {field.name: str(field.default) for field in fields(LinkParameters)}
