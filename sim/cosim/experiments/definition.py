"""What an experiment is: data, in a TOML file, checked before anything runs.

    id = "mine"                      # also the name of its table
    title = "Latency of small services"
    question = "What does a request of 1 us pay for its way?"
    hold = { workload = "spin", service = "constant:1us", cores = 14, uthreads = 100 }

    [quick]                          # what --quick changes; [full] likewise
    seeds = 2
    hold = { requests = 12000 }

    [[sweep]]                        # one run for each value, system and seed
    name = "load"
    vary = { rate = ["200k", "1M"] }

    [[figure]]
    id = "latency"
    sweep = "load"
    title = "Latency under load"
    x = "rate_per_s"
    y = ["latency_p50_ns", "latency_p99_ns"]

Settings are those of ``hermes run``: the flags by their names, and every key of ``--set``.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from cosim.values import ConfigError, Frozen
from hermes.systems import SYSTEMS

Setting = str | int | float | bool
Settings = dict[str, Setting]

CATALOGUE = Path(__file__).parent / "catalogue"

NAME = r"^[A-Za-z][A-Za-z0-9_-]*$"
_NAME = "a name of letters, digits, - and _"


class Case(Frozen):
    """Some settings that go together, under a name for people."""

    label: str = Field(description="text, what the figure calls this case")
    set: Settings = Field(default_factory=dict, description="a table of settings, such as { service = 'constant:1us' }")
    needs: str = Field(default="", description="text, without what it changes nothing")


class ScaleOfSweep(Frozen):
    """What a scale changes in a sweep; what is None stays."""

    vary: dict[str, list[Setting]] = Field(default_factory=dict, description="a table of lists of values")
    hold: Settings = Field(default_factory=dict, description="a table of settings")
    skip: bool = Field(default=False, description="true or false: whether this scale leaves the sweep out")
    seeds: int | None = Field(default=None, ge=1, le=100, description="1 to 100 seeds")
    constants: int | None = Field(default=None, ge=0, description="a number of constants of the cost profile")
    step_gbit: float | None = Field(default=None, gt=0, le=50, description="Gb/s, up to 50")


class Sweep(Frozen):
    """A run for each combination of values, cases, systems, NICs and seeds.

    Attributes
    ----------
    name
        Within the experiment.
    vary, cases
        What differs from run to run.
    hold
        What does not, beyond what the experiment holds.
    systems, nics
        None: those of the command line, or all systems and the faster NIC.
    constants
        Besides the cases: the default costs, and each of so many constants with the widest ranges at both its ends.
    measure
        How a point is measured: by one ``run``; by a search for the highest rate without loss, in steps of
        ``step_gbit`` of the wire (``zero_loss``); or by counting what a packetised interface moves (``packetised``).
    use
        The name of a list of cases that the experiment has.
    quick, full
        What these scales change.
    """

    name: str = Field(pattern=NAME, description=_NAME)
    vary: dict[str, list[Setting]] = Field(default_factory=dict, description="a table of lists of values")
    cases: list[Case] = Field(default_factory=list, description="a list of { label, set }")
    use: str | None = Field(default=None, description="the name of a list in [cases]")
    hold: Settings = Field(default_factory=dict, description="a table of settings")
    systems: list[str] | None = Field(default=None, description=f"a list of {', '.join(SYSTEMS)}")
    nics: list[str] | None = Field(default=None, description="a list of rtl and model")
    constants: int = Field(default=0, ge=0, description="a number of constants of the cost profile")
    measure: Literal["run", "zero_loss", "packetised"] = Field(
        default="run", description="run, zero_loss or packetised"
    )
    step_gbit: float = Field(default=0.1, gt=0, le=50, description="Gb/s, up to 50")
    quick: ScaleOfSweep = Field(
        default=ScaleOfSweep(),
        description="a table: vary, hold, skip, seeds",
    )
    full: ScaleOfSweep = Field(
        default=ScaleOfSweep(),
        description="a table: vary, hold, skip, seeds",
    )

    @field_validator("vary")
    @classmethod
    def _lists_have_values(cls, vary: dict[str, list[Setting]]) -> dict[str, list[Setting]]:
        if not all(vary.values()):
            raise ValueError("empty")
        return vary


class Figure(Frozen):
    """What of a sweep is drawn.

    Attributes
    ----------
    id, title
        Its name, and what it is called.
    sweep
        The sweep that it shows, or a list of sweeps.
    kind
        ``lines`` over a numeric x; ``bars`` over cases; ``stack``: ``y`` on top of each other over cases, a panel for
        each system; ``series``: columns that hold lists, over time; ``tornado``: how
        far both ends of each constant move ``y``; ``changes``: how far each case moves the first of ``y``, with a table
        of all of them.
    x
        The column along x.
    y
        Columns; each has a panel of its own, but in a stack.
    lines
        The column that tells lines, or bars, apart.
    panels
        A column with a panel for each of its values.
    where
        Only rows that have these values, or one of a list of values.
    x_log, y_log
        Logarithmic axes.
    says
        Which sentences are made of its numbers: see cosim.report.sentences.
    """

    id: str = Field(pattern=NAME, description=_NAME)
    title: str = Field(min_length=1, description="text")
    sweep: str | list[str] = Field(description="the name of a sweep, or a list of names")
    kind: Literal["lines", "bars", "stack", "series", "tornado", "changes"] = Field(
        default="lines", description="lines, bars, stack, series, tornado or changes"
    )
    x: str = Field(default="case", description="the name of a column")
    y: list[str] = Field(min_length=1, description="a list of columns")
    lines: str = Field(default="system", description="the name of a column")
    panels: str | None = Field(default=None, description="the name of a column")
    where: dict[str, Setting | list[Setting]] = Field(default_factory=dict, description="a table of columns and values")
    x_log: bool = Field(default=False, description="true or false")
    y_log: bool = Field(default=False, description="true or false")
    says: list[Literal["ends", "compare", "knee", "largest", "maxima", "peak", "ranking", "change"]] = Field(
        default=["ends", "compare"],
        description="a list of ends, compare, knee, largest, maxima, peak, ranking and change",
    )

    @property
    def sweeps(self) -> list[str]:
        """The names of its sweeps."""
        return [self.sweep] if isinstance(self.sweep, str) else self.sweep


class Scale(Frozen):
    """What --quick or --full changes in the whole experiment, and what readers must know of it."""

    seeds: int = Field(default=1, ge=1, le=100, description="1 to 100 seeds")
    hold: Settings = Field(default_factory=dict, description="a table of settings")
    note: str = Field(default="", description="text that stands beside each figure")


class Experiment(Frozen):
    """A question, the runs that answer it, and the figures that show the answer.

    Attributes
    ----------
    id, title, question, setting
        For people; the id is also the name of its table.
    hold
        Settings of all runs.
    quick, full
        The two scales.
    cases
        Lists of cases, by name, for several sweeps to use.
    sweep, figure
        What is run and drawn.
    trace
        Settings of a short run of which the report links a trace, beyond ``hold``; none if None.
    """

    id: str = Field(pattern=NAME, description=_NAME)
    title: str = Field(min_length=1, description="text")
    question: str = Field(min_length=1, description="text")
    setting: str = Field(default="", description="text: what a reader must know of the setting")
    hold: Settings = Field(default_factory=dict, description="a table of settings")
    quick: Scale = Field(default=Scale(), description="a table: seeds, hold, note")
    full: Scale = Field(default=Scale(seeds=3), description="a table: seeds, hold, note")
    cases: dict[str, list[Case]] = Field(default_factory=dict, description="a table of lists of { label, set }")
    sweep: list[Sweep] = Field(min_length=1, description="one or more [[sweep]]")
    figure: list[Figure] = Field(default_factory=list, description="any number of [[figure]]")
    trace: Settings | None = Field(default=None, description="a table of settings")

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = [sweep.name for sweep in self.sweep]
        for what, all_names in (("sweep.name", names), ("figure.id", [figure.id for figure in self.figure])):
            for name in all_names:
                if all_names.count(name) > 1:
                    raise ConfigError(f"{what} is {name!r} more than once; accepted is a name of its own for each")
        for figure in self.figure:
            for name in figure.sweeps:
                if name not in names:
                    raise ConfigError(f"figure.sweep is {name!r}; accepted is a sweep: {', '.join(names)}")
        for sweep in self.sweep:
            if sweep.use is not None and sweep.use not in self.cases:
                raise ConfigError(f"sweep.use is {sweep.use!r}; accepted is a list in [cases]: {', '.join(self.cases)}")
            for system in sweep.systems or ():
                if system not in SYSTEMS:
                    raise ConfigError(f"sweep.systems has {system!r}; accepted are {', '.join(SYSTEMS)}")
        return self


def load(file: Path) -> Experiment:
    """The experiment of a TOML file.

    Raises
    ------
    ConfigError
        There is none, or it is wrong: the line names the file, the field, its value and what is accepted.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"experiment is {str(file)!r} ({error.strerror}); accepted is {_accepted()}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file.name}: is no TOML ({error}); accepted is a TOML file") from None
    try:
        return Experiment.model_validate(table)
    except ValidationError as error:
        raise ConfigError(f"{file.name}: {_explained(error)}") from None


def _explained(error: ValidationError) -> str:
    wrong = error.errors()[0]
    cause = wrong.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):
        return str(cause)
    model: Any = Experiment
    said, accepted = "", ""
    for part in wrong["loc"]:
        if isinstance(part, int):
            said += f"[{part + 1}]"
            continue
        said += ("." if said else "") + part
        fields = getattr(model, "model_fields", None)
        if fields is None:
            continue
        if part not in fields:
            accepted = f"a known field: {', '.join(fields)}"
            break
        accepted = fields[part].description
        model = {"sweep": Sweep, "figure": Figure, "cases": Case}.get(part)
        if part in ("quick", "full"):
            model = ScaleOfSweep if "sweep" in said else Scale
    if wrong["type"] == "missing":
        return f"{said} is missing; accepted is {accepted}"
    if wrong["type"] == "extra_forbidden":
        return f"{said} is unknown; accepted is {accepted}"
    return f"{said} is {wrong['input']!r}; accepted is {accepted}"


@cache
def catalogue() -> Mapping[str, Experiment]:
    """The experiments that come with Hermes, by id, in order."""
    experiments = [load(file) for file in sorted(CATALOGUE.glob("*.toml"))]
    return {experiment.id: experiment for experiment in experiments}


def find(name: str) -> Experiment:
    """An experiment of the catalogue by its id, or else of the file of this name; ConfigError as ``load``."""
    known = catalogue()
    return known[name] if name in known else load(Path(name))


def _accepted() -> str:
    return f"one of {', '.join(catalogue())}, or a TOML file"
