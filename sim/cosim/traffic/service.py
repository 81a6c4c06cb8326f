"""Service times: how long the application computes for each request, beside what its own code takes."""

import hashlib
import math
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from cosim.traffic.streams import SERVICE, generator
from cosim.values import LONGEST_PS, ConfigError, Duration, Frozen, parse_duration

Picoseconds = NDArray[np.int64]

FORMS = (
    "constant:TIME, exponential:MEAN, bimodal:MEAN[:SHARE:LOW:HIGH], lognormal:MEAN[:SIGMA] or file:PATH, "
    "times with a unit, such as constant:10us"
)
"""What ``--service`` takes."""

_MEAN_ERROR = 1e-6


class Constant(Frozen):
    """The same for each."""

    kind: Literal["constant"] = "constant"
    time_ps: Duration

    def draw(self, count: int, seed: int) -> Picoseconds:  # noqa: ARG002 (of all kinds)
        """Times of requests 0 to ``count`` - 1, in ps."""
        return np.full(count, self.time_ps, dtype=np.int64)


class Exponential(Frozen):
    """Drawn from an exponential distribution."""

    kind: Literal["exponential"] = "exponential"
    mean_ps: Duration

    def draw(self, count: int, seed: int) -> Picoseconds:
        """Times of requests 0 to ``count`` - 1, in ps."""
        return _rounded(generator(seed, SERVICE).exponential(self.mean_ps, count))


class Bimodal(Frozen):
    """``low`` times the mean for a ``share`` of the requests, drawn at random, and ``high`` times for the others."""

    kind: Literal["bimodal"] = "bimodal"
    mean_ps: Duration
    share: float = Field(default=0.9, gt=0, lt=1)
    low: float = Field(default=0.5, ge=0)
    high: float = Field(default=5.5, ge=0)

    @model_validator(mode="after")
    def _mean_is_the_mean(self) -> Self:
        mean = self.share * self.low + (1 - self.share) * self.high
        if abs(mean - 1) > _MEAN_ERROR:
            raise ConfigError(
                f"service bimodal has a mean of {mean:g} times MEAN; accepted are SHARE, LOW and HIGH with "
                "SHARE * LOW + (1 - SHARE) * HIGH = 1"
            )
        return self

    def draw(self, count: int, seed: int) -> Picoseconds:
        """Times of requests 0 to ``count`` - 1, in ps."""
        is_low = generator(seed, SERVICE).random(count) < self.share
        return _rounded(np.where(is_low, self.low * self.mean_ps, self.high * self.mean_ps))


class Lognormal(Frozen):
    """The logarithm is drawn from a normal distribution with standard deviation ``sigma``."""

    kind: Literal["lognormal"] = "lognormal"
    mean_ps: Annotated[Duration, Field(ge=1)]
    sigma: float = Field(default=1, gt=0, le=4)

    def draw(self, count: int, seed: int) -> Picoseconds:
        """Times of requests 0 to ``count`` - 1, in ps."""
        median_log = math.log(self.mean_ps) - self.sigma**2 / 2
        return _rounded(generator(seed, SERVICE).lognormal(median_log, self.sigma, count))


class FromFile(Frozen):
    """The times of a text file, one per line, in turn: request i takes line i modulo their number.

    A line is a time with a unit, or a number of ns. ``sha256`` is the file's, in hexadecimal.
    """

    kind: Literal["file"] = "file"
    path: Path
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """The file as it is now; ConfigError if it cannot be read."""
        return cls(path=path, sha256=hashlib.sha256(_content(path)).hexdigest())

    def draw(self, count: int, seed: int) -> Picoseconds:  # noqa: ARG002 (of all kinds)
        """Times of requests 0 to ``count`` - 1, in ps; ConfigError if the file has changed, or has a wrong line."""
        content = _content(self.path)
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ConfigError(f"service file {self.path} has SHA-256 {found}; accepted is {self.sha256}, as before")
        lines = content.decode(errors="replace").splitlines()
        times = [self._time(number, line.strip()) for number, line in enumerate(lines, start=1)]
        if not times:
            raise ConfigError(f"service file {self.path} is empty; accepted is one time per line")
        return np.resize(np.array(times, dtype=np.int64), count)

    def _time(self, number: int, line: str) -> int:
        try:
            time = parse_duration(f"{line}ns" if line[-1:].isdigit() else line)
        except ValueError:
            time = -1
        if not 0 <= time <= LONGEST_PS:
            raise ConfigError(
                f"service file {self.path}, line {number} is {line!r}; accepted is a time such as 1.5us, "
                "or a number of ns, of at most 1000 s"
            )
        return time


def parse_service(value: object) -> object:
    """The fields that the text of ``--service`` stands for; anything else stays as it is.

    Raises
    ------
    ValueError
        It is none of FORMS.
    """
    if not isinstance(value, str):
        return value
    kind, _, rest = value.partition(":")
    if kind == "file":
        return FromFile.of(Path(rest))
    fields = {
        "constant": ("time_ps",),
        "exponential": ("mean_ps",),
        "bimodal": ("mean_ps", "share", "low", "high"),
        "lognormal": ("mean_ps", "sigma"),
    }
    values = rest.split(":")
    if kind not in fields or len(values) > len(fields[kind]) or (kind == "bimodal" and len(values) not in (1, 4)):
        raise ValueError(value)
    return {"kind": kind, **dict(zip(fields[kind], values, strict=False))}


Service = Annotated[
    Constant | Exponential | Bimodal | Lognormal | FromFile,
    Field(discriminator="kind"),
    BeforeValidator(parse_service),
]
"""A setting: text in one of FORMS."""


def _rounded(times_ps: NDArray[np.float64]) -> Picoseconds:
    """Whole ps, no more than a setting may say."""
    return np.rint(np.minimum(times_ps, LONGEST_PS)).astype(np.int64)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"service is 'file:{path}' ({error.strerror}); accepted is a file with one time per line"
        ) from None
