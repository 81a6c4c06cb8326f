"""requests.parquet: one row for each request, for whoever wants to know more than the result says."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.config import ConfigError
from cosim.measure.stages import TIMES, Stages

Integers = NDArray[np.int64]

FATES = ("completed", "dropped", "unfinished", "not_sent")

_ROWS = 1 << 20  # of a row group


def require_parquet() -> None:
    """See that requests.parquet can be written.

    Raises
    ------
    ConfigError
        pyarrow is missing.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise ConfigError("requests_file is on; accepted is off where pyarrow is missing: pip install -e '.[results]'")


def request_columns(
    arrivals_ps: Integers, answers_ps: Integers, ends_ps: Integers, found: Stages | None
) -> dict[str, Integers]:
    """What happened to each request, by the name of the column; -1 where something did not happen.

    Columns are ``fate``, an index of FATES; ``latency_ps`` (of an unfinished request its age); and a time for each of
    cosim.measure.stages.TIMES, such as ``arrival_ps``, of which only the first and the last without stages.

    Parameters
    ----------
    arrivals_ps, answers_ps
        When each request entered the NIC and its answer left it; -1 where that did not happen.
    ends_ps
        As cosim.measure.latency.ends_ps gives it, with its convention of which requests are unfinished.
    found
        The stages of all completed requests.
    """
    fate = np.select([arrivals_ps < 0, answers_ps >= 0, ends_ps >= 0], [3, 0, 2], 1)
    columns = {"fate": fate, "latency_ps": np.where(ends_ps >= 0, ends_ps - arrivals_ps, -1), "arrival_ps": arrivals_ps}
    if found is not None:
        for name, times in zip(TIMES[1:-1], found.times_ps[1:-1], strict=True):
            column = np.full(len(arrivals_ps), -1, dtype=np.int64)
            column[found.requests] = times
            columns[f"{name}_ps"] = column
    return columns | {"answer_ps": answers_ps}


def write_requests(path: Path, columns: Mapping[str, Integers]) -> None:
    """Write a column for each name, row i of request i; the same columns give the same bytes.

    Parameters
    ----------
    path
        The file.
    columns
        All equally long. -1 becomes null, and ``fate`` its name.
    """
    import pyarrow as pa  # an extra, and heavy
    from pyarrow import parquet

    def field(name: str) -> tuple[str, pa.DataType]:
        return name, pa.dictionary(pa.int8(), pa.string()) if name == "fate" else pa.int64()

    def part(name: str, values: Integers) -> pa.Array:
        if name == "fate":
            return pa.DictionaryArray.from_arrays(pa.array(values.astype(np.int8)), pa.array(FATES))
        return pa.array(values, mask=values < 0)

    count = len(next(iter(columns.values())))
    schema = pa.schema([field(name) for name in columns])
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, count, _ROWS):
            rows = slice(start, start + _ROWS)
            arrays = [part(name, values[rows]) for name, values in columns.items()]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
