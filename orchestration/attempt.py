"""One attempt of a task: how long it may take, and what follows from its end. Pure."""

from __future__ import annotations

import math

from orchestration import decide, retry
from orchestration.model import Failure, Handoff, Run, TaskState
from orchestration.workflow import Task


def ends_at(run: Run, definition: Task, task: TaskState) -> float:
    """Return the time from which on no attempt of the task may run, in epoch milliseconds."""
    total = math.inf
    if definition.total_timeout_s is not None and task.first_ready_at is not None:
        total = task.first_ready_at + definition.total_timeout_s * 1000
    return min(total, math.inf if run.deadline_at is None else run.deadline_at)


def timeout_s(run: Run, definition: Task, task: TaskState, now: int) -> int:
    """Return how long an attempt that begins now may take, in whole seconds; 0 if there is no time left."""
    left_ms = ends_at(run, definition, task) - now
    if left_ms <= 0:
        return 0
    return definition.timeout_s if math.isinf(left_ms) else min(definition.timeout_s, math.ceil(left_ms / 1000))


def failed(run: Run, definition: Task, claim: TaskState, error: Failure, *, jitter: float, now: int) -> TaskState:
    """Return the task after an attempt that failed, in a run that goes on."""
    delay_s = retry.delay_s(definition, tries=claim.tries, error=error.name, jitter=jitter)
    due_at = _due_at(run, definition, claim, delay_s, now)
    return decide.fail(claim, error, now) if due_at is None else decide.retry(claim, error, due_at=due_at, now=now)


def not_run(run: Run, definition: Task, claim: TaskState, error: Failure, *, jitter: float, now: int) -> TaskState:
    """Return the task after a claim that invoked nothing, in a run that goes on: its service was busy."""
    delay_s = retry.release_delay_s(released=claim.released, jitter=jitter)
    due_at = _due_at(run, definition, claim, delay_s, now)
    return decide.fail(claim, error, now) if due_at is None else decide.release(claim, error, due_at=due_at, now=now)


def unwanted(claim: TaskState, now: int, error: Failure) -> TaskState:
    """Return the task, of which nobody knows or wants the result, in a run that is ending."""
    return decide.cancel(claim, now, Handoff.STREAM, error)


def _due_at(run: Run, definition: Task, claim: TaskState, delay_s: float | None, now: int) -> int | None:
    """Return when the next attempt may begin; None: there is none, or its time would be up by then."""
    if delay_s is None:
        return None
    due_at = now + round(delay_s * 1000)
    return due_at if due_at < ends_at(run, definition, claim) else None
