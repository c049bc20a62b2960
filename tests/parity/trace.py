"""What is compared of a run: its normalised trace, which is the same on both engines or one of them is wrong.

docs/parity.md says in words what is left out, and why. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration import retry
from orchestration.payload import Json, dump_sorted
from orchestration.workflow import Workflow

EVENT_FIELDS = frozenset(
    {
        *("run_id", "workflow", "task_id", "attempt", "idempotency_key", "deadline_at"),
        *("params", "input", "upstream"),
    }
)
ENGINES_OWN = re.compile(r"(States|Lambda|Runtime|Sandbox|Orchestra)\.")
"""The names of errors that no task raises: each engine finds its own words for them, so only the name is compared."""
SLACK_MS = 10_000
"""How far a task's deadline may be from what it is by the clock that the view shows."""


@dataclass(frozen=True)
class TaskTrace:
    status: str
    attempts: int
    error: tuple[str, str] | None = None  # name and message
    output: str | None = None  # as canonical JSON text; None: it has none, or it was not asked for


@dataclass(frozen=True)
class Trace:
    """A run as both engines must tell it."""

    status: str
    error: tuple[str, str | None, str] | None  # name, task and message
    output: str | None
    tasks: Mapping[str, TaskTrace]

    def differences(self, other: Trace) -> list[str]:
        """Return, one a line, where `other` is not the same."""
        pairs: dict[str, tuple[object, object]] = {
            name: (getattr(self, name), getattr(other, name)) for name in ("status", "error", "output")
        }
        absent = TaskTrace("left out", 0)
        for task_id in sorted({*self.tasks, *other.tasks}):
            pairs[f"tasks.{task_id}"] = (self.tasks.get(task_id, absent), other.tasks.get(task_id, absent))
        return [f"{name}: {one!s:.300} is not {two!s:.300}" for name, (one, two) in pairs.items() if one != two]


def of(workflow: Workflow, run: Mapping[str, Any], output: Json, outputs: Mapping[str, Json]) -> Trace:
    """Return the trace of a run that has ended: as it is described, its output, and the outputs that were asked for.

    Of a run that failed, only the task that failed and what is before and after it are told: the rest depends on how
    fast it was when the run ended. Raises AssertionError where the rest is not even possible.
    """
    succeeded, error = run["status"] == "SUCCEEDED", run["error"]
    if error is not None and workflow.timeout_s is not None and error["name"] == retry.TIMEOUT:
        error = {**error, "task": None}  # no one task is to blame, though one engine names one that was at work
    told = set(workflow.tasks) if succeeded else told_of(workflow, error and error.get("task"))
    for task_id, task in run["tasks"].items():
        if task_id not in told:
            assert task["status"] in {"SUCCEEDED", "CANCELED", "FAILED"}, (task_id, task)

    def normalised(value: Json) -> str:
        return canonical(replaced(value, lambda event: _event(event, run, workflow)))

    return Trace(
        run["status"],
        None if error is None else _run_error(error),
        normalised(output) if succeeded else None,
        {
            task_id: TaskTrace(
                task["status"],
                task["attempts"],
                None if task["error"] is None else _error(task["error"]),
                normalised(outputs[task_id]) if task_id in outputs else None,
            )
            for task_id, task in run["tasks"].items()
            if task_id in told
        },
    )


def canonical(value: Json) -> str:
    """Return a value as text: keys sorted, and each number written in one way, since 1.0 is 1 to JSON."""
    return dump_sorted(_as_numbers(value))


def _as_numbers(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _as_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def told_of(workflow: Workflow, failed: str | None) -> set[str]:
    """Return the tasks of which a failed run tells the same whatever runs beside: without the failed task, none."""
    if failed is None:
        return set()
    before = reached(failed, lambda task_id: workflow.tasks[task_id].after)
    return before | reached(failed, lambda task_id: workflow.dependents[task_id])


def reached(start: str, neighbours: Callable[[str], Any]) -> set[str]:
    found, left = {start}, [start]
    while left:
        new = set(neighbours(left.pop())) - found
        found |= new
        left += new
    return found


def replaced(value: Json, event: Callable[[dict[str, Json]], Json]) -> Json:
    """Return the value, each event of a task in it replaced: a probe returns the one that it was given."""
    if isinstance(value, dict):
        inner = {key: replaced(item, event) for key, item in value.items()}
        return event(inner) if inner.keys() == EVENT_FIELDS else inner
    return [replaced(item, event) for item in value] if isinstance(value, list) else value


def _event(event: Mapping[str, Json], run: Mapping[str, Any], workflow: Workflow) -> Json:
    """Return an event without what differs from run to run; what should be right in each is checked here."""
    task_id, run_id, key = event["task_id"], event["run_id"], str(event["idempotency_key"])
    ends_at = run["tasks"][task_id]["started_at"] + workflow.tasks[task_id].timeout_s * 1000
    return {
        **event,
        "run_id": "<its own>" if run_id == run["run_id"] else run_id,
        "idempotency_key": f"<its own>{key.removeprefix(run['run_id'])}" if key.startswith(run["run_id"]) else key,
        "deadline_at": "<in time>"
        if abs(event["deadline_at"] - ends_at) <= SLACK_MS
        else event["deadline_at"] - ends_at,
    }


def _run_error(error: Mapping[str, Any]) -> tuple[str, str | None, str]:
    name, message = _error(error)
    return name, error.get("task"), message


def _error(error: Mapping[str, Any]) -> tuple[str, str]:
    return error["name"], "" if ENGINES_OWN.match(error["name"]) else error["message"]
