# ruff: noqa: INP001 - part of the emulator's program, no module of this package
"""The values of JSONata expressions, by the library that the emulator has too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import jsonata

from local.bootstrap.state_values import Json, QueryError, compact

_LIMIT_MS = 10_000
"""AWS allows a second; a machine that does other things at the time is no reason to fail."""
_LIMIT_LEVELS = 100
"""Of evaluations within each other. Source: measured on AWS, github.com/floci-io/floci/issues/2737 (2026)."""


def evaluate(expression: str, variables: Mapping[str, Json], extend: Callable[[Any], None] | None = None) -> Json:
    """Return the value of an expression, as plain JSON. `extend` adds functions to those of JSONata.

    Raises QueryError, also for what is undefined; null is a value.
    """
    # To the library None is nothing at all, and null is a value of its own.
    bound = {n: jsonata.utils.Utils.NULL_VALUE if value is None else value for n, value in variables.items()}

    def value_of(text: str) -> Json:
        parsed = jsonata.Jsonata.jsonata(text, timeout=_LIMIT_MS, stack=_LIMIT_LEVELS)
        if extend:
            extend(parsed)
        return parsed.evaluate(None, bound)

    try:
        value = value_of(expression)
        exists = value is not None or value_of(f"$exists(({expression}))")
        plain = json.loads(compact(value))  # lists, in place of the library's own
    except Exception as error:
        code = getattr(error, "error", None)
        problem = f"{code}: {error}" if code else str(error)
        raise QueryError(f"threw an error during evaluation. {problem}") from error
    if not exists:
        raise QueryError("returned nothing (undefined).")
    return plain
