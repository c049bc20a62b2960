"""Values as JSONata takes them, in the fields of a state machine that may hold expressions. Pure.

A text is an expression if it stands between `{%` and `%}`; every other value stands for itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestration import payload
from orchestration.errors import WorkflowError
from orchestration.payload import Json

MAX_EXACT_INT = 2**53
"""JSONata's numbers are doubles, so that a larger whole number may not be one."""


def literal(at: str, value: Json) -> Json:
    """Return what evaluates to the value: itself, wherever no text in it could be taken for an expression.

    Keys that end in `.$` are expressions where JSONPath is used, so that no object with one is left as it is. `at` is
    the field in the message of the WorkflowError for what cannot be said.
    """
    if isinstance(value, dict):
        if any(key.endswith(".$") or "{%" in key for key in value):
            return _expression(at, value)
        return {key: literal(at, item) for key, item in value.items()}
    if isinstance(value, list):
        return [literal(at, item) for item in value]
    if isinstance(value, str) and ("{%" in value or "%}" in value):
        return _expression(at, value)
    return value


def _expression(at: str, value: Json) -> str:
    """Return a value as a JSONata literal, which JSON is. No text in it holds what ends an expression."""
    if any(isinstance(number, int) and abs(number) > MAX_EXACT_INT for number in _plain(value)):
        raise WorkflowError(
            at, f"has a whole number beyond {MAX_EXACT_INT} in an object with a key such as x.$; pass it as a string"
        )
    return "{% " + payload.compact(value).replace("%", "\\u0025") + " %}"


def _plain(value: Json) -> Iterator[Json]:
    match value:
        case dict():
            for item in value.values():
                yield from _plain(item)
        case list():
            for item in value:
                yield from _plain(item)
        case _:
            yield value
