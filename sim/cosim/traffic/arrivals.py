"""Arrivals: when the source of requests hands each one to the wire, in ps from the start of the load."""

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from cosim.traffic.generate import poisson_arrivals_ps
from cosim.traffic.streams import ARRIVALS, STATES, generator
from cosim.traffic.wire import PS_PER_S
from cosim.values import ConfigError, Duration, Frozen, Rate

Picoseconds = NDArray[np.int64]

FORMS = (
    "poisson, deterministic, bursts:N, steps:RATE@TIME,RATE@TIME,..., mmpp:LOW,HIGH,LOW_TIME,HIGH_TIME, "
    "or capture with --pcap"
)
"""What ``arrivals`` takes."""

_FEWEST = 1
"""Requests of one round of phases: with fewer, a load would be all phases."""

PhaseTime = Annotated[Duration, Field(ge=1)]


class Poisson(Frozen):
    """A Poisson process of the load's rate; each gap is rounded to ps once."""

    kind: Literal["poisson"] = "poisson"

    def times_ps(self, count: int, rate: int, seed: int) -> Picoseconds:
        """Ascending, one per request."""
        return poisson_arrivals_ps(count, rate, seed)


class Deterministic(Frozen):
    """One every 1 / rate seconds, rounded down to ps."""

    kind: Literal["deterministic"] = "deterministic"

    def times_ps(self, count: int, rate: int, seed: int) -> Picoseconds:  # noqa: ARG002 (of all kinds)
        """Ascending, one per request."""
        million = 10**6  # in two steps, so that no product is too large
        seconds, rest = np.divmod(np.arange(count, dtype=np.int64), rate)
        microseconds, rest = np.divmod(rest * million, rate)
        times_ps: Picoseconds = (seconds * million + microseconds) * million + rest * million // rate
        return times_ps


class Bursts(Frozen):
    """``size`` requests at once, which follow each other on the wire; the bursts are a Poisson process."""

    kind: Literal["bursts"] = "bursts"
    size: int = Field(ge=1, le=10**7)

    def times_ps(self, count: int, rate: int, seed: int) -> Picoseconds:
        """Ascending, one per request."""
        bursts = poisson_arrivals_ps(-(-count // self.size), rate / self.size, seed)
        return np.repeat(bursts, self.size)[:count]


class Phase(Frozen):
    """``rate`` requests per second for a time."""

    rate: Rate
    time_ps: PhaseTime


class Steps(Frozen):
    """A Poisson process whose rate goes from phase to phase, and round again until all requests are out."""

    kind: Literal["steps"] = "steps"
    phases: tuple[Phase, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _some_arrive(self) -> Self:
        _require_requests("steps", float(self._rates() @ self._durations() / PS_PER_S))
        return self

    @property
    def rates(self) -> tuple[int, ...]:
        """Of each phase, per second."""
        return tuple(phase.rate for phase in self.phases)

    @property
    def mean_rate(self) -> float:
        """Requests per second."""
        return float(self._rates() @ self._durations() / self._durations().sum())

    def times_ps(self, count: int, rate: int, seed: int) -> Picoseconds:  # noqa: ARG002 (of all kinds)
        """Ascending, one per request."""
        ends_ps = np.cumsum(self._durations())
        requests = np.cumsum(self._rates() * self._durations() / PS_PER_S)  # that are due at the end of each phase
        rounds, due = np.divmod(np.cumsum(generator(seed, ARRIVALS).exponential(1, count)), requests[-1])
        starts_ps = rounds.astype(np.int64) * ends_ps[-1]
        return _ascending(starts_ps + _when(due, requests, ends_ps, self._rates()))

    def _rates(self) -> NDArray[np.float64]:
        return np.array(self.rates, dtype=np.float64)

    def _durations(self) -> Picoseconds:
        return np.array([phase.time_ps for phase in self.phases], dtype=np.int64)


class Mmpp(Frozen):
    """A Markov-modulated Poisson process of two states, from the low one on; the time in each is exponential."""

    kind: Literal["mmpp"] = "mmpp"
    low: Rate
    high: Rate
    low_mean_ps: PhaseTime
    high_mean_ps: PhaseTime

    @model_validator(mode="after")
    def _some_arrive(self) -> Self:
        _require_requests("mmpp", (self.low * self.low_mean_ps + self.high * self.high_mean_ps) / PS_PER_S)
        return self

    @property
    def rates(self) -> tuple[int, ...]:
        """Of each state, per second."""
        return self.low, self.high

    @property
    def mean_rate(self) -> float:
        """Requests per second."""
        means = self.low_mean_ps, self.high_mean_ps
        return (self.low * means[0] + self.high * means[1]) / sum(means)

    def times_ps(self, count: int, rate: int, seed: int) -> Picoseconds:  # noqa: ARG002 (of all kinds)
        """Ascending, one per request."""
        due = np.cumsum(generator(seed, ARRIVALS).exponential(1, count))
        states = generator(seed, STATES)
        means = np.array([self.low_mean_ps, self.high_mean_ps], dtype=np.float64)
        per_round = float(means @ np.array(self.rates) / PS_PER_S)
        stays = np.zeros((0, 2), dtype=np.int64)
        requests = np.zeros(1)
        while requests[-1] <= due[-1]:
            rounds = int((due[-1] - requests[-1]) / per_round) + 64
            more = np.rint(states.exponential(means, (rounds, 2))).astype(np.int64)
            stays = np.concatenate((stays, more))
            requests = np.cumsum(stays * np.array(self.rates) / PS_PER_S)
        rates = np.tile(np.array(self.rates, dtype=np.float64), len(stays))
        return _ascending(_when(due, requests, np.cumsum(stays), rates))


class Capture(Frozen):
    """At the times of the capture, from its first frame on."""

    kind: Literal["capture"] = "capture"


def parse_arrivals(value: object) -> object:
    """The fields that the text of ``arrivals`` stands for; anything else stays as it is.

    Raises
    ------
    ValueError
        It is none of FORMS.
    """
    if not isinstance(value, str):
        return value
    kind, _, rest = value.partition(":")
    if kind == "bursts":
        return {"kind": kind, "size": rest}
    if kind == "steps":
        pairs = [phase.partition("@") for phase in rest.split(",")]
        return {"kind": kind, "phases": [{"rate": rate, "time_ps": time} for rate, _, time in pairs]}
    if kind == "mmpp":
        fields = ("low", "high", "low_mean_ps", "high_mean_ps")
        return {"kind": kind, **dict(zip(fields, rest.split(","), strict=True))}
    if rest:
        raise ValueError(value)
    return {"kind": kind}


OWN_RATE = frozenset({"steps", "mmpp", "capture"})
"""Kinds that come with their rates."""

Arrivals = Annotated[
    Poisson | Deterministic | Bursts | Steps | Mmpp | Capture,
    Field(discriminator="kind"),
    BeforeValidator(parse_arrivals),
]
"""A setting: text in one of FORMS."""


def _when(
    due: NDArray[np.float64], requests: NDArray[np.float64], ends_ps: Picoseconds, rates: NDArray[np.float64]
) -> Picoseconds:
    """Arrival times in ps of a process of unit rate, ``due``, whose clock runs at the rate of the phase.

    By the end of phase k, at ``ends_ps[k]``, the clock shows ``requests[k]``.
    """
    phase = np.minimum(np.searchsorted(requests, due, side="right"), len(requests) - 1)
    missing = (requests[phase] - due) * PS_PER_S / np.maximum(rates[phase], 1)
    return ends_ps[phase] - np.rint(missing).astype(np.int64)


def _ascending(times_ps: Picoseconds) -> Picoseconds:
    """The same, but for a rounding where a phase begins."""
    return np.maximum.accumulate(times_ps)


def _require_requests(kind: str, requests: float) -> None:
    if requests < _FEWEST:
        raise ConfigError(
            f"arrivals {kind} has {requests:g} requests in a round of its phases; accepted is {_FEWEST} and more"
        )
