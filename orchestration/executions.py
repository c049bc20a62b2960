"""A run as Step Functions keeps it: an execution and its history, read as the records of a run and its tasks. Pure.

Whoever shows a run need not know which engine it is of. What an execution's history tells is less than the table does:
it has no time at which another attempt is due, and a task is PENDING until its state is entered.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from orchestration import payload, retry
from orchestration.model import TERMINAL_TASK, Failure, Run, RunStatus, TaskState, TaskStatus
from orchestration.retriers import QUERY_FAILED
from orchestration.tasks import NOT_RUN, failure_of
from orchestration.workflow import Task, Workflow

ENGINE = "stepfunctions"


class ExecutionStatus(StrEnum):
    """Source: docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html (2026)."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"
    PENDING_REDRIVE = "PENDING_REDRIVE"


RUN_STATUS: Mapping[ExecutionStatus, RunStatus] = {
    ExecutionStatus.RUNNING: RunStatus.RUNNING,
    ExecutionStatus.SUCCEEDED: RunStatus.SUCCEEDED,
    ExecutionStatus.FAILED: RunStatus.FAILED,
    ExecutionStatus.TIMED_OUT: RunStatus.FAILED,
    ExecutionStatus.ABORTED: RunStatus.CANCELED,
    ExecutionStatus.PENDING_REDRIVE: RunStatus.RUNNING,
}
BUSY = frozenset(f"Lambda.{name}" for name in NOT_RUN)
"""The errors under which Step Functions reports that a function was asked, and has not run."""
FAILURES = frozenset(
    {
        "LambdaFunctionFailed",
        "LambdaFunctionTimedOut",
        "LambdaFunctionScheduleFailed",
        "LambdaFunctionStartFailed",
        "TaskFailed",
        "TaskTimedOut",
        "TaskStartFailed",
        "TaskSubmitFailed",
        "EvaluationFailed",
    }
)
"""The events that end an attempt of a task without a result.
Source: docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html (2026)."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """An execution. Of one in a list, only what stands before `input` is known."""

    workflow: str
    run_id: str
    status: ExecutionStatus
    started_at: int
    finished_at: int | None = None
    redrives: int = 0
    redriven_at: int | None = None  # the last time
    input: str | None = None  # as it was sent
    output: str | None = None
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event of a history, with those of its details that matter here. Ids count from 1; 0 is before the first."""

    id: int
    previous: int  # the event that led to this one: in each branch of a Parallel state it is one of the same branch
    type: str
    at: int
    state: str | None = None  # of those that enter or leave a state, its name
    task: str | None = None  # of those that begin an attempt, the task that its payload names, if that was asked for
    output: str | None = None
    error: str | None = None
    cause: str | None = None


def run_of(execution: Execution, version: str = "", timeout_s: int | None = None) -> Run:
    """Return the run that an execution is. Its error names no task: only its history does, see `read`.

    `version` and `timeout_s` are the definition's that the execution runs; without them the run has no deadline.
    """
    ended = RUN_STATUS[execution.status] is not RunStatus.RUNNING
    begun = execution.redriven_at or execution.started_at  # a redrive gives an execution all its time again
    return Run(
        run_id=execution.run_id,
        workflow=execution.workflow,
        definition=version,
        input_digest=payload.digest(execution.input or ""),
        engine=ENGINE,
        epoch=execution.redrives + 1,
        status=RUN_STATUS[execution.status],
        error=_error(execution, timeout_s),
        started_at=execution.started_at,
        deadline_at=None if timeout_s is None else begun + timeout_s * 1000,
        finished_at=execution.finished_at if ended else None,
    )


def _error(execution: Execution, timeout_s: int | None) -> Failure | None:
    match execution.status:
        case ExecutionStatus.TIMED_OUT:
            within = "its time" if timeout_s is None else f"its {timeout_s} s"
            return Failure(retry.TIMEOUT, f"the run has not ended within {within}")
        case ExecutionStatus.FAILED:
            return failure(execution.error, execution.cause)
    return None


def failure(error: str | None, cause: str | None) -> Failure:
    """Return what failed, by the name that the other engine gives it too.

    Of a function that raised, the cause is the JSON text of what Lambda reported of it.
    """
    report: object = None
    with suppress(ValueError, RecursionError):
        report = json.loads(cause or "")
    told = report if isinstance(report, dict) and "errorMessage" in report else {"errorMessage": cause or ""}
    name = error if error not in {None, "Lambda.Unknown"} else told.get("errorType")
    return failure_of(str(name or "Unknown"), str(told["errorMessage"]))


def read(
    execution: Execution, version: str, workflow: Workflow, events: Iterable[Event]
) -> tuple[Run, dict[str, TaskState]]:
    """Return the run, whose error names the task that failed it, and all its tasks, by their ids.

    The events are in the order of their ids. A history may be behind its execution, and is believed less.
    """
    run = run_of(execution, version, workflow.timeout_s)
    history = _History(run.run_id, workflow)
    for event in events:
        history.add(event)
    if run.status is RunStatus.RUNNING:
        return run, {task_id: _again(task) for task_id, task in history.tasks.items()}
    if execution.status is ExecutionStatus.TIMED_OUT:
        history.time_out(run)
    failed = history.failed if run.status is RunStatus.FAILED else None
    tasks = {task_id: _ended(task, run, workflow, failed) for task_id, task in history.tasks.items()}
    error = tasks[failed].error if failed else None
    return (replace(run, error=replace(error, task=failed)) if error else run), tasks


class _History:
    """What the events up to now say of the tasks, and where the execution failed."""

    def __init__(self, run_id: str, workflow: Workflow) -> None:
        self.tasks = {task_id: TaskState(run_id=run_id, task_id=task_id) for task_id in workflow.tasks}
        self._definitions = workflow.tasks
        self._within: dict[int, str] = {}  # the state in which each event happened
        self._failed: list[str] = []  # the tasks that may have failed the execution, the likeliest last

    @property
    def failed(self) -> str | None:
        open_ = [task_id for task_id in self._failed if self.tasks[task_id].status is not TaskStatus.SUCCEEDED]
        return open_[-1] if open_ else None

    def time_out(self, run: Run) -> None:
        """Fail the tasks that ran when the run's time was up, as a Worker does. The one that ran longest failed it."""
        running = [task for task in self.tasks.values() if task.status is TaskStatus.RUNNING]
        for task in running:
            self.tasks[task.task_id] = replace(
                task, status=TaskStatus.FAILED, error=run.error, finished_at=run.finished_at
            )
        self._failed = [task.task_id for task in sorted(running, key=lambda task: -(task.started_at or 0))]

    def add(self, event: Event) -> None:
        state = event.state or event.task or self._within.get(event.previous)
        if state is not None:
            self._within[event.id] = state
        if event.type == "ExecutionRedriven":
            self._begin_again()
        elif state in self.tasks:
            self.tasks[state] = _moved(self.tasks[state], event, self._definitions[state])
            if event.type in FAILURES or event.type == "ExecutionFailed":
                self._failed.append(state)

    def _begin_again(self) -> None:
        """Forget of a new epoch what was not done in those before it."""
        self._failed.clear()
        for task_id, task in self.tasks.items():
            if task.status is not TaskStatus.SUCCEEDED:
                self.tasks[task_id] = TaskState(run_id=task.run_id, task_id=task_id, epoch=task.epoch + 1)


def _moved(task: TaskState, event: Event, definition: Task) -> TaskState:
    """Return a task after an event of its state.

    Those of Lambda are for a function that is named by its ARN, those of Task for one that is called by an integration.
    """
    changes: dict[str, Any] = {}
    match event.type:
        case "TaskStateEntered":
            changes = {"status": TaskStatus.READY, "ready_at": event.at, "first_ready_at": event.at}
        case "LambdaFunctionScheduled" | "TaskScheduled":
            changes = {
                "status": TaskStatus.RUNNING,
                "attempt": task.attempt + 1,
                "ready_at": _again(task).ready_at or event.at,
                "started_at": event.at,
                "finished_at": None,
            }
        case "LambdaFunctionStarted" | "TaskStarted":
            changes = {"started_at": event.at}
        case "LambdaFunctionSucceeded" | "TaskSucceeded":
            # Its state may still fail: it is done when its state has been left.
            changes = {"finished_at": event.at, "output": event.output, "error": None}
        case "TaskStateExited":
            changes = {"status": TaskStatus.SUCCEEDED, "finished_at": task.finished_at or event.at}
        case "EvaluationFailed" if definition.total_timeout_s is not None and event.error == QUERY_FAILED:
            # Of all expressions only that of the time that is left has no value: it is up (orchestration/asl.py).
            # One whose value is too large for a variable fails with States.DataLimitExceeded.
            late = Failure(retry.TIMEOUT, f"not done within its {definition.total_timeout_s} s")
            changes = {
                "status": TaskStatus.READY,
                "error": task.error or late,
                "finished_at": task.finished_at or event.at,
            }
        case failed if failed in FAILURES:
            name = retry.TIMEOUT if failed.endswith("TimedOut") else event.error
            error = failure(name, event.cause)
            if error.name == retry.TIMEOUT and not error.message:
                error = replace(error, message=f"no result after {definition.timeout_s} s")
            changes = {
                "status": TaskStatus.READY,
                "released": min(task.released + (name in BUSY), task.attempt),
                "error": error,
                "finished_at": event.at,
            }
    return replace(task, **changes)


def _again(task: TaskState) -> TaskState:
    """Return a task as it waits for another attempt, if it does: since the end of the one before."""
    return replace(task, ready_at=task.finished_at) if task.status is TaskStatus.READY and task.finished_at else task


def _ended(task: TaskState, run: Run, workflow: Workflow, failed: str | None) -> TaskState:
    """Return a task of a run that has ended."""
    if run.status is RunStatus.SUCCEEDED:
        return replace(task, status=TaskStatus.SUCCEEDED, error=None)
    if task.task_id == failed or _is_given_up(task, workflow):
        error = task.error or run.error or Failure("Unknown", "")
        return replace(
            task,
            status=TaskStatus.FAILED,
            error=replace(error, task=None),
            output=None,
            finished_at=task.finished_at or run.finished_at,
        )
    if task.status in TERMINAL_TASK:
        return task
    return replace(task, status=TaskStatus.CANCELED, finished_at=run.finished_at, output=None)


def _is_given_up(task: TaskState, workflow: Workflow) -> bool:
    """Tell whether a task's last attempt failed and its policy knows no other: a branch that failed beside another."""
    if task.status is not TaskStatus.READY or task.error is None or task.error.name in BUSY:
        return False
    definition = workflow.tasks[task.task_id]
    return retry.delay_s(definition, tries=task.tries, error=task.error.name, jitter=0) is None
