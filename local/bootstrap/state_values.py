# ruff: noqa: INP001 - part of the emulator's program, no module of this package
"""What passes between states: JSON within its limit, and the templates that it is made from. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from local.bootstrap.state_errors import DATA_LIMIT, RUNTIME, Failed

Json: TypeAlias = Any
Evaluate: TypeAlias = Callable[[str, Mapping[str, Json]], Json]
"""Returns the value of a JSONata expression with these variables, as plain JSON. Raises QueryError."""

LIMIT_BYTES = 262_144
"""The most that a task, a state or an execution may be given or give, and what one Assign may hold, as UTF-8 text.
Source: docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html."""


class QueryError(Exception):
    """An expression has no value; the message goes on after `The JSONata expression '...' ...`."""


def compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def limited(value: Json, of: str) -> str:
    """Return a value as compact JSON text. Raises DataLimitExceeded about `of`, a state or the ARN of its resource."""
    try:
        text = compact(value)
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Failed(RUNTIME, f"{of!r} has a lone surrogate in its data, which UTF-8 cannot express") from None
    except ValueError as error:
        raise Failed(RUNTIME, f"{of!r} has a number in its data that JSON cannot express: {error}") from None
    _require_size(size, of)
    return text


def limited_together(values: Iterable[Json], of: str) -> None:
    """Raise DataLimitExceeded if the values of one Assign are too large together; the variables' names do not count.

    Source: recorded on AWS, github.com/radkawar/stackd, testdata/aws/stepfunctions/variable_limits.json.
    """
    _require_size(sum(len(limited(value, of).encode()) for value in values), of)


def _require_size(size: int, of: str) -> None:
    if size > LIMIT_BYTES:
        # As recorded on AWS; source: LocalStack's test_states_errors.snapshot.json.
        exceeding = "returned a result with a size exceeding the maximum number of bytes service limit."
        raise Failed(DATA_LIMIT, f"The state/task '{of}' {exceeding}")


def is_expression(value: Json) -> bool:
    """Return whether a value of a template is an expression: text that is all between the two marks."""
    return isinstance(value, str) and value.startswith("{%") and value.endswith("%}")


def fill(template: Json, evaluate: Callable[[str, str], Json], where: str) -> Json:
    """Return a template with its expressions evaluated, by `evaluate(expression, path of the field)`."""
    if is_expression(template):
        return evaluate(template[2:-2].strip(), where)
    if isinstance(template, dict):
        return {name: fill(value, evaluate, f"{where}/{name}") for name, value in template.items()}
    if isinstance(template, list):
        return [fill(value, evaluate, f"{where}[{index}]") for index, value in enumerate(template)]
    return template


def type_of(value: Json) -> str:
    """Return the name of a value's JSON type, as in AWS's messages."""
    if value is None:
        return "null"
    names: dict[type, str] = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")
