"""The switches of the software as settings: their names, and how their values are written."""

from dataclasses import fields
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from cosim.values import ConfigError, Duration
from hermes.switches import Switches

_HINTS = get_type_hints(Switches)

SWITCH_NAMES = {field.name.removesuffix("_ps"): field.name for field in fields(Switches)}
"""What ``--set`` calls each switch, and the field of Switches that it is."""


def accepted_by(field: str) -> str:
    """What a switch takes, for an error's text."""
    hint = _HINTS[field]
    if get_origin(hint) is Literal:
        return " or ".join(get_args(hint))
    if hint is bool:
        return "on or off"
    return "a time with a unit, such as 5us" if field.endswith("_ps") else "an integer of 1 or more"


def _switches(value: object) -> object:
    """The Switches that these values, of fields and perhaps text, make."""
    if not isinstance(value, dict):
        return value
    return Switches(**{field: _value(field, given) for field, given in value.items()})


def _value(field: str, given: object) -> Any:  # noqa: ANN401 (the types of the fields)
    if field not in _HINTS:
        raise ConfigError(f"switches has {field!r}; accepted are {', '.join(_HINTS)}")
    hint: Any = _HINTS[field]
    if hint is int:
        hint = Annotated[Duration if field.endswith("_ps") else int, Field(ge=1)]
    try:
        return TypeAdapter(hint).validate_python(given)
    except ValidationError:
        name = field.removesuffix("_ps")
        raise ConfigError(f"{name} is {given!r}; accepted is {accepted_by(field)}") from None


SwitchSettings = Annotated[Switches, BeforeValidator(_switches)]
"""A setting: a mapping from fields to values."""
