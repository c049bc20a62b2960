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
MAX_LEVELS = 64
"""Of lists and objects within each other in an expression. AWS evaluates about 100, and fails the task beyond that.
Source: measured on AWS, github.com/floci-io/floci/issues/2737 (2026); its documentation names no number."""


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
    if _levels(value) > MAX_LEVELS:
        raise WorkflowError(
            at, f"is nested more than {MAX_LEVELS} levels deep in an object with a key such as x.$; rename the key"
        )
    return "{% " + payload.compact(value).replace("%", "\\u0025") + " %}"


def _levels(value: Json) -> int:
    match value:
        case dict():
            return 1 + max(map(_levels, value.values()), default=0)
        case list():
            return 1 + max(map(_levels, value), default=0)
        case _:
            return 0


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
