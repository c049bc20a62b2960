"""Runs as a person or a program asks to see them. They only read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from orchestration import payload
from orchestration.errors import InvalidRequest, NoSuchRun, NotFound, PayloadTooLarge
from orchestration.model import Failure, Run, TaskState, TaskStatus
from orchestration.payload import Json
from orchestration.tasks import MAX_MESSAGE_CHARS
from orchestration.workflow import Workflow

Outputs = Mapping[str, str]
"""JSON text, by task."""
MANY_TASKS = 1_000
MAX_ANSWER_BYTES = 5_500_000
"""Below what a function may return. Source: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""


def describe(run: Run, workflow: Workflow, tasks: Mapping[str, TaskState]) -> dict[str, Json]:
    """Return a run with every task of its graph: one without an item is PENDING. Outputs are asked for by `output`."""
    absent = TaskState(run_id=run.run_id, task_id="")
    clip = MAX_MESSAGE_CHARS if len(workflow.tasks) <= MANY_TASKS else 100  # an answer has a limit too
    return {
        **summary(run),
        "version": run.definition,
        "tasks": {
            task_id: {
                "service": definition.service,
                "after": list(definition.after),
                **_progress(tasks.get(task_id, absent), clip),
            }
            for task_id, definition in workflow.tasks.items()
        },
    }


def summary(run: Run) -> dict[str, Json]:
    return {
        "run_id": run.run_id,
        "workflow": run.workflow,
        "engine": run.engine,
        "status": run.status,
        "error": _error(run.error),
        "epoch": run.epoch,
        "started_at": run.started_at,
        "deadline_at": run.deadline_at,
        "finished_at": run.finished_at,
    }


def output(run: Run, workflow: Workflow, task_id: str | None, read: Callable[[Sequence[str]], Outputs]) -> Json:
    """Return the output of a task, or of the run: its only sink's, or those of its sinks by id.

    `read` returns the outputs of tasks that have one. Raises NotFound if there is no such task, or if it has none.
    """
    if task_id is not None and task_id not in workflow.tasks:
        raise NotFound(
            f"task_id: the workflow {workflow.name!r} has no task {task_id!r}; it has {some(list(workflow.tasks))}"
        )
    wanted = workflow.sinks if task_id is None else (task_id,)
    try:
        found = read(wanted)
    except PayloadTooLarge:
        raise InvalidRequest(
            f"{run.run_id}: the outputs of its {len(wanted)} last tasks are too large for one answer; name a task"
        ) from None
    if missing := next((t for t in wanted if t not in found), None):
        raise NotFound(f"{run.run_id}: the task {missing!r} has no output; the run is {run.status}")
    outputs = {t: payload.parse(found[t], what="output") for t in wanted}
    return outputs if len(wanted) > 1 else outputs[wanted[0]]


def no_such_run(run_id: str) -> NoSuchRun:
    return NoSuchRun(f"run_id: there is no run {run_id!r}")


def _progress(task: TaskState, clip: int) -> dict[str, Json]:
    return {
        "status": task.status,
        "attempts": task.tries,
        "ready_at": task.ready_at,
        "due_at": task.due_at,
        "started_at": task.started_at,
        "finished_at": task.finished_at,
        "error": _error(task.error, clip) if task.status is not TaskStatus.SUCCEEDED else None,
    }


def _error(failure: Failure | None, clip: int = MAX_MESSAGE_CHARS) -> Json:
    if failure is None:
        return None
    task = {} if failure.task is None else {"task": failure.task}
    return {"name": failure.name, "message": failure.message[:clip], **task}


def some(names: Sequence[str]) -> str:
    """Return names as they may stand in one line."""
    return ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:10])} and {len(names) - 10} more"
