"""The cost profile as settings: single constants at the ends of their ranges, or all of them scaled."""

from dataclasses import fields, replace
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cosim.values import ConfigError, Duration, Frozen, parse_duration
from hermes.costs import Costs, load

CONSTANTS = tuple(field.name for field in fields(Costs))
FORMS = "low or high, the ends of its range, or a time with a unit, such as 60ns"
"""What the setting of a constant takes."""

Value = Literal["low", "high"] | Annotated[Duration, Field(ge=1)]


class CostSettings(Frozen):
    """What differs from the default profile.

    Attributes
    ----------
    scale
        All constants are multiplied by it, then rounded to picoseconds.
    constants
        By name: ``low``, ``high`` or picoseconds, before they are scaled.
    """

    scale: float = Field(default=1.0, ge=0.01, le=100, description="a factor from 0.01 to 100")
    constants: dict[str, Value] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _constants_are_known(cls, data: Any) -> Any:  # noqa: ANN401 (whatever was given)
        for name, value in data.get("constants", {}).items() if isinstance(data, dict) else ():
            if name not in CONSTANTS:
                raise ConfigError(f"cost.{name} is unknown; accepted are {', '.join(CONSTANTS)}")
            if isinstance(value, str) and value not in ("low", "high"):
                try:
                    is_positive = parse_duration(value) > 0
                except ValueError:
                    is_positive = False
                if not is_positive:
                    raise ConfigError(f"cost.{name} is {value!r}; accepted is {FORMS}")
        return data

    def profile(self) -> Costs:
        """The constants of a run."""
        profile = _bound("default")
        changed = {
            name: getattr(_bound(value), name) if isinstance(value, str) else value
            for name, value in self.constants.items()
        }
        if self.scale != 1:
            changed = {
                name: max(1, round(changed.get(name, getattr(profile, name)) * self.scale)) for name in CONSTANTS
            }
        return replace(profile, **changed)


@cache
def _bound(bound: Literal["default", "low", "high"]) -> Costs:
    return load(bound=bound)
