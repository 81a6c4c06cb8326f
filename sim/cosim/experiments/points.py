"""The runs that an experiment asks for: each a configuration that was checked, with a key for its result."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from cosim.cache import PROJECT
from cosim.config import RunConfig
from cosim.cost_settings import CONSTANTS
from cosim.experiments.definition import Case, Experiment, ScaleOfSweep, Setting, Sweep
from cosim.values import ConfigError
from hermes.costs import load as load_costs
from hermes.systems import SYSTEMS

ScaleName = Literal["quick", "full"]
SCALES: tuple[ScaleName, ...] = ("quick", "full")

NICS: tuple[str, ...] = get_args(RunConfig.model_fields["nic"].annotation)
"""Those that a run can have."""
FAST_NIC = "model" if "model" in NICS else "rtl"
_UNSPENT = {"shenango_reallocation"}
"""Constants of systems that are not there."""


@dataclass(frozen=True)
class Choice:
    """What the command line asks for.

    Attributes
    ----------
    scale
        ``quick`` or ``full``.
    systems, nic, seeds
        None: as the experiment says.
    settings
        ``key=value`` each, over all that the experiment says.
    """

    scale: ScaleName = "quick"
    systems: Sequence[str] | None = None
    nic: str | None = None
    seeds: int | None = None
    settings: Sequence[str] = ()


@dataclass(frozen=True)
class Point:
    """One measurement of a sweep.

    Attributes
    ----------
    experiment, sweep, case
        Where it comes from; the case is empty if the sweep has none.
    varied
        The settings that differ from point to point, beside those of the case.
    measure
        How it is measured.
    config
        The run.
    """

    experiment: str
    sweep: str
    case: str
    varied: Mapping[str, Setting]
    measure: str
    config: RunConfig

    @property
    def key(self) -> str:
        """Names its result: equal if configuration, way of measuring, code and, for the RTL, the NIC are equal."""
        parts = {
            "config": self.config.what(),
            "measure": self.measure,
            "code": code_sha256(),
            "rtl": rtl_sha256() if self.config.nic == "rtl" else None,
            "capture": self.config.pcap and hashlib.sha256(self.config.pcap.read_bytes()).hexdigest(),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]

    @property
    def label(self) -> str:
        """For people, short."""
        varied = [f"{name} {value}" for name, value in self.varied.items()]
        parts = [self.sweep, self.config.system, self.config.nic, self.case, *varied, f"seed {self.config.seed}"]
        return ", ".join(filter(None, parts))


def require_extra() -> None:
    """See that what experiments need beyond runs is installed.

    Raises
    ------
    ConfigError
        Something is missing.
    """
    missing = [name for name in ("distributed", "matplotlib", "plotly", "pyarrow") if not find_spec(name)]
    if missing:
        names = ", ".join(missing)
        raise ConfigError(f"experiments need {names}, which is missing; in the clone: pip install -e '.[experiments]'")


def points(experiment: Experiment, choice: Choice) -> list[Point]:
    """All points of an experiment, none twice.

    Raises
    ------
    ConfigError
        A setting that the experiment or the command line has is unknown, or its value is not accepted.
    """
    found: list[Point] = []
    for sweep in experiment.sweep:
        scaled: ScaleOfSweep = getattr(sweep, choice.scale)
        if not scaled.skip:
            found += _points(experiment, sweep, scaled, choice)
    return found


def _points(experiment: Experiment, sweep: Sweep, scaled: ScaleOfSweep, choice: Choice) -> Iterator[Point]:
    scale = getattr(experiment, choice.scale)
    held = {**experiment.hold, **scale.hold, **sweep.hold, **scaled.hold}
    vary = {**sweep.vary, **scaled.vary}
    seeds = choice.seeds or scaled.seeds or scale.seeds
    systems = choice.systems or sweep.systems or list(SYSTEMS)
    nics = [nic for nic in sweep.nics or [choice.nic or FAST_NIC] if nic in NICS]
    step = scaled.step_gbit or sweep.step_gbit
    measure = f"{sweep.measure}:{step:g}" if sweep.measure == "zero_loss" else sweep.measure
    count = sweep.constants if scaled.constants is None else scaled.constants
    cases = [*sweep.cases, *experiment.cases.get(sweep.use or "", ()), *(constant_cases(count) if count else ())]
    for case in cases or [Case(label="")]:
        for values in itertools.product(*vary.values()):
            varied = dict(zip(vary, values, strict=True))
            for system, nic, seed in itertools.product(systems, nics, range(1, seeds + 1)):
                settings = {**held, **case.set, **varied, "system": system, "nic": nic, "seed": seed}
                try:
                    config = configuration(settings, choice.settings)
                except ConfigError as error:
                    raise ConfigError(f"{experiment.id}: sweep {sweep.name}: {error}") from None
                yield Point(experiment.id, sweep.name, case.label, varied, measure, config)


def constant_cases(count: int) -> list[Case]:
    """The default costs, and both ends of the range of each of the ``count`` constants with the widest ranges."""
    low, high = load_costs(bound="low"), load_costs(bound="high")
    spent = [name for name in CONSTANTS if name not in _UNSPENT]
    names = sorted(spent, key=lambda name: getattr(low, name) / getattr(high, name))[:count]
    ends = [(name, end) for name in names for end in ("low", "high")]
    return [
        Case(label="default", set={}),
        *(Case(label=f"{name} {end}", set={f"cost.{name}": end}) for name, end in ends),
    ]


def configuration(settings: Mapping[str, Setting], assignments: Iterable[str] = ()) -> RunConfig:
    """The run that these settings describe, flags and keys of ``--set`` alike; ``assignments`` go over them.

    Raises
    ------
    ConfigError
        A name is unknown, or a value is not accepted.
    """
    merged = dict(settings)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"set is {assignment!r}; accepted is KEY=VALUE")
        merged[name] = text
    return RunConfig.from_settings(f"{name}={_text(value)}" for name, value in merged.items())


def _text(value: Setting) -> str:
    """As ``--set`` takes it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


# --- provenance -------------------------------------------------------------------------------------------------------

_NOT_SIMULATED = ("report", "bench", "experiments/catalogue", "cli.py")
"""Below sim/cosim: what decides no result of a point."""
_DECIDES = ("experiments/measures.py",)


@cache
def code_sha256() -> str:
    """Of the software and the simulator: what decides the result of a point, beside its configuration and the RTL."""
    simulator, software = PROJECT / "sim" / "cosim", PROJECT / "sw" / "hermes"
    files = [file for file in software.rglob("*") if file.suffix in (".py", ".toml")]
    for file in simulator.rglob("*"):
        name = file.relative_to(simulator).as_posix()
        is_source = file.suffix in (".py", ".cpp", ".hpp", ".sv", ".json")  # the last: latencies of the fast NIC
        if is_source and (name in _DECIDES or not name.startswith((*_NOT_SIMULATED, "experiments"))):
            files.append(file)
    return _hash(files)


@cache
def rtl_sha256() -> str:
    """Of the NIC's sources."""
    return _hash((PROJECT / "rtl").rglob("*.py"))


def _hash(files: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for file in sorted(files):
        content = file.read_bytes()
        total.update(f"{file.relative_to(PROJECT).as_posix()} {len(content)}\n".encode() + content)
    return total.hexdigest()[:24]
