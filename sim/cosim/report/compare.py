"""Two configurations on the same requests: what differs, how surely, and in which stages."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cosim.config import RunConfig
from cosim.experiments.points import Point, configuration
from cosim.experiments.progress import SweepProgress
from cosim.experiments.sweep import Finished, Store, sweep
from cosim.experiments.table import flat
from cosim.measure.stages import STAGES
from cosim.report.quantities import shown, unit, words
from cosim.report.statistics import Estimate, estimate
from cosim.run import RunError
from cosim.values import ConfigError

TOLD = (
    "latency_p50_ns",
    "latency_p99_ns",
    "latency_p99.9_ns",
    "latency_mean_ns",
    "batch_ops_per_s",
    "runtime_efficiency",
    "iokernel_poll_share",
)


@dataclass(frozen=True)
class Difference:
    """Of one column: the means of both, and B - A, seed by seed; in the unit in which it is shown."""

    column: str
    a: float
    b: float
    change: Estimate

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.change.low is not None and self.change.high is not None and self.change.low * self.change.high > 0


def parse(text: str) -> dict[str, Any]:
    """The settings of ``key=value key=value``.

    Raises
    ------
    ConfigError
        It has another form.
    """
    settings = {}
    for part in text.split():
        name, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(f"{part!r} is no setting; accepted is 'KEY=VALUE KEY=VALUE', or a run's folder")
        settings[name] = value
    return settings


def side(text: str, common: Sequence[str], seed: int) -> RunConfig:
    """One configuration: that of a run's folder, or settings as text, in both cases with ``common`` and this seed.

    Raises
    ------
    ConfigError
        A setting is unknown or its value not accepted, or the folder has none.
    """
    folder = Path(text)
    if "=" in text or not folder.exists():
        return configuration({**parse(text), "seed": seed}, common)
    try:
        kept = json.loads((folder / "config.json").read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ConfigError(f"{text!r} has no config.json ({error}); accepted is the folder of a run") from None
    if common:
        raise ConfigError("set is given with a run's folder; accepted are settings with 'KEY=VALUE ...' only")
    kept["link"].pop("seed", None)
    return RunConfig.model_validate({**kept, "seed": seed})


def differences(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """What differs between A and B, of which each has a mapping of columns for each seed; unknowns are left out."""
    names = [*TOLD, *(f"stage_{stage}_mean_ns" for stage in STAGES)]
    found = []
    for name in names:
        pairs = [(one.get(name), other.get(name)) for one, other in zip(a, b, strict=True)]
        known = [(shown(name, x), shown(name, y)) for x, y in pairs if x is not None and y is not None]
        if known:
            change = estimate([y - x for x, y in known])
            mean_a, mean_b = (sum(values) / len(known) for values in zip(*known, strict=True))
            found.append(Difference(name, mean_a, mean_b, change))
    return found


def columns_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result as columns, with the mean latency, which is the sum of the stages' means."""
    columns = flat(result)
    if result["stage_ns"]:
        means = [columns.get(f"stage_{stage}_mean_ns") for stage in STAGES]
        columns["latency_mean_ns"] = None if None in means else sum(filter(None, means))
    return columns


def compare(texts: tuple[str, str], common: Sequence[str], seeds: int, workers: int, out: Path) -> list[Difference]:
    """Run both on the same requests, with seeds from 1 on; what was run before is not run again.

    Raises
    ------
    ConfigError
        One cannot be run. Nothing was.
    RunError
        A run failed.
    """
    pairs = [tuple(side(text, common, seed) for text in texts) for seed in range(1, seeds + 1)]
    todo = [
        Point("compare", name, "", {}, "run", config) for pair in pairs for name, config in zip("AB", pair, strict=True)
    ]
    done: dict[str, Finished] = {}
    console = Console(stderr=True)
    with SweepProgress("comparing", todo, console) as progress:
        for one in sweep(todo, Store(out / "points"), workers=workers, cluster=None, heard=progress.heard):
            done[one.point.key] = one
            progress.finished(one)
    columns: dict[str, list[dict[str, Any]]] = {"A": [], "B": []}
    for point in todo:
        outcome = done[point.key].outcome
        if outcome is None:
            raise RunError(f"{point.label}: {done[point.key].error}")
        columns[point.sweep].append(columns_of(outcome["result"]))
    return differences(columns["A"], columns["B"])


def tell(found: Sequence[Difference], seeds: int, console: Console) -> None:
    """Print the differences, and the stages that explain that of the mean."""
    table = Table()
    for name in ("", "A", "B", "B - A", "95 % interval"):
        table.add_column(name, justify="left" if not name else "right")
    stages = [one for one in found if one.column.startswith("stage_")]
    for one in (*(other for other in found if other not in stages), *sorted(stages, key=_size)):
        if one.column in ("latency_p50_ns", "stage_nic_rx_mean_ns"):
            table.add_section()
        name = f"{_name(one)} ({unit(one.column)[1]})" if unit(one.column)[1] else _name(one)
        bounds = "n/a" if one.change.low is None else f"{one.change.low:+.3g} to {one.change.high:+.3g}"
        style = "bold" if one.is_sure else None
        table.add_row(name, f"{one.a:,.3f}", f"{one.b:,.3f}", f"{one.change.mean:+,.3f}", bounds, style=style)
    console.print(table)
    console.print(f"{seeds} seeds, the same requests for both; bold where the interval leaves 0 out", markup=False)
    mean = next((one for one in found if one.column == "latency_mean_ns"), None)
    if mean is not None and stages and mean.change.mean:
        most = max(stages, key=lambda one: one.change.mean / mean.change.mean)
        console.print(
            f"Of the mean's difference of {mean.change.mean:+.3g} µs, {_name(most)} makes up "
            f"{most.change.mean:+.3g} µs, more than any other stage.",
            markup=False,
        )


def _name(one: Difference) -> str:
    """A stage by its own name, anything else in words."""
    is_stage = one.column.startswith("stage_")
    return one.column.removeprefix("stage_").removesuffix("_mean_ns") if is_stage else words(one.column)


def _size(one: Difference) -> float:
    return -abs(one.change.mean)
