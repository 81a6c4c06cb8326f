"""The output folder: it holds whole files or none."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cosim.config import ConfigError

OUTPUTS = (
    "config.json",
    "result.json",
    "run-info.json",
    "series.json",
    "requests.parquet",
    "sent.pcap",
    "echo.pcap",
    "waves.vcd",
    "trace.perfetto",
)
"""Everything that a run may write."""


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder to work in: what lies in it under a name of OUTPUTS moves to ``out`` in the end.

    After an error or an interrupt ``out`` is as it was before; outputs of an earlier run that this one does not
    write are removed, and nothing else in ``out`` is touched.

    Raises
    ------
    ConfigError
        There can be no such folder.
    """
    existing = next(parent for parent in (out, *out.absolute().parents) if parent.exists())
    try:
        staging = Path(tempfile.mkdtemp(prefix=".hermes-", dir=existing))
    except OSError as error:
        raise ConfigError(f"out is {str(out)!r} ({error.strerror}); accepted is a folder that can be written") from None
    try:
        yield staging
        out.mkdir(parents=True, exist_ok=True)
        for name in OUTPUTS:
            if (staging / name).exists():
                (staging / name).replace(out / name)
            else:
                (out / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """One object, readable, keys in their order; the same content gives the same bytes."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
