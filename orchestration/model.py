"""Runs and tasks as they are stored: frozen records. A change makes a new record; `decide.py` says which are allowed.

Times are UTC epoch milliseconds, named `*_at`; durations are seconds, named `*_s`. Payloads are compact JSON text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ENGINE = "dynamodb"
"""The engine whose runs are records of the table."""
SCHEMA = 1
"""The version of the stored shape. An item with a higher one was written by a newer release, and is left alone."""


class TaskStatus(StrEnum):
    PENDING = "PENDING"  # waits for its dependencies; a task without an item is PENDING too
    READY = "READY"  # may be claimed by a worker
    RUNNING = "RUNNING"  # claimed: one worker waits for its result
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class RunStatus(StrEnum):
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILING = "FAILING"  # a task failed; what has not started is being canceled, what runs may end
    FAILED = "FAILED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"


TERMINAL_TASK = frozenset({TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELED})
TERMINAL_RUN = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELED})


class Handoff(StrEnum):
    """Who acts on a write. The stream's filter passes only what is marked for it."""

    STREAM = "stream"


@dataclass(frozen=True)
class Failure:
    """Why a task or a run failed: the error's name, as a retry policy selects it, and its message."""

    name: str
    message: str
    task: str | None = None  # of a run's failure: the task that failed it


@dataclass(frozen=True, kw_only=True)
class TaskState:
    """One task of one run. Version 0 is a task without an item: PENDING, and nothing has arrived."""

    run_id: str
    task_id: str
    status: TaskStatus = TaskStatus.PENDING
    version: int = 0  # one more with every write
    epoch: int = 1  # the run's, when this task was last made to run
    attempt: int = 0  # how often it has been claimed in this epoch
    released: int = 0  # how many of these claims were given back, since the service was busy and has not run
    owner: str | None = None  # the token of the last claim: who may complete it
    lease_until: int | None = None  # epoch ms: until then the owner may be taken to be alive
    arrived: frozenset[int] = frozenset()  # indexes of the dependencies that have succeeded
    handoff: Handoff | None = None
    output: str | None = None
    error: Failure | None = None  # of the last failed attempt
    first_ready_at: int | None = None  # in this epoch: the task's total timeout counts from here
    ready_at: int | None = None
    due_at: int | None = None  # READY: not to be claimed before, when it waits for another attempt
    started_at: int | None = None  # of the last attempt
    finished_at: int | None = None

    @property
    def tries(self) -> int:
        """How often its service may have run: what a retry policy counts, and what the service is told."""
        return self.attempt - self.released


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a workflow. Version 0 is a run that is not stored yet."""

    run_id: str
    workflow: str
    definition: str  # the version of the workflow, pinned for life
    input_digest: str  # names the run's input item, and tells whether a repeated start means the same run
    engine: str = ENGINE
    epoch: int = 1  # one more with every redrive
    status: RunStatus = RunStatus.RUNNING
    version: int = 0
    arrived: frozenset[int] = frozenset()  # indexes of the sinks that have succeeded
    error: Failure | None = None
    started_at: int
    deadline_at: int | None = None  # nothing of it starts from then on
    check_at: int | None = None  # when the sweeper looks at it next; None once it is terminal
    checked_at: int | None = None  # when it has looked at it last
    finished_at: int | None = None

    @property
    def position(self) -> str:
        """Its place among runs: by the time of its start, then by id."""
        return f"{self.started_at:013d}#{self.run_id}"
