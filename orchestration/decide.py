"""Every move that a task or a run can make, and what it writes. Pure: no clock, no randomness, no I/O.

Theory of operation. A task has one record and any number of handlers that look at it: workers, the orchestrator, the
sweeper, each of which may run twice, late, or at the same time as another. A handler reads the record, asks this
module for the record that follows, and writes it on condition that the stored version is still the one that it read.
Of two handlers that decide on one version, one wins; the other is told what is stored now, and decides again or stops.

So the order of messages carries no meaning, and a move is safe exactly if it is allowed from what is stored. The two
tables below are the whole truth about that; terminal states are written out, with nothing in them but a redrive.

A claim writes a fresh owner token and counts the attempt, before the service is invoked: a worker that dies has used up
its attempt. Who completes a task must still be its owner, so a worker that was given up for dead cannot overwrite the
result of its successor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum, auto

from orchestration.errors import IllegalTransition
from orchestration.model import Failure, Handoff, Run, RunStatus, TaskState, TaskStatus


class TaskEvent(Enum):
    READIED = auto()  # every dependency has succeeded
    CLAIMED = auto()
    RENEWED = auto()  # the owner is still alive
    SUCCEEDED = auto()
    FAILED = auto()  # and is not tried again
    RETRIED = auto()  # failed, lost its worker or was given back, and is tried again
    CANCELED = auto()
    REDRIVEN = auto()


class RunEvent(Enum):
    SUCCEEDED = auto()  # every sink has
    FAILED = auto()  # a task has, or the deadline has passed
    CANCEL_ASKED = auto()
    SETTLED = auto()  # no task is left that could still move
    CHECKED = auto()  # the sweeper has looked at it
    REDRIVEN = auto()


TASK_MOVES: Mapping[TaskStatus, Mapping[TaskEvent, TaskStatus]] = {
    TaskStatus.PENDING: {
        TaskEvent.READIED: TaskStatus.READY,
        TaskEvent.CANCELED: TaskStatus.CANCELED,
    },
    TaskStatus.READY: {
        TaskEvent.CLAIMED: TaskStatus.RUNNING,
        TaskEvent.CANCELED: TaskStatus.CANCELED,
    },
    TaskStatus.RUNNING: {
        TaskEvent.RENEWED: TaskStatus.RUNNING,
        TaskEvent.SUCCEEDED: TaskStatus.SUCCEEDED,
        TaskEvent.FAILED: TaskStatus.FAILED,
        TaskEvent.RETRIED: TaskStatus.READY,
        TaskEvent.CANCELED: TaskStatus.CANCELED,
    },
    TaskStatus.SUCCEEDED: {},
    TaskStatus.FAILED: {TaskEvent.REDRIVEN: TaskStatus.PENDING},
    TaskStatus.CANCELED: {TaskEvent.REDRIVEN: TaskStatus.PENDING},
}

RUN_MOVES: Mapping[RunStatus, Mapping[RunEvent, RunStatus]] = {
    RunStatus.RUNNING: {
        RunEvent.SUCCEEDED: RunStatus.SUCCEEDED,
        RunEvent.FAILED: RunStatus.FAILING,
        RunEvent.CANCEL_ASKED: RunStatus.CANCELING,
        RunEvent.CHECKED: RunStatus.RUNNING,
    },
    RunStatus.FAILING: {
        RunEvent.SETTLED: RunStatus.FAILED,
        RunEvent.CHECKED: RunStatus.FAILING,
    },
    RunStatus.CANCELING: {
        RunEvent.SETTLED: RunStatus.CANCELED,
        RunEvent.CHECKED: RunStatus.CANCELING,
    },
    RunStatus.SUCCEEDED: {},
    RunStatus.FAILED: {RunEvent.REDRIVEN: RunStatus.RUNNING},
    RunStatus.CANCELED: {RunEvent.REDRIVEN: RunStatus.RUNNING},
}


def may(task: TaskState, event: TaskEvent) -> bool:
    """Tell whether the table has this move."""
    return event in TASK_MOVES[task.status]


def ready(task: TaskState, now: int, arrived: frozenset[int] = frozenset()) -> TaskState:
    """Return the task when all that it waits for has arrived; `arrived` are those that are not recorded yet."""
    return _moved(task, TaskEvent.READIED, arrived=task.arrived | arrived, ready_at=now, first_ready_at=now)


def claim(task: TaskState, *, owner: str, lease_until: int, now: int) -> TaskState:
    """Return the task as the property of `owner`, its attempt counted."""
    return _moved(
        task,
        TaskEvent.CLAIMED,
        attempt=task.attempt + 1,
        owner=owner,
        lease_until=lease_until,
        due_at=None,
        started_at=now,
        finished_at=None,
    )


def renew(task: TaskState, lease_until: int) -> TaskState:
    """Return the task with its owner believed for longer."""
    return _moved(task, TaskEvent.RENEWED, lease_until=lease_until)


def succeed(task: TaskState, output: str, now: int) -> TaskState:
    """Return the task with its output, as compact JSON text; the stream takes it from here."""
    return _ended(task, TaskEvent.SUCCEEDED, now, output=output, error=None)


def fail(task: TaskState, error: Failure, now: int) -> TaskState:
    """Return the task failed for good; the stream fails the run."""
    return _ended(task, TaskEvent.FAILED, now, error=error)


def retry(task: TaskState, error: Failure, *, due_at: int, now: int) -> TaskState:
    """Return the task ready for another attempt, not to be claimed before `due_at`."""
    return _moved(
        task,
        TaskEvent.RETRIED,
        owner=None,
        lease_until=None,
        error=error,
        ready_at=now,
        due_at=due_at,
        finished_at=now,
    )


def release(task: TaskState, error: Failure, *, due_at: int, now: int) -> TaskState:
    """Return the task as `retry` does, its claim given back: the service was busy, and has not run."""
    return replace(retry(task, error, due_at=due_at, now=now), released=task.released + 1)


def cancel(task: TaskState, now: int, handoff: Handoff | None = None, error: Failure | None = None) -> TaskState:
    """Return the task canceled. `handoff` says who has to find out whether that was the last one."""
    return _ended(task, TaskEvent.CANCELED, now, handoff=handoff, error=error or task.error)


def redrive(task: TaskState, epoch: int, arrived: frozenset[int]) -> TaskState:
    """Return the task as it waits in a new epoch of its run, in which it has done nothing yet.

    `arrived` are those that it waits for and that have succeeded; they do not run again, and so will not tell it.
    """
    fresh = TaskState(run_id=task.run_id, task_id=task.task_id, epoch=epoch, arrived=arrived)
    return replace(fresh, status=_next(task, TaskEvent.REDRIVEN), version=task.version + 1)


def start_run(run: Run, check_at: int) -> Run:
    """Return a run that is not stored yet as it is stored first."""
    return replace(run, version=1, check_at=check_at)


def succeed_run(run: Run, now: int, arrived: frozenset[int] = frozenset()) -> Run:
    """Return the run when all its sinks have arrived; `arrived` are those that are not recorded yet."""
    return _run_moved(run, RunEvent.SUCCEEDED, arrived=run.arrived | arrived, finished_at=now, check_at=None)


def fail_run(run: Run, error: Failure, check_at: int) -> Run:
    """Return the run failing: it is FAILED once nothing of it can move any more."""
    return _run_moved(run, RunEvent.FAILED, error=error, check_at=check_at)


def cancel_run(run: Run, check_at: int) -> Run:
    """Return the run canceling: it is CANCELED once nothing of it can move any more."""
    return _run_moved(run, RunEvent.CANCEL_ASKED, check_at=check_at)


def settle_run(run: Run, now: int) -> Run:
    """Return a failing or canceling run at its end."""
    return _run_moved(run, RunEvent.SETTLED, finished_at=now, check_at=None)


def check_run(run: Run, check_at: int, now: int) -> Run:
    """Return the run with the times of the sweeper's next look, and of this one."""
    return _run_moved(run, RunEvent.CHECKED, check_at=check_at, checked_at=now)


def redrive_run(run: Run, *, arrived: frozenset[int], deadline_at: int | None, check_at: int) -> Run:
    """Return an ended run as it goes on, in its next epoch. `arrived` are the sinks that have succeeded."""
    return _run_moved(
        run,
        RunEvent.REDRIVEN,
        epoch=run.epoch + 1,
        arrived=arrived,
        error=None,
        deadline_at=deadline_at,
        check_at=check_at,
        finished_at=None,
    )


def _ended(task: TaskState, event: TaskEvent, now: int, **changes: object) -> TaskState:
    changes = {"handoff": Handoff.STREAM, "lease_until": None, "due_at": None, "finished_at": now, **changes}
    return _moved(task, event, **changes)


def _moved(task: TaskState, event: TaskEvent, **changes: object) -> TaskState:
    return replace(task, status=_next(task, event), version=task.version + 1, **changes)  # type: ignore[arg-type]


def _next(task: TaskState, event: TaskEvent) -> TaskStatus:
    status = TASK_MOVES[task.status].get(event)
    if status is None:
        raise IllegalTransition(f"{task.run_id}/{task.task_id}: {event.name} is not a move from {task.status}")
    return status


def _run_moved(run: Run, event: RunEvent, **changes: object) -> Run:
    status = RUN_MOVES[run.status].get(event)
    if status is None:
        raise IllegalTransition(f"{run.run_id}: {event.name} is not a move from {run.status}")
    return replace(run, status=status, version=run.version + 1, **changes)  # type: ignore[arg-type]
