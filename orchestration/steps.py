"""The steps that the engine's verbs are made of. Each may be repeated, and be taken by several handlers at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestration import decide
from orchestration.catalog import Catalog
from orchestration.clock import Chance, Clock
from orchestration.model import TERMINAL_TASK, Failure, Run, RunStatus, TaskState, TaskStatus
from orchestration.queue import MAX_DELAY_S, Message, Queue
from orchestration.store import Change, Outcome, R, Saved, Store
from orchestration.timing import Timing
from orchestration.workflow import Workflow

ENDING = frozenset({RunStatus.FAILING, RunStatus.CANCELING})
WAITING = frozenset({TaskStatus.PENDING, TaskStatus.READY})


@dataclass(frozen=True)
class Steps:
    store: Store
    catalog: Catalog
    queue: Queue
    clock: Clock
    chance: Chance
    timing: Timing = field(default_factory=Timing)

    def grace_over(self) -> int:
        return self.clock.now() + self.timing.grace_ms

    def check_at(self, deadline_at: int | None) -> int:
        """Return when the sweeper looks first at a run that begins, or goes on, now."""
        return min(self.grace_over(), deadline_at or self.grace_over())

    def tasks_of(self, run: Run, workflow: Workflow) -> dict[str, TaskState]:
        """Return every task of a run, also those without an item, and without their outputs."""
        absent = {task_id: TaskState(run_id=run.run_id, task_id=task_id) for task_id in workflow.tasks}
        return {**absent, **self.store.get_tasks(run.run_id)}

    def ready(self, tasks: Sequence[TaskState], arrived: frozenset[int] = frozenset()) -> None:
        """Make tasks READY that wait for nothing more, and dispatch them: also those that are READY already.

        Such a one may come from a handler that died before it sent the message; a message too many is dropped.
        """
        ready: list[TaskState] = []
        while tasks:
            ready += [task for task in tasks if task.status is TaskStatus.READY]
            pending = [task for task in tasks if task.status is TaskStatus.PENDING]
            now = self.clock.now()
            outcomes = self.store.save([Change(task, decide.ready(task, now, arrived)) for task in pending])
            tasks = [task for task in map(stored_of, outcomes) if task]
        self.queue.send([Message.of(task) for task in ready])

    def send(self, task: TaskState) -> None:
        """Dispatch a READY task for when it is due. Beyond what the queue can delay it, the sweeper does that."""
        delay_s = math.ceil(max(0, (task.due_at or 0) - self.clock.now()) / 1000)
        if delay_s <= MAX_DELAY_S:
            self.queue.send([Message.of(task)], delay_s)

    def follow(self, run: Run, workflow: Workflow, task_id: str) -> Run | None:
        """Tell all that waited for a task that it has succeeded; make READY what waits for nothing more."""
        index = workflow.indexes[task_id]
        dependents = workflow.dependents[task_id]
        if not dependents:
            return self.arrive_at_run(run, workflow, index)
        single = [d for d in dependents if len(workflow.tasks[d].after) == 1]
        joins = [TaskState(run_id=run.run_id, task_id=d) for d in dependents if d not in set(single)]
        complete = [
            join
            for join in map(stored_of, self.store.arrive(joins, index))
            if join and len(join.arrived) == len(workflow.tasks[join.task_id].after)
        ]
        # A task that waits for one thing only needs no join: its first write makes it READY.
        self.ready([TaskState(run_id=run.run_id, task_id=d) for d in single], frozenset({index}))
        self.ready(complete)
        return None

    def arrive_at_run(self, run: Run, workflow: Workflow, index: int) -> Run | None:
        """The run is the last join: it waits for the sinks."""
        arrived = frozenset({index})
        if len(workflow.sinks) > 1:
            (outcome,) = self.store.arrive([run], index)
            stored = stored_of(outcome)
            if stored is None or len(stored.arrived) < len(workflow.sinks):
                return None
            run = stored
        while run.status is RunStatus.RUNNING:
            (outcome,) = self.store.save([Change(run, decide.succeed_run(run, self.clock.now(), arrived))])
            if isinstance(outcome, Saved):
                return outcome.record
            if outcome.stored is None:
                break
            run = outcome.stored
        return None

    def fail(self, run: Run, error: Failure) -> Run:
        epoch = run.epoch
        while run.status is RunStatus.RUNNING and run.epoch == epoch:
            (outcome,) = self.store.save([Change(run, decide.fail_run(run, error, self.grace_over()))])
            stored = stored_of(outcome)
            if stored is None:
                break  # it has been deleted, and nobody waits for it
            run = stored
        return run

    def settle(self, run: Run, workflow: Workflow) -> Run | None:
        """Cancel what has not started of a failing or canceling run; end the run if nothing of it runs any more."""
        if run.status not in ENDING:
            return None  # somebody else has ended it since it was read
        tasks = self.tasks_of(run, workflow)
        # A redrive that has not got to all tasks is completed first, so that it cannot bring one back afterwards.
        left_behind = [t for t in tasks.values() if is_left_behind(t, run)]
        tasks |= {t.task_id: t for t in self._to_pending(run, workflow, tasks, left_behind)}
        while waiting := [t for t in tasks.values() if t.status in WAITING and t.epoch <= run.epoch]:
            now = self.clock.now()
            outcomes = self.store.save([Change(task, decide.cancel(task, now)) for task in waiting])
            tasks |= {
                t.task_id: stored_of(outcome) or replace(t, status=TaskStatus.CANCELED)
                for t, outcome in zip(waiting, outcomes, strict=True)
            }
        if any(task.status not in TERMINAL_TASK for task in tasks.values()):
            return None  # what runs brings us here again when it ends; what is of a later epoch is not ours
        epoch = run.epoch
        while run.status in ENDING and run.epoch == epoch:
            (outcome,) = self.store.save([Change(run, decide.settle_run(run, self.clock.now()))])
            if isinstance(outcome, Saved):
                return outcome.record
            if outcome.stored is None:
                break
            run = outcome.stored  # the sweeper has looked at it
        return None

    def redrive_tasks(self, run: Run, workflow: Workflow, tasks: Mapping[str, TaskState]) -> Run | None:
        """Let every task run again that has not succeeded and is not of the run's epoch yet.

        First all become PENDING, and only then those READY that wait for nothing: who is told of a success must be
        waiting for it by then.
        """
        pending = self._to_pending(run, workflow, tasks, [t for t in tasks.values() if is_left_behind(t, run)])
        self.ready([t for t in pending if len(t.arrived) == len(workflow.tasks[t.task_id].after)])
        # Of a run that was canceled at its very end everything may have succeeded.
        complete = len(run.arrived) == len(workflow.sinks)
        return self.arrive_at_run(run, workflow, workflow.indexes[workflow.sinks[0]]) if complete else None

    def _to_pending(
        self, run: Run, workflow: Workflow, tasks: Mapping[str, TaskState], redriven: Sequence[TaskState]
    ) -> list[TaskState]:
        """Make ended tasks PENDING in the run's epoch. Return them as they are stored."""
        changes = [
            Change(t, decide.redrive(t, run.epoch, arrived_of(workflow, workflow.tasks[t.task_id].after, tasks)))
            for t in redriven
        ]
        return [task for task in map(stored_of, self.store.save(changes)) if task]


def is_left_behind(task: TaskState, run: Run) -> bool:
    return task.status in {TaskStatus.FAILED, TaskStatus.CANCELED} and task.epoch < run.epoch


def arrived_of(workflow: Workflow, awaited: Iterable[str], tasks: Mapping[str, TaskState]) -> frozenset[int]:
    return frozenset(workflow.indexes[t] for t in awaited if tasks[t].status is TaskStatus.SUCCEEDED)


def stored_of(outcome: Outcome[R]) -> R | None:
    """Return what is stored now, whether we wrote it or somebody else."""
    return outcome.record if isinstance(outcome, Saved) else outcome.stored
