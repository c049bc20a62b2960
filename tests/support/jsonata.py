"""The fields of a state machine as Step Functions evaluates them, by the evaluator that the emulator has too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonata import Jsonata
from jsonata.utils import Utils

from orchestration.payload import Json


class Undefined(Exception):
    """An expression that has no value, which is an error in Step Functions."""


def evaluated(template: Json, variables: Mapping[str, Json] | None = None, **states: Json) -> Json:
    """Return a field with each expression in it replaced by its value; `states` are the fields of `$states`."""
    match template:
        case str() if template.startswith("{%") and template.endswith("%}"):
            return _value(template[2:-2], {**(variables or {}), "states": states})
        case dict():
            return {key: evaluated(item, variables, **states) for key, item in template.items()}
        case list():
            return [evaluated(item, variables, **states) for item in template]
        case _:
            return template


def _value(expression: str, bindings: Mapping[str, Json]) -> Json:
    known: dict[str, Any] = {name: Utils.NULL_VALUE if value is None else value for name, value in bindings.items()}
    value: Json = Jsonata.jsonata(expression).evaluate(None, known)
    if value is None and not Jsonata.jsonata(f"$exists(({expression}))").evaluate(None, known):
        raise Undefined(expression)
    return value
