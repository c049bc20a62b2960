"""A run as the views see it, read from the Orchestrator's `describe`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cli.errors import RemoteError
from orchestration.payload import Json

TERMINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})


@dataclass(frozen=True)
class Failure:
    name: str
    message: str
    task: str | None = None


@dataclass(frozen=True)
class Task:
    id: str
    service: str
    status: str
    after: tuple[str, ...] = ()
    attempts: int = 0
    ready_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    error: Failure | None = None
    due_at: int | None = None

    def waits_ms(self, now_ms: int) -> int:
        """Return how long it is until the task may begin, if it is READY for another attempt; else 0."""
        return max(0, self.due_at - now_ms) if self.status == "READY" and self.due_at is not None else 0

    def duration_ms(self, now_ms: int) -> int | None:
        """Return how long the task has run or ran, or None if it has not begun or nobody knows."""
        if self.started_at is None or self.status == "CANCELED":  # when its last attempt ended is not known
            return None
        if self.finished_at is not None:
            return max(0, self.finished_at - self.started_at)
        return max(0, now_ms - self.started_at) if self.status == "RUNNING" else None


@dataclass(frozen=True)
class Run:
    run_id: str
    workflow: str
    version: str
    engine: str
    status: str
    created_at: int | None
    started_at: int | None
    finished_at: int | None
    error: Failure | None
    tasks: tuple[Task, ...]
    epoch: int = 1
    deadline_at: int | None = None

    @property
    def begun_at(self) -> int | None:
        return self.created_at if self.started_at is None else self.started_at

    def duration_ms(self, now_ms: int) -> int:
        """Return how long the run has lasted so far, or lasted."""
        end = now_ms if self.finished_at is None else self.finished_at
        return max(0, end - (self.begun_at if self.begun_at is not None else end))


def run_of(described: Json) -> Run:
    """Return the run of a `describe` response. Raises RemoteError if it is not one."""
    try:
        return Run(
            run_id=str(described["run_id"]),
            workflow=str(described["workflow"]),
            version=str(described.get("version") or ""),
            engine=str(described.get("engine") or ""),
            status=str(described["status"]),
            created_at=_time(described.get("created_at")),
            started_at=_time(described.get("started_at")),
            finished_at=_time(described.get("finished_at")),
            error=_failure(described.get("error")),
            tasks=tuple(_task(str(task_id), task) for task_id, task in described["tasks"].items()),
            epoch=int(described.get("epoch") or 1),
            deadline_at=_time(described.get("deadline_at")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise RemoteError(
            f"the Orchestrator described the run in a form that this version does not know ({exc!r}); "
            "deploy and install the same version of Orchestra"
        ) from None


def _task(task_id: str, task: dict[str, Any]) -> Task:
    return Task(
        id=task_id,
        service=str(task.get("service") or ""),
        status=str(task["status"]),
        after=tuple(str(other) for other in task.get("after") or ()),
        attempts=int(task.get("attempts") or 0),
        ready_at=_time(task.get("ready_at")),
        started_at=_time(task.get("started_at")),
        finished_at=_time(task.get("finished_at")),
        error=_failure(task.get("error")),
        due_at=_time(task.get("due_at")),
    )


def _failure(error: dict[str, Any] | None) -> Failure | None:
    if error is None:
        return None
    task = error.get("task")
    return Failure(
        name=str(error.get("name") or ""),
        message=str(error.get("message") or ""),
        task=None if task is None else str(task),
    )


def _time(value: object) -> int | None:
    return None if value is None else int(value)  # type: ignore[call-overload]
