"""The runs of one engine: the port through which requests about them are answered, and that of the table's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from orchestration import views
from orchestration.catalog import Entry
from orchestration.engine import Asked, Engine
from orchestration.model import Run, TaskState
from orchestration.payload import Json
from orchestration.store import Page
from orchestration.workflow import Workflow


@dataclass(frozen=True)
class Seen:
    """A run as it was found, or has just been started."""

    run: Run
    tasks: Mapping[str, TaskState]
    workflow: Workflow
    created: bool = False
    log_group: str | None = None  # where its log is, if nothing else will be known of it


class Runs(Protocol):
    """Every method about one run raises NoSuchRun if this engine has none of that id."""

    recorded: ClassVar[bool]  # whether anything is known of a run once it has been started

    def runs_of(self, entry: Entry) -> bool:
        """Tell whether a run of the current version of a workflow can be started."""

    def pinned(self, workflow: str, run_id: str) -> Workflow | None:
        """Return the version of a workflow that a run has already, if there is the run."""

    def start(self, workflow: Workflow, run_id: str, text: str) -> Seen:
        """Start a run with compact JSON text, or find it. Raises Conflict if the id is another's."""

    def look(self, run_id: str) -> Seen: ...

    def output(self, run_id: str, task_id: str | None) -> Json:
        """Return the output of a task or, without one, of the run, as `views.output` does."""

    def cancel(self, run_id: str) -> Asked: ...

    def redrive(self, run_id: str, from_task: str | None, epoch: int | None) -> Asked:
        """As `Engine.redrive`."""

    def list_runs(self, workflows: Sequence[str], limit: int, before: str | None) -> Page:
        """As `Store.list_runs`."""


@dataclass(frozen=True)
class TableRuns:
    """The runs of the engine `dynamodb`."""

    recorded: ClassVar[bool] = True
    engine: Engine

    def runs_of(self, entry: Entry) -> bool:  # noqa: ARG002 - it runs whatever there is
        return True

    def pinned(self, workflow: str, run_id: str) -> Workflow | None:
        run = self.engine.store.get_run(run_id)
        if run is None or run.workflow != workflow:
            return None
        return self.engine.catalog.pinned(run.workflow, run.definition)

    def start(self, workflow: Workflow, run_id: str, text: str) -> Seen:
        started = self.engine.start(workflow, run_id, text)
        return Seen(started.run, self.engine.store.get_tasks(run_id), started.workflow, started.created)

    def look(self, run_id: str) -> Seen:
        run = self._require(run_id)
        # The run is read first, so that a run that has ended is never shown with a task that has not.
        tasks = self.engine.store.get_tasks(run_id)
        return Seen(run, tasks, self.engine.catalog.pinned(run.workflow, run.definition))

    def output(self, run_id: str, task_id: str | None) -> Json:
        run = self._require(run_id)
        workflow = self.engine.catalog.pinned(run.workflow, run.definition)
        read = self.engine.store.get_outputs
        return views.output(run, workflow, task_id, lambda wanted: read(run_id, wanted, views.MAX_ANSWER_BYTES))

    def cancel(self, run_id: str) -> Asked:
        self._require(run_id)
        return self.engine.cancel(run_id)

    def redrive(self, run_id: str, from_task: str | None, epoch: int | None) -> Asked:
        self._require(run_id)
        return self.engine.redrive(run_id, from_task, epoch)

    def list_runs(self, workflows: Sequence[str], limit: int, before: str | None) -> Page:
        return self.engine.store.list_runs(workflows, limit, before)

    def _require(self, run_id: str) -> Run:
        run = self.engine.store.get_run(run_id)
        if run is None:
            raise views.no_such_run(run_id)
        return run


def merge(pages: Sequence[Page]) -> Page:
    """Return the runs of several lists that begin at one place, the newest first, as far as all of them are known."""
    # A list that goes on may have runs right after its last one, but none before it.
    cursor = max((page.cursor for page in pages if page.cursor is not None), default=None)
    runs = [run for page in pages for run in page.runs if cursor is None or run.position >= cursor]
    unreadable = {run_id: why for page in pages for run_id, why in page.unreadable.items()}
    return Page(sorted(runs, key=lambda run: run.position, reverse=True), cursor, unreadable)
