# ruff: noqa: INP001 - part of the emulator's program, no module of this package
"""The history of an execution: its events, in AWS's form.

Which event follows which is taken from recordings of AWS, the snapshots in LocalStack's
tests/aws/services/stepfunctions/v2 (test_base_scenarios, test_timeouts, test_callback, test_sfn_api). In short: an
event's previousEventId is the one before it in its own branch; it is 0 for the first state and for the end of an
execution from outside; a branch begins after its ParallelStateStarted; after a failure in a branch, the states that are
given up and the ParallelStateFailed all follow the event that failed; what comes after a Parallel state follows the
last event of its branches; where an expression fails before the state has done anything, EvaluationFailed follows the
event before the state was entered, but in a Wait (test_assign_reference_variables, test_base_scenarios).

Of a redrive there is a recording in github.com/radkawar/stackd, testdata/aws/stepfunctions/redrive_execution.json:
ExecutionRedriven follows the last event of all; a state that goes on is not entered again, and neither is a Parallel
started; what the state does next follows the event that entered it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from typing import TypeAlias

from local.bootstrap.state_values import Json, compact

Details: TypeAlias = dict[str, Json]
Event: TypeAlias = dict[str, Json]

_WHOLE = {"truncated": False}


class Ended(Exception):
    """The execution has ended; nothing follows."""


class History:
    """What one walk adds to the events of an execution, until it has ended. Threads may share it.

    `record` is the execution as the emulator keeps it, with its "events". `now` returns epoch seconds. `tell` is given
    each event.
    """

    def __init__(
        self, record: dict[str, Json], now: Callable[[], float], tell: Callable[[Event], object] = lambda _: None
    ) -> None:
        self._record = record
        self._now = now
        self._tell = tell
        self._open = True
        self._lock = threading.Lock()

    def add(self, kind: str, previous: int | None = None, details: Details | None = None) -> int:
        """Add an event, which follows the last one of all if not `previous`, and return its id. Raises Ended."""
        with self._lock:
            if not self._open:
                raise Ended
            return self._append(kind, previous, details)

    def end(self, kind: str, previous: int, details: Details, changes: Mapping[str, Json]) -> bool:
        """Add the last event and change the execution, or return False: of several that would end it, one does."""
        with self._lock:
            if not self._open:
                return False
            self._append(kind, previous, details)
            self._record.update(changes)
            self._open = False
            return True

    def _append(self, kind: str, previous: int | None, details: Details | None) -> int:
        events = self._record["events"]
        previous = len(events) if previous is None else previous
        # Milliseconds, as AWS has them, and cut as the emulator cuts those of the execution itself.
        at: Event = {"timestamp": math.floor(self._now() * 1000) / 1000, "type": kind, "id": len(events) + 1}
        event = {**at, "previousEventId": previous, **(details or {})}
        events.append(event)
        self._tell(event)
        return len(events)


def started(given: str, role: str) -> Details:
    return {"executionStartedEventDetails": {"input": given, "inputDetails": _WHOLE, "roleArn": role}}


def entered(name: str, given: Json) -> Details:
    return {"stateEnteredEventDetails": {"name": name, "input": compact(given), "inputDetails": _WHOLE}}


def exited(name: str, output: str, assigned: Mapping[str, Json]) -> Details:
    details: Details = {"name": name, "output": output, "outputDetails": _WHOLE}
    if assigned:
        details["assignedVariables"] = {variable: compact(value) for variable, value in assigned.items()}
        details["assignedVariablesDetails"] = _WHOLE
    return {"stateExitedEventDetails": details}


def scheduled(resource: str, given: str, timeout_s: int | None) -> Details:
    details: Details = {"resource": resource, "input": given, "inputDetails": _WHOLE}
    if timeout_s is not None:
        details["timeoutInSeconds"] = timeout_s
    return {"lambdaFunctionScheduledEventDetails": details}


def returned(output: str) -> Details:
    return {"lambdaFunctionSucceededEventDetails": {"output": output, "outputDetails": _WHOLE}}


def succeeded(output: str) -> Details:
    return {"executionSucceededEventDetails": {"output": output, "outputDetails": _WHOLE}}
