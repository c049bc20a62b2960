# ruff: noqa: INP001 - part of the emulator's program, no module of this package
"""What of Amazon States Language the interpreter runs. What it would ignore it refuses. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from local.bootstrap.state_values import Json

State: TypeAlias = Mapping[str, Json]

_COMMON = {"Type", "Comment", "QueryLanguage"}
_GOES_ON = {"Next", "End", "Output", "Assign"}
_TRIES = {"Arguments", "Retry", "Catch"}
_FIELDS = {
    "Task": _COMMON | _GOES_ON | _TRIES | {"Resource", "TimeoutSeconds"},
    "Parallel": _COMMON | _GOES_ON | _TRIES | {"Branches"},
    "Pass": _COMMON | _GOES_ON,
    "Wait": _COMMON | _GOES_ON | {"Seconds", "Timestamp"},
    "Choice": _COMMON | {"Choices", "Default", "Output", "Assign"},
    "Succeed": _COMMON | {"Output"},
    "Fail": _COMMON | {"Error", "Cause"},
}


def refusal(state: State, language: str) -> str | None:
    """Return what of a state is not known here, or None."""
    known = _FIELDS.get(state["Type"])
    if known is None:
        return f"it is a {state['Type']} state"
    if state.get("QueryLanguage", language) != "JSONata":
        return "its QueryLanguage is JSONPath"
    if set(state) - known:
        return f"it has {', '.join(sorted(set(state) - known))}"
    if state["Type"] == "Task" and ":function:" not in state["Resource"]:
        return f"its Resource is {state['Resource']!r}, no function"
    return None
