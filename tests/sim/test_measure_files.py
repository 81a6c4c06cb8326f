"""The output folder holds whole files or none."""

from pathlib import Path

import pytest

from cosim.config import ConfigError
from cosim.measure.files import staged, write_json


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_outputs_move_to_the_folder_and_nothing_else_does(tmp_path: Path) -> None:
    out = tmp_path / "some" / "folder"
    with staged(out) as folder:
        write_json(folder / "result.json", {"a": 1})
        (folder / "echo.pcap").write_bytes(b"frames")
        (folder / "simulator.log").write_text("left behind")
        assert not out.exists()
    assert names(out) == ["echo.pcap", "result.json"]
    assert (out / "result.json").read_text() == '{\n  "a": 1\n}\n'
    assert names(tmp_path) == ["some"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_everything_is_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "result.json").write_text("old")

    def fail() -> None:
        with staged(out) as folder:
            (folder / "result.json").write_text("new")
            raise error

    with pytest.raises(error):
        fail()
    assert names(out) == ["result.json"]
    assert (out / "result.json").read_text() == "old"
    assert names(tmp_path) == ["out"]


def test_outputs_of_an_earlier_run_go_and_other_files_stay(tmp_path: Path) -> None:
    for name in ("waves.vcd", "result.json", "notes.txt"):
        (tmp_path / name).write_text("old")
    with staged(tmp_path) as folder:
        (folder / "result.json").write_text("new")
    assert names(tmp_path) == ["notes.txt", "result.json"]
    assert (tmp_path / "result.json").read_text() == "new"


def test_a_place_that_cannot_hold_a_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    def use(out: Path) -> None:
        with staged(out):
            pass

    with pytest.raises(ConfigError, match=r"file' \(Not a directory\); accepted is a folder that can be written"):
        use(tmp_path / "file")
    with pytest.raises(ConfigError, match=r"accepted is a folder that can be written"):
        use(tmp_path / "file" / "deeper")


def test_what_is_no_number_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        write_json(tmp_path / "result.json", {"a": float("nan")})
