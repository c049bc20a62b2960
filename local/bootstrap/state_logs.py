# ruff: noqa: INP001 - part of the emulator's program, no module of this package
"""What a state machine logs of its executions: lines in the form of AWS. Pure.

Sources: the recordings in LocalStack's test_logs.snapshot.json, and for the levels
docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html.
"""

from __future__ import annotations

from collections.abc import Mapping

from local.bootstrap.state_history import Event
from local.bootstrap.state_values import Json, compact

_DATA = {"input", "inputDetails", "output", "outputDetails", "assignedVariables", "assignedVariablesDetails"}
_FATAL = {"ExecutionAborted", "ExecutionFailed", "ExecutionTimedOut"}


def line(event: Event, logging: Mapping[str, Json], execution: str, redrives: int) -> str | None:
    """Return the line for an event, or None if the loggingConfiguration of the machine leaves it out."""
    kind = event["type"]
    told = {
        "ALL": True,
        "ERROR": kind.endswith(("Failed", "TimedOut", "Aborted")) or kind == "FailStateEntered",
        "FATAL": kind in _FATAL,
    }
    if not told.get(logging.get("level", "OFF"), False):
        return None
    details: dict[str, Json] = next((value for name, value in event.items() if name.endswith("EventDetails")), {})
    if not logging.get("includeExecutionData"):
        details = {name: value for name, value in details.items() if name not in _DATA}
    return compact(
        {
            "id": str(event["id"]),
            "type": kind,
            "details": details,
            "previous_event_id": str(event["previousEventId"]),
            "event_timestamp": str(round(event["timestamp"] * 1000)),
            "execution_arn": execution,
            "redrive_count": str(redrives),
        }
    )


def group_of(logging: Mapping[str, Json]) -> str | None:
    """Return the name of the log group that a loggingConfiguration names, if it does."""
    for destination in logging.get("destinations") or ():
        arn = str(destination.get("cloudWatchLogsLogGroup", {}).get("logGroupArn", ""))
        if ":log-group:" in arn:
            return arn.split(":log-group:", 1)[1].removesuffix(":*")
    return None
