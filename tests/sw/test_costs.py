"""Cost profiles: complete, sound, in picoseconds, and refused in one line where they are not."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from hermes.costs import DEFAULT, Costs, load


def test_every_constant_is_there_in_picoseconds() -> None:
    costs = load()
    assert (costs.iok_loop, costs.poll_clean, costs.line_dirty, costs.line_dma) == (60_000, 8_000, 60_000, 25_000)
    assert costs.shenango_reallocation == 5_900_000
    assert len(fields(Costs)) == 32


def test_the_low_and_high_ends_enclose_the_default() -> None:
    low, default, high = load(bound="low"), load(), load(bound="high")
    for field in fields(Costs):
        assert 0 < getattr(low, field.name) <= getattr(default, field.name) <= getattr(high, field.name), field.name
    assert (low.iok_loop, high.iok_loop) == (40_000, 100_000)


def test_a_profile_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        load().iok_loop = 1  # type: ignore[misc]


def test_the_hash_tells_values_apart_and_nothing_else(tmp_path: Path) -> None:
    text = DEFAULT.read_text()
    commented, changed = tmp_path / "commented.toml", tmp_path / "changed.toml"
    commented.write_text("# the same\n" + text)
    changed.write_text(text.replace("default = 60\n", "default = 61\n", 1))
    assert load(commented).sha256 == load().sha256
    assert load(changed).sha256 != load().sha256


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[iok_loop]", "[iok_lop]", "profile.toml: iok_loop is missing"),
        ('unit = "ns"', 'unit = "s"', "profile.toml: iok_loop.unit is 's'; accepted are ps, ns, us"),
        (
            "default = 60",
            "default = 200",
            "iok_loop is 40, 200, 100; accepted are integers, 0 < low <= default <= high",
        ),
        ("default = 60", "default = 60.0", "iok_loop is 40, 60.0, 100; accepted are integers"),
        ("source = ", "origin = ", "iok_loop needs exactly the keys default, high, low, meaning, source, unit"),
    ],
)
def test_a_profile_that_is_not_sound_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    profile = tmp_path / "profile.toml"
    profile.write_text(DEFAULT.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match="cost profile") as error:
        load(profile)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_constant_is_refused(tmp_path: Path) -> None:
    profile = tmp_path / "profile.toml"
    profile.write_text(DEFAULT.read_text() + '\n[coffee]\ndefault = 1\nlow = 1\nhigh = 1\nunit = "ns"\nsource = ""\n')
    with pytest.raises(ValueError, match="coffee is unknown; accepted are answer_write, "):
        load(profile)
