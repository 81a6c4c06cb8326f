"""requests.parquet: a row for each request."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pyarrow import parquet

from cosim.config import ConfigError
from cosim.measure import requests_file
from cosim.measure.requests_file import request_columns, require_parquet, write_requests
from cosim.measure.stages import TIMES, Stages


def times(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


ARRIVALS = times(10, 20, 30, -1)
ANSWERS = times(-1, 90, -1, -1)
ENDS = times(-1, 90, 99, -1)
FOUND = Stages(times(1), np.array([[20, *range(21, 30), 90]], dtype=np.int64).T)


def rows(path: Path) -> dict[str, list[object]]:
    told: dict[str, list[object]] = parquet.read_table(path).to_pydict()
    return told


def test_every_request_has_its_fate_and_its_times(tmp_path: Path) -> None:
    write_requests(tmp_path / "requests.parquet", request_columns(ARRIVALS, ANSWERS, ENDS, FOUND))
    told = rows(tmp_path / "requests.parquet")
    assert list(told) == ["fate", "latency_ps", *(f"{name}_ps" for name in TIMES)]
    assert told["fate"] == ["dropped", "completed", "unfinished", "not_sent"]
    assert told["latency_ps"] == [None, 70, 69, None]
    assert told["arrival_ps"] == [10, 20, 30, None]
    assert told["visible_ps"] == [None, 21, None, None]
    assert told["forwarded_ps"] == [None, 29, None, None]
    assert told["answer_ps"] == [None, 90, None, None]


def test_without_stages_arrival_and_answer_are_told(tmp_path: Path) -> None:
    write_requests(tmp_path / "requests.parquet", request_columns(ARRIVALS, ANSWERS, ENDS, None))
    assert list(rows(tmp_path / "requests.parquet")) == ["fate", "latency_ps", "arrival_ps", "answer_ps"]


def test_equal_columns_give_equal_bytes_in_however_many_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = request_columns(ARRIVALS, ANSWERS, ENDS, FOUND)
    for name in ("a", "b"):
        write_requests(tmp_path / name, columns)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    monkeypatch.setattr(requests_file, "_ROWS", 3)
    write_requests(tmp_path / "c", columns)
    assert parquet.ParquetFile(tmp_path / "c").num_row_groups == 2
    assert rows(tmp_path / "c") == rows(tmp_path / "a")


def test_without_pyarrow_it_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    require_parquet()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(
        ConfigError, match=r"requests_file is on; accepted is off where pyarrow is missing: pip install"
    ):
        require_parquet()
