"""What a run is: every setting, checked once, before anything else happens."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from cosim.cost_settings import CONSTANTS, CostSettings
from cosim.pcie.link import LinkParameters
from cosim.switch_settings import SWITCH_NAMES, SwitchSettings
from cosim.traffic import arrivals as arrival_forms
from cosim.traffic import service as service_forms
from cosim.traffic.arrivals import Arrivals, Deterministic, Poisson, parse_arrivals
from cosim.traffic.frames import MINIMUM_FRAME
from cosim.traffic.generate import LONGEST_FRAME, MOST_CONNECTIONS
from cosim.traffic.kv import KvLoad
from cosim.traffic.service import Constant, Service
from cosim.values import ConfigError, Duration, Frozen, Rate
from hermes.switches import Switches
from hermes.systems import SYSTEMS

__all__ = ["ConfigError", "RunConfig"]

GENERATED_REQUESTS = {"rtl": 20_000, "model": 200_000}
"""Where neither a number nor a capture is given."""
DEFAULT_RATE = 10**6

_HOW = frozenset({"idle_skip", "lookahead", "polling", "waves", "trace", "requests_file", "compiled"})
"""Settings that change how a run is carried out, and no result."""
_PLAIN = (
    "applications", "arrivals", "clients", "compiled", "drain", "frame_bytes", "guaranteed", "idle_skip", "lookahead",
    "notifications", "polling", "requests_file", "series", "think",
)  # fmt: skip
SET: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in _PLAIN},
    **{f"kv_{name}": ("kv", name) for name in KvLoad.model_fields},
    **{name: ("switches", field) for name, field in SWITCH_NAMES.items()},
    **{f"link.{field.name}": ("link", field.name) for field in fields(LinkParameters)},
    "cost_scale": ("costs", "scale"),
    **{f"cost.{name}": ("costs", "constants", name) for name in CONSTANTS},
}
"""Settings that are changed by ``--set``, and where each is; the others have a flag of their own."""
_DESCRIBED: Mapping[str, type[Frozen]] = {"kv": KvLoad, "costs": CostSettings}
"""Groups whose fields say what they accept."""

FLAGS = frozenset(
    {"system", "nic", "workload", "service", "cores", "uthreads", "flows", "batch", "rate", "requests", "pcap", "rtt"}
    | {"seed", "waves", "trace"}
)
"""Settings with a flag of their own, by its name."""


def _known_system(name: str) -> str:
    if name not in SYSTEMS:
        raise ValueError(name)
    return name


def _off(value: object) -> object:
    return None if value == "off" else value


def _implied_link(settled: Mapping[str, Any]) -> dict[str, int]:
    """What other settings, if they are sound, say about the link."""
    rtt_ps, seed = settled.get("rtt_ps", 0), settled.get("seed", 0)
    return {"propagation_up_ps": rtt_ps // 2, "propagation_down_ps": rtt_ps - rtt_ps // 2, "seed": seed}


def _default_frame_bytes(settled: Mapping[str, Any]) -> Literal["mixed"] | int | None:
    if settled.get("pcap") or settled.get("workload") == "kv":
        return None
    return MINIMUM_FRAME if settled.get("workload") == "spin" else "mixed"


class RunConfig(Frozen):
    """One run. Each field's description says what is accepted; times are integer picoseconds.

    Flags and ``--set`` use the aliases; files use the names. What a run does not have is None: a capture brings its own
    ``flows``, ``requests`` and ``frame_bytes``, and some ``arrivals`` their own ``rate``. With ``clients`` there is
    neither: connection i belongs to client i modulo ``clients``, and each client has one request outstanding and sends
    its next one ``think_ps`` after the answer.
    """

    system: Annotated[str, AfterValidator(_known_system)] = Field("indirect", description=", ".join(SYSTEMS))
    nic: Literal["rtl", "model"] = Field("rtl", description="rtl or model")
    workload: Literal["echo", "spin", "kv"] = Field("echo", description="echo, spin or kv")
    service: Service = Field(Constant(time_ps=0), description=service_forms.FORMS)
    cores: int = Field(4, ge=1, le=64, description="1 to 64 application cores")
    uthreads: int = Field(8, ge=1, le=8192, description="1 to 8192 uthreads, each with a pipe")
    applications: int = Field(1, ge=1, le=1024, description="1 to 1024 applications, no more than uthreads")
    guaranteed: int = Field(
        default_factory=lambda settled: max(1, settled.get("cores", 0) // settled.get("applications", 1)),
        ge=0,
        description="0 or more cores guaranteed to each application, no more than there are",
    )
    batch: bool = Field(False, description="on or off")
    switches: SwitchSettings = Field(Switches(), description="the fields of hermes.switches.Switches")
    costs: CostSettings = Field(CostSettings(), description="the fields of CostSettings")
    pcap: Path | None = Field(None, description="a capture (pcap or pcapng)")
    clients: int | None = Field(None, ge=1, description="1 or more clients, no more than flows, without a capture")
    think_ps: Duration | None = Field(
        default_factory=lambda settled: None if settled.get("clients") is None else 0,
        alias="think",
        description="a time with a unit, such as 10us, with clients",
    )
    arrivals: Arrivals | None = Field(Poisson(), description=f"{arrival_forms.FORMS}; none with clients")
    rate: Annotated[Rate, Field(ge=1)] | Literal["line"] | None = Field(
        DEFAULT_RATE, description="1 or more frames per second, such as 2500, 100k or 1.5M, or line"
    )
    flows: int | None = Field(
        default_factory=lambda settled: None if settled.get("pcap") else settled.get("uthreads"),
        ge=1,
        le=MOST_CONNECTIONS,
        description=f"1 to {MOST_CONNECTIONS} connections, and none with a capture, which has its own",
    )
    requests: int | None = Field(
        default_factory=lambda settled: None if settled.get("pcap") else GENERATED_REQUESTS[settled.get("nic", "rtl")],
        ge=1,
        le=10**7,
        description="1 to 10000000 requests, and none with a capture, which has its own",
    )
    frame_bytes: Literal["mixed"] | Annotated[int, Field(ge=MINIMUM_FRAME, le=LONGEST_FRAME)] | None = Field(
        default_factory=_default_frame_bytes,
        description=f"{MINIMUM_FRAME} to {LONGEST_FRAME}, or mixed for echo, and none for kv or with a capture",
    )
    kv: KvLoad | None = Field(
        default_factory=lambda settled: KvLoad() if settled.get("workload") == "kv" else None,
        description="nothing but with workload kv",
    )
    rtt_ps: Duration = Field(800_000, alias="rtt", description="a time with a unit, such as 800ns")
    seed: int = Field(1, ge=0, le=10**12, description="an integer from 0 to 10^12")
    link: LinkParameters = Field(
        default_factory=lambda settled: LinkParameters(**_implied_link(settled)),
        description="the fields of LinkParameters",
    )
    notifications: Literal["reactive", "packet"] = Field(
        "reactive", description="reactive, or packet: a notification for each"
    )
    drain_ps: Duration = Field(10**10, alias="drain", description="a time with a unit, such as 10ms")
    series_ps: Annotated[Annotated[Duration, Field(ge=1)] | None, BeforeValidator(_off)] = Field(
        None, alias="series", description="off, or the width of a bin with a unit, such as 100us"
    )
    requests_file: bool = Field(False, description="on or off")
    idle_skip: bool = Field(True, description="on or off")
    lookahead: Literal["max"] | Annotated[int, Field(ge=1)] = Field("max", description="max, or 1 or more cycles")
    polling: Literal["arithmetic", "naive"] = Field("arithmetic", description="arithmetic or naive")
    compiled: bool = Field(True, description="on or off")
    waves: bool = Field(False, description="on or off")
    trace: bool = Field(False, description="on or off")

    @property
    def service_ps(self) -> int:
        """What the application computes per request, besides what the request itself asks for."""
        return self.service.time_ps if isinstance(self.service, Constant) and self.workload != "spin" else 0

    @model_validator(mode="before")
    @classmethod
    def _arrivals_and_rate_follow_each_other(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        settings = dict(data)
        if settings.get("clients") is not None:
            return {"arrivals": None, "rate": None, **settings}
        if "arrivals" not in settings:
            is_even = settings.get("rate") == "line" or settings.get("pcap") is not None
            settings["arrivals"] = Deterministic() if is_even else Poisson()
        if "rate" not in settings:
            settings["rate"] = None if _has_own_rate(settings["arrivals"]) else DEFAULT_RATE
        return settings

    @field_validator("link", mode="before")
    @classmethod
    def _link_follows_rtt_and_seed(cls, value: object, info: ValidationInfo) -> object:
        return {**_implied_link(info.data), **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _nothing_contradicts(self) -> Self:
        self._require(self.applications <= self.uthreads, "applications", f"at most {self.uthreads}, the uthreads")
        self._require(self.guaranteed <= self.cores, "guaranteed", f"at most {self.cores}, the cores")
        self._require(self.nic == "rtl" or not self.waves, "waves", "off with nic model, which has none")
        if self.pcap is not None:
            for field in ("flows", "requests"):
                self._require(getattr(self, field) is None, field)
            self._require(self.workload != "kv", "workload", "echo or spin with a capture")
        self._require_kinds()
        if self.clients is not None:
            self._require_closed_loop(self.clients)
        else:
            self._require_rate()
        return self

    def _require_kinds(self) -> None:
        """The workload agrees with what comes."""
        kind = self.service.kind
        if self.workload != "spin" and kind != "constant":
            raise ConfigError(f"service is {kind}; accepted with workload {self.workload} is constant:TIME")
        if self.workload == "spin" and self.pcap is not None and self.service != Constant(time_ps=0):
            raise ConfigError(f"service is {kind}; accepted with spin and a capture is none: its frames have their own")
        has_frames = self.pcap is None and self.workload != "kv"
        self._require((self.frame_bytes is not None) == has_frames, "frame_bytes")
        self._require(self.workload == "echo" or self.frame_bytes != "mixed", "frame_bytes")
        if (self.kv is None) == (self.workload == "kv"):
            raise ConfigError(f"workload is {self.workload}; accepted with kv settings is kv")

    def _require_closed_loop(self, clients: int) -> None:
        self._require(self.flows is not None and clients <= self.flows, "clients", "at most flows, without a capture")
        self._require(self.think_ps is not None, "think_ps")
        for field in ("arrivals", "rate"):
            self._require(getattr(self, field) is None, field, "none with clients, which wait for their answers")

    def _require_rate(self) -> None:
        """The rate agrees with the arrivals."""
        self._require(self.think_ps is None, "think_ps")
        self._require(self.arrivals is not None, "arrivals")
        kind = self.arrivals.kind if self.arrivals else ""
        self._require(kind != "capture" or self.pcap is not None, "arrivals")
        if _has_own_rate(self.arrivals):
            self._require(self.rate is None, "rate", f"none with arrivals {kind}, which has its own")
            return
        self._require(self.rate is not None, "rate")
        is_number = self.rate != "line" or kind == "deterministic"
        self._require(is_number, "rate", f"a number of frames per second with arrivals {kind}")

    def _require(self, fine: bool, field: str, accepted: str | None = None) -> None:
        if not fine:
            value = getattr(self, field)
            name = field.removesuffix("_ps")
            accepted = accepted or type(self).model_fields[field].description
            raise ConfigError(f"{name} is {getattr(value, 'kind', value)}; accepted is {accepted}")

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
            if not equals or key not in SET:
                raise ConfigError(f"set is {assignment!r}; accepted is KEY=VALUE with KEY one of {', '.join(SET)}")
            *groups, name = SET[key]
            place = settings
            for group in groups:
                place = place.setdefault(group, {})
            place[name] = value
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            wrong = error.errors()[0]
        cause = wrong.get("ctx", {}).get("error")
        where = tuple(map(str, wrong["loc"]))
        if isinstance(cause, ConfigError) or where == ("link",):  # it says it better
            raise ConfigError(str(cause))
        if where[0] in _DESCRIBED:
            key = next(key for key, path in SET.items() if path == where[:2])
            accepted = _DESCRIBED[where[0]].model_fields[where[1]].description
            raise ConfigError(f"{key} is {wrong['input']!r}; accepted is {accepted}")
        if where[0] == "link":
            key, accepted = f"link.{where[1]}", "a whole number"
            raise ConfigError(f"{key} is {wrong['input']!r}; accepted is {accepted}")
        raise ConfigError(f"{where[0]} is {settings[where[0]]!r}; {cls.accepted(where[0])}")

    @classmethod
    def from_settings(cls, settings: Iterable[str]) -> Self:
        """The configuration of ``key=value`` each, where a key is a flag's name or one that ``--set`` takes.

        Raises
        ------
        ConfigError
            As ``from_flags``.
        """
        flags, assignments = {}, []
        for setting in settings:
            key, equals, value = setting.partition("=")
            if equals and key in FLAGS:
                flags[key] = value
            else:
                assignments.append(setting)
        return cls.from_flags(flags, assignments)

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


def _has_own_rate(arrivals: object) -> bool:
    """Whether arrivals, perhaps still text, come with a rate."""
    try:
        parsed = parse_arrivals(arrivals)
    except ValueError:
        return False
    kind = parsed["kind"] if isinstance(parsed, dict) else getattr(parsed, "kind", None)
    return kind in arrival_forms.OWN_RATE
