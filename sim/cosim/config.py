"""What a run is: every setting, checked once, before anything else happens."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from cosim.pcie.link import LinkParameters
from cosim.traffic.generate import MOST_CONNECTIONS

GENERATED_REQUESTS = 20_000
"""Where neither a number nor a capture is given."""

_PS = {"ps": 1, "ns": 10**3, "us": 10**6, "ms": 10**9, "s": 10**12}
_SUFFIXES = {"": 1, "k": 10**3, "M": 10**6}
_HOW = frozenset({"idle_skip", "lookahead", "polling", "waves", "trace"})
"""Settings that change how a run is carried out, and no result."""
_SET = ("drain", "idle_skip", "lookahead", "polling")
_SET_LINK = tuple(f"link.{field.name}" for field in fields(LinkParameters))
"""Settings that are changed by ``--set``; the others have a flag of their own."""


class ConfigError(ValueError):
    """A setting that cannot work; the message is one line that names it, its value and what would be accepted."""


def _whole(text: str, units: Mapping[str, int]) -> int:
    """A number with one of these units, which must come out whole."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([a-zA-Z]*)", text)
    if match is None or match[2] not in units:
        raise ValueError(text)
    value = Decimal(match[1]) * units[match[2]]
    if value != int(value):
        raise ValueError(text)
    return int(value)


def _duration(value: object) -> object:
    """Picoseconds of ``800ns``, ``1.5us``, ``0``; integers are picoseconds already."""
    if isinstance(value, str):
        return 0 if value == "0" else _whole(value, _PS)
    return value


def _rate(value: object) -> object:
    return _whole(value, _SUFFIXES) if isinstance(value, str) and value != "line" else value


def _service(value: object) -> object:
    if isinstance(value, str):
        kind, _, time = value.partition(":")
        return {"kind": kind, "time_ps": time}
    return value


def _implied_link(settled: Mapping[str, Any]) -> dict[str, int]:
    """What other settings, if they are sound, say about the link."""
    rtt_ps, seed = settled.get("rtt_ps", 0), settled.get("seed", 0)
    return {"propagation_up_ps": rtt_ps // 2, "propagation_down_ps": rtt_ps - rtt_ps // 2, "seed": seed}


Duration = Annotated[int, BeforeValidator(_duration), Field(ge=0)]


class Frozen(BaseModel):
    """A part of a configuration: it does not change, and knows every name it is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, validate_default=True)


class Service(Frozen):
    """How long the application computes for each request, beside what its own code takes."""

    kind: Literal["constant"]
    time_ps: Duration


class RunConfig(Frozen):
    """One run. Each field's description says what is accepted; times are integer picoseconds.

    Flags and ``--set`` use the aliases; files use the names. ``flows`` and ``requests`` are None for a capture, which
    has its own.
    """

    system: Literal["indirect", "semi-direct", "priority"] = Field("indirect", description="indirect")
    nic: Literal["rtl"] = Field("rtl", description="rtl")
    workload: Literal["echo"] = Field("echo", description="echo")
    service: Annotated[Service, BeforeValidator(_service)] = Field(
        Service(kind="constant", time_ps=0), description="constant:TIME with a unit, such as constant:10us"
    )
    cores: int = Field(4, ge=1, le=64, description="1 to 64 application cores")
    uthreads: int = Field(8, ge=1, le=8192, description="1 to 8192 uthreads, each with a pipe")
    batch: bool = Field(False, description="no batch application: no core is taken back yet")
    rate: Annotated[Annotated[int, Field(ge=1)] | Literal["line"], BeforeValidator(_rate)] = Field(
        10**6, description="1 or more frames per second, such as 2500, 100k or 1.5M, or line"
    )
    pcap: Path | None = Field(None, description="a capture (pcap or pcapng)")
    flows: int | None = Field(
        default_factory=lambda settled: None if settled.get("pcap") else settled.get("uthreads"),
        ge=1,
        le=MOST_CONNECTIONS,
        description=f"1 to {MOST_CONNECTIONS} connections, and none with a capture, which has its own",
    )
    requests: int | None = Field(
        default_factory=lambda settled: None if settled.get("pcap") else GENERATED_REQUESTS,
        ge=1,
        le=10**7,
        description="1 to 10000000 requests, and none with a capture, which has its own",
    )
    rtt_ps: Duration = Field(800_000, alias="rtt", description="a time with a unit, such as 800ns")
    seed: int = Field(1, ge=0, le=10**12, description="an integer from 0 to 10^12")
    link: LinkParameters = Field(
        default_factory=lambda settled: LinkParameters(**_implied_link(settled)),
        description="the fields of LinkParameters",
    )
    drain_ps: Duration = Field(10**10, alias="drain", description="a time with a unit, such as 10ms")
    idle_skip: bool = Field(True, description="on or off")
    lookahead: Literal["max"] | Annotated[int, Field(ge=1)] = Field("max", description="max, or 1 or more cycles")
    polling: Literal["arithmetic", "naive"] = Field("arithmetic", description="arithmetic or naive")
    waves: bool = Field(False, description="on or off")
    trace: Literal[False] = Field(False, description="no trace: it comes with the stages")

    @field_validator("link", mode="before")
    @classmethod
    def _link_follows_rtt_and_seed(cls, value: object, info: ValidationInfo) -> object:
        return {**_implied_link(info.data), **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _capture_brings_its_own_traffic(self) -> Self:
        for field in ("flows", "requests"):
            if self.pcap is not None and getattr(self, field) is not None:
                raise ValueError(f"{field} is {getattr(self, field)}; {self.accepted(field)}")
        return self

    @classmethod
    def from_flags(cls, flags: Mapping[str, object], assignments: Iterable[str] = ()) -> Self:
        """The configuration that a command line asks for.

        Parameters
        ----------
        flags
            Values by field name or alias, mostly text; None where the flag was not given.
        assignments
            ``key=value`` each, as ``--set`` takes them.

        Raises
        ------
        ConfigError
            A setting is unknown or its value not accepted.
        """
        settings: dict[str, Any] = {name: value for name, value in flags.items() if value is not None}
        for assignment in assignments:
            key, equals, value = assignment.partition("=")
            if not equals or key not in (*_SET, *_SET_LINK):
                known = ", ".join((*_SET, *_SET_LINK))
                raise ConfigError(f"set is {assignment!r}; accepted is KEY=VALUE with KEY one of {known}")
            if key in _SET_LINK:
                settings.setdefault("link", {})[key.removeprefix("link.")] = value
            else:
                settings[key] = value
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            wrong = error.errors()[0]
            place = tuple(map(str, wrong["loc"]))
            if place in ((), ("link",)):  # of several fields, or of one that says it better
                raise ConfigError(str(wrong["ctx"]["error"])) from None
            if place[0] == "link":
                raise ConfigError(f"{'.'.join(place)} is {wrong['input']!r}; accepted is a whole number") from None
            raise ConfigError(f"{place[0]} is {settings[place[0]]!r}; {cls.accepted(place[0])}") from None

    @classmethod
    def accepted(cls, name: str) -> str:
        """What the field of this name or alias takes, for an error's text."""
        by_alias = {field.alias or key: field for key, field in cls.model_fields.items()}
        return f"accepted is {by_alias[name].description}"

    def what(self) -> dict[str, Any]:
        """What is simulated, for JSON: two runs of which this is equal have equal results."""
        return self.model_dump(mode="json", exclude=set(_HOW))

    def how(self) -> dict[str, Any]:
        """How it is carried out, for JSON."""
        return self.model_dump(mode="json", include=set(_HOW))
