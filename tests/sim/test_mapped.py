"""Arrays in files: they come back as they were, stay when the file is deleted, and survive being let go."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from cosim import mapped
from cosim.mapped import let_go, read_object, scratch, write_object
from tests.tools.reference_run import alike, result_of


@dataclass
class Thing:
    name: str
    times: NDArray[np.int64]
    flags: NDArray[np.bool_]
    table: NDArray[np.int64]
    nothing: NDArray[np.int64]


def resident_kb(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def test_what_was_written_is_read_even_if_the_file_is_deleted(tmp_path: Path) -> None:
    flags = np.array([True, False, True])
    thing = Thing("a", np.arange(1000), flags, np.arange(20).reshape(5, 4)[:, 1:3], np.zeros(0, dtype=np.int64))
    write_object(tmp_path / "thing", {"thing": thing, "twice": thing.times})
    read = cast(dict[str, object], read_object(tmp_path / "thing"))
    (tmp_path / "thing").unlink()
    back = cast(Thing, read["thing"])
    assert (back.name, back.flags.tolist(), len(back.nothing)) == ("a", flags.tolist(), 0)
    assert back.times.tolist() == list(range(1000))
    assert back.table.tolist() == thing.table.tolist()
    assert back.times is read["twice"]
    with pytest.raises(ValueError, match="read-only"):
        back.times[0] = 1


def test_an_object_without_arrays_is_read_too(tmp_path: Path) -> None:
    write_object(tmp_path / "object", ("a", 1))
    assert read_object(tmp_path / "object") == ("a", 1)


def test_what_is_let_go_leaves_memory_and_can_be_read_again(tmp_path: Path) -> None:
    write_object(tmp_path / "large", np.arange(5_000_000))
    array = cast(NDArray[np.int64], read_object(tmp_path / "large"))
    total, before = int(array.sum()), resident_kb("RssFile")
    let_go(array[7:].reshape(-1)[::2])  # a view of a view
    assert resident_kb("RssFile") < before - 30_000
    assert int(array.sum()) == total


@pytest.mark.parametrize("small", [0, 1 << 24])
def test_scratch_keeps_what_was_written_to_it(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "_SMALL", small)
    array = scratch((3, 5000))
    array[1] = np.arange(5000)
    let_go(array)
    array[2, 4999] = -1
    let_go(array)
    assert array[1].tolist() == list(range(5000))
    assert array[2, 4999] == -1


def test_an_array_in_memory_is_not_let_go() -> None:
    array = np.arange(10)
    let_go(array[2:])
    assert array.tolist() == list(range(10))


def test_no_byte_of_a_result_depends_on_what_is_in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    load = alike(300, 2, 700_000, connections=16, uthreads=8)
    expected = result_of(load, cores=2)
    monkeypatch.setattr(mapped, "_SMALL", 0)
    monkeypatch.setattr("hermes.stamps.BLOCK", 64)
    monkeypatch.setattr("cosim.measure.answers._BLOCK_BYTES", 1000)
    monkeypatch.setattr("cosim.traffic.frames._PART", 7)
    assert result_of(load, cores=2) == expected
